//! What scores say of classes, on a GPU: launches of `classes.cu`.

use super::buffer::Buffer;
use super::compile::{Source, THREADS};
use super::driver::ContextGuard;
use super::gpu::grid;
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{few, run, whole, width};
use crate::{Error, Result, real::Real};
use cudarc::driver::{LaunchConfig, PushKernelArg};

pub(super) const SOURCE: Source = Source {
    name: "classes.cu",
    text: include_str!("classes.cu"),
    constants: &[],
};
/// Threads that share a row at most.
const LANES: usize = 32;

/// How many threads share a row of scores, and all of them.
fn lanes(n: usize, m: usize) -> Result<(i32, LaunchConfig)> {
    let lanes = width(m).min(LANES);
    let blocks = (n * lanes).div_ceil(THREADS as usize);
    Ok((few(lanes)?, grid([blocks, 1], THREADS)?))
}

impl Cuda {
    /// Of each row the number of its highest score, of 4 bytes; or the class of that number, where the bytes of
    /// classes are given, one after the other, and how many bytes each has.
    pub fn best<T: Real>(
        &self,
        scores: &CudaRows<'_, T>,
        classes: Option<(&CudaRows<'_, u8>, usize)>,
    ) -> Result<Buffer> {
        let (n, m) = scores.shape();
        let fits = classes.is_none_or(|(all, bytes)| {
            all.is_plain() && all.shape().0 >= m.max(2) * bytes && bytes.is_power_of_two()
        });
        if m == 0 || !fits || !scores.is_plain() {
            return Err(Error::Shape("scores and classes"));
        }
        let (place, bytes) = classes.map_or((0, 4), |(all, bytes)| (all.first(), bytes));
        let buffer = Buffer::bare(&self.0, n * bytes)?;
        if n > 0 {
            let (_guard, gpu, (lanes, how)) = (ContextGuard::now()?, &self.0, lanes(n, m)?);
            let (count, many, bytes) = (whole(n)?, few(m)?, few(bytes)?);
            let (first, to) = (scores.first(), buffer.first());
            let kernel = gpu.kernel::<T>(SOURCE, "best")?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&first).arg(&count).arg(&many).arg(&lanes);
            launch.arg(&place).arg(&bytes).arg(&to);
            // SAFETY: `best` reads n × m scores, which lie one by one (checked), and of classes those below
            // max(m, 2), which there are (checked); it writes `bytes` for each row, for which `buffer` was made.
            unsafe { run(launch, how) }?;
            gpu.wait()?;
        }
        Ok(buffer)
    }

    /// Probabilities of classes, of one score those of both, or their logarithms, row by row.
    pub fn shares<T: Real>(
        &self,
        scores: &CudaRows<'_, T>,
        logarithms: bool,
        out: &CudaOut<'_, T>,
    ) -> Result<()> {
        let (n, m) = scores.shape();
        let (to, logarithms) = (out.checked_address(n * m.max(2))?, i32::from(logarithms));
        if m == 0 || !scores.is_plain() {
            return Err(Error::Shape("scores"));
        }
        if n == 0 {
            return Ok(());
        }
        let (_guard, gpu, (lanes, how)) = (ContextGuard::now()?, &self.0, lanes(n, m)?);
        let (count, many, first) = (whole(n)?, few(m)?, scores.first());
        let kernel = gpu.kernel::<T>(SOURCE, "probabilities")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&first).arg(&count).arg(&many).arg(&lanes);
        launch.arg(&logarithms).arg(&to);
        // SAFETY: `shares` reads n × m scores, which lie one by one (checked), and writes n × max(m, 2), as many
        // as `out.buffer` has checked.
        unsafe { run(launch, how) }?;
        gpu.wait()
    }
}
