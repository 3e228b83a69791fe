//! Joint means of parts, and the place near the rows that sums are taken around.

use super::Cpu;
use super::blocks::Scratch;
use crate::device::{ColumnMoments, Data};
use crate::{Result, memory, real::Real};
use std::ops::Range;

/// Rows whose mean is the origin.
const FIRST: usize = 64;

/// Rows without weight have no place: theirs is zero.
pub(super) fn column_moments(
    counts: [f64; 2],
    mut origin: Vec<f64>,
    mean: Vec<f64>,
    comoment: Vec<f64>,
) -> ColumnMoments {
    if counts[1] <= 0.0 {
        origin.fill(0.0);
    }
    ColumnMoments {
        counts,
        origin,
        mean,
        comoment,
    }
}

/// A place near the rows, that `T` can hold: the mean of the first ones.
pub(super) fn origin<T: Real>(rows: &Data<'_, '_, Cpu, T>) -> Result<Vec<f64>> {
    let (n, p, m) = rows.shape();
    let mut origin = memory::zeros(p + m, "means")?;
    let none = memory::zeros(p + m, "means")?;
    let mut scratch = Scratch::<T>::bare(rows, 0..p + m)?;
    let first = first(rows, &(0..n));
    first_mean(&mut scratch, rows, &first, &none, &mut origin);
    for place in &mut origin {
        *place = T::of(*place).into();
    }
    Ok(origin)
}

/// Some rows, from the first one that weighs something: those before may be anywhere.
pub(super) fn first<T: Real>(rows: &Data<'_, '_, Cpu, T>, within: &Range<usize>) -> Range<usize> {
    let weighs = |i: &usize| rows.w.is_none_or(|w| Into::<f64>::into(w[[*i, 0]]) > 0.0);
    let start = within.clone().find(weighs).unwrap_or(within.start);
    start..within.end.min(start + FIRST)
}

/// The mean of the first rows less `origin`, by weight if they have some: rows without any may be
/// anywhere.
pub(super) fn first_mean<A: Real, T: Real>(
    scratch: &mut Scratch<A>,
    rows: &Data<'_, '_, Cpu, T>,
    first: &Range<usize>,
    origin: &[f64],
    mean: &mut [f64],
) {
    if first.is_empty() {
        return;
    }
    let mut weight = scratch.weigh(rows, first);
    if weight <= 0.0 {
        scratch.weights.fill(1.0);
        weight = first.len() as f64;
    }
    scratch.sums(rows, first, origin, mean);
    for sum in mean {
        *sum /= weight;
    }
}

/// The joint weight and means of parts.
pub(super) fn mean_of<'a>(
    parts: impl Iterator<Item = (f64, &'a [f64])>,
    q: usize,
) -> Result<(f64, Vec<f64>)> {
    let (mut weight, mut mean) = (0.0, memory::zeros(q, "means")?);
    for (part, theirs) in parts.filter(|(part, _)| *part > 0.0) {
        weight += part;
        for (mean, theirs) in mean.iter_mut().zip(theirs) {
            *mean += (theirs - *mean) * (part / weight);
        }
    }
    Ok((weight, mean))
}
