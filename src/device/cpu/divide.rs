//! `Z R = X` for rows in cache, by substitution: column after column, eight rows at a time in registers.
//!
//! With `R = D U`, `U` of unit diagonal, `Y U = X` and then `Z = Y D⁻¹`.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::blocks::Aligned;
use crate::{Result, memory, real::Real};
use faer::traits::SimdCtx;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Arch, Simd, WithSimd};

/// Numbers of a line of memory, and of the longest vector.
const LINE: usize = 8;
/// Rows that are divided together.
const TALL: usize = 8;

/// A triangle, as the kernel reads it.
pub(super) struct Divisor {
    /// From one row of what is divided to the next.
    pitch: usize,
    width: usize,
    /// `−U` without its diagonal, in panels of a line of columns, each row by row.
    factors: Aligned<f64>,
    /// `D⁻¹`.
    scales: Vec<f64>,
}

impl Divisor {
    /// `R`, column by column, for rows that are `pitch` apart: whole lines.
    pub(super) fn of(width: usize, r: &[f64], pitch: usize) -> Result<Self> {
        let mut factors: Aligned<f64> = Aligned::of(pitch * pitch, "a triangle")?;
        let mut scales = memory::zeros(width, "a diagonal")?;
        for (j, column) in r.chunks_exact(width.max(1)).enumerate() {
            scales[j] = 1.0 / column[j];
            for k in 0..j {
                let at = (j / LINE * pitch + k) * LINE + j % LINE;
                factors[at] = -column[k] / r[k * width + k];
            }
        }
        Ok(Self {
            pitch,
            width,
            factors,
            scales,
        })
    }

    /// Divides rows, in place.
    pub(super) fn divide(&self, rows: &mut [f64]) {
        Arch::new().dispatch(Divide {
            rows,
            pitch: self.pitch,
            width: self.width,
            factors: &self.factors,
            scales: &self.scales,
        });
    }
}

struct Divide<'a, A> {
    rows: &'a mut [A],
    pitch: usize,
    width: usize,
    factors: &'a [A],
    scales: &'a [A],
}

impl<A: Real> WithSimd for Divide<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (pitch, lanes) = (self.pitch, size_of::<A::SimdVec<S>>() / size_of::<A>());
        for at in (0..self.width).step_by(lanes) {
            let panel = &self.factors[at / LINE * pitch * LINE..][..pitch * LINE];
            let mut tiles = self.rows.chunks_exact_mut(TALL * pitch);
            for tile in &mut tiles {
                columns::<S, A, TALL>(simd, tile, pitch, at, panel);
            }
            for row in tiles.into_remainder().chunks_exact_mut(pitch) {
                columns::<S, A, 1>(simd, row, pitch, at, panel);
            }
        }
        for row in self.rows.chunks_exact_mut(pitch) {
            let row = &mut row[..self.scales.len()];
            for (entry, scale) in row.iter_mut().zip(self.scales) {
                *entry *= *scale;
            }
        }
    }
}

/// Takes the columns to the left of a vector of columns from it, then each of its own from those to its
/// right.
#[inline(always)]
fn columns<S: Simd, A: Real, const W: usize>(
    simd: S,
    rows: &mut [A],
    pitch: usize,
    at: usize,
    panel: &[A],
) {
    let simd = SimdCtx::<A, S>(A::simd_ctx(simd));
    let lanes = size_of::<A::SimdVec<S>>() / size_of::<A>();
    let (step, panel) = (LINE / lanes, cast_slice::<A, A::SimdVec<S>>(panel));
    let panel = &panel[at % LINE / lanes..];
    let mut sums = [simd.zero(); W];
    for w in 0..W {
        sums[w] = cast_slice(&rows[w * pitch + at..][..lanes])[0];
    }
    {
        let mut left = [&rows[..at]; W];
        for w in 0..W {
            left[w] = &rows[w * pitch..][..at];
        }
        for k in 0..at {
            let factor = panel[k * step];
            for w in 0..W {
                sums[w] = simd.mul_add(simd.splat(left[w][k]), factor, sums[w]);
            }
        }
    }
    for k in at..at + lanes {
        for w in 0..W {
            cast_slice_mut(&mut rows[w * pitch + at..][..lanes])[0] = sums[w];
        }
        let factor = panel[k * step];
        for w in 0..W {
            sums[w] = simd.mul_add(simd.splat(rows[w * pitch + k]), factor, sums[w]);
        }
    }
    for w in 0..W {
        cast_slice_mut(&mut rows[w * pitch + at..][..lanes])[0] = sums[w];
    }
}
