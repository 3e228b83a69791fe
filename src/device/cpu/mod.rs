//! Host memory.

mod blocks;
mod gram;
mod loops;
mod moments;
mod pool;
mod product;
mod residual;
mod triangle;

use super::Device;
use crate::{Result, real::Real};
use ndarray::ArrayView2;
use rayon::prelude::*;

pub use pool::threads_for;

/// Rows in host memory, in any order.
pub type CpuRows<'a, T> = ArrayView2<'a, T>;

/// Host memory, and how many threads may work on it.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// At least one.
    pub threads: usize,
}

/// Work below this many flops is done before other threads wake up.
const SMALL: f64 = 1e5;

impl Device for Cpu {
    type Rows<'a, T: Real> = CpuRows<'a, T>;

    fn shape<T: Real>(x: &CpuRows<'_, T>) -> (usize, usize) {
        x.dim()
    }
}

impl Cpu {
    /// The answers of numbered tasks, in order. What a task is must not depend on the threads.
    fn each<R: Send>(
        self,
        tasks: usize,
        flops: f64,
        task: impl Fn(usize) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let pool = if tasks > 1 && flops > SMALL {
            pool::of(self.threads)
        } else {
            None
        };
        match pool {
            Some(pool) => pool.install(|| (0..tasks).into_par_iter().map(&task).collect()),
            None => (0..tasks).map(task).collect(),
        }
    }
}

/// The instructions that are chosen at run time.
pub fn simd() -> String {
    format!("{:?}", pulp::Arch::new())
        .split(['(', ' '])
        .next()
        .unwrap_or_default()
        .to_owned()
}
