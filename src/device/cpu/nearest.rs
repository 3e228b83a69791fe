//! The nearest of many centres, in tiles that stay in registers: no `n × k` numbers are stored.
//!
//! `argmin_c ‖z − c‖² = argmax_c zᵀc − ½‖c‖²`. Vectors lie along the centres. The second best is kept
//! as well: where both are nearer to each other than rounding, their differences decide, in `f64`; and
//! where centres are equally far, to the rounding that the order of sums leaves in them, the first of
//! them is the nearest. So ties fall alike however rows are spread.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::blocks::{Aligned, Scratch};
use super::{Cpu, CpuRows, distances, loops::total, tally};
use crate::device::{Assigned, Data, Far, NearestKernels};
use crate::{Error, Result, memory, real::Real};
use faer::traits::{RealReg, SimdCtx};
use ndarray::Axis;
use pulp::bytemuck::cast_slice;
use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use std::cmp::Ordering;
use std::ops::Range;

impl NearestKernels for Cpu {
    type Labels = Vec<i32>;
    type Column<T: Real> = Vec<T>;

    fn labels<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<Vec<i32>> {
        let mut labels = memory::zeros(rows.shape().0, "labels")?;
        labels.fill(-1);
        Ok(labels)
    }

    fn labels_to_host(&self, labels: Vec<i32>) -> Result<Vec<i32>> {
        Ok(labels)
    }

    fn column<T: Real>(&self, rows: &Data<'_, '_, Self, T>, value: f64) -> Result<Vec<T>> {
        let mut column = memory::zeros(rows.shape().0, "distances")?;
        column.fill(T::of(value));
        Ok(column)
    }

    fn clear<T: Real>(&self, column: &mut Vec<T>, rows: &[usize]) -> Result<()> {
        for row in rows {
            column[*row] = T::of(0.0);
        }
        Ok(())
    }

    fn assign<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        place: &[f64],
        centers: &[f64],
        labels: &mut Vec<i32>,
    ) -> Result<Assigned> {
        rows.check()?;
        let centers = Centers::<T>::of(place, centers)?;
        tally::assign(*self, rows, &centers, labels)
    }

    fn farthest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        place: &[f64],
        centers: &[f64],
        labels: &Vec<i32>,
        count: usize,
    ) -> Result<Vec<Far>> {
        distances::farthest(*self, rows, [place, centers], labels, count)
    }

    fn closer<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        place: &[f64],
        nearest: &mut Vec<T>,
        newest: &[f64],
        candidates: &[f64],
    ) -> Result<Vec<f64>> {
        distances::closer(*self, rows, place, nearest, (newest, candidates))
    }

    fn potentials<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        place: &[f64],
        nearest: &Vec<T>,
        newest: &[f64],
        piece: usize,
    ) -> Result<Vec<f64>> {
        distances::potentials(rows, place, nearest, newest, piece)
    }

    fn row<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        place: &[f64],
        row: usize,
    ) -> Result<Vec<f64>> {
        let mut z = memory::zeros(place.len(), "a row")?;
        exact(rows.x, row, place, &mut z);
        Ok(z)
    }
}

/// `z` of one row, in `f64`.
pub(super) fn exact<T: Real>(x: &CpuRows<'_, T>, row: usize, place: &[f64], z: &mut [f64]) {
    let row = x.index_axis(Axis(0), row);
    for ((z, x), place) in z.iter_mut().zip(row).zip(place) {
        *z = (*x).into() - place;
    }
}

/// What the order of sums may leave in distances, relative to their terms.
const TIE: f64 = 1e-12;

/// Centres, as the kernel reads them.
pub(super) struct Centers<'c, T> {
    /// Number of columns.
    pub(super) p: usize,
    /// Number of centres.
    pub(super) k: usize,
    /// Around `place`, row by row.
    pub(super) exact: &'c [f64],
    /// Where rows are put; in `f64`, and as two numbers of their own type.
    pub(super) place: &'c [f64],
    pub(super) halves: [Vec<T>; 2],
    /// `−½‖c‖²`; infinitely low beyond the last, up to full vectors. Then `c`, column by column.
    packed: Aligned<T>,
    /// Their numbers.
    numbers: Aligned<T>,
    /// From one column to the next.
    pitch: usize,
    /// The largest `‖c‖`.
    longest: f64,
}

impl<'c, T: Real> Centers<'c, T> {
    fn of(place: &'c [f64], exact: &'c [f64]) -> Result<Self> {
        let p = place.len();
        if p == 0 || exact.is_empty() || !exact.len().is_multiple_of(p) {
            return Err(Error::Shape("centers"));
        }
        let k = exact.len() / p;
        let pitch = k.next_multiple_of(64 / size_of::<T>());
        let mut packed = Aligned::of(pitch * (p + 1), "centers")?;
        let mut numbers = Aligned::of(pitch, "centers")?;
        packed[..pitch].fill(T::of(f64::NEG_INFINITY));
        let mut longest = 0.0_f64;
        for (c, center) in exact.chunks_exact(p).enumerate() {
            let square = center.iter().map(|x| x * x).sum::<f64>();
            longest = longest.max(square);
            packed[c] = T::of(-0.5 * square);
            numbers[c] = T::of(c as f64);
            for (j, x) in center.iter().enumerate() {
                packed[(j + 1) * pitch + c] = T::of(*x);
            }
        }
        let mut halves = [memory::zeros(p, "means")?, memory::zeros(p, "means")?];
        for (j, place) in place.iter().enumerate() {
            halves[0][j] = T::of(*place);
            halves[1][j] = T::of(place - halves[0][j].into());
        }
        Ok(Self {
            p,
            k,
            exact,
            place,
            halves,
            packed,
            numbers,
            pitch,
            longest: longest.sqrt(),
        })
    }

    /// The nearest centre of the rows of a block.
    pub(super) fn nearest(
        &self,
        x: &CpuRows<'_, T>,
        block: &Range<usize>,
        scratch: &Scratch<T>,
        labels: &mut [i32],
    ) -> Result<()> {
        let n = block.len();
        let mut gaps: Vec<T> = memory::zeros(n, "distances")?;
        Arch::new().dispatch(Nearest {
            centers: self,
            rows: (scratch.entries(n), scratch.pitch()),
            labels,
            gaps: &mut gaps,
        });
        let mut z = memory::zeros(self.p, "a row")?;
        let mut squares: Vec<T> = memory::zeros(gaps.len(), "lengths")?;
        Arch::new().dispatch(Lengths {
            rows: (scratch.entries(n), scratch.pitch()),
            p: self.p,
            to: &mut squares,
        });
        let rounding = if T::NAME == f32::NAME {
            f64::from(f32::EPSILON)
        } else {
            f64::EPSILON
        };
        for (i, (gap, square)) in gaps.iter().zip(squares).enumerate() {
            // Scores are off by at most `p + 4` roundings of their terms' size.
            let size = (square.into().sqrt() + self.longest).powi(2);
            let doubt = (2.0 * (self.p + 4) as f64 * rounding + TIE) * size;
            if gap.partial_cmp(&T::of(doubt)).is_none_or(Ordering::is_le) {
                exact(x, block.start + i, self.place, &mut z);
                labels[i] = self.nearest_exactly(&z);
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // k fits
    fn nearest_exactly(&self, z: &[f64]) -> i32 {
        let mut best = (f64::INFINITY, 0);
        for (c, center) in self.exact.chunks_exact(self.p).enumerate() {
            let square = |(z, c): (&f64, &f64)| (z - c) * (z - c);
            let distance = z.iter().zip(center).map(square).sum::<f64>();
            let tie = TIE * (distance + distance.sqrt() * self.longest);
            if distance < best.0 - tie {
                best = (distance, c as i32);
            }
        }
        best.1
    }
}

/// `‖z‖²` of each row.
struct Lengths<'a, T> {
    rows: (&'a [T], usize),
    p: usize,
    to: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Lengths<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (row, to) in self.rows.0.chunks_exact(self.rows.1).zip(self.to) {
            let (eights, rest) = row[..self.p].as_chunks::<8>();
            let mut squares = [T::default(); 8];
            for eight in eights {
                for l in 0..8 {
                    squares[l] += eight[l] * eight[l];
                }
            }
            *to = total(squares);
            for z in rest {
                *to += *z * *z;
            }
        }
    }
}

/// Centres, rows of a pitch, and for each row the number of its centre and how far behind the second is.
struct Nearest<'a, 'c, T> {
    centers: &'a Centers<'c, T>,
    rows: (&'a [T], usize),
    labels: &'a mut [i32],
    gaps: &'a mut [T],
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
        let (n, p, stride) = (self.labels.len(), self.centers.p, self.rows.1);
        let groups = self.centers.k.div_ceil(lanes);
        for start in (0..n).step_by(W) {
            let row = |w: usize| &self.rows.0[(start + w).min(n - 1) * stride..][..p];
            let rows: [&[T]; W] = std::array::from_fn(row);
            let mut best = [Best {
                score: far,
                second: far,
                number: zero,
            }; W];
            let mut at = 0;
            while at < groups {
                at += match groups - at {
                    1 => tile::<S, T, 1, W>(simd, self.centers, rows, at, &mut best),
                    2 | 4 => tile::<S, T, 2, W>(simd, self.centers, rows, at, &mut best),
                    _ => tile::<S, T, 3, W>(simd, self.centers, rows, at, &mut best),
                };
            }
            for (w, best) in best.iter().enumerate().take(n - start) {
                let best = highest::<S, T>(simd, *best);
                // Rows that are not numbers have no best: any will do, their inertia tells.
                let number = best.number.into().min((self.centers.k - 1) as f64);
                self.labels[start + w] = number as i32;
                self.gaps[start + w] = best.score - best.second;
            }
        }
    }
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
    for (best, scores) in best.iter_mut().zip(scores) {
        for (score, number) in scores.into_iter().zip(&numbers[at..]) {
            let nearer = ctx.gt(RealReg(score), RealReg(best.score));
            let worse = ctx.select(nearer, best.score, score);
            let closer = ctx.gt(RealReg(worse), RealReg(best.second));
            best.second = ctx.select(closer, worse, best.second);
            best.score = ctx.select(nearer, score, best.score);
            best.number = ctx.select(nearer, *number, best.number);
        }
    }
    V
}
