//! Squared distances between rows and a few others, `Σⱼ (xⱼ − cⱼ)²`, in the rows' own type: where both
//! are given exactly, so is the difference, to its last digit.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::ahead::ask;
use super::blocks::{Aligned, Scratch, blocks, groups};
use super::nearest::exact;
use crate::device::{Data, Far, PIECE};
use crate::{Result, memory, real::Real};
use faer::traits::SimdCtx;
use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Rows that are read at once.
const BLOCK: usize = 32;

/// Distances of blocks of rows to points.
struct Squares<T: Real> {
    scratch: Scratch<T>,
    /// No shift of any column.
    none: Vec<T>,
    /// Points as rows of the scratch.
    points: Aligned<T>,
    /// Point by point.
    squares: Vec<T>,
}

impl<T: Real> Squares<T> {
    fn of(rows: &Data<'_, '_, Cpu, T>, points: &[f64]) -> Result<Self> {
        let p = rows.shape().1;
        let scratch = Scratch::plain(rows, BLOCK)?;
        let many = points.len() / p.max(1);
        let mut packed = Aligned::of(many * scratch.pitch(), "centers")?;
        let to = packed.chunks_exact_mut(scratch.pitch());
        for (to, point) in to.zip(points.chunks_exact(p.max(1))) {
            for (to, x) in to.iter_mut().zip(point) {
                *to = T::of(*x);
            }
        }
        Ok(Self {
            scratch,
            none: memory::zeros(p, "means")?,
            points: packed,
            squares: memory::zeros(many * BLOCK, "distances")?,
        })
    }

    /// Those of a block, point by point; weights of its rows.
    fn look(&mut self, rows: &Data<'_, '_, Cpu, T>, block: &Range<usize>) -> (&[T], &[f64]) {
        let (n, p) = (block.len(), self.none.len());
        let none = [&self.none[..], &self.none[..]];
        self.scratch.weigh(rows, block);
        self.scratch.fill(rows, block, none, false);
        let all = rows.x.to_slice().unwrap_or_default();
        Arch::new().dispatch(Look {
            rows: self.scratch.entries(n),
            next: all.get(block.end * p..).unwrap_or_default(),
            p,
            points: &self.points,
            pitch: self.scratch.pitch(),
            to: &mut self.squares,
        });
        let many = self.points.len() / self.scratch.pitch();
        (&self.squares[..many * n], &self.scratch.weights)
    }
}

/// See `NearestKernels::closer`.
pub(super) fn closer<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    nearest: &mut [T],
    [newest, candidates]: [&[f64]; 2],
) -> Result<Vec<f64>> {
    let (n, p, _) = rows.shape();
    let groups = groups(n, 1);
    let size = groups.first().map_or(1, Range::len);
    let [new, many] = [newest, candidates].map(|points| points.len() / p.max(1));
    let points = [newest, candidates].concat(); // a few
    let parts: Vec<&mut [T]> = nearest.chunks_mut(size).collect();
    let one = |g: usize, nearest: &mut [T]| {
        let mut found = memory::zeros(groups[g].len().div_ceil(PIECE) * many.max(1), "potentials")?;
        let mut room = Squares::of(rows, &points)?;
        let blocks = blocks(&groups[g], BLOCK).zip(nearest.chunks_mut(BLOCK));
        for (b, (block, nearest)) in blocks.enumerate() {
            let (squares, weights) = room.look(rows, &block);
            let (first, squares) = squares.split_at(new * nearest.len());
            take(nearest, first);
            let sums = &mut found[b * BLOCK / PIECE * many.max(1)..][..many.max(1)];
            add(nearest, weights, squares, sums);
        }
        Ok(found)
    };
    let flops = 3.0 * (n * points.len()) as f64;
    Ok(cpu.each_of(parts, flops, one)?.concat())
}

/// Takes points into `nearest`.
fn take<T: Real>(nearest: &mut [T], squares: &[T]) {
    for squares in squares.chunks_exact(nearest.len()) {
        for (nearest, square) in nearest.iter_mut().zip(squares) {
            *nearest = lesser(*nearest, *square);
        }
    }
}

/// Adds the potentials of points; of none, what is nearest already.
fn add<T: Real>(nearest: &[T], weights: &[f64], squares: &[T], sums: &mut [f64]) {
    let n = nearest.len();
    for (q, sum) in sums.iter_mut().enumerate() {
        let squares = squares.get(q * n..(q + 1) * n).unwrap_or(nearest);
        for (i, (nearest, square)) in nearest.iter().zip(squares).enumerate() {
            let weight = weights.get(i).copied().unwrap_or(1.0);
            *sum += weight * lesser(*nearest, *square).into();
        }
    }
}

fn lesser<T: Real>(nearest: T, square: T) -> T {
    if square < nearest { square } else { nearest }
}

/// Squared distances of rows to `points`, point by point; both of one pitch.
struct Look<'a, T> {
    rows: &'a [T],
    /// The memory behind the rows, if it is one piece, and how much of it is a row.
    next: &'a [T],
    p: usize,
    points: &'a [T],
    pitch: usize,
    to: &'a mut [T],
}

impl<T: Real> WithSimd for Look<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.rows.len() / self.pitch;
        let (many, mut at) = (self.points.len() / self.pitch, 0);
        while at < many {
            let next = if at == 0 { self.next } else { &[] };
            let (to, points) = (&mut self.to[at * n..], &self.points[at * self.pitch..]);
            let rows = (self.rows, (next, self.p));
            at += match many - at {
                1 => some::<S, T, 1>(simd, rows, points, self.pitch, to),
                2 => some::<S, T, 2>(simd, rows, points, self.pitch, to),
                _ => some::<S, T, 3>(simd, rows, points, self.pitch, to),
            };
        }
    }
}

/// The same for `Q` points, four rows at a time, the last ones again; says `Q`.
#[inline(always)]
fn some<S: Simd, T: Real, const Q: usize>(
    simd: S,
    (rows, (next, p)): (&[T], (&[T], usize)),
    points: &[T],
    pitch: usize,
    to: &mut [T],
) -> usize {
    let n = rows.len() / pitch;
    let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
    let wide = pitch * size_of::<T>() / size_of::<T::SimdVec<S>>();
    let (rows, all): (&[T::SimdVec<S>], &[T::SimdVec<S>]) = (cast_slice(rows), cast_slice(points));
    let mut points = [&all[..wide]; Q];
    for q in 1..Q {
        points[q] = &all[q * wide..][..wide];
    }
    for start in (0..n).step_by(4) {
        ask(next, start * p..(start + 4) * p);
        let mut four = [&rows[start * wide..][..wide]; 4];
        for r in 1..4 {
            four[r] = &rows[(start + r).min(n - 1) * wide..][..wide];
        }
        let mut sums = [[ctx.zero(); 4]; Q];
        for j in 0..wide {
            for q in 0..Q {
                for r in 0..4 {
                    let step = ctx.sub(four[r][j], points[q][j]);
                    sums[q][r] = ctx.mul_add(step, step, sums[q][r]);
                }
            }
        }
        for q in 0..Q {
            for r in 0..4.min(n - start) {
                to[q * n + start + r] = ctx.reduce_sum(sums[q][r]);
            }
        }
    }
    Q
}

/// See `NearestKernels::potentials`.
pub(super) fn potentials<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    nearest: &[T],
    newest: &[f64],
    piece: usize,
) -> Result<Vec<f64>> {
    let piece = piece * PIECE..rows.shape().0.min((piece + 1) * PIECE);
    let mut found = memory::zeros(piece.len(), "potentials")?;
    let mut room = Squares::of(rows, newest)?;
    let mut least = [T::default(); BLOCK];
    for (block, found) in blocks(&piece, BLOCK).zip(found.chunks_mut(BLOCK)) {
        let least = &mut least[..block.len()];
        least.copy_from_slice(&nearest[block.clone()]);
        let (squares, weights) = room.look(rows, &block);
        take(least, squares);
        for (i, (found, least)) in found.iter_mut().zip(least).enumerate() {
            *found = weights.get(i).copied().unwrap_or(1.0) * (*least).into();
        }
    }
    Ok(found)
}

/// See `NearestKernels::farthest`.
pub(super) fn farthest<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    [place, centers]: [&[f64]; 2],
    labels: &[i32],
    count: usize,
) -> Result<Vec<Far>> {
    let (n, p, _) = rows.shape();
    let groups = groups(n, count * (p + 3));
    #[allow(clippy::cast_sign_loss)] // all have one
    let label = |row: usize| labels[row] as usize;
    let one = |g: usize| {
        let mut far: Vec<(f64, usize)> = Vec::new(); // at most `count` and one
        let mut z = memory::zeros(p, "a row")?;
        for row in groups[g].clone() {
            exact(rows.x, row, place, &mut z);
            let center = &centers[label(row) * p..][..p];
            let square = |(z, c): (&f64, &f64)| (z - c) * (z - c);
            let distance = z.iter().zip(center).map(square).sum::<f64>();
            if far.len() < count || far.last().is_some_and(|least| distance > least.0) {
                let at = far.partition_point(|other| other.0 >= distance);
                far.insert(at, (distance, row));
                far.truncate(count);
            }
        }
        Ok(far)
    };
    let mut all = cpu.each(groups.len(), 3.0 * (n * p) as f64, one)?.concat();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut found = Vec::new();
    for (distance, row) in all.into_iter().take(count) {
        let mut z = memory::zeros(p, "a row")?;
        exact(rows.x, row, place, &mut z);
        found.push(Far {
            distance,
            weight: rows.w.map_or(1.0, |w| w[[row, 0]].into()),
            label: label(row),
            z,
        });
    }
    Ok(found)
}
