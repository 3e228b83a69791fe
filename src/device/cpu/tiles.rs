//! Scores of rows against many centres, in tiles that stay in registers: no `n × k` numbers are
//! stored. Vectors lie along the centres.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::CpuRows;
use super::blocks::{Scratch, is_whole};
use super::centers::{Centers, exact};
use super::prefetch::prefetch;
use crate::{Result, memory, real::Real};
use faer::traits::{RealReg, SimdCtx};
use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};
use std::cmp::Ordering;
use std::ops::Range;

/// Centres, rows of a pitch, and for each row: the number of its centre, its score, how far behind
/// the second is, and `‖z‖²`.
pub(super) struct Nearest<'a, 'c, T> {
    pub(super) centers: &'a Centers<'c, T>,
    pub(super) rows: (&'a [T], usize),
    /// The memory of all rows, if it is one piece, and which ones are next.
    pub(super) next: (&'a [T], &'a [usize]),
    pub(super) found: &'a mut Found<T>,
}

/// What is found of each row of a block.
pub(super) struct Found<T> {
    pub(super) labels: Vec<i32>,
    pub(super) scores: Vec<T>,
    pub(super) gaps: Vec<T>,
    pub(super) squares: Vec<T>,
}

impl<T: Real> Found<T> {
    /// Room for blocks of this size.
    pub(super) fn of(size: usize) -> Result<Self> {
        Ok(Self {
            labels: memory::zeros(size, "labels")?,
            scores: memory::zeros(size, "distances")?,
            gaps: memory::zeros(size, "distances")?,
            squares: memory::zeros(size, "distances")?,
        })
    }
}

impl<T: Real> Centers<'_, T> {
    /// The nearest centre of the rows of a block.
    pub(super) fn nearest(
        &self,
        x: &CpuRows<'_, T>,
        [block, next]: [&[usize]; 2],
        scratch: &Scratch<T>,
        found: &mut Found<T>,
    ) -> Result<()> {
        Arch::new().dispatch(Nearest {
            centers: self,
            rows: (scratch.entries(block.len()), scratch.pitch()),
            next: (x.to_slice().unwrap_or_default(), next),
            found,
        });
        let mut z = Vec::new(); // a row, where it is wanted
        for (i, row) in block.iter().enumerate() {
            let doubt = T::of(self.doubt(found.squares[i]));
            if found.gaps[i]
                .partial_cmp(&doubt)
                .is_none_or(Ordering::is_le)
            {
                if z.is_empty() {
                    z = memory::zeros(self.p, "a row")?;
                }
                exact(x, *row, &self.place, &mut z);
                found.labels[i] = self.nearest_exactly(&z)?;
            }
        }
        Ok(())
    }
}

impl<T: Real> WithSimd for Nearest<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.rows::<S, 8>(simd);
        } else {
            self.rows::<S, 4>(simd);
        }
    }
}

/// The best of some rows so far, in each lane.
#[derive(Clone, Copy)]
struct Best<V> {
    score: V,
    second: V,
    number: V,
}

impl<T: Real> Nearest<'_, '_, T> {
    /// `W` rows at a time, the last ones again where they are fewer.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // numbers of centres
    fn rows<S: Simd, const W: usize>(self, simd: S) {
        let lanes = size_of::<T::SimdVec<S>>() / size_of::<T>();
        let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
        let (far, zero) = (ctx.splat(T::of(f64::NEG_INFINITY)), ctx.zero());
        let (p, stride) = (self.centers.p, self.rows.1);
        let (n, found) = (self.rows.0.len() / stride, self.found);
        let groups = self.centers.k.div_ceil(lanes);
        let next = self.next.1;
        let whole = is_whole(next);
        for start in (0..n).step_by(W) {
            let rows = several::<T, W>(self.rows.0, stride, start..n);
            let mut best = [Best {
                score: far,
                second: far,
                number: zero,
            }; W];
            let (mut at, mut asked) = (0, start);
            while at < groups {
                at += match groups - at {
                    1 => tile::<S, T, 1, W>(simd, self.centers, rows, at, &mut best),
                    2 | 4 => tile::<S, T, 2, W>(simd, self.centers, rows, at, &mut best),
                    _ => tile::<S, T, 3, W>(simd, self.centers, rows, at, &mut best),
                };
                // A few at a time: the processor keeps no more of them in mind.
                let end = (start + W * at / groups).min(next.len());
                let some = &next[asked.min(end)..end];
                if let (true, Some(first)) = (whole, some.first()) {
                    prefetch(self.next.0, first * p..(first + some.len()) * p);
                } else {
                    for row in some {
                        prefetch(self.next.0, row * p..(row + 1) * p);
                    }
                }
                asked = end;
            }
            for (w, best) in best.iter().enumerate().take(n - start) {
                let best = highest::<S, T>(simd, *best);
                // Rows that are not numbers have no best: any will do, the gap tells.
                let number = best.number.into().min((self.centers.k - 1) as f64);
                found.labels[start + w] = number as i32;
                found.scores[start + w] = best.score;
                found.gaps[start + w] = best.score - best.second;
                found.squares[start + w] = square::<S, T>(simd, rows[w]);
            }
        }
    }
}

/// The first `W` rows of some, the last one again where they are fewer.
#[inline(always)]
pub(super) fn several<T, const W: usize>(
    rows: &[T],
    pitch: usize,
    some: Range<usize>,
) -> [&[T]; W] {
    let mut found = [&rows[some.start * pitch..][..pitch]; W];
    for (w, row) in found.iter_mut().enumerate() {
        *row = &rows[(some.start + w).min(some.end - 1) * pitch..][..pitch];
    }
    found
}

/// `‖z‖²`, with what is zero behind it.
#[inline(always)]
fn square<S: Simd, T: Real>(simd: S, row: &[T]) -> T {
    let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
    let row: &[T::SimdVec<S>] = cast_slice(row);
    let mut sum = ctx.zero();
    for z in row {
        sum = ctx.mul_add(*z, *z, sum);
    }
    ctx.reduce_sum(sum)
}

/// The best lane, of equals the lowest number, and the second.
#[inline(always)]
fn highest<S: Simd, T: Real>(simd: S, best: Best<T::SimdVec<S>>) -> Best<T> {
    let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
    let low = ctx.splat(T::of(f64::NEG_INFINITY));
    let score = ctx.reduce_max(RealReg(best.score));
    let first = ctx.eq(best.score, ctx.splat(score));
    // Of numbers the lowest is the highest of their opposites.
    let number = ctx.reduce_max(RealReg(ctx.select(first, ctx.neg(best.number), low)));
    let number = T::default() - number;
    let winner = ctx.eq(best.number, ctx.splat(number));
    let second = ctx.reduce_max(RealReg(ctx.select(winner, best.second, best.score)));
    Best {
        score,
        second,
        number,
    }
}

/// Compares `V` vectors of centres; says `V`.
#[inline(always)]
fn tile<S: Simd, T: Real, const V: usize, const W: usize>(
    simd: S,
    centers: &Centers<'_, T>,
    rows: [&[T]; W],
    at: usize,
    best: &mut [Best<T::SimdVec<S>>; W],
) -> usize {
    let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
    let pitch = centers.pitch * size_of::<T>() / size_of::<T::SimdVec<S>>();
    let packed: &[T::SimdVec<S>] = cast_slice(&centers.packed);
    let numbers: &[T::SimdVec<S>] = cast_slice(&centers.numbers);
    let mut scores = [[ctx.zero(); V]; W];
    for scores in &mut scores {
        scores.copy_from_slice(&packed[at..at + V]);
    }
    for (j, column) in packed[pitch..]
        .chunks_exact(pitch)
        .enumerate()
        .take(centers.p)
    {
        let column = &column[at..at + V];
        for w in 0..W {
            let z = ctx.splat(rows[w][j]);
            for v in 0..V {
                scores[w][v] = ctx.mul_add(z, column[v], scores[w][v]);
            }
        }
    }
    for w in 0..W {
        let mut found = best[w]; // a copy: what is stored under a mask is slow to load again
        for v in 0..V {
            let score = scores[w][v];
            let nearer = ctx.gt(RealReg(score), RealReg(found.score));
            let worse = ctx.select(nearer, found.score, score);
            found.second = ctx.max(RealReg(worse), RealReg(found.second)).0;
            found.number = ctx.select(nearer, numbers[at + v], found.number);
            found.score = ctx.select(nearer, score, found.score);
        }
        best[w] = found;
    }
    V
}
