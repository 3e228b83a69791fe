//! # The range finder
//!
//! The leading right singular vectors of `X − 1cᵀ`, for where `p²` numbers have no room: in every round
//! `S = Σᵢ (xᵢ − c)(xᵢ − c)ᵀ` times a block of directions, `4 n p k` flops and `p k` numbers each way,
//! until residuals are lost in rounding. The first rank keeps a basis, and says where to look.

use super::{lead, one_pass};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels},
    memory,
    real::Real,
    solve::{Spectrum, Subspace},
    summary::Sums,
};

/// Directions in a block, more than components.
const SPARE: usize = 10;
/// Looks at most.
const LOOKS: usize = 500;
/// Residual, over the largest eigenvalue, at which it is done.
const TIGHT: f64 = 1e-13;
/// Residual that will do after all looks.
const LOOSE: f64 = 1e-9;

/// The first `k`, each with its largest entry positive, and `Σᵢ ‖xᵢ − c‖²`.
pub(super) fn range<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
    place: &[f64],
    k: usize,
) -> Result<(Spectrum, f64)> {
    let (p, l) = (place.len(), k + SPARE);
    let (mut basis, mut seen): (_, Option<Sums>) = (None, None);
    for round in 0..=LOOKS {
        let limit = if round < LOOKS { TIGHT } else { LOOSE };
        let words = lead(comm, || {
            directions(&mut basis, seen.as_ref(), [p, k, l], limit)
        })?;
        let (squares, found) = words.split_first().ok_or(Error::Shape("directions"))?;
        if *squares >= 0.0 {
            let (values, vectors) = found.split_at_checked(k).ok_or(Error::Shape("vectors"))?;
            let spectrum = Spectrum {
                values: memory::copy(values, "singular values")?,
                vectors: memory::copy(vectors, "singular vectors")?,
            };
            return Ok((spectrum, *squares));
        }
        let look = || {
            comm.step("the look at the components")?;
            Ok(Sums::of(rows.device.scatter(rows, place, found)?))
        };
        seen = Some(one_pass(comm, || Sums::empty(p * l + 1), look)?);
    }
    Err(Error::NoDecomposition("the range finder"))
}

/// The squares, values and vectors if they are found; else a negative number, and where to look next.
fn directions(
    basis: &mut Option<Subspace>,
    seen: Option<&Sums>,
    [p, k, l]: [usize; 3],
    limit: f64,
) -> Result<Vec<f64>> {
    let basis = match basis {
        Some(basis) => basis,
        None => basis.insert(Subspace::new(p, l)?),
    };
    let mut words = memory::zeros(1 + p * l, "directions")?;
    words.clear();
    if let Some(seen) = seen {
        let (products, squares) = seen.values().split_at(p * l);
        let (mut spectrum, residual) = basis.improve(k, products)?;
        if residual <= limit {
            spectrum.values.truncate(k);
            spectrum.vectors.truncate(k * p);
            spectrum.turn(p);
            words.push(squares[0]);
            words.extend(spectrum.values.iter().chain(&spectrum.vectors));
            return Ok(words);
        }
    }
    words.push(-1.0);
    words.extend(basis.fresh());
    Ok(words)
}
