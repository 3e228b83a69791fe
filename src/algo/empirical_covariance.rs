//! # Empirical covariance
//!
//! `S / n` with `S = Σᵢ (xᵢ − x̄)(xᵢ − x̄)ᵀ`, or with `x̄ = 0`: the likeliest covariance of Gaussian rows.
//! Its pseudo-inverse counts eigenvalues at or below `p ε` times the largest as zero.
//!
//! Kept of the rows: `Moments`, with `f32` rows multiplied as `f64`, since inverses magnify errors. The
//! one look costs `n p²` flops, and `p² / 2 + p` numbers are reduced.

use super::{eigen, gather, lead, shared};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Device, Kernels, MomentOptions},
    memory,
    real::Real,
    solve,
    summary::{Means, Moments},
};

/// `Moments` of my rows, around their means or around zero.
pub fn comoments<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centered: bool,
) -> Result<Moments> {
    let exact = true;
    let found = rows
        .device
        .moments(rows, MomentOptions { centered, exact })?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    let seen = Moments::of(means, found.comoment, centered)?;
    if seen.is_finite() {
        Ok(seen)
    } else {
        Err(Error::NotFinite)
    }
}

/// Of the `p` columns of all ranks: `n`, then `x̄`, the covariance, and where it is wanted the precision,
/// both `p × p`. A header must have agreed on `p`. The first rank has `threads`.
pub fn empirical_covariance<D: Device>(
    comm: &dyn Communicator,
    state: &[f64],
    (p, centered): (usize, bool),
    precise: bool,
    (device, threads): (&D, usize),
) -> Result<Vec<f64>> {
    let seen = gather(comm, state, || Moments::empty(p, centered))?;
    lead(comm, || {
        let n = seen.means().rows();
        let matrices = if precise { 2 } else { 1 };
        let mut words = memory::zeros(1 + p + matrices * p * p, "a covariance")?;
        words[0] = n;
        words[1..=p].copy_from_slice(seen.means().mean());
        let (covariance, precision) = words[1 + p..].split_at_mut(p * p);
        for (i, row) in covariance.chunks_exact_mut(p).enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = seen.comoment(i, j) / n;
            }
        }
        if precise {
            let spectrum = eigen(device, (p, threads), covariance)?;
            let inverse = |threads| solve::inverse_of(p, &spectrum, threads);
            precision.copy_from_slice(&shared(device, (p, threads), inverse)?);
        }
        Ok(words)
    })
}
