//! Products on a card: launches of `product.cu`; and memory of our own there.

use super::card::{Card, Kept, grid};
use super::nearest::CudaLabels;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{Chunks, THREADS, Work, few, run};
use super::{Source, failed};
use crate::device::{Data, ProductKernels};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, DevicePtr, PushKernelArg, result};
use std::sync::Arc;

pub(super) const SOURCE: Source = Source {
    name: "product.cu",
    text: include_str!("product.cu"),
};
/// As in `product.cu`.
const BATCH: usize = 64;
const SIXTEEN: usize = 16;
const TARGETS: usize = 4;

/// Memory of ours on a card: bytes, or whole numbers of rows.
pub struct Room {
    bytes: Option<CudaSlice<u8>>,
    labels: Option<CudaSlice<i32>>,
}

impl Room {
    /// Bytes of the host.
    pub fn of(card: &Arc<Card>, bytes: &[u8]) -> Result<Self> {
        let _kept = Kept::now()?;
        let sent = card.send(bytes)?;
        card.wait()?;
        Ok(Self {
            bytes: Some(sent),
            labels: None,
        })
    }

    /// The centre of each row.
    pub fn of_labels(mut labels: CudaLabels) -> Self {
        Self {
            bytes: None,
            labels: labels.take(),
        }
    }

    /// Room for bytes, whatever is in it.
    pub fn bare(card: &Arc<Card>, bytes: usize) -> Result<Self> {
        let _kept = Kept::now()?;
        let room = card.room(bytes, "answers")?;
        card.wait()?;
        Ok(Self {
            bytes: Some(room),
            labels: None,
        })
    }

    /// A copy of bytes of the card.
    ///
    /// # Safety
    /// There must be as many from `first` on, of an owner that is alive.
    pub unsafe fn copy(card: &Arc<Card>, first: u64, bytes: usize) -> Result<Self> {
        let room = Self::bare(card, bytes)?;
        if bytes > 0 {
            let (_kept, stream) = (Kept::now()?, card.stream.cu_stream());
            card.bind()?;
            let to = room.first();
            // SAFETY: the caller's, and there is as much room.
            let done = unsafe { result::memcpy_dtod_async(to, first, bytes, stream) };
            done.map_err(|error| failed("a copy", error))?;
            card.wait()?;
        }
        Ok(room)
    }

    /// Where it is.
    pub fn first(&self) -> u64 {
        let labels = || self.labels.as_ref().map_or(0, address);
        self.bytes.as_ref().map_or_else(labels, address)
    }
}

/// Where numbers are.
pub(super) fn address<N>(numbers: &CudaSlice<N>) -> u64 {
    numbers.device_ptr(numbers.stream()).0
}

impl Drop for Room {
    /// Memory is freed where its context is the current one.
    fn drop(&mut self) {
        let _kept = Kept::now();
        let stream = self.bytes.as_ref().map(CudaSlice::stream);
        if let Some(stream) = stream.or_else(|| self.labels.as_ref().map(CudaSlice::stream)) {
            let _ = stream.context().bind_to_thread();
        }
        self.bytes.take();
        self.labels.take();
    }
}

/// The bytes of numbers.
pub(super) fn bytes<T: Real>(values: &[T]) -> &[u8] {
    // SAFETY: numbers are plain bits, without gaps.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

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
    match numbers.map(|some| (some.first, some.shape, some.steps)) {
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
        let ((n, p, of), (height, m)) = (rows.shape(), by.coef.shape);
        if height != p || by.less && of != m {
            return Err(Error::Shape("coefficients are not of these rows"));
        }
        let (mean, intercept) = (line(by.mean, p)?, line(by.intercept, m)?);
        let (work, out, card) = (Work::on(rows)?, out.room(n * m)?, &self.0);
        if n * m == 0 {
            return Ok(());
        }
        let (many, less) = (few(m)?, i32::from(by.less));
        let kernel = card.kernel::<T>(SOURCE, "product")?;
        let mut launch = card.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&mean.0).arg(&mean.1);
        launch.arg(&by.coef.first);
        launch.arg(&by.coef.steps.0).arg(&by.coef.steps.1);
        launch.arg(&intercept.0).arg(&intercept.1);
        launch.arg(&many).arg(&less).arg(&out);
        let blocks = [n.div_ceil(BATCH), m.div_ceil(SIXTEEN)];
        run(launch, grid(blocks, THREADS)?)?;
        card.wait()
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

    fn form<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        [mean, matrix]: [&CudaRows<'_, f64>; 2],
        [start, scale]: [f64; 2],
        out: CudaOut<'_, f64>,
    ) -> Result<()> {
        let (n, p, _) = rows.shape();
        if matrix.shape != (p, p) || mean.shape.0 * mean.shape.1 != p {
            return Err(Error::Shape("matrix and rows"));
        }
        let (work, mean, out, card) =
            (Work::on(rows)?, line(Some(mean), p)?, out.room(n)?, &self.0);
        if n == 0 {
            return Ok(());
        }
        let kernel = card.kernel::<T>(SOURCE, "form")?;
        let mut launch = card.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&mean.0).arg(&mean.1);
        launch.arg(&matrix.first);
        launch.arg(&matrix.steps.0).arg(&matrix.steps.1);
        launch.arg(&start).arg(&scale).arg(&out);
        run(launch, grid([n.div_ceil(BATCH), 1], THREADS)?)?;
        card.wait()
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
        let (card, chunks, many) = (work.card, Chunks::of(n, numbers)?, few(m)?);
        let (mean, across) = (card.send(mean)?, card.send(&across)?);
        let mut parts: CudaSlice<f64> = card.room(chunks.count * numbers, "products")?;
        let kernel = card.kernel::<T>(SOURCE, "scatter")?;
        let mut launch = card.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&mean);
        launch.arg(&across).arg(&many).arg(&mut parts);
        let blocks = [chunks.count, m.div_ceil(TARGETS).max(1)];
        run(launch, grid(blocks, THREADS)?)?;
        work.summed::<T>(numbers, chunks.count, &parts)
    }
}
