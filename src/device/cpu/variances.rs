//! Means of columns, squares around them, extremes: each block of rows is read once from memory.

use super::Cpu;
use super::blocks::{Scratch, block, blocks, groups};
use super::means::{column_moments, mean_of, origin};
use crate::device::{ColumnMoments, Data};
use crate::{Result, memory, real::Real};
use std::ops::Range;

/// Of a part of the rows.
struct Variances {
    weight: f64,
    /// Less the origin.
    mean: Vec<f64>,
    /// Around the means.
    squares: Vec<f64>,
    /// The largest `−x`, then the largest `x`; empty where nobody asks.
    extremes: Vec<f64>,
}

/// See `MomentKernels::means` and `MomentKernels::columns`.
pub(super) fn variances<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    extremes: bool,
) -> Result<(ColumnMoments, Vec<f64>)> {
    rows.check()?;
    let (n, p, m) = rows.shape();
    let groups = groups(n, p + m);
    let origin = origin(rows)?;
    let one = |g: usize| group(rows, &groups[g], &origin, extremes);
    let found = cpu.each(groups.len(), 4.0 * (n * (p + m)) as f64, one)?;
    let all = joint(&found, p + m, if extremes { 2 * (p + m) } else { 0 })?;
    let found = column_moments([n as f64, all.weight], origin, all.mean, all.squares);
    Ok((found, all.extremes))
}

fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    origin: &[f64],
    extremes: bool,
) -> Result<Variances> {
    let q = origin.len();
    let mut scratch = Scratch::<T>::bare(rows, 0..q)?;
    let mut found = Vec::new(); // one a block
    let mut most = none::<T>(if extremes { 2 * q } else { 0 })?;
    for block in blocks(group, block::<T>()) {
        let (mut mean, mut squares) = (memory::zeros(q, "means")?, memory::zeros(q, "squares")?);
        let weight = scratch.weigh(rows, &block);
        scratch.sums(rows, &block, origin, &mut mean);
        for sum in &mut mean {
            *sum /= if weight > 0.0 { weight } else { 1.0 };
        }
        scratch.squares(rows, &block, [origin, &mean], &mut squares);
        if extremes {
            scratch.extremes(rows, &block, &mut most);
        }
        found.push(Variances {
            weight,
            mean,
            squares,
            extremes: Vec::new(),
        });
    }
    let mut all = joint(&found, q, 0)?;
    all.extremes = memory::zeros(most.len(), "extremes")?;
    for (to, from) in all.extremes.iter_mut().zip(most) {
        *to = from.into();
    }
    Ok(all)
}

fn none<T: Real>(len: usize) -> Result<Vec<T>> {
    let mut most: Vec<T> = memory::zeros(len, "extremes")?;
    most.fill(T::of(f64::NEG_INFINITY));
    Ok(most)
}

/// Of parts together.
fn joint(parts: &[Variances], q: usize, extremes: usize) -> Result<Variances> {
    let means = parts.iter().map(|part| (part.weight, part.mean.as_slice()));
    let (weight, mean) = mean_of(means, q)?;
    let mut squares = memory::zeros(q, "squares")?;
    let mut most = none::<f64>(extremes)?;
    for part in parts {
        for (j, square) in squares.iter_mut().enumerate() {
            let step = part.mean[j] - mean[j];
            *square += part.squares[j] + part.weight * step * step;
        }
        for (most, theirs) in most.iter_mut().zip(&part.extremes) {
            *most = most.max(*theirs);
        }
    }
    Ok(Variances {
        weight,
        mean,
        squares,
        extremes: most,
    })
}
