//! Moments on a GPU: launches of `moments.cu`.

use super::compile::{Source, THREADS};
use super::gpu::{AMPERE, Gpu, grid};
use super::rows::{Cuda, Raw};
use super::work::{Chunks, Work, alone, few, run, whole};
use crate::device::{ColumnMoments, Data, MomentKernels, MomentOptions};
use crate::{Error, Result, memory, real::Real, solve};
use cudarc::driver::{CudaFunction, CudaSlice, PushKernelArg};

pub(super) const SOURCE: Source = Source {
    name: "moments.cu",
    text: include_str!("moments.cu"),
    constants: &[
        ("SIDE", SIDE as f64),
        ("PANEL", PANEL as f64),
        ("BATCH", BATCH as f64),
        ("TARGETS", TARGETS as f64),
    ],
};
/// The same for tensor cores.
pub(super) const TENSOR: Source = Source {
    name: "tensor.cu",
    text: include_str!("tensor.cu"),
    constants: &[("PANEL", PANEL as f64)],
};
/// Rows and columns of a tile of `columns`.
const SIDE: usize = 32;
/// Columns of a tile of `products`.
const PANEL: usize = 64;
/// Rows of a tile of `residual` and of `r_factor`, and targets of a tile of `residual`.
const BATCH: usize = 64;
const TARGETS: usize = 4;

/// What `columns` brings of each chunk, and `means` of all: on the GPU.
pub(super) struct Columns {
    origin: CudaSlice<f64>,
    weights: CudaSlice<f64>,
    centers: CudaSlice<f64>,
    sums: CudaSlice<f64>,
    total: CudaSlice<f64>,
    mean: CudaSlice<f64>,
    variances: CudaSlice<f64>,
    /// Of each chunk, where asked for.
    extremes: Option<CudaSlice<f64>>,
}

impl<T: Real> Work<'_, T> {
    fn kernel(&self, name: &str) -> Result<CudaFunction> {
        self.gpu.kernel::<T>(SOURCE, name)
    }

    /// The sums of `parts`, `numbers` of each chunk, on the host. Fails where `parts` has fewer.
    pub(super) fn summed(
        &self,
        numbers: usize,
        chunks: usize,
        parts: &CudaSlice<f64>,
    ) -> Result<Vec<f64>> {
        if parts.len() < chunks * numbers {
            return Err(Error::Shape("sums of chunks"));
        }
        let (gpu, size, count) = (self.gpu, whole(numbers)?, whole(chunks)?);
        let mut out = gpu.empty(numbers, "sums")?;
        let kernel = self.kernel("summed")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&size).arg(&count).arg(parts).arg(&mut out);
        // SAFETY: `summed` reads `numbers` of each chunk, which `parts` has (checked), and writes `numbers`, for
        // which `out` was made.
        unsafe { run(launch, alone(numbers)?) }?;
        gpu.fetch(&out, numbers)
    }

    fn columns(&self, chunks: Chunks, extremes: bool) -> Result<Columns> {
        let (gpu, q) = (self.gpu, self.q);
        let (name, count) = ("column sums", whole(chunks.count)?);
        let mut origin = gpu.empty(q, name)?;
        let mut weights = gpu.empty(chunks.count, name)?;
        let each = || gpu.empty(chunks.count * q, name);
        let (mut centers, mut sums, mut squares) = (each()?, each()?, each()?);
        let buffer = || gpu.empty(q, name);
        let (mut mean, mut variances) = (buffer()?, buffer()?);
        let mut total = gpu.empty(1, name)?;
        let kernel = self.kernel("origin")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&self.raw).arg(&mut origin);
        // SAFETY: `origin` reads the rows, and writes q numbers, for which `origin` was made.
        unsafe { run(launch, grid([1, 1], THREADS)?) }?;
        let most = || gpu.empty(2 * chunks.count * q, "extremes");
        let mut extremes = extremes.then(most).transpose()?;
        let kernel = self.kernel("columns")?;
        let (mut launch, nowhere) = (gpu.stream.launch_builder(&kernel), 0_u64);
        launch.arg(&self.raw).arg(&chunks.size).arg(&origin);
        launch.arg(&mut weights).arg(&mut centers);
        launch.arg(&mut sums).arg(&mut squares);
        match &mut extremes {
            Some(extremes) => launch.arg(extremes),
            None => launch.arg(&nowhere),
        };
        // SAFETY: `columns` reads the rows and q places, and writes of each chunk a weight, three times q numbers,
        // and 2 q extremes where there is room: all were made above for as many chunks.
        unsafe { run(launch, grid([chunks.count, q.div_ceil(SIDE)], THREADS)?) }?;
        let kernel = self.kernel("means")?;
        let q = few(q)?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&q).arg(&count).arg(&origin).arg(&weights);
        launch.arg(&centers).arg(&sums).arg(&squares);
        launch.arg(&mut total).arg(&mut mean).arg(&mut variances);
        // SAFETY: `means` reads what `columns` wrote of as many chunks, and writes a weight, q means and q squares.
        unsafe { run(launch, alone(self.q)?) }?;
        Ok(Columns {
            origin,
            weights,
            centers,
            sums,
            total,
            mean,
            variances,
            extremes,
        })
    }

    /// `S` of all chunks.
    fn products(
        &self,
        chunks: Chunks,
        of: &Columns,
        look: MomentOptions,
    ) -> Result<CudaSlice<f64>> {
        let centers = look.centered.then_some(&of.centers);
        let (rows, shape) = ((self.gpu, &self.raw), (self.q, chunks));
        let parts = tiles(rows, shape, centers, look.exact)?;
        joined::<T>(self.gpu, shape, &parts, look.centered.then_some(of))
    }

    /// What was found, on the host; around zero where there is no origin.
    fn found(&self, of: &Columns, comoment: Vec<f64>, centered: bool) -> Result<ColumnMoments> {
        let weight = self.gpu.fetch(&of.total, 1)?[0];
        let counts = [self.n as f64, weight];
        let mut origin = self.gpu.fetch(&of.origin, self.q)?;
        let mut mean = self.gpu.fetch(&of.mean, self.q)?;
        if !centered {
            mean.fill(0.0);
        }
        if !centered || weight <= 0.0 {
            origin.fill(0.0);
        }
        Ok(ColumnMoments {
            counts,
            origin,
            mean,
            comoment,
        })
    }
}

/// Products of `q` columns of each chunk, around places of its own or around zero. Fails where the rows have
/// other columns, or where places are not `q` for each chunk.
pub(super) fn tiles<T: Real>(
    (gpu, raw): (&Gpu, &Raw<T>),
    (q, chunks): (usize, Chunks),
    centers: Option<&CudaSlice<f64>>,
    exact: bool,
) -> Result<CudaSlice<f64>> {
    let (pairs, nowhere) = (pairs(q), 0_u64);
    if raw.all() != q || centers.is_some_and(|centers| centers.len() < chunks.count * q) {
        return Err(Error::Shape("columns of products"));
    }
    let parts = gpu.empty(chunks.count * pairs * PANEL * PANEL, "co-moments")?;
    let (source, name) = match (gpu.arch >= AMPERE, exact || T::NAME == f64::NAME) {
        (true, true) => (TENSOR, "products_f64"),
        (true, false) => (TENSOR, "products_tf32"),
        (false, _) if exact => (SOURCE, "products_exact"),
        (false, _) => (SOURCE, "products"),
    };
    let kernel = gpu.kernel::<T>(source, name)?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(raw).arg(&chunks.size);
    match centers {
        Some(centers) => launch.arg(centers),
        None => launch.arg(&nowhere),
    };
    launch.arg(&parts);
    // Blocks that read the same rows run together.
    // SAFETY: each of these kernels reads the rows and q places of each chunk or none (checked), and writes
    // PANEL × PANEL numbers for each pair of panels and chunk, for which `parts` was made.
    unsafe { run(launch, grid([pairs, chunks.count], THREADS)?) }?;
    Ok(parts)
}

/// Their sums; around the joint means where columns are given.
pub(super) fn joined<T: Real>(
    gpu: &Gpu,
    (q, chunks): (usize, Chunks),
    parts: &CudaSlice<f64>,
    of: Option<&Columns>,
) -> Result<CudaSlice<f64>> {
    let fits = of.is_none_or(|of| of.origin.len() == q && of.weights.len() >= chunks.count);
    if parts.len() < chunks.count * tiled(q) || !fits {
        return Err(Error::Shape("sums of products"));
    }
    let out = gpu.empty(q * (q + 1) / 2, "co-moments")?;
    let kernel = gpu.kernel::<T>(SOURCE, "joined")?;
    let (columns, count, pairs) = (few(q)?, whole(chunks.count)?, few(pairs(q))?);
    let (mut launch, nowhere) = (gpu.stream.launch_builder(&kernel), 0_u64);
    launch.arg(&columns).arg(&count).arg(&pairs);
    if let Some(of) = of {
        launch.arg(&of.origin).arg(&of.weights).arg(&of.centers);
        launch.arg(&of.sums).arg(&of.mean);
    } else {
        for _ in 0..5 {
            launch.arg(&nowhere);
        }
    }
    launch.arg(parts).arg(&out);
    // SAFETY: `joined` reads the tiles of each chunk, and where there are any the columns' numbers, which are of
    // q columns and as many chunks (checked: `columns` makes all of one size); it writes q (q + 1) / 2 numbers,
    // for which `out` was made.
    unsafe { run(launch, alone(q * (q + 1) / 2)?) }?;
    Ok(out)
}

/// What parts of that have room for.
pub(super) fn tiled(q: usize) -> usize {
    pairs(q) * PANEL * PANEL
}

/// Tiles on and below the diagonal.
fn pairs(q: usize) -> usize {
    let panels = q.div_ceil(PANEL);
    panels * (panels + 1) / 2
}

/// No rows at all.
fn nothing(q: usize, comoment: usize) -> Result<ColumnMoments> {
    Ok(ColumnMoments {
        counts: [0.0; 2],
        origin: memory::zeros(q, "means")?,
        mean: memory::zeros(q, "means")?,
        comoment: memory::zeros(comoment, "co-moments")?,
    })
}

impl MomentKernels for Cuda {
    fn means<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<ColumnMoments> {
        let work = Work::on(rows)?;
        if work.n == 0 {
            return nothing(work.q, work.q);
        }
        let of = work.columns(Chunks::of(work.n, work.q)?, false)?;
        let variances = self.0.fetch(&of.variances, work.q)?;
        work.found(&of, variances, true)
    }

    fn columns<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<(ColumnMoments, Vec<f64>)> {
        let work = Work::on(rows)?;
        let (gpu, q) = (work.gpu, work.q);
        if work.n == 0 {
            let mut extremes = memory::zeros(2 * q, "extremes")?;
            extremes.fill(f64::NEG_INFINITY);
            return Ok((nothing(q, q)?, extremes));
        }
        let chunks = Chunks::of(work.n, q)?;
        let of = work.columns(chunks, true)?;
        let mut most = gpu.empty(2 * q, "extremes")?;
        if let Some(extremes) = &of.extremes {
            let kernel = work.kernel("largest")?;
            let (numbers, count) = (whole(2 * q)?, whole(chunks.count)?);
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch
                .arg(&numbers)
                .arg(&count)
                .arg(extremes)
                .arg(&mut most);
            // SAFETY: `largest` reads 2 q numbers of each chunk, which `columns` made room for and wrote, and
            // writes 2 q, for which `most` was made.
            unsafe { run(launch, alone(2 * q)?) }?;
        }
        let most = gpu.fetch(&most, 2 * q)?;
        let variances = gpu.fetch(&of.variances, q)?;
        Ok((work.found(&of, variances, true)?, most))
    }

    fn moments<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        look: MomentOptions,
    ) -> Result<ColumnMoments> {
        let work = Work::on(rows)?;
        let numbers = work.q * (work.q + 1) / 2;
        if work.n == 0 {
            return nothing(work.q, numbers);
        }
        let chunks = Chunks::of(work.n, tiled(work.q))?;
        let of = work.columns(chunks, false)?;
        let comoment = work.products(chunks, &of, look)?;
        let comoment = self.0.fetch(&comoment, numbers)?;
        work.found(&of, comoment, look.centered)
    }

    fn residual<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        coef: &[f64],
    ) -> Result<Vec<f64>> {
        let (work, (_, p, m)) = (Work::on(rows)?, rows.shape());
        if work.n == 0 {
            return memory::zeros(p * m, "a gradient");
        }
        if mean.len() != p + m || coef.len() != p * m {
            return Err(Error::Shape("coefficients are not of these rows"));
        }
        let (gpu, chunks) = (work.gpu, Chunks::of(work.n, p * m)?);
        let (mean, coef) = (gpu.send(mean)?, gpu.send(coef)?);
        let mut parts: CudaSlice<f64> = gpu.empty(chunks.count * p * m, "a gradient")?;
        let kernel = work.kernel("residual")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size);
        launch.arg(&mean).arg(&coef).arg(&mut parts);
        // SAFETY: `residual` reads the rows, p + m means and p × m coefficients (checked), and writes p × m numbers
        // a chunk, for which `parts` was made.
        unsafe { run(launch, grid([chunks.count, m.div_ceil(TARGETS)], THREADS)?) }?;
        work.summed(p * m, chunks.count, &parts)
    }

    fn r_factor<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        h: usize,
    ) -> Result<(Vec<f64>, usize)> {
        let work = Work::on(rows)?;
        let (gpu, q) = (work.gpu, work.q);
        let mut all = (memory::zeros(h * q, "a triangle")?, 0);
        if work.n == 0 {
            return Ok(all);
        }
        if mean.len() != q {
            return Err(Error::Shape("means are not of these rows"));
        }
        let chunks = Chunks::of(work.n, 4 * q * (q + BATCH))?;
        let mean = gpu.send(mean)?;
        let mut triangles = gpu.cleared(chunks.count * q * q, "triangles")?;
        let mut buffer: CudaSlice<f64> =
            gpu.empty(chunks.count * BATCH * q, "rows of triangles")?;
        let kernel = work.kernel("r_factor")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&mean);
        launch.arg(&mut triangles).arg(&mut buffer);
        // SAFETY: `r_factor` reads the rows and q means (checked), and reads and writes q × q numbers a chunk in
        // `triangles` and BATCH × q in `buffer`, which were made for as many chunks.
        unsafe { run(launch, grid([chunks.count, 1], THREADS)?) }?;
        let found = gpu.fetch(&triangles, chunks.count * q * q)?;
        let mut columns = memory::zeros(q * q, "a triangle")?;
        for r_factor in found.chunks_exact(q * q) {
            for (at, column) in columns.chunks_exact_mut(q).enumerate() {
                for (to, row) in column.iter_mut().zip(r_factor.chunks_exact(q)) {
                    *to = row[at];
                }
            }
            all.1 = solve::stack([h, q], (&mut all.0, all.1), (&columns, q, q))?;
        }
        Ok(all)
    }
}
