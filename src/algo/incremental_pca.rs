//! # Principal components of batches
//!
//! As `pca`, of rows that pass once. Kept of them, by the way that is asked for:
//!
//! * `Moments`: `S = V Σ² Vᵀ`, exactly. `n p²` flops; `p² / 2` numbers reduced.
//! * `LeadingRows` of `p` rows: the triangle of the centred rows, so singular values are as exact as those of
//!   the rows at once. `2 n p²` flops; `p²` numbers a step of the reduction.
//! * `LeadingRows` of fewer rows, where `p²` numbers are too many: the leading components of the batches so
//!   far, to which each batch adds (Ross, Lim, Lin, Yang 2008). `4 n p h` flops. What a batch does
//!   not show of the leading components is lost, so this is approximate.
//!
//! The first rank decomposes, and only the components that are wanted travel.

use super::{eigen, gather, lead, shared};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Device, Kernels},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{LeadingRows, Means, Moments},
};

/// `LeadingRows` of my rows with room for `h`.
pub fn leading_rows<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    h: usize,
) -> Result<LeadingRows> {
    let (n, p, _) = rows.shape();
    let found = rows.device.means(rows)?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    let mut numbers = means.mean().iter().chain(&found.comoment);
    if !numbers.all(|number| number.is_finite()) {
        return Err(Error::NotFinite);
    }
    // Rows are kept as they are up to `p`; above, as their triangle.
    let (r_factor, used) = rows.device.r_factor(rows, means.mean(), n.min(p))?;
    LeadingRows::of(&means, &found.comoment, h, (&r_factor, n.min(p), used))
}

/// Of the `p` columns of all ranks: `n`, how many components, variance in all directions, noise; means,
/// variances, singular values, components. A header must have agreed on `p` and `h`.
///
/// `h` is the room of `LeadingRows`, 0 stands for `Moments`. The first rank has `threads`.
pub fn components<D: Device>(
    comm: &dyn Communicator,
    state: &[f64],
    (p, h): (usize, usize),
    count: Option<usize>,
    (device, threads): (&D, usize),
) -> Result<Vec<f64>> {
    if h == 0 {
        let seen = gather(comm, state, || Moments::empty(p, true))?;
        return lead(comm, || {
            let squares: Vec<f64> = (0..p).map(|j| seen.comoment(j, j)).collect();
            let products = seen.products(p)?;
            let spectrum = eigen(device, (p, threads), &products)?;
            finish(seen.means(), &squares, spectrum, count)
        });
    }
    let seen = gather(comm, state, || LeadingRows::empty(h, p))?;
    lead(comm, || {
        let (rows, used) = seen.rows()?;
        let right = |threads| solve::right([used, p], &rows, threads);
        let spectrum = shared(device, (used, threads), right)?;
        finish(&seen.means()?, seen.squares(), spectrum, count)
    })
}

fn finish(
    means: &Means,
    squares: &[f64],
    mut spectrum: Spectrum,
    count: Option<usize>,
) -> Result<Vec<f64>> {
    let (p, n) = (squares.len(), means.rows());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of rows
    let most = p.min(n as usize);
    let k = count.unwrap_or(most).min(most).min(spectrum.values.len());
    let total: f64 = squares.iter().sum();
    let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let rest = if spectrum.values.len() >= most {
        square(&spectrum.values[k..most])
    } else {
        (total - square(&spectrum.values[..k])).max(0.0)
    };
    let noise = rest / (n - 1.0) / most.saturating_sub(k).max(1) as f64;
    let noise = if k < most { noise } else { 0.0 };
    spectrum.values.truncate(k);
    spectrum.vectors.truncate(k * p);
    spectrum.turn(p);
    let mut words = memory::copy(&[n, k as f64, total, noise], "components")?;
    words.extend(means.mean());
    words.extend(squares.iter().map(|square| square / n));
    words.extend(&spectrum.values);
    words.extend(&spectrum.vectors);
    Ok(words)
}
