//! # Coefficient of determination
//!
//! `R² = 1 − Σᵢ wᵢ (yᵢ − ŷᵢ)² / Σᵢ wᵢ (yᵢ − ȳ)²` of each target, over the rows of all ranks.
//!
//! Kept of the rows: `Moments` of `[y, y − ŷ]`, so sums are around means wherever those are.

use super::{lead, one_pass};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, Look},
    real::Real,
    summary::{Means, Moments},
};

/// Rows in all, then both sums of each target: of residuals, and around the mean; of the rows of all
/// ranks. `rows.x` are targets, `rows.y` their residuals.
pub fn r2<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
) -> Result<Vec<f64>> {
    let (_, m, _) = rows.shape();
    let look = || {
        comm.step("the look at the moments")?;
        let look = Look {
            centered: true,
            exact: true,
        };
        let found = rows.device.moments(rows, look)?;
        let seen = {
            let means = Means::of(found.counts, &found.origin, &found.mean)?;
            Moments::of(means, found.comoment, true)?
        };
        if seen.is_finite() {
            Ok(seen)
        } else {
            Err(Error::NotFinite)
        }
    };
    let seen = one_pass(comm, || Moments::empty(2 * m, true), look)?;
    lead(comm, || {
        let mut words = vec![seen.means().rows()]; // and two numbers a target
        for j in 0..m {
            let (residual, mean) = (m + j, seen.means().mean()[m + j]);
            words.push(seen.comoment(residual, residual) + seen.means().weight() * mean * mean);
            words.push(seen.comoment(j, j));
        }
        Ok(words)
    })
}
