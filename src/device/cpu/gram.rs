//! `AᵀB` of two sets of rows in cache, in tiles that stay in registers; of one set, the tiles down to
//! the diagonal (Goto and van de Geijn 2008).
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::blocks::{Aligned, Scratch};
use crate::real::Real;
use faer::traits::SimdCtx;
use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Arch, Simd, WithSimd};

/// Rows that are multiplied before the sums go back to memory.
const CHUNK: usize = 64;

/// Adds `AᵀB`, the first `n` rows of two panels or of one: entry `(a, b)` at `b` times the pitch of
/// `A` plus `a`. Of one panel, entries below the diagonal may be left out.
pub(super) fn gram<A: Real>(n: usize, [a, b]: [&Scratch<A>; 2], to: &mut Aligned<A>) {
    Arch::new().dispatch(Gram {
        left: (a.entries(n), a.pitch()),
        right: (b.entries(n), b.pitch()),
        widths: [a.padded(), b.padded()],
        same: std::ptr::eq(a, b),
        to,
    });
}

/// Adds `AᵀB` down to the diagonal, where that is symmetric: `B` are the rows of `A`, each times a
/// number.
pub(super) fn weighted_gram(n: usize, rows: &Scratch<f64>, scaled: &[f64], to: &mut [f64]) {
    Arch::new().dispatch(Gram {
        left: (rows.entries(n), rows.pitch()),
        right: (&scaled[..n * rows.pitch()], rows.pitch()),
        widths: [rows.padded(); 2],
        same: true,
        to,
    });
}

/// Rows of `widths` numbers, each with the numbers from one row to the next.
struct Gram<'a, A> {
    left: (&'a [A], usize),
    right: (&'a [A], usize),
    widths: [usize; 2],
    same: bool,
    to: &'a mut [A],
}

impl<A: Real> WithSimd for Gram<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as there are registers, less those that hold the factors.
        if S::REGISTER_COUNT >= 32 {
            self.tiles::<S, 8>(simd);
        } else {
            self.tiles::<S, 4>(simd);
        }
    }
}

impl<A: Real> Gram<'_, A> {
    /// Tiles of `W` columns of `B` and three vectors of columns of `A`.
    #[inline(always)]
    fn tiles<S: Simd, const W: usize>(self, simd: S) {
        let lanes = size_of::<A::SimdVec<S>>() / size_of::<A>();
        let (left, pitch) = (cast_slice(self.left.0), self.left.1 / lanes);
        let to: &mut [A::SimdVec<S>] = cast_slice_mut(self.to);
        let lefts = left.chunks(CHUNK * pitch);
        for (left, right) in lefts.zip(self.right.0.chunks(CHUNK * self.right.1)) {
            for i in (0..self.widths[1]).step_by(W) {
                let used = W.min(self.widths[1] - i);
                let end = if self.same { i + used } else { self.widths[0] };
                let (mut j, end) = (0, end.div_ceil(lanes));
                while j < end {
                    let rows = left
                        .chunks_exact(pitch)
                        .zip(right.chunks_exact(self.right.1));
                    let to = to[i * pitch + j..].chunks_mut(pitch).take(used);
                    j += match end - j {
                        1 => tile::<S, A, 1, W>(simd, rows, [j, i], to),
                        2 | 4 => tile::<S, A, 2, W>(simd, rows, [j, i], to),
                        _ => tile::<S, A, 3, W>(simd, rows, [j, i], to),
                    };
                }
            }
        }
    }
}

/// Adds the products of `V` vectors of one side's rows and `W` numbers of the other's; says `V`.
#[inline(always)]
fn tile<'a, S: Simd, A: Real, const V: usize, const W: usize>(
    simd: S,
    rows: impl Iterator<Item = (&'a [A::SimdVec<S>], &'a [A])>,
    [j, i]: [usize; 2],
    to: impl Iterator<Item = &'a mut [A::SimdVec<S>]>,
) -> usize {
    let simd = SimdCtx::<A, S>(A::simd_ctx(simd));
    let mut sums = [[simd.zero(); V]; W];
    for (left, right) in rows {
        let (left, right) = (&left[j..j + V], &right[i..i + W]);
        for w in 0..W {
            let factor = simd.splat(right[w]);
            for v in 0..V {
                sums[w][v] = simd.mul_add(factor, left[v], sums[w][v]);
            }
        }
    }
    for (to, sums) in to.zip(sums) {
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = simd.add(*to, sum);
        }
    }
    V
}
