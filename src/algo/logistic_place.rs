//! Where logistic regression puts its rows: around the means of their columns, or as they are.

use super::{moments, variances};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Metric},
};

/// Coefficients for each score up to which the co-moments of the columns pay, and at most.
const SPECTRAL: [usize; 2] = [64, 1024];

/// Where rows are put, which columns are zero there, and what bends the loss.
pub(super) struct Place {
    pub(super) mean: Vec<f64>,
    pub(super) zeros: Vec<bool>,
    pub(super) metric: Metric,
}

impl Place {
    /// Of the columns of all ranks, around their means if `centered`; by their co-moments where these are
    /// wanted and pay. The weight of all rows, `W l₂`, and the number of scores.
    pub(super) fn of<D: Kernels, T: Real>(
        rows: &Data<'_, '_, D, T>,
        comm: &dyn Communicator,
        (spectral, centered): (bool, bool),
        (total, second, m): (f64, [f64; 2], usize),
    ) -> Result<Self> {
        let (_, p, _) = rows.shape();
        let bare = Data { y: None, ..*rows };
        let ridge = second.map(|second| second / total);
        // What one score's curvature is of the weight where all classes are alike.
        let part = if m > 1 { 1.0 / m as f64 } else { 0.25 };
        let few = p <= SPECTRAL[0].saturating_mul(m).min(SPECTRAL[1]);
        if spectral && few && total >= p as f64 {
            let look = MomentOptions {
                centered,
                exact: false,
            };
            let seen = moments(&bare, comm, look)?;
            if !seen.is_finite() {
                return Err(Error::NotFinite);
            }
            let spectrum = solve::eigen(p, &seen.products(p)?, 1)?;
            let weight = seen.means().weight();
            return Ok(Self {
                mean: memory::copy(seen.means().mean(), "means")?,
                zeros: (0..p).map(|j| seen.comoment(j, j) == 0.0).collect(),
                metric: Metric::spectral(spectrum, part, ridge, weight),
            });
        }
        let (means, mut squares) = variances(&bare, comm)?;
        let mut mean = memory::copy(means.mean(), "means")?;
        for (square, mean) in squares.iter_mut().zip(&mut mean) {
            *square /= means.weight();
            if !centered {
                *square += *mean * *mean;
                *mean = 0.0;
            }
        }
        Ok(Self {
            mean,
            zeros: squares.iter().map(|square| *square == 0.0).collect(),
            metric: Metric::diagonal(&squares, part, ridge, m)?,
        })
    }
}

/// Moves intercepts to where rows are put around the means, or back.
pub(super) fn shift_intercepts(coef: &mut [f64], mean: &[f64], sign: f64) {
    let width = mean.len() + 1;
    for coef in coef.chunks_exact_mut(width) {
        let shift = coef.iter().zip(mean).map(|(c, mean)| c * mean);
        coef[width - 1] += sign * shift.sum::<f64>();
    }
}
