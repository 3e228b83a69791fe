//! Directions by limited memory: `−Hg`, where `H` follows from the last steps and the changes of the
//! gradient along them (Nocedal 1980), from a metric that knows the columns.

use super::{Spectrum, spectrum::dot};
use crate::{Result, memory};
use std::collections::VecDeque;

/// Steps that are kept.
const KEPT: usize = 10;
/// Curvatures below this part of the largest count as this part.
const FLAT: f64 = 1e-10;

/// What is known of the second derivatives beforehand; `m` times `p` coefficients and an intercept.
#[derive(Debug)]
pub enum Metric {
    /// One curvature for each unknown.
    Diagonal(Vec<f64>),
    /// `V diag(λ) Vᵀ` for the coefficients of each score, and one for the intercept.
    Spectral {
        /// `λ`.
        values: Vec<f64>,
        /// `V`, vector by vector.
        vectors: Vec<f64>,
        /// Of the intercept.
        intercept: f64,
    },
}

impl Metric {
    /// Of squares of columns over the total weight, each by its part in the curvature, and a ridge.
    pub fn diagonal(squares: &[f64], part: f64, ridge: [f64; 2], m: usize) -> Result<Self> {
        let (p, mut one) = (squares.len(), memory::copy(squares, "a metric")?);
        one.push(1.0);
        for (j, entry) in one.iter_mut().enumerate() {
            *entry = part * *entry + ridge[usize::from(j == p)];
        }
        floor(&mut one);
        Ok(Self::Diagonal(one.repeat(m)))
    }

    /// Of rows with this spectrum, of that total weight.
    pub fn spectral(spectrum: Spectrum, part: f64, ridge: [f64; 2], total: f64) -> Self {
        let mut values = spectrum.values;
        for value in &mut values {
            *value = part * *value * *value / total + ridge[0];
        }
        floor(&mut values);
        Self::Spectral {
            values,
            vectors: spectrum.vectors,
            intercept: part + ridge[1],
        }
    }

    /// What multiplied by the metric is `g`.
    pub fn solve(&self, g: &[f64]) -> Result<Vec<f64>> {
        let mut x = memory::copy(g, "a direction")?;
        match self {
            Self::Diagonal(curves) => {
                for (x, curve) in x.iter_mut().zip(curves) {
                    *x /= curve;
                }
            }
            Self::Spectral {
                values,
                vectors,
                intercept,
            } => {
                let p = values.len();
                for (x, g) in x.chunks_exact_mut(p + 1).zip(g.chunks_exact(p + 1)) {
                    x[..p].fill(0.0);
                    x[p] /= intercept;
                    for (v, value) in vectors.chunks_exact(p.max(1)).zip(values) {
                        let along = dot(v, &g[..p]) / value;
                        for (x, v) in x.iter_mut().zip(v) {
                            *x += along * v;
                        }
                    }
                }
            }
        }
        Ok(x)
    }
}

/// No curvature is nothing.
fn floor(curves: &mut [f64]) {
    let most = curves.iter().copied().fold(0.0, f64::max);
    let least = if most > 0.0 { FLAT * most } else { 1.0 };
    for curve in curves {
        *curve = curve.max(least);
    }
}

/// The last steps `s` and changes of the gradient `y`, with `1 / sᵀy`.
#[derive(Debug)]
pub struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    scale: f64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            pairs: VecDeque::new(),
            scale: 1.0,
        }
    }
}

impl Memory {
    /// Takes in a step and the change of the gradient, unless that bends the wrong way.
    pub fn remember(&mut self, step: Vec<f64>, change: Vec<f64>, metric: &Metric) -> Result<()> {
        let along = dot(&step, &change);
        let across = dot(&change, &metric.solve(&change)?);
        if along > 0.0 && across > 0.0 {
            self.scale = along / across;
            if self.pairs.len() == KEPT {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step, change, 1.0 / along));
        }
        Ok(())
    }

    /// `−Hg`, by the two loops.
    pub fn direction(&self, g: &[f64], metric: &Metric) -> Result<Vec<f64>> {
        let mut q = memory::copy(g, "a direction")?;
        let mut parts = Vec::new(); // one a pair
        for (step, change, inverse) in self.pairs.iter().rev() {
            let part = inverse * dot(step, &q);
            for (q, change) in q.iter_mut().zip(change) {
                *q -= part * change;
            }
            parts.push(part);
        }
        let mut d = metric.solve(&q)?;
        for d in &mut d {
            *d *= self.scale;
        }
        for ((step, change, inverse), part) in self.pairs.iter().zip(parts.into_iter().rev()) {
            let rest = part - inverse * dot(change, &d);
            for (d, step) in d.iter_mut().zip(step) {
                *d += rest * step;
            }
        }
        for d in &mut d {
            *d = -*d;
        }
        Ok(d)
    }
}
