//! # Least squares in rounds
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ − Cᵀxᵢ − b‖² + Σⱼ αⱼ ‖cⱼ‖²`, `cⱼ` being the column of `C` of target `j`, for where
//! `p²` numbers have no room. Where `αⱼ = 0`, among equal answers the one of least norm.
//!
//! Kept of the rows: `Means` and the squares around them; then in every round a slope, `Σᵢ wᵢ (xᵢ − x̄) rᵢᵀ`
//! of the residuals `rᵢ`, or `S` times one direction for each target, by which the first rank moves along
//! conjugate gradients: `4 n p m` flops and `p m` numbers each way. Their number grows with the condition of
//! `X`, its columns scaled to length one: about twenty times that. Columns of much unlike length also take a
//! probe with them, `p` numbers more, unless `α` makes the answer unique.

use super::{LeastSquaresParams, intercept, lead, one_pass, variances, weighs};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels},
    memory,
    real::Real,
    solve::{Ask, ConjugateSolver},
    summary::{Means, Sums},
};

/// Looks at most.
const LOOKS: usize = 5000;
/// Square of a column that is rounding, over that of its mean times `ε`.
const NOISE: f64 = 16.0;
/// Sum of squares below which `f64` products do not suffice.
const TINIEST: f64 = 1e-280;

/// Parameters and my rows.
pub struct ConjugateGradients<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, with targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// What is sought, of any sign; with `α` of each target.
    pub params: LeastSquaresParams<'r>,
}

impl<D: Kernels, T: Real> ConjugateGradients<'_, '_, '_, D, T> {
    /// `C`, row by row, `b`, and whether rounds came to their end. A header must have agreed on all but
    /// the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<(Vec<f64>, Vec<f64>, bool)> {
        let (_, p, m) = self.rows.shape();
        let (means, squares) = variances(self.rows, comm)?;
        let none = memory::zeros(p + m, "means")?;
        let mean = if self.params.intercept {
            means.mean()
        } else {
            &none
        };
        let (mut state, mut seen): (_, Option<Sums>) = (None, None);
        for look in 0..=LOOKS {
            let words = lead(comm, || {
                let state = match &mut state {
                    Some(state) => state,
                    None => state.insert(self.start(&means, &squares)?),
                };
                if let Some(seen) = &seen {
                    take(state, seen.values(), [p, m])?;
                }
                next(state, look == LOOKS, mean, [p, m])
            })?;
            let (kind, place) = words.split_first().ok_or(Error::Shape("a direction"))?;
            if *kind >= 0.0 {
                let (coef, b) = place
                    .split_at_checked(p * m)
                    .ok_or(Error::Shape("a line"))?;
                let coef = memory::copy(coef, "coefficients")?;
                return Ok((coef, memory::copy(b, "intercepts")?, *kind > 0.0));
            }
            let products = *kind < AT;
            let look = || {
                comm.step("the look at the slope")?;
                let device = self.rows.device;
                Ok(Sums::of(if products {
                    device.scatter(self.rows, &mean[..p], place)?
                } else {
                    device.residual(self.rows, mean, place)?
                }))
            };
            let words = place.len() + usize::from(products);
            seen = Some(one_pass(comm, || Sums::empty(words), look)?);
        }
        Err(Error::NoDecomposition("conjugate gradients"))
    }

    /// Before the first look.
    fn start(&self, means: &Means, squares: &[f64]) -> Result<ConjugateSolver> {
        let (_, p, _) = self.rows.shape();
        let weight = means.weight();
        weighs(weight)?;
        let mut diagonal = memory::copy(&squares[..p], "a diagonal")?;
        for (square, mean) in diagonal.iter_mut().zip(means.mean()) {
            let far = weight * mean * mean;
            if !self.params.intercept {
                *square += far;
            } else if *square <= NOISE * f64::EPSILON * f64::EPSILON * far {
                *square = 0.0; // constant
            }
        }
        let most = diagonal
            .iter()
            .fold(0.0_f64, |most, square| most.max(*square));
        if most > 0.0 && most < TINIEST {
            return Err(Error::Unfit(
                "values are too small: their squares vanish in float64; scale the columns",
            ));
        }
        if self.params.least() <= 0.0 {
            let least = self.params.tol.powi(2) * most;
            for square in diagonal.iter_mut().filter(|square| **square <= least) {
                *square = 0.0;
            }
        }
        let full = means.rows() > p as f64;
        ConjugateSolver::new(&diagonal, full, self.params.alphas, self.params.tol)
    }
}

/// What is sent before directions to look along, and before answers to look at.
const ALONG: f64 = -2.0;
const AT: f64 = -1.0;

/// What was seen, column by column.
fn take(state: &mut ConjugateSolver, seen: &[f64], [p, m]: [usize; 2]) -> Result<()> {
    if state.ask().0 == Ask::Products {
        return state.take(&seen[..seen.len() - 1]); // behind them are squares
    }
    let mut columns = memory::zeros(p * m, "a slope")?;
    for (j, column) in columns.chunks_exact_mut(p).enumerate() {
        for (to, row) in column.iter_mut().zip(seen.chunks_exact(m)) {
            *to = row[j];
        }
    }
    state.take(&columns)
}

/// Where to look next, column by column along and row by row at; else the line, row by row, behind
/// whether it is settled.
fn next(
    state: &mut ConjugateSolver,
    last: bool,
    mean: &[f64],
    [p, m]: [usize; 2],
) -> Result<Vec<f64>> {
    let (ask, places) = state.ask();
    let mut words = memory::zeros(1 + p * (m + 1), "directions")?;
    words.clear();
    if ask == Ask::Products && !last {
        words.push(ALONG);
        places.for_each(|place| words.extend(place));
        return Ok(words);
    }
    if ask == Ask::Residuals && !last {
        words.push(AT);
        words.extend(by_rows(places, [p, m])?);
        return Ok(words);
    }
    drop(places);
    let (converged, answers) = state.answers();
    let coef = by_rows(answers, [p, m])?;
    words.push(f64::from(u8::from(converged)));
    words.extend(&coef);
    words.extend(intercept(&coef, mean, m)?);
    Ok(words)
}

/// Columns as rows.
fn by_rows<'a>(columns: impl Iterator<Item = &'a [f64]>, [p, m]: [usize; 2]) -> Result<Vec<f64>> {
    let mut rows = memory::zeros(p * m, "coefficients")?;
    for (j, column) in columns.enumerate() {
        for (row, entry) in rows.chunks_exact_mut(m).zip(column) {
            row[j] = *entry;
        }
    }
    Ok(rows)
}
