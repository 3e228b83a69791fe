//! Products on a GPU: launches of `product.cu`.

use super::compile::{Source, THREADS};
use super::gpu::grid;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{Chunks, Work, few, run};
use crate::device::{Data, ProductKernels};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};

pub(super) const SOURCE: Source = Source {
    name: "product.cu",
    text: include_str!("product.cu"),
    constants: &[
        ("BATCH", BATCH as f64),
        ("EACH", EACH as f64),
        ("TARGETS", TARGETS as f64),
    ],
};
/// Rows of a tile.
const BATCH: usize = 64;
/// Targets of a thread of `product`, and of a block.
const EACH: usize = 4;
const SIXTEEN: usize = EACH * THREADS as usize / BATCH;
/// Directions of a block of `scatter`.
const TARGETS: usize = 4;

/// What rows are multiplied by.
struct Factor<'f, T> {
    mean: Option<&'f CudaRows<'f, f64>>,
    coef: &'f CudaRows<'f, T>,
    intercept: Option<&'f CudaRows<'f, T>>,
    /// Whether targets are wanted less the product.
    less: bool,
}

/// Where so many numbers are, and from one to the next; of one alone, none.
fn line<N>(numbers: Option<&CudaRows<'_, N>>, many: usize) -> Result<(u64, i64)> {
    match numbers.map(|some| (some.first(), some.shape(), some.steps())) {
        None => Ok((0, 0)), // nowhere
        Some((first, (1, 1), _)) => Ok((first, 0)),
        Some((first, (n, 1), (step, _)) | (first, (1, n), (_, step))) if n == many => {
            Ok((first, step))
        }
        _ => Err(Error::Shape("coefficients are not of these rows")),
    }
}

impl Cuda {
    fn multiply<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        by: &Factor<'_, T>,
        out: &CudaOut<'_, T>,
    ) -> Result<()> {
        let ((n, p, of), (height, m)) = (rows.shape(), by.coef.shape());
        if height != p || by.less && of != m {
            return Err(Error::Shape("coefficients are not of these rows"));
        }
        let (mean, intercept) = (line(by.mean, p)?, line(by.intercept, m)?);
        let (work, out, gpu) = (Work::on(rows)?, out.checked_address(n * m)?, &self.0);
        if n * m == 0 {
            return Ok(());
        }
        let (coef, steps) = (by.coef.first(), by.coef.steps());
        let (many, less) = (few(m)?, i32::from(by.less));
        let kernel = gpu.kernel::<T>(SOURCE, "product")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&mean.0).arg(&mean.1);
        launch.arg(&coef).arg(&steps.0).arg(&steps.1);
        launch.arg(&intercept.0).arg(&intercept.1);
        launch.arg(&many).arg(&less).arg(&out);
        let blocks = [n.div_ceil(BATCH), m.div_ceil(SIXTEEN)];
        // SAFETY: `product` reads the rows, p × m coefficients (their height was compared with p, and where
        // targets are read m with theirs), p means and m intercepts or none (`line` has checked), and writes
        // n × m numbers, as many as `out.buffer` has checked.
        unsafe { run(launch, grid(blocks, THREADS)?) }?;
        gpu.wait()
    }

    /// `Y − XC − b`, row by row, `n × m`.
    pub fn rest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        coef: &CudaRows<'_, T>,
        intercept: &CudaRows<'_, T>,
        out: &CudaOut<'_, T>,
    ) -> Result<()> {
        let by = Factor {
            mean: None,
            coef,
            intercept: Some(intercept),
            less: true,
        };
        self.multiply(rows, &by, out)
    }
}

impl ProductKernels for Cuda {
    fn product<T: Real>(
        &self,
        x: &CudaRows<'_, T>,
        coef: &CudaRows<'_, T>,
        intercept: &CudaRows<'_, T>,
        out: CudaOut<'_, T>,
    ) -> Result<()> {
        let rows = Data {
            device: self,
            x,
            y: None,
            w: None,
        };
        let by = Factor {
            mean: None,
            coef,
            intercept: Some(intercept),
            less: false,
        };
        self.multiply(&rows, &by, &out)
    }

    fn project<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &CudaRows<'_, f64>,
        coef: &CudaRows<'_, T>,
        out: CudaOut<'_, T>,
    ) -> Result<()> {
        let by = Factor {
            mean: Some(mean),
            coef,
            intercept: None,
            less: false,
        };
        self.multiply(rows, &by, &out)
    }

    fn quadratic_form<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        [mean, matrix]: [&CudaRows<'_, f64>; 2],
        [start, scale]: [f64; 2],
        out: CudaOut<'_, f64>,
    ) -> Result<()> {
        let (n, p, _) = rows.shape();
        let (tall, across) = mean.shape();
        if matrix.shape() != (p, p) || tall * across != p {
            return Err(Error::Shape("matrix and rows"));
        }
        let (work, mean, out, gpu) = (
            Work::on(rows)?,
            line(Some(mean), p)?,
            out.checked_address(n)?,
            &self.0,
        );
        if n == 0 {
            return Ok(());
        }
        let (first, steps) = (matrix.first(), matrix.steps());
        let kernel = gpu.kernel::<T>(SOURCE, "quadratic_form")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&mean.0).arg(&mean.1);
        launch.arg(&first).arg(&steps.0).arg(&steps.1);
        launch.arg(&start).arg(&scale).arg(&out);
        // SAFETY: `form` reads the rows, p means (`line` has checked) and a matrix of p × p (checked), and writes
        // n numbers, as many as `out.buffer` has checked.
        unsafe { run(launch, grid([n.div_ceil(BATCH), 1], THREADS)?) }?;
        gpu.wait()
    }

    fn scatter<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        directions: &[f64],
    ) -> Result<Vec<f64>> {
        let (work, (n, p, _)) = (Work::on(rows)?, rows.shape());
        if mean.len() != p || !directions.len().is_multiple_of(p.max(1)) {
            return Err(Error::Shape("mean and directions"));
        }
        let (numbers, m) = (directions.len() + 1, directions.len() / p.max(1));
        if n == 0 {
            return memory::zeros(numbers, "products");
        }
        let mut across = memory::zeros(directions.len(), "directions")?;
        for (target, direction) in directions.chunks_exact(p).enumerate() {
            let to = across[target..].iter_mut().step_by(m);
            to.zip(direction).for_each(|(to, from)| *to = *from);
        }
        let (gpu, chunks, many) = (work.gpu, Chunks::of(n, numbers)?, few(m)?);
        let (mean, across) = (gpu.send(mean)?, gpu.send(&across)?);
        let mut parts: CudaSlice<f64> = gpu.empty(chunks.count * numbers, "products")?;
        let kernel = gpu.kernel::<T>(SOURCE, "scatter")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&mean);
        launch.arg(&across).arg(&many).arg(&mut parts);
        let blocks = [chunks.count, m.div_ceil(TARGETS).max(1)];
        // SAFETY: `scatter` reads the rows, p means and p × m directions (their lengths were compared above), and
        // writes p × m + 1 numbers a chunk, for which `parts` was made.
        unsafe { run(launch, grid(blocks, THREADS)?) }?;
        work.summed(numbers, chunks.count, &parts)
    }
}
