//! Rows on their way through kernels: how they are cut, and launches. Chunks follow from the shape alone,
//! so the GPU, and how busy it is, have no say in the answer.

use super::compile::THREADS;
use super::driver::{ContextGuard, failed};
use super::gpu::{Gpu, grid};
use super::rows::{Cuda, Raw};
use crate::device::Data;
use crate::{Error, Result, real::Real};
use cudarc::driver::{CudaFunction, LaunchArgs, LaunchConfig, sys};

/// Threads of a block where a thread has a number of its own.
const ALONE: u32 = 128;
/// Chunks at most: several blocks for each processor of the largest GPU.
const CHUNKS: usize = 528;
/// Rows of a chunk at least, and what they are a multiple of.
const LEAST: usize = 256;
/// Numbers of all chunks' parts at most, unless one chunk has more.
const PARTS: usize = 1 << 25;

/// How rows are cut.
#[derive(Clone, Copy)]
pub(super) struct Chunks {
    pub(super) size: i64,
    pub(super) count: usize,
}

impl Chunks {
    /// For parts of `each` numbers.
    pub(super) fn of(n: usize, each: usize) -> Result<Self> {
        Self::several(n, each, 1)
    }

    /// The same where a block has several.
    pub(super) fn several(n: usize, each: usize, several: usize) -> Result<Self> {
        let most = (PARTS / each.max(1)).clamp(1, CHUNKS * several);
        let size = n.div_ceil(most).max(1).next_multiple_of(LEAST);
        Ok(Self {
            size: whole(size)?,
            count: n.div_ceil(size),
        })
    }
}

/// A number that kernels take as `i64`.
pub(super) fn whole(count: usize) -> Result<i64> {
    i64::try_from(count).map_err(|_| Error::Shape("too many rows"))
}

/// A number that kernels take as `int`.
pub(super) fn few(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| Error::Shape("too many columns"))
}

/// Threads that share a row.
pub(super) fn width(p: usize) -> usize {
    p.max(1).next_power_of_two().min(THREADS as usize)
}

/// A thread for each number.
pub(super) fn alone(numbers: usize) -> Result<LaunchConfig> {
    grid([numbers.div_ceil(ALONE as usize), 1], ALONE)
}

/// Has a kernel granted more shared memory than is usual: the most that it is ever launched with, since the
/// grant is all threads'.
pub(super) fn granted(kernel: &CudaFunction, most: usize) -> Result<()> {
    let shared = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    let done = kernel.set_attribute(shared, few(most)?);
    done.map_err(|error| failed("shared memory", error))
}

/// Puts a kernel in line, on the stream of the launch.
///
/// # Safety
/// The arguments must be the kernel's, in its order and of its types. Each address must be of memory on the
/// kernel's GPU that has as many numbers as the comment over the kernel says for these sizes and blocks, or
/// zero where the kernel does without. Until the GPU was waited for that memory must stay, and nobody else
/// may write to it, nor read what the kernel writes. Rows and answers do so by the contracts of
/// `CudaRows::new` and `CudaOut::new`, whose borrows outlive the wait at the end of each method (`Work` waits
/// even after an error); a `CudaSlice` is freed on the same stream, so after the kernel.
///
/// Tests run every kernel with bounds checked (`ci/test_kernels.sh`).
pub(super) unsafe fn run(mut launch: LaunchArgs<'_>, how: LaunchConfig) -> Result<()> {
    // SAFETY: the caller's.
    let done = unsafe { launch.launch(how) };
    done.map_err(|error| failed("a launch", error))?;
    Ok(())
}

/// Rows on their way through kernels.
pub(super) struct Work<'d, T> {
    pub(super) gpu: &'d Gpu,
    pub(super) raw: Raw<T>,
    pub(super) n: usize,
    pub(super) q: usize,
    _guard: ContextGuard,
}

impl<'d, T: Real> Work<'d, T> {
    pub(super) fn on(rows: &Data<'d, '_, Cuda, T>) -> Result<Self> {
        let (n, p, m) = rows.shape();
        Ok(Self {
            gpu: &rows.device.0,
            raw: Raw::of(rows)?,
            n,
            q: p + m,
            _guard: ContextGuard::now()?,
        })
    }
}

impl<T> Drop for Work<'_, T> {
    /// After an error kernels may still read rows, which their owner takes back.
    fn drop(&mut self) {
        let _ = self.gpu.wait();
    }
}
