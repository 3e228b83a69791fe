//! Nearest centres on a GPU: launches of `nearest.cu`. Labels and distances stay there between looks.

use super::buffer::Buffer;
use super::centers::{Centers, SOURCE};
use super::compile::THREADS;
use super::draw;
use super::driver::ContextGuard;
use super::gpu::grid;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{Chunks, Work, alone, few, run, whole, width};
use crate::device::{Assigned, Data, Far, NearestKernels};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};
use std::marker::PhantomData;
use std::ops::Range;

/// The centre of each row, on the GPU, and what each centre has.
pub struct CudaLabels {
    /// None after a look that failed: there may be marks of doubt among them.
    labels: Option<CudaSlice<i32>>,
    n: usize,
    /// All are below this, and none is negative; at first it is 0, and all are −1.
    below: usize,
    has: Assigned,
    /// Whether few enough rows were in doubt of rounded numbers.
    coarse: bool,
}

impl CudaLabels {
    /// Them alone.
    pub fn into_room(mut self) -> Buffer {
        Buffer::of_labels(self.labels.take())
    }

    /// How many.
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Them, one for each of `n` rows; a failed look leaves none.
    fn of_rows(&self, n: usize) -> Result<&CudaSlice<i32>> {
        let fits = self.labels.as_ref().filter(|_| self.n == n);
        fits.ok_or(Error::Shape("labels are not of these rows"))
    }

    /// The same, where each is of one of `k` centres.
    fn of_centers(&self, n: usize, k: usize) -> Result<&CudaSlice<i32>> {
        if self.below == 0 || self.below > k {
            return Err(Error::Shape("labels are not of these centers"));
        }
        self.of_rows(n)
    }
}

impl Drop for CudaLabels {
    fn drop(&mut self) {
        let _guard = ContextGuard::now();
        if let Some(labels) = self.labels.take() {
            let _ = labels.stream().context().bind_to_thread();
        }
    }
}

/// A number for each row, on the GPU.
pub struct CudaColumn<T> {
    numbers: Buffer,
    n: usize,
    of: PhantomData<T>,
}

impl<T: Real> CudaColumn<T> {
    /// Where it is, if there is one for each row.
    fn of_rows(&self, work: &Work<'_, T>) -> Result<u64> {
        let fits = self.n == work.n;
        let first = fits.then_some(self.numbers.first());
        first.ok_or(Error::Shape("a number for each of these rows"))
    }
}

/// What centres have, of rows with these labels and those before; or what changes.
///
/// # Safety
/// There must be as many labels as rows, each of a centre that there is; those before may be less than that,
/// and unless `all` are asked for not more.
unsafe fn assign<T: Real>(
    work: &Work<'_, T>,
    centers: &Centers<T>,
    labels: &CudaSlice<i32>,
    before: &CudaSlice<i32>,
    all: bool,
) -> Result<Assigned> {
    let (gpu, p, k) = (work.gpu, centers.p, centers.k);
    // Whole warps.
    let (numbers, width) = (k * (p + 2) + 1, width(p.max(32)));
    let chunks = Chunks::several(work.n, numbers, THREADS as usize / width * 2)?;
    let all = i32::from(all);
    let parts: CudaSlice<f64> = gpu.cleared(chunks.count * numbers, "sums of clusters")?;
    let (count, shared, many) = (whole(chunks.count)?, few(width)?, few(k)?);
    let kernel = gpu.kernel::<T>(SOURCE, "assign")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&chunks.size).arg(&count);
    launch.arg(&shared).arg(&centers.place).arg(labels);
    launch.arg(before).arg(&all).arg(&many).arg(&parts);
    let blocks = (chunks.count * width).div_ceil(THREADS as usize);
    // SAFETY: `assign` reads the rows and p numbers of a place (`find` has checked), and both labels of each row;
    // those say where it adds to the k (p + 2) + 1 numbers of a chunk, for which `parts` was made: the caller
    // vouches for them.
    unsafe { run(launch, grid([blocks, 1], THREADS)?) }?;
    let mut sums = work.summed(numbers, chunks.count, &parts)?;
    let changed = sums.pop().unwrap_or(0.0);
    let counts = sums.split_off(k * (p + 1));
    let weights = sums.split_off(k * p);
    Ok(Assigned {
        sums,
        weights,
        counts,
        changed,
    })
}

impl NearestKernels for Cuda {
    type Labels = CudaLabels;
    type Column<T: Real> = CudaColumn<T>;
    type Centers<'c, T: Real> = Centers<T>;

    fn centers<'c, T: Real>(&self, place: &'c [f64], centers: &'c [f64]) -> Result<Centers<T>> {
        Centers::of(&self.0, place, centers)
    }

    fn pack_centers<T: Real>(&self, centers: &CudaRows<'_, f64>) -> Result<Centers<T>> {
        Centers::pack_centers(&self.0, centers)
    }

    fn labels<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<CudaLabels> {
        let (_guard, n) = (ContextGuard::now()?, rows.shape().0);
        let labels = self.0.none(n)?;
        self.0.wait()?;
        Ok(CudaLabels {
            labels: Some(labels),
            n,
            below: 0,
            has: Assigned::default(),
            coarse: true,
        })
    }

    fn labels_to_host(&self, labels: CudaLabels) -> Result<Vec<i32>> {
        let _guard = ContextGuard::now()?;
        let mut out = memory::zeros(labels.n, "labels")?;
        self.0.fetch_into(labels.of_rows(labels.n)?, &mut out)?;
        Ok(out)
    }

    fn column<T: Real>(&self, rows: &Data<'_, '_, Self, T>, value: f64) -> Result<CudaColumn<T>> {
        let (gpu, n) = (&self.0, rows.shape().0);
        let numbers = Buffer::bare(gpu, n * size_of::<T>())?;
        if n > 0 {
            let _guard = ContextGuard::now()?;
            let (first, count) = (numbers.first(), whole(n)?);
            let kernel = gpu.kernel::<T>(draw::SOURCE, "filled")?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&count).arg(&value).arg(&first);
            // SAFETY: `filled` writes n numbers, for which the room was made.
            unsafe { run(launch, alone(n)?) }?;
            gpu.wait()?;
        }
        Ok(CudaColumn {
            numbers,
            n,
            of: PhantomData,
        })
    }

    fn clear<T: Real>(&self, column: &mut CudaColumn<T>, rows: &[usize]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if rows.iter().any(|row| *row >= column.n) {
            return Err(Error::Shape("there are no such rows"));
        }
        let (_guard, gpu) = (ContextGuard::now()?, &self.0);
        let mut list = memory::zeros(rows.len(), "numbers of rows")?;
        for (to, row) in list.iter_mut().zip(rows) {
            *to = whole(*row)?;
        }
        let (list, count, first) = (gpu.send(&list)?, whole(rows.len())?, column.numbers.first());
        let kernel = gpu.kernel::<T>(draw::SOURCE, "erased")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&count).arg(&list).arg(&first);
        // SAFETY: `erased` reads the list, and writes to those rows of the column, which there are (checked).
        unsafe { run(launch, alone(rows.len())?) }?;
        gpu.wait()
    }

    fn label<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<T>,
        labels: &mut CudaLabels,
    ) -> Result<()> {
        let work = Work::on(rows)?;
        labels.has = Assigned::default();
        if work.n == 0 {
            return Ok(());
        }
        labels.of_rows(work.n)?;
        let list = labels.labels.take().ok_or(Error::Shape("labels"))?;
        labels.coarse = centers.find(&work, &list, labels.coarse)?;
        (labels.labels, labels.below) = (Some(list), centers.k);
        Ok(())
    }

    fn assign<'l, T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<T>,
        labels: &'l mut CudaLabels,
    ) -> Result<&'l Assigned> {
        let work = Work::on(rows)?;
        if work.n == 0 {
            labels.has = Assigned::none(centers.k, centers.p)?;
            return Ok(&labels.has);
        }
        labels.of_rows(work.n)?;
        let new = work.gpu.empty(work.n, "labels")?;
        labels.coarse = centers.find(&work, &new, labels.coarse)?;
        // With weights what is left of a centre without rows would be a rounding, not zero.
        let same = labels.has.sums.len() == centers.k * centers.p && labels.below <= centers.k;
        let (all, before) = (rows.w.is_some() || !same, labels.of_rows(work.n)?);
        // SAFETY: `find` has given each row a centre; those before were given by it too, or are −1, and where not
        // all are asked for there were no more centres then.
        let found = unsafe { assign(&work, centers, &new, before, all) }?;
        if all {
            labels.has = found;
        } else {
            labels.has.add(&found);
        }
        (labels.labels, labels.below) = (Some(new), centers.k);
        Ok(&labels.has)
    }

    fn held<'l>(&self, labels: &'l CudaLabels) -> &'l Assigned {
        &labels.has
    }

    fn inertia<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<T>,
        labels: &CudaLabels,
    ) -> Result<f64> {
        let work = Work::on(rows)?;
        if work.n == 0 {
            return Ok(0.0);
        }
        centers.fit(&work)?;
        let (gpu, chunks) = (work.gpu, Chunks::of(work.n, 1)?);
        let own = labels.of_centers(work.n, centers.k)?;
        let shared = few(width(centers.p))?;
        let parts: CudaSlice<f64> = gpu.empty(chunks.count, "inertia")?;
        let kernel = gpu.kernel::<T>(SOURCE, "inertia")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&shared);
        launch.arg(&centers.place).arg(&centers.exact);
        launch.arg(own).arg(&parts);
        // SAFETY: `inertia` reads the rows, a label of each and the centres of those, which there are
        // (`of_centers`), of as many columns (`fit`), and writes a number a chunk, for which `parts` was made.
        unsafe { run(launch, grid([chunks.count, 1], THREADS)?) }?;
        Ok(work.summed(1, chunks.count, &parts)?[0])
    }

    fn farthest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<T>,
        labels: &CudaLabels,
        count: usize,
    ) -> Result<Vec<Far>> {
        let n = rows.shape().0;
        if n == 0 {
            return Ok(Vec::new()); // of no rows
        }
        let own = labels.of_centers(n, centers.k)?;
        // SAFETY: `of_centers` says that each row has a label, of a centre that there is.
        unsafe { draw::farthest(rows, centers, (own, count)) }
    }

    fn update_min_distance<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &mut CudaColumn<T>,
        newest: &[f64],
        candidates: &[f64],
    ) -> Result<Vec<f64>> {
        let work = Work::on(rows)?;
        let first = nearest.of_rows(&work)?;
        // SAFETY: `of_rows` has checked that there is a number for each row; `nearest` is borrowed by us alone, and
        // `update_min_distance` waits at its end.
        unsafe { draw::update_min_distance(&work, first, [newest, candidates]) }
    }

    fn potentials<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &CudaColumn<T>,
        newest: &[f64],
        some: Range<usize>,
    ) -> Result<Vec<f64>> {
        let work = Work::on(rows)?;
        let first = nearest.of_rows(&work)?;
        // SAFETY: the same, and it is only read.
        unsafe { draw::potentials(&work, first, newest, &some) }
    }

    fn distances<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        points: &CudaRows<'_, T>,
        out: CudaOut<'_, T>,
    ) -> Result<()> {
        draw::distances(rows, points, &out)
    }

    fn row<T: Real>(&self, rows: &Data<'_, '_, Self, T>, row: usize) -> Result<Vec<f64>> {
        let mut row = draw::gather(&Work::on(rows)?, row, None)?;
        row.pop();
        Ok(row)
    }
}
