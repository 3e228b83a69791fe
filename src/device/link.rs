//! Logistic losses of rows: one score for two classes, else `m` scores and their softmax.
//!
//! With `zᵢ = C (xᵢ − x̄) + b` and the class `l(i)` of a row,
//! `ℓᵢ = log Σ_c exp z_ic − z_il(i)`; of one score, that of the second class, where the first's is 0.

use super::{Data, Device};
use crate::{Result, real::Real};

/// Where losses are sought.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'s> {
    /// `x̄`: where rows are put.
    pub mean: &'s [f64],
    /// `C` and `b` side by side, `m × (p + 1)`, row by row: one row for two classes.
    pub coef: &'s [f64],
    /// What rows of each class weigh, beside their own weight.
    pub weights: &'s [f64],
}

/// What one look brings.
pub struct Linked {
    /// `Σᵢ wᵢ ℓᵢ`.
    pub loss: f64,
    /// Its gradient, as `C` and `b` lie.
    pub gradient: Vec<f64>,
    /// Where asked for, the second derivatives for each pair `a ≤ b` of scores but the last (which
    /// follows: all rows of the softmax's sum to zero): the lower triangle row by row, of
    /// `[xᵢ − x̄, 1]`. Pairs by `b`, then `a`.
    pub curvature: Vec<f64>,
}

/// Logistic losses; `rows.y` are numbers of classes.
pub trait LinkKernels: Device {
    /// Loss and gradient, in `f64`. Reads each row once from memory: `4 n p m` flops. Where `curved`,
    /// second derivatives too: `n p²` flops a pair.
    fn link<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        at: Scores<'_>,
        curved: bool,
    ) -> Result<Linked>
    where
        Self: Sized;
}

/// Scores whose pairs have second derivatives of their own.
pub fn free(m: usize) -> usize {
    if m > 1 { m - 1 } else { m } // none of none
}
