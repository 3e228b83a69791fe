//! Nearest centres on a card: launches of `nearest.cu`. Labels and distances stay there between looks.

use super::Source;
use super::card::{Kept, grid};
use super::centers::Centers;
use super::draw;
use super::product::Room;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{Chunks, THREADS, Work, alone, few, run, whole, width};
use crate::device::{Assigned, Data, Far, NearestKernels};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};
use std::marker::PhantomData;
use std::ops::Range;

pub(super) const SOURCE: Source = Source {
    name: "nearest.cu",
    text: include_str!("nearest.cu"),
};

/// The centre of each row, on the card, and what each centre has.
pub struct CudaLabels {
    labels: Option<CudaSlice<i32>>,
    n: usize,
    has: Assigned,
    /// Whether few enough rows were in doubt of rounded numbers.
    coarse: bool,
}

impl CudaLabels {
    /// Them alone.
    pub(super) fn take(&mut self) -> Option<CudaSlice<i32>> {
        self.labels.take()
    }

    /// How many.
    pub fn rows(&self) -> usize {
        self.n
    }

    pub(super) fn get(&self) -> Result<&CudaSlice<i32>> {
        self.labels.as_ref().ok_or(Error::Shape("labels"))
    }
}

impl Drop for CudaLabels {
    fn drop(&mut self) {
        let _kept = Kept::now();
        if let Some(labels) = self.labels.take() {
            let _ = labels.stream().context().bind_to_thread();
        }
    }
}

/// A number for each row, on the card.
pub struct CudaColumn<T> {
    numbers: Room,
    of: PhantomData<T>,
}

/// What centres have, of rows with these labels and those before; or what changes.
fn tally<T: Real>(
    work: &Work<'_>,
    centers: &Centers<T>,
    labels: &CudaSlice<i32>,
    before: &CudaSlice<i32>,
    all: bool,
) -> Result<Assigned> {
    let (card, p, k) = (work.card, centers.p, centers.k);
    // Whole warps.
    let (numbers, width) = (k * (p + 2) + 1, width(p.max(32)));
    let chunks = Chunks::several(work.n, numbers, THREADS as usize / width * 2)?;
    let all = i32::from(all);
    let parts: CudaSlice<f64> = card.cleared(chunks.count * numbers, "sums of clusters")?;
    let (count, shared, many) = (whole(chunks.count)?, few(width)?, few(k)?);
    let kernel = card.kernel::<T>(SOURCE, "tally")?;
    let mut launch = card.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&chunks.size).arg(&count);
    launch.arg(&shared).arg(&centers.place).arg(labels);
    launch.arg(before).arg(&all).arg(&many).arg(&parts);
    let blocks = (chunks.count * width).div_ceil(THREADS as usize);
    run(launch, grid([blocks, 1], THREADS)?)?;
    let mut sums = work.summed::<T>(numbers, chunks.count, &parts)?;
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

    fn around<T: Real>(&self, centers: &CudaRows<'_, f64>) -> Result<Centers<T>> {
        Centers::around(&self.0, centers)
    }

    fn labels<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<CudaLabels> {
        let (_kept, n) = (Kept::now()?, rows.shape().0);
        let labels = self.0.none(n)?;
        self.0.wait()?;
        Ok(CudaLabels {
            labels: Some(labels),
            n,
            has: Assigned::default(),
            coarse: true,
        })
    }

    fn labels_to_host(&self, labels: CudaLabels) -> Result<Vec<i32>> {
        let _kept = Kept::now()?;
        let mut out = memory::zeros(labels.n, "labels")?;
        self.0.fetch_into(labels.get()?, &mut out)?;
        Ok(out)
    }

    fn column<T: Real>(&self, rows: &Data<'_, '_, Self, T>, value: f64) -> Result<CudaColumn<T>> {
        let (card, n) = (&self.0, rows.shape().0);
        let numbers = Room::bare(card, n * size_of::<T>())?;
        if n > 0 {
            let _kept = Kept::now()?;
            let (first, count) = (numbers.first(), whole(n)?);
            let kernel = card.kernel::<T>(draw::SOURCE, "filled")?;
            let mut launch = card.stream.launch_builder(&kernel);
            launch.arg(&count).arg(&value).arg(&first);
            run(launch, alone(n)?)?;
            card.wait()?;
        }
        Ok(CudaColumn {
            numbers,
            of: PhantomData,
        })
    }

    fn clear<T: Real>(&self, column: &mut CudaColumn<T>, rows: &[usize]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (_kept, card) = (Kept::now()?, &self.0);
        let mut list = memory::zeros(rows.len(), "numbers of rows")?;
        for (to, row) in list.iter_mut().zip(rows) {
            *to = whole(*row)?;
        }
        let (list, count, first) = (
            card.send(&list)?,
            whole(rows.len())?,
            column.numbers.first(),
        );
        let kernel = card.kernel::<T>(draw::SOURCE, "erased")?;
        let mut launch = card.stream.launch_builder(&kernel);
        launch.arg(&count).arg(&list).arg(&first);
        run(launch, alone(rows.len())?)?;
        card.wait()
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
        labels.coarse = centers.find(&work, labels.get()?, labels.coarse)?;
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
        let new = work.card.room(work.n, "labels")?;
        labels.coarse = centers.find(&work, &new, labels.coarse)?;
        // With weights what is left of a centre without rows would be a rounding, not zero.
        let all = rows.w.is_some() || labels.has.sums.len() != centers.k * centers.p;
        let found = tally(&work, centers, &new, labels.get()?, all)?;
        if all {
            labels.has = found;
        } else {
            labels.has.add(&found);
        }
        labels.labels = Some(new);
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
        let (card, chunks) = (work.card, Chunks::of(work.n, 1)?);
        let shared = few(width(centers.p))?;
        let parts: CudaSlice<f64> = card.room(chunks.count, "inertia")?;
        let kernel = card.kernel::<T>(SOURCE, "inertia")?;
        let mut launch = card.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&shared);
        launch.arg(&centers.place).arg(&centers.exact);
        launch.arg(labels.get()?).arg(&parts);
        run(launch, grid([chunks.count, 1], THREADS)?)?;
        Ok(work.summed::<T>(1, chunks.count, &parts)?[0])
    }

    fn farthest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<T>,
        labels: &CudaLabels,
        count: usize,
    ) -> Result<Vec<Far>> {
        draw::farthest(rows, centers, (labels, count))
    }

    fn closer<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &mut CudaColumn<T>,
        newest: &[f64],
        candidates: &[f64],
    ) -> Result<Vec<f64>> {
        draw::closer::<T>(&Work::on(rows)?, &nearest.numbers, [newest, candidates])
    }

    fn potentials<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &CudaColumn<T>,
        newest: &[f64],
        some: Range<usize>,
    ) -> Result<Vec<f64>> {
        draw::potentials::<T>(&Work::on(rows)?, &nearest.numbers, newest, &some)
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
        let mut row = draw::gather::<T>(&Work::on(rows)?, row, 0)?;
        row.pop();
        Ok(row)
    }
}
