//! The two floating-point types rows come in.
#![allow(clippy::inline_always)] // in SIMD kernels a call costs the vectors

use faer::traits::ComplexField;
use pulp::bytemuck::Pod;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, MulAssign, Sub};

/// `f32` or `f64`.
pub trait Real:
    ComplexField
    + Pod
    + Default
    + Debug
    + PartialOrd
    + Into<f64>
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + MulAssign
    + Send
    + Sync
{
    /// Its name, a fact all ranks must share.
    const NAME: &'static str;

    /// From one to the next number.
    const ROUNDING: f64;

    /// Above zero.
    const LEAST: f64;
    /// The largest.
    const MOST: f64;

    /// How many blocks of products may be summed in this type before they go to an `f64`.
    const SUMS: usize;

    /// Nearest value.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    const NAME: &'static str = "float32";
    const ROUNDING: f64 = f32::EPSILON as f64;
    const LEAST: f64 = f32::from_bits(1) as f64;
    const MOST: f64 = f32::MAX as f64;
    const SUMS: usize = 1;

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn of(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    const NAME: &'static str = "float64";
    const ROUNDING: f64 = f64::EPSILON;
    const LEAST: f64 = f64::from_bits(1);
    const MOST: f64 = f64::MAX;
    const SUMS: usize = usize::MAX;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
}
