//! `min ‖Ax − b‖` over `x ≥ 0`.
//!
//! Active sets: columns enter where the gradient `Aᵀ(b − Ax)` is largest, and leave where the
//! answer on the columns inside would be negative (Lawson and Hanson, *Solving Least Squares
//! Problems*, 23.3). `A` is a root of the reduced Gram matrix, so its size knows no rows.

use super::{Spectrum, orthogonal::least_squares};
use crate::{Error, Result, memory};

/// The `x` of the `h × p` matrix `A` and `b`.
pub fn nonnegative(h: usize, p: usize, a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    let column = |j: usize| &a[j * h..][..h];
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let limits: Vec<f64> = (0..p)
        .map(|j| 10.0 * f64::EPSILON * (h as f64).sqrt() * norm(column(j)) * norm(b))
        .collect();
    let (mut x, mut inside) = start(h, p, a, b)?;
    let converged = |j: usize, rest: &[f64]| {
        let slope = column(j).iter().zip(rest).map(|(a, r)| a * r).sum::<f64>();
        slope.abs() <= 1e3 * limits[j]
    };
    let rest = residual(h, &inside, &x, a, b)?;
    if !inside.iter().all(|j| converged(*j, &rest)) {
        // Columns depend on each other: one by one.
        x.fill(0.0);
        inside.clear();
    }
    let mut refused = Vec::new();
    for _ in 0..10 * p.max(10) {
        let rest = residual(h, &inside, &x, a, b)?;
        let slope = |j: usize| column(j).iter().zip(&rest).map(|(a, r)| a * r).sum::<f64>();
        let outside = (0..p).filter(|j| !inside.contains(j) && !refused.contains(j));
        let steepest = outside
            .map(|j| (slope(j), j))
            .filter(|(slope, j)| *slope > limits[*j])
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, j)) = steepest else {
            return Ok(x);
        };
        inside.push(j);
        if inside.len() > h || !enter(h, a, b, &mut x, &mut inside)? {
            // A column that depends on those inside, to rounding: it may not enter now.
            inside.retain(|i| *i != j);
            x[j] = 0.0;
            refused.push(j);
        } else {
            refused.clear();
        }
    }
    Err(Error::NoDecomposition("non-negative least squares"))
}

/// Non-negative least squares of the rows with this spectrum and `S_xy`, penalised by `α‖x‖²`: on
/// `A = (Λ + α)^½ Vᵀ` and `(Λ + α)^-½ Vᵀ S_xy`.
pub fn nonnegative_of(spectrum: &Spectrum, alpha: f64, right: &[f64]) -> Result<Vec<f64>> {
    let p = right.len();
    let mut root = memory::zeros(p * p, "a root")?;
    let mut side = memory::zeros(p, "a right side")?;
    let values = spectrum
        .values
        .iter()
        .map(|value| value.hypot(alpha.sqrt()));
    let parts = spectrum.vectors.chunks_exact(p).zip(values);
    for (k, (v, value)) in parts.enumerate().filter(|(_, (_, value))| *value > 0.0) {
        for (j, v) in v.iter().enumerate() {
            root[j * p + k] = value * v;
        }
        side[k] = v.iter().zip(right).map(|(v, r)| v * r).sum::<f64>() / value;
    }
    nonnegative(p, p, &root, &side)
}

/// A start near the end: the answer on all columns, without those that are negative, again and again.
fn start(h: usize, p: usize, a: &[f64], b: &[f64]) -> Result<(Vec<f64>, Vec<usize>)> {
    let mut x = memory::zeros(p, "a solution")?;
    let mut inside: Vec<usize> = (0..if p <= h { p } else { 0 }).collect();
    while !inside.is_empty() {
        let target = on(h, &inside, a, b)?;
        let positive = |value: &f64| *value > 0.0 && value.is_finite();
        if target.iter().all(positive) {
            for (j, value) in inside.iter().zip(target) {
                x[*j] = value;
            }
            break;
        }
        let mut kept = target.iter().map(positive);
        inside.retain(|_| kept.next().unwrap_or(false));
    }
    Ok((x, inside))
}

/// Moves to the answer on the columns inside, dropping those that would be negative on the way;
/// false if the newest column gets nothing.
fn enter(h: usize, a: &[f64], b: &[f64], x: &mut [f64], inside: &mut Vec<usize>) -> Result<bool> {
    let newest = inside[inside.len() - 1];
    loop {
        let target = on(h, inside, a, b)?;
        let new = inside
            .iter()
            .position(|j| *j == newest)
            .map(|at| target[at]);
        if x[newest] == 0.0 && !new.is_some_and(|value| value > 0.0 && value.is_finite()) {
            return Ok(false);
        }
        let step = |(j, to): (&usize, &f64)| (*to <= 0.0).then(|| x[*j] / (x[*j] - to));
        let shortest = inside
            .iter()
            .zip(&target)
            .filter_map(step)
            .fold(f64::INFINITY, f64::min);
        let share = shortest.min(1.0);
        for (j, to) in inside.iter().zip(&target) {
            x[*j] += share * (to - x[*j]);
            if shortest <= 1.0 && *to <= 0.0 && x[*j] <= f64::EPSILON * to.abs() {
                x[*j] = 0.0;
            }
        }
        if shortest > 1.0 {
            return Ok(true);
        }
        let least = inside
            .iter()
            .zip(&target)
            .filter(|(_, to)| **to <= 0.0)
            .map(|(j, _)| *j);
        let least = least.min_by(|a, b| x[*a].total_cmp(&x[*b]));
        if let Some(j) = least {
            x[j] = 0.0;
        }
        inside.retain(|j| x[*j] > 0.0);
        if inside.is_empty() {
            return Ok(true);
        }
    }
}

/// The answer on the columns inside.
fn on(h: usize, inside: &[usize], a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    let mut part = memory::zeros(h * inside.len(), "columns")?;
    for (to, j) in part.chunks_exact_mut(h).zip(inside) {
        to.copy_from_slice(&a[j * h..][..h]);
    }
    least_squares(
        h,
        inside.len(),
        &mut part,
        &mut memory::copy(b, "a right side")?,
    )
}

/// `b − Ax`.
fn residual(h: usize, inside: &[usize], x: &[f64], a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    let mut rest = memory::copy(b, "a residual")?;
    for j in inside {
        for (r, a) in rest.iter_mut().zip(&a[j * h..][..h]) {
            *r -= x[*j] * a;
        }
    }
    Ok(rest)
}
