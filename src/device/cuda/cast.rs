//! Numbers of other kinds, widened on a GPU: launches of `cast.cu`.

use super::buffer::Buffer;
use super::compile::Source;
use super::driver::ContextGuard;
use super::gpu::Gpu;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{alone, few, run, whole};
use crate::{Error, Result, real::Real};
use cudarc::driver::PushKernelArg;
use std::sync::Arc;

pub(super) const SOURCE: Source = Source {
    name: "cast.cu",
    text: include_str!("cast.cu"),
    constants: &[],
};

/// DLPack's kind of rows.
const FLOAT: i32 = 2;

/// Numbers on a GPU, of a kind of DLPack's and so many bytes each.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
    /// The address of the first.
    pub first: u64,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// From one row, and from one column, to the next; in numbers.
    pub steps: (i64, i64),
    /// 0 whole, 1 whole and not negative, 2 float, 4 bfloat.
    pub kind: i32,
    /// Of each.
    pub bytes: i32,
}

/// Where numbers are row by row: in a copy, unless they lie so.
pub(super) fn by_rows<T: Real>(
    gpu: &Arc<Gpu>,
    rows: &CudaRows<'_, T>,
) -> Result<(u64, Option<Buffer>)> {
    if rows.is_plain() {
        return Ok((rows.first(), None));
    }
    let of = Foreign {
        first: rows.first(),
        shape: rows.shape(),
        steps: rows.steps(),
        kind: FLOAT,
        bytes: few(size_of::<T>())?,
    };
    // SAFETY: `CudaRows::new` had its caller promise that each of these numbers is a `T` on the GPU for as long as
    // the rows are borrowed, which is until after this call; DLPack's kind and size are those of `T`.
    let copy = unsafe { of.cast::<T>(gpu) }?;
    Ok((copy.first(), Some(copy)))
}

impl Cuda {
    /// `x √v` of the numbers of each row and one of its own, or `x / √v`, where that is `least` or more.
    pub fn scaled<T: Real>(
        &self,
        rows: &CudaRows<'_, T>,
        squares: &CudaRows<'_, T>,
        least: Option<f64>,
        out: &CudaOut<'_, T>,
    ) -> Result<()> {
        let (_guard, gpu, (many, columns)) = (ContextGuard::now()?, &self.0, rows.shape());
        if squares.shape() != (many, 1) {
            return Err(Error::Shape("variances and components"));
        }
        let out = out.checked_address(many * columns)?;
        if many * columns == 0 {
            return Ok(());
        }
        let (n, p) = (whole(many)?, whole(columns)?);
        let (first, steps) = (rows.first(), rows.steps());
        let (square, step) = (squares.first(), squares.steps().0);
        let (by, least) = (i32::from(least.is_some()), least.unwrap_or(0.0));
        let kernel = gpu.kernel::<T>(SOURCE, "scaled")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&first).arg(&n).arg(&p);
        launch.arg(&steps.0).arg(&steps.1);
        launch.arg(&square).arg(&step);
        launch.arg(&by).arg(&least).arg(&out);
        // SAFETY: `scaled` reads n × p rows and a square for each (their shapes were compared above), and writes
        // n × p numbers, as many as `out.buffer` has checked.
        unsafe { run(launch, alone(many * columns)?) }?;
        gpu.wait()
    }
}

impl Foreign {
    /// The same as `T`, row by row.
    ///
    /// # Safety
    /// Each number that shape and steps describe must be on `gpu`, of this kind and size, and stay there
    /// until this returns; nobody may write to it meanwhile.
    pub unsafe fn cast<T: Real>(&self, gpu: &Arc<Gpu>) -> Result<Buffer> {
        let numbers = self.shape.0 * self.shape.1;
        let buffer = Buffer::bare(gpu, numbers * size_of::<T>())?;
        if numbers > 0 {
            let _guard = ContextGuard::now()?;
            let (n, p) = (whole(self.shape.0)?, whole(self.shape.1)?);
            let (first, out) = (self.first, buffer.first());
            let kernel = gpu.kernel::<T>(SOURCE, "cast")?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&first).arg(&n).arg(&p);
            launch.arg(&self.steps.0).arg(&self.steps.1);
            launch.arg(&self.kind).arg(&self.bytes).arg(&out);
            // SAFETY: `cast` reads n × p numbers, which the caller vouches for, and writes as many `T`, for which
            // `buffer` was made.
            unsafe { run(launch, alone(numbers)?) }?;
            gpu.wait()?;
        }
        Ok(buffer)
    }
}
