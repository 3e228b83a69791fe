//! Squared distances between rows and a few centres, in `f64`: `Σⱼ (zⱼ − cⱼ)²`.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Scratch, blocks, groups};
use super::nearest::exact;
use crate::device::{Data, Far, PIECE};
use crate::{Result, memory, real::Real};
use pulp::{Arch, NullaryFnOnce};
use std::ops::Range;

/// Rows that are read at once.
const BLOCK: usize = 256;

/// See `NearestKernels::closer`.
pub(super) fn closer<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    place: &[f64],
    nearest: &mut [T],
    (newest, candidates): (Option<&[f64]>, &[f64]),
) -> Result<Vec<f64>> {
    rows.check()?;
    let (n, p, _) = rows.shape();
    let groups = groups(n, 1);
    let size = groups.first().map_or(1, Range::len);
    let many = (candidates.len() / p.max(1)).max(1);
    let mut points = memory::zeros(newest.map_or(0, <[f64]>::len) + candidates.len(), "centers")?;
    let (first, rest) = points.split_at_mut(newest.map_or(0, <[f64]>::len));
    first.copy_from_slice(newest.unwrap_or_default());
    rest.copy_from_slice(candidates);
    let parts: Vec<&mut [T]> = nearest.chunks_mut(size).collect();
    let one = |g: usize, nearest: &mut [T]| {
        let group = &groups[g];
        let mut found = memory::zeros(group.len().div_ceil(PIECE) * many, "potentials")?;
        let mut scratch = Scratch::<f64>::new(rows, 0..p, BLOCK)?;
        let none = memory::zeros(p, "means")?;
        let mut squares = memory::zeros(BLOCK * (points.len() / p.max(1)), "distances")?;
        for (b, block) in blocks(group, BLOCK).enumerate() {
            let n = block.len();
            scratch.weigh(rows, &block);
            scratch.fill(rows, &block, [place, &none], false);
            let rows = (scratch.entries(n), scratch.pitch());
            let to = &mut squares[..n * (points.len() / p.max(1))];
            Arch::new().dispatch(Squares {
                rows,
                points: &points,
                p,
                to,
            });
            let sums = &mut found[b * BLOCK / PIECE * many..][..many];
            let nearest = &mut nearest[b * BLOCK..][..n];
            let had = newest.is_some();
            add(
                nearest,
                &scratch.weights,
                (to, n),
                had,
                (sums, candidates.is_empty()),
            );
        }
        Ok(found)
    };
    let flops = 3.0 * (n * points.len()) as f64;
    Ok(cpu.each_of(parts, flops, one)?.concat())
}

/// Takes the first point into `nearest` if it is new, and adds the potentials of the others.
fn add<T: Real>(
    nearest: &mut [T],
    weights: &[f64],
    (squares, n): (&[f64], usize),
    new: bool,
    (sums, alone): (&mut [f64], bool),
) {
    let mut points = squares.chunks_exact(n);
    if let Some(squares) = points.next().filter(|_| new) {
        for (nearest, square) in nearest.iter_mut().zip(squares) {
            *nearest = lesser(*nearest, *square);
        }
    } else {
        points = squares.chunks_exact(n);
    }
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

/// Squared distances of rows to `points`, point by point.
struct Squares<'a> {
    rows: (&'a [f64], usize),
    points: &'a [f64],
    p: usize,
    to: &'a mut [f64],
}

impl NullaryFnOnce for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (p, stride) = (self.p, self.rows.1);
        let n = self.rows.0.len() / stride;
        let eights = p / 8 * 8;
        for (point, to) in self.points.chunks_exact(p).zip(self.to.chunks_exact_mut(n)) {
            for (i, to) in to.iter_mut().enumerate() {
                let z = &self.rows.0[i * stride..][..p];
                let mut squares = [0.0; 8];
                for j in (0..eights).step_by(8) {
                    let (z, c) = (&z[j..j + 8], &point[j..j + 8]);
                    for l in 0..8 {
                        squares[l] += (z[l] - c[l]) * (z[l] - c[l]);
                    }
                }
                for j in eights..p {
                    squares[j - eights] += (z[j] - point[j]) * (z[j] - point[j]);
                }
                *to = squares.iter().sum();
            }
        }
    }
}

/// See `NearestKernels::potentials`.
pub(super) fn potentials<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    place: &[f64],
    nearest: &[T],
    newest: Option<&[f64]>,
    piece: usize,
) -> Result<Vec<f64>> {
    let n = rows.shape().0;
    let piece = piece * PIECE..n.min((piece + 1) * PIECE);
    let mut found = memory::zeros(piece.len(), "potentials")?;
    let mut z = memory::zeros(place.len(), "a row")?;
    for (i, found) in piece.zip(&mut found) {
        let mut least = nearest[i];
        if let Some(newest) = newest {
            exact(rows.x, i, place, &mut z);
            let mut square = 0.0;
            Arch::new().dispatch(Squares {
                rows: (&z, z.len()),
                points: newest,
                p: z.len(),
                to: std::slice::from_mut(&mut square),
            });
            least = lesser(least, square);
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
