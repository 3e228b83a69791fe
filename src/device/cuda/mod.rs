//! NVIDIA GPUs.
//!
//! Every library is looked for at run time: nothing of CUDA is needed to build or to import. Where
//! one is missing cudarc panics, so each way in here asks first: `gpus`, `compiler` or `solver::version`.
#![allow(unsafe_code)] // NVIDIA's libraries

mod buffer;
mod cast;
mod centers;
mod classes;
mod compile;
mod draw;
mod driver;
mod factor;
mod gpu;
mod link;
mod moments;
mod nearest;
mod product;
mod rows;
mod solver;
mod work;

use super::{Cpu, Device};
use crate::{Error, Result, real::Real};
use driver::{EXTRA, name_of};

pub use buffer::Buffer;
pub use cast::Foreign;
pub use compile::{Source, cubin, cubin_at};
pub use driver::{ContextGuard, gpus};
pub use gpu::{Gpu, gpu};
pub use nearest::{CudaColumn, CudaLabels};
pub use rows::{Cuda, CudaOut, CudaRows};
pub use solver::most_columns;

impl Device for Cuda {
    type Rows<'a, T: Real> = CudaRows<'a, T>;
    type Out<'o, T: Real> = CudaOut<'o, T>;

    fn again<'s, T: Real>(out: &'s mut CudaOut<'_, T>) -> CudaOut<'s, T> {
        out.again()
    }

    fn shape<T: Real>(x: &CudaRows<'_, T>) -> (usize, usize) {
        x.shape()
    }

    fn host<R: Send>(&self, threads: usize, work: impl FnOnce(usize) -> R + Send) -> R {
        Cpu { threads }.host(threads, work)
    }

    fn eigen(&self, p: usize, s: &[f64]) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        solver::eigen(&self.0, p, s)
    }
}

impl Source {
    /// Every file of kernels.
    pub const ALL: [Self; 10] = [
        cast::SOURCE,
        centers::SOURCE,
        centers::TILES,
        classes::SOURCE,
        draw::SOURCE,
        factor::SOURCE,
        link::SOURCE,
        moments::SOURCE,
        moments::TENSOR,
        product::SOURCE,
    ];
}

/// How many GPUs there are, where kernels can be compiled too; or why not.
pub fn ready() -> Result<usize> {
    let count = gpus()?;
    let ((major, minor), driver) = (compile::compiler()?, driver::version()?);
    if major > driver / 1000 {
        return Err(Error::NoCuda(format!(
            "the NVIDIA driver is of CUDA {}.{} and does not run what NVRTC {major}.{minor} compiles: \
             {EXTRA}",
            driver / 1000,
            driver % 1000 / 10
        )));
    }
    Ok(count)
}

/// What was found, for people.
pub fn found() -> Vec<(&'static str, String)> {
    let driver = match gpus().and_then(|count| (0..count).map(name_of).collect::<Result<Vec<_>>>())
    {
        Ok(gpus) => gpus.join(", "),
        Err(Error::NoCuda(why)) => why,
        Err(error) => error.to_string(),
    };
    let compiler = match compile::compiler() {
        Ok((major, minor)) => format!("{major}.{minor}"),
        Err(_) => "not found".to_owned(),
    };
    let solver = solver::version().map_or_else(
        || "not found; the host decomposes matrices".to_owned(),
        |[major, minor, patch]| format!("{major}.{minor}.{patch}"),
    );
    let all = [("CUDA", driver), ("NVRTC", compiler), ("cuSOLVER", solver)];
    all.into()
}
