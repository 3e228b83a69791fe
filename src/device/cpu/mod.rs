//! Host memory.

mod assign;
mod blocks;
mod bounds;
mod centers;
mod distances;
mod divide;
mod exponent;
mod factor;
mod gram;
mod hessian;
mod link;
mod means;
mod moments;
mod nearest;
mod part;
mod pool;
mod prefetch;
mod product;
mod r_factor;
mod residual;
mod scores;
mod simd;
mod tiles;
mod variances;

use super::Device;
use crate::{Result, real::Real};
use ndarray::ArrayView2;
use rayon::prelude::*;

pub use assign::LabelState;
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
    type Out<'o, T: Real> = &'o mut [T];

    #[allow(clippy::mut_mut)] // of all devices
    fn again<'s, T: Real>(out: &'s mut &mut [T]) -> &'s mut [T] {
        out
    }

    fn shape<T: Real>(x: &CpuRows<'_, T>) -> (usize, usize) {
        x.dim()
    }

    fn host<R: Send>(&self, threads: usize, work: impl FnOnce(usize) -> R + Send) -> R {
        match pool::of(threads) {
            Some(pool) => pool.install(|| work(threads)),
            None => work(1),
        }
    }

    fn eigen(&self, _: usize, _: &[f64]) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        Ok(None) // this is the host
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
        let parts = std::iter::repeat_n((), tasks).collect();
        self.each_of(parts, flops, |at, ()| task(at))
    }

    /// The same, each task with a part of something.
    fn each_of<P: Send, R: Send>(
        self,
        parts: Vec<P>,
        flops: f64,
        task: impl Fn(usize, P) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let several = parts.len() > 1 && flops > SMALL;
        let pool = several.then(|| pool::of(self.threads)).flatten();
        let one = |(at, part)| task(at, part);
        match pool {
            Some(pool) => pool.install(|| parts.into_par_iter().enumerate().map(one).collect()),
            None => parts.into_iter().enumerate().map(one).collect(),
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
