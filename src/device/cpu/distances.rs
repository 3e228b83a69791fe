//! Squared distances between rows and a few centres, in `f64`: `Σⱼ (zⱼ − cⱼ)²`.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Scratch, blocks, groups};
use super::nearest::exact;
use crate::device::{Data, Far, PIECE};
use crate::{Result, memory, real::Real};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Rows that are read at once.
const BLOCK: usize = 32;

/// See `NearestKernels::closer`.
pub(super) fn closer<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    place: &[f64],
    nearest: &mut [T],
    (newest, candidates): (&[f64], &[f64]),
) -> Result<Vec<f64>> {
    rows.check()?;
    let (n, p, _) = rows.shape();
    let groups = groups(n, 1);
    let size = groups.first().map_or(1, Range::len);
    let many = (candidates.len() / p.max(1)).max(1);
    let points = [newest, candidates].concat(); // a few
    let parts: Vec<&mut [T]> = nearest.chunks_mut(size).collect();
    let one = |g: usize, nearest: &mut [T]| {
        let group = &groups[g];
        let mut found = memory::zeros(group.len().div_ceil(PIECE) * many, "potentials")?;
        let mut scratch = Scratch::<f64>::new(rows, 0..p, BLOCK)?;
        let none = memory::zeros(p, "means")?;
        let packed = packed(&points, p, scratch.pitch())?;
        let mut squares = memory::zeros(BLOCK * (points.len() / p.max(1)), "distances")?;
        for (b, block) in blocks(group, BLOCK).enumerate() {
            let n = block.len();
            scratch.weigh(rows, &block);
            scratch.fill(rows, &block, [place, &none], false);
            let to = &mut squares[..n * (points.len() / p.max(1))];
            Arch::new().dispatch(Squares {
                rows: scratch.entries(n),
                points: &packed,
                pitch: scratch.pitch(),
                to,
            });
            let sums = &mut found[b * BLOCK / PIECE * many..][..many];
            let nearest = &mut nearest[b * BLOCK..][..n];
            let new = newest.len() / p.max(1);
            add(
                nearest,
                &scratch.weights,
                (to, n),
                new,
                (sums, candidates.is_empty()),
            );
        }
        Ok(found)
    };
    let flops = 3.0 * (n * points.len()) as f64;
    Ok(cpu.each_of(parts, flops, one)?.concat())
}

/// Takes the first points, as many as are new, into `nearest`, and adds the potentials of the others.
fn add<T: Real>(
    nearest: &mut [T],
    weights: &[f64],
    (squares, n): (&[f64], usize),
    new: usize,
    (sums, alone): (&mut [f64], bool),
) {
    let (first, points) = squares.split_at(new * n);
    for squares in first.chunks_exact(n) {
        for (nearest, square) in nearest.iter_mut().zip(squares) {
            *nearest = lesser(*nearest, *square);
        }
    }
    let points = points.chunks_exact(n);
    let weight = |i: usize| weights.get(i).copied().unwrap_or(1.0);
    if alone {
        let terms = nearest
            .iter()
            .enumerate()
            .map(|(i, d)| weight(i) * (*d).into());
        sums[0] += terms.sum::<f64>();
        return;
    }
    for (sum, squares) in sums.iter_mut().zip(points) {
        let terms = nearest.iter().zip(squares).enumerate();
        *sum += terms
            .map(|(i, (nearest, square))| weight(i) * lesser(*nearest, *square).into())
            .sum::<f64>();
    }
}

/// The smaller, as the rows' own type holds it.
fn lesser<T: Real>(nearest: T, square: f64) -> T {
    let square = T::of(square);
    if square < nearest { square } else { nearest }
}

/// Points as rows are: behind the last column a one, then zeros, up to the pitch.
fn packed(points: &[f64], p: usize, pitch: usize) -> Result<Vec<f64>> {
    let mut packed = memory::zeros(points.len() / p * pitch, "centers")?;
    for (to, point) in packed.chunks_exact_mut(pitch).zip(points.chunks_exact(p)) {
        to[..p].copy_from_slice(point);
        to[p] = 1.0;
    }
    Ok(packed)
}

/// Squared distances of rows to `points`, point by point; both of one pitch.
struct Squares<'a> {
    rows: &'a [f64],
    points: &'a [f64],
    pitch: usize,
    to: &'a mut [f64],
}

impl WithSimd for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.rows.len() / self.pitch;
        let (many, mut at) = (self.points.len() / self.pitch, 0);
        while at < many {
            let to = &mut self.to[at * n..];
            let points = &self.points[at * self.pitch..];
            at += match many - at {
                1 => some::<S, 1>(simd, self.rows, points, self.pitch, to),
                2 => some::<S, 2>(simd, self.rows, points, self.pitch, to),
                _ => some::<S, 3>(simd, self.rows, points, self.pitch, to),
            };
        }
    }
}

/// The same for `Q` points, four rows at a time, the last ones again; says `Q`.
#[inline(always)]
fn some<S: Simd, const Q: usize>(
    simd: S,
    rows: &[f64],
    points: &[f64],
    pitch: usize,
    to: &mut [f64],
) -> usize {
    let n = rows.len() / pitch;
    let point = |q: usize| S::as_simd_f64s(&points[q * pitch..][..pitch]).0;
    let points: [&[S::f64s]; Q] = std::array::from_fn(point);
    for start in (0..n).step_by(4) {
        let row = |r: usize| {
            let at = (start + r).min(n - 1) * pitch;
            &S::as_simd_f64s(&rows[at..at + pitch]).0[..points[0].len()]
        };
        let four: [&[S::f64s]; 4] = std::array::from_fn(row);
        let mut sums = [[simd.splat_f64s(0.0); 4]; Q];
        for j in 0..points[0].len() {
            for q in 0..Q {
                for r in 0..4 {
                    let step = simd.sub_f64s(four[r][j], points[q][j]);
                    sums[q][r] = simd.mul_add_e_f64s(step, step, sums[q][r]);
                }
            }
        }
        for (q, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate().take(n - start) {
                to[q * n + start + r] = simd.reduce_sum_f64s(sum);
            }
        }
    }
    Q
}

/// See `NearestKernels::potentials`.
pub(super) fn potentials<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    place: &[f64],
    nearest: &[T],
    newest: &[f64],
    piece: usize,
) -> Result<Vec<f64>> {
    let n = rows.shape().0;
    let piece = piece * PIECE..n.min((piece + 1) * PIECE);
    let mut found = memory::zeros(piece.len(), "potentials")?;
    let mut z = memory::zeros(place.len(), "a row")?;
    for (i, found) in piece.zip(&mut found) {
        let mut least = nearest[i];
        if !newest.is_empty() {
            exact(rows.x, i, place, &mut z);
        }
        for newest in newest.chunks_exact(place.len()) {
            let square = |(z, c): (&f64, &f64)| (z - c) * (z - c);
            least = lesser(least, z.iter().zip(newest).map(square).sum());
        }
        let weight = rows.w.map_or(1.0, |w| w[[i, 0]].into());
        *found = weight * least.into();
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
