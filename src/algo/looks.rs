//! The looks at the rows of all ranks that several estimators take: one summary each.

use super::one_pass;
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions},
    real::Real,
    summary::{Means, Moments, RFactor},
};

/// `Means` of `[x y]`.
pub(super) fn means<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
) -> Result<Means> {
    let (_, p, m) = rows.shape();
    let look = || {
        comm.step("the look at the means")?;
        let found = rows.device.means(rows)?;
        if !found.mean.iter().all(|mean| mean.is_finite()) {
            return Err(Error::NotFinite);
        }
        Means::of(found.counts, &found.origin, &found.mean)
    };
    one_pass(comm, || Means::empty(p + m), look)
}

/// `Moments` of `[x y]`, not finite where rows or their squares are not.
pub(super) fn moments<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
    how: MomentOptions,
) -> Result<Moments> {
    let (_, p, m) = rows.shape();
    let once = |how: MomentOptions| {
        let found = rows.device.moments(rows, how)?;
        let means = Means::of(found.counts, &found.origin, &found.mean)?;
        Moments::of(means, found.comoment, how.centered)
    };
    let look = || {
        comm.step("the look at the moments")?;
        let seen = once(how)?;
        // Squares of `f32` may be too large for it where the rows are not.
        let again = T::NAME == f32::NAME && !how.exact && !seen.is_finite();
        if again {
            once(MomentOptions { exact: true, ..how })
        } else {
            Ok(seen)
        }
    };
    one_pass(comm, || Moments::empty(p + m, how.centered), look)
}

/// `RFactor` of at most `h` rows of `[x y]` less `mean`.
pub(super) fn r_factor<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
    mean: &[f64],
    h: usize,
) -> Result<RFactor> {
    let (_, p, m) = rows.shape();
    let look = || {
        comm.step("the look at the triangle")?;
        let (found, used) = rows.device.r_factor(rows, mean, h)?;
        RFactor::of(h, p + m, &found, used)
    };
    one_pass(comm, || RFactor::empty(h, p + m), look)
}
