//! Squared distances between rows and a few others, `Σⱼ (xⱼ − cⱼ)²`, in the rows' own type: where both
//! are given exactly, so is the difference, to its last digit.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Scratch, blocks, groups};
use super::centers::{Centers, exact};
use super::prefetch::prefetch;
use super::tiles::several;
use crate::device::{Data, Far, PIECE};
use crate::{Error, Result, memory, real::Real};
use faer::traits::SimdCtx;
use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Rows that are looked at together.
const fn block<T>() -> usize {
    256 / size_of::<T>()
}

/// Numbers of the longest vector.
const fn longest<T>() -> usize {
    64 / size_of::<T>()
}

/// Distances of blocks of rows to points.
struct Squares<T: Real> {
    /// For rows that do not lie in one piece, or are shorter than a vector.
    scratch: Scratch<T>,
    packed: bool,
    /// No shift of any column.
    none: Vec<T>,
    points: Vec<T>,
    /// From one point to the next.
    width: usize,
    /// Point by point.
    found: Vec<T>,
}

impl<T: Real> Squares<T> {
    fn of(rows: &Data<'_, '_, Cpu, T>, points: &[f64]) -> Result<Self> {
        let p = rows.shape().1;
        let packed = p < longest::<T>() || !rows.x.is_standard_layout();
        let scratch = Scratch::plain(rows, if packed { block::<T>() } else { 0 })?;
        let width = if packed { scratch.pitch() } else { p };
        let many = points.len() / p.max(1);
        let mut room = memory::zeros(many * width, "centers")?;
        for (to, point) in room
            .chunks_exact_mut(width)
            .zip(points.chunks_exact(p.max(1)))
        {
            for (to, x) in to.iter_mut().zip(point) {
                *to = T::of(*x);
            }
        }
        Ok(Self {
            scratch,
            packed,
            none: memory::zeros(p, "means")?,
            points: room,
            width,
            found: memory::zeros(many * block::<T>(), "distances")?,
        })
    }

    /// Those of a block, point by point.
    fn look(&mut self, rows: &Data<'_, '_, Cpu, T>, block: &Range<usize>) -> &[T] {
        let all = rows.x.to_slice().unwrap_or_default();
        let (rows, next) = if self.packed {
            let none = [&self.none[..], &self.none[..]];
            self.scratch.fill(rows, block, none, false);
            (self.scratch.entries(block.len()), &[][..])
        } else {
            let (start, end) = (block.start * self.width, block.end * self.width);
            (&all[start..end], &all[end..])
        };
        Arch::new().dispatch(MomentOptions {
            rows,
            next,
            points: &self.points,
            width: self.width,
            to: &mut self.found,
        });
        &self.found[..self.points.len() / self.width * block.len()]
    }
}

/// The weight of a row.
fn weight<T: Real>(rows: &Data<'_, '_, Cpu, T>, row: usize) -> f64 {
    rows.w.map_or(1.0, |w| w[[row, 0]].into())
}

/// See `NearestKernels::update_min_distance`.
pub(super) fn update_min_distance<T: Real>(
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
        let size = block::<T>();
        let blocks = blocks(&groups[g], size).zip(nearest.chunks_mut(size));
        for (b, (block, nearest)) in blocks.enumerate() {
            let squares = room.look(rows, &block);
            let (first, squares) = squares.split_at(new * nearest.len());
            take(nearest, first);
            let sums = &mut found[b * size / PIECE * many.max(1)..][..many.max(1)];
            let weight = |i: usize| weight(rows, block.start + i);
            add(nearest, weight, squares, sums);
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
fn add<T: Real>(nearest: &[T], weight: impl Fn(usize) -> f64, squares: &[T], sums: &mut [f64]) {
    let n = nearest.len();
    for (q, sum) in sums.iter_mut().enumerate() {
        let squares = squares.get(q * n..(q + 1) * n).unwrap_or(nearest);
        for (i, (nearest, square)) in nearest.iter().zip(squares).enumerate() {
            *sum += weight(i) * lesser(*nearest, *square).into();
        }
    }
}

fn lesser<T: Real>(nearest: T, square: T) -> T {
    if square < nearest { square } else { nearest }
}

/// Squared distances of rows to `points`, point by point; both of one width, at least a vector's.
struct MomentOptions<'a, T> {
    rows: &'a [T],
    /// The memory behind the rows, if it is read next.
    next: &'a [T],
    points: &'a [T],
    width: usize,
    to: &'a mut [T],
}

impl<T: Real> WithSimd for MomentOptions<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.rows.len() / self.width;
        let (many, mut at) = (self.points.len() / self.width, 0);
        while at < many {
            let next = if at == 0 { self.next } else { &[] };
            let (to, points) = (&mut self.to[at * n..], &self.points[at * self.width..]);
            let rows = [self.rows, next];
            at += match many - at {
                1 => some::<S, T, 1>(simd, rows, points, self.width, to),
                2 => some::<S, T, 2>(simd, rows, points, self.width, to),
                _ => some::<S, T, 3>(simd, rows, points, self.width, to),
            };
        }
    }
}

/// The same for `Q` points, four rows at a time, the last ones again; says `Q`.
#[inline(always)]
fn some<S: Simd, T: Real, const Q: usize>(
    simd: S,
    [rows, next]: [&[T]; 2],
    points: &[T],
    width: usize,
    to: &mut [T],
) -> usize {
    let ctx = SimdCtx::<T, S>(T::simd_ctx(simd));
    let (n, lanes) = (rows.len() / width, lanes::<S, T>());
    let whole = width / lanes;
    let counts = tip_counts::<S, T>(width % lanes);
    let mut point = [vectors::<S, T>(&points[..whole * lanes]); Q];
    let mut tip = [vectors::<S, T>(&points[width - lanes..width])[0]; Q];
    for q in 1..Q {
        let points = &points[q * width..][..width];
        point[q] = vectors::<S, T>(&points[..whole * lanes]);
        tip[q] = vectors::<S, T>(&points[width - lanes..])[0];
    }
    for start in (0..n).step_by(4) {
        prefetch(next, start * width..(start + 4) * width);
        let four = several::<T, 4>(rows, width, start..n);
        let mut sums = [[ctx.zero(); 4]; Q];
        if width > whole * lanes {
            for r in 0..4 {
                let row = vectors::<S, T>(&four[r][width - lanes..])[0];
                for q in 0..Q {
                    let step = ctx.sub(row, tip[q]);
                    sums[q][r] = ctx.mul(ctx.mul(step, counts), step);
                }
            }
        }
        let mut row = [vectors::<S, T>(&four[0][..whole * lanes]); 4];
        for r in 1..4 {
            row[r] = vectors::<S, T>(&four[r][..whole * lanes]);
        }
        for j in 0..whole {
            for q in 0..Q {
                for r in 0..4 {
                    let step = ctx.sub(row[r][j], point[q][j]);
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

/// What is behind the whole vectors is the end of one more: what it has of them does not count.
#[inline(always)]
fn tip_counts<S: Simd, T: Real>(behind: usize) -> T::SimdVec<S> {
    let lanes = lanes::<S, T>();
    let mut counts = [T::default(); 16];
    for count in &mut counts[lanes - behind..lanes] {
        *count = T::of(1.0);
    }
    vectors::<S, T>(&counts[..lanes])[0]
}

/// Numbers in a vector.
#[inline(always)]
const fn lanes<S: Simd, T: Real>() -> usize {
    size_of::<T::SimdVec<S>>() / size_of::<T>()
}

/// Numbers as vectors.
#[inline(always)]
fn vectors<S: Simd, T: Real>(numbers: &[T]) -> &[T::SimdVec<S>] {
    cast_slice(numbers)
}

/// See `NearestKernels::distances`.
pub(super) fn distances<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    points: &[f64],
    out: &mut [T],
) -> Result<()> {
    let (n, p, _) = rows.shape();
    let many = points.len() / p.max(1);
    if many == 0 || many * p != points.len() || many * n != out.len() {
        return Err(Error::Shape("distances"));
    }
    let groups = groups(n, 1);
    let size = groups.first().map_or(1, Range::len);
    let parts: Vec<&mut [T]> = out.chunks_mut(size * many).collect();
    let one = |g: usize, out: &mut [T]| {
        let mut room = Squares::of(rows, points)?;
        let size = block::<T>();
        for (block, out) in blocks(&groups[g], size).zip(out.chunks_mut(size * many)) {
            let squares = room.look(rows, &block);
            for (q, squares) in squares.chunks_exact(block.len()).enumerate() {
                for (to, square) in out[q..].iter_mut().step_by(many).zip(squares) {
                    *to = T::of((*square).into().sqrt());
                }
            }
        }
        Ok(())
    };
    cpu.each_of(parts, 3.0 * (n * points.len()) as f64, one)?;
    Ok(())
}

/// See `NearestKernels::potentials`.
pub(super) fn potentials<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    nearest: &[T],
    newest: &[f64],
    some: &Range<usize>,
) -> Result<Vec<f64>> {
    let mut found = memory::zeros(some.len(), "potentials")?;
    let mut room = Squares::of(rows, newest)?;
    let mut least = memory::zeros(block::<T>(), "distances")?;
    for (block, found) in blocks(some, block::<T>()).zip(found.chunks_mut(block::<T>())) {
        let least = &mut least[..found.len()];
        least.copy_from_slice(&nearest[block.clone()]);
        take(least, room.look(rows, &block));
        for ((row, found), least) in block.zip(found).zip(least) {
            *found = weight(rows, row) * (*least).into();
        }
    }
    Ok(found)
}

/// See `NearestKernels::farthest`.
pub(super) fn farthest<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
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
            exact(rows.x, row, &centers.place, &mut z);
            let center = &centers.exact[label(row) * p..][..p];
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
        exact(rows.x, row, &centers.place, &mut z);
        found.push(Far {
            distance,
            weight: weight(rows, row),
            label: label(row),
            z,
        });
    }
    Ok(found)
}
