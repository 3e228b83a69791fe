//! # Coefficient of determination
//!
//! `R² = 1 − Σᵢ wᵢ (yᵢ − ŷᵢ)² / Σᵢ wᵢ (yᵢ − ȳ)²` of each target, over the rows of all ranks.
//!
//! Kept of the rows: `Moments` of `[y, y − ŷ]`, so sums are around means wherever those are.

use super::{lead, moments};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions},
    real::Real,
};

/// Rows in all, then both sums of each target: of residuals, and around the mean; of the rows of all
/// ranks. `rows.x` are targets, `rows.y` their residuals.
pub fn r2<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
) -> Result<Vec<f64>> {
    let (_, m, _) = rows.shape();
    let look = MomentOptions {
        centered: true,
        exact: true,
    };
    let seen = moments(rows, comm, look)?;
    lead(comm, || {
        if !seen.is_finite() {
            return Err(Error::NotFinite);
        }
        let mut words = vec![seen.means().rows()]; // and two numbers a target
        for j in 0..m {
            let (residual, mean) = (m + j, seen.means().mean()[m + j]);
            words.push(seen.comoment(residual, residual) + seen.means().weight() * mean * mean);
            words.push(seen.comoment(j, j));
        }
        Ok(words)
    })
}
