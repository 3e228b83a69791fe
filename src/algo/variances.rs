//! # Means and variances of columns
//!
//! `x̄ = Σ wᵢ xᵢ / Σ wᵢ` and `Σ wᵢ (xᵢ − x̄)²`, over the rows of all ranks, zero for constant columns. Kept
//! of the rows: `Means`, and the squares around the common mean, to which each rank moves its own. That mean
//! is a rounded number, so `Σ wᵢ (xᵢ − x̄)` travels along, `d`, and `d² / Σ wᵢ` is taken off.

use super::one_pass;
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, MomentKernels},
    memory,
    real::Real,
    summary::{Means, Sums},
};

/// Means, and the squares around them.
pub fn variances<D: MomentKernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
) -> Result<(Means, Vec<f64>)> {
    let (_, p, m) = rows.shape();
    let (mut mine, mut squares) = (Means::empty(p + m)?, Vec::new());
    let look = || {
        comm.step("the look at the means")?;
        let found = rows.device.means(rows)?;
        mine = Means::of(found.counts, &found.origin, &found.mean)?;
        squares = found.comoment;
        let finite = mine
            .mean()
            .iter()
            .chain(&squares)
            .all(|sum| sum.is_finite());
        if !finite {
            return Err(Error::NotFinite);
        }
        Means::of(found.counts, &found.origin, &found.mean)
    };
    let means = one_pass(comm, || Means::empty(p + m), look)?;
    let look = || {
        comm.step("the look at the variances")?;
        let shift = mine.from(means.mean())?;
        for (square, shift) in squares.iter_mut().zip(&shift) {
            *square += mine.weight() * shift * shift;
        }
        squares.extend(shift.iter().map(|shift| mine.weight() * shift));
        Ok(Sums::of(std::mem::take(&mut squares)))
    };
    let seen = one_pass(comm, || Sums::empty(2 * (p + m)), look)?;
    let (around, drifts) = seen.values().split_at(p + m);
    let mut squares = memory::copy(around, "variances")?;
    for (j, (square, drift)) in squares.iter_mut().zip(drifts).enumerate() {
        if drift.abs() > 0.0 {
            *square = (*square - drift / means.weight() * drift).max(0.0);
        }
        if means.is_constant(j, square.sqrt()) {
            *square = 0.0;
        }
    }
    Ok((means, squares))
}
