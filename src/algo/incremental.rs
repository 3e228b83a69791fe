//! # Least squares in batches
//!
//! As of `least_squares`, where rows cannot be looked at again.
//!
//! Kept of the rows: `CenteredR`, the triangle of `[1 X y]`, whose condition is that of the rows, not its
//! square. A look at the triangle costs `2 n q²` flops for `q = p + m`, and `q² + q` numbers are reduced, in
//! means and a butterfly of triangles.
//!
//! Where a batch is far from collinear, its triangle is the Cholesky root of its co-moments, `n q²` flops:
//! its columns `z` of length 1, that has a backward error of `‖R⁻¹‖ ε` (Yamamoto, Nakatsukasa, Yanagisawa,
//! Fukaya 2015), whatever the batches are together.

use super::{LeastSquaresModel, LeastSquaresParams, gather, lead, shared};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Device, Kernels, MomentOptions},
    memory,
    real::Real,
    solve,
    summary::{CenteredR, Means, Moments, RFactor},
};

/// `‖R⁻¹‖` up to which a root is as good as a triangle.
const STEEP: f64 = 100.0;
/// `‖R⁻¹‖² ε` times how far from zero columns are: what the intercept may lose.
const DRIFT: f64 = 1e-12;
/// Sum of squares below which products fall to zero.
const TINIEST: f64 = 1e-280;

/// `CenteredR` of my rows; around zero where not centred.
pub fn centered_r<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centered: bool,
) -> Result<CenteredR> {
    let (n, p, m) = rows.shape();
    let q = p + m;
    if n > 2 * q
        && let Some(seen) = by_cholesky(rows, centered)?
    {
        return Ok(seen);
    }
    let found = rows.device.means(rows)?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    let none = memory::zeros(q, "means")?;
    let mean = if centered { means.mean() } else { &none };
    let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
    if !finite(means.mean()) {
        return Err(Error::NotFinite);
    }
    let (columns, used) = rows.device.r_factor(rows, mean, q)?;
    if !finite(&columns) {
        return Err(Error::NotFinite);
    }
    let r_factor = RFactor::of(q, q, &columns, used)?;
    Ok(CenteredR::of(means, r_factor, centered))
}

/// The same by way of co-moments, where those are enough.
fn by_cholesky<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centered: bool,
) -> Result<Option<CenteredR>> {
    let (_, p, m) = rows.shape();
    let q = p + m;
    let exact = true;
    let found = rows
        .device
        .moments(rows, MomentOptions { centered, exact })?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    let seen = Moments::of(means, found.comoment, centered)?;
    if !seen.is_finite() || seen.largest_square(0..q) < TINIEST || seen.least_square(0..q) < TINIEST
    {
        return Ok(None);
    }
    let remote = seen.remoteness(0..p);
    let Some((columns, steep)) = solve::cholesky(q, p, seen.products(q)?)? else {
        return Ok(None);
    };
    if steep > STEEP || steep * steep * f64::EPSILON * remote > DRIFT {
        return Ok(None);
    }
    let r_factor = RFactor::of(q, q, &columns, q)?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    Ok(Some(CenteredR::of(means, r_factor, centered)))
}

/// The line of the batches of all ranks, of `p` columns and `m` targets, and how many rows they have. A
/// header must have agreed on these. The first rank has `threads`.
pub fn finish_stream<D: Device>(
    comm: &dyn Communicator,
    state: &[f64],
    [p, m]: [usize; 2],
    params: &LeastSquaresParams<'_>,
    (device, threads): (&D, usize),
) -> Result<(LeastSquaresModel, f64)> {
    let seen = gather(comm, state, || CenteredR::empty(p + m, params.intercept))?;
    let none = memory::zeros(p + m, "means")?;
    let mean = if params.intercept {
        seen.means().mean()
    } else {
        &none
    };
    let means = seen.means();
    let model = lead(comm, || {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of rows
        let rows = (means.rows() as usize).clamp(1, p + m);
        let h = rows.max(seen.r_factor().used()); // each merge brings one for the means
        let r_factor = seen.r_factor().first(h)?;
        let singular = |threads| solve::singular([h, p], &r_factor.columns()[..h * p], threads);
        let found = shared(device, (h.min(p), threads), singular)?;
        params.solve_r_factor(p, &r_factor, [means.rows(), means.weight()], mean, found)
    })?;
    Ok((model, means.rows()))
}
