//! # Least squares
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ − Cᵀxᵢ − b‖² + Σⱼ αⱼ ‖cⱼ‖²`, `cⱼ` being the column of `C` of target `j`: with
//! `α > 0` that is ridge regression. Where `α = 0`, among equal answers the one of least norm, singular
//! values of the centred, weighted `X` at or below `tol` times the largest counting as zero. With
//! co-moments `S` of the columns of `x` and `y` and `S_xx = V Λ Vᵀ`: `cⱼ = V (Λ + αⱼ)⁺ Vᵀ S_xy`,
//! `σ² = Λ`, `b = ȳ − Cᵀx̄`.
//!
//! Kept of the rows: `Means` and `Moments`; one look costs `n (p + m)²` flops and `(p + m)² / 2`
//! numbers reduced. Alone this has error `cond(X)² ε`, so by the condition `κ` that was found, of `X`
//! with `√α I` below it:
//!
//! * `κ > 100`: the rows are looked at again for `g = Σᵢ wᵢ (xᵢ − x̄) rᵢᵀ`, and
//!   `cⱼ += V (Λ + αⱼ)⁺ Vᵀ (gⱼ − αⱼ cⱼ)`; `4 n p m` flops and `p m` numbers a look (Higham, *Accuracy and Stability*, ch. 12 and 20).
//! * `κ > 10⁴`, or fewer rows than columns: they are looked at again for `RFactor`, whose `R` has
//!   the condition of `X`, not its square. Coefficients alone would do with the second look up to
//!   `10⁷`; but `σ` has error `κ² ε`, and users read it.
//! * `f32` rows are multiplied as `f32`, and looked at again as `f64` where `κ > 10`.
//!
//! With `positive`, `C ≥ 0`: non-negative least squares on the root of `S_xx + α I`, or on `R`.

use super::{
    LeastSquaresModel, LeastSquaresParams, Next, Rounds, eigen, intercept, lead, means, moments,
    put, r_factor, rounds, shared, weighs,
};
use crate::{
    Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Sums},
};

/// Condition of `X` above which a second look pays.
const STEEP: f64 = 100.0;
/// Condition of `X` above which squares are not enough.
const BAD: f64 = 1e4;
/// Condition of `X` above which `f32` products are not enough.
const COARSE: f64 = 10.0;
/// Mean square below which `f32` products fall to zero.
const TINY: f64 = 1e-30;
/// Sum of squares below which `f64` products do not suffice.
const TINIEST: f64 = 1e-280;
/// `κ² ε` times how far from zero columns are: what the intercept may lose.
const DRIFT: f64 = 1e-12;
/// Second looks at most.
const LOOKS: usize = 4;

/// Parameters and my rows.
pub struct LeastSquares<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, with targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// What is sought.
    pub params: LeastSquaresParams<'r>,
    /// No rank has more rows.
    pub most: usize,
    /// What the first rank may decompose with.
    pub threads: usize,
}

impl<D: Kernels, T: Real> LeastSquares<'_, '_, '_, D, T> {
    /// The model of the rows of all ranks. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<LeastSquaresModel> {
        let (_, p, _) = self.rows.shape();
        let rows = self.most.saturating_mul(comm.size());
        if rows <= p {
            return self.by_r_factor(comm, None, rows);
        }
        let mut exact = false;
        loop {
            let centered = self.params.intercept;
            let seen = moments(self.rows, comm, MomentOptions { centered, exact })?;
            let mut spectrum = None;
            let model = lead(comm, || self.finish(&seen, exact, &mut spectrum))?;
            match model.next {
                Next::Nothing => return Ok(model),
                Next::Exact => exact = true,
                Next::RFactor => {
                    let means = seen.is_finite().then(|| seen.means());
                    return self.by_r_factor(comm, means, rows);
                }
                Next::Residual => {
                    let (rows, means, last) = (self.rows, seen.means(), f64::INFINITY);
                    let mut polish = Polish {
                        rows,
                        params: self.params,
                        means,
                        spectrum,
                        last,
                    };
                    return rounds(&mut polish, comm, model, LOOKS);
                }
            }
        }
    }

    /// What follows from the moments, and whether that is enough.
    fn finish(
        &self,
        seen: &Moments,
        exact: bool,
        kept: &mut Option<Spectrum>,
    ) -> Result<LeastSquaresModel> {
        let (_, p, m) = self.rows.shape();
        if !seen.is_finite() || seen.largest_square(0..p) < TINIEST {
            // Squares too large or too small for `f64`, or rows that are not numbers: their means
            // will tell.
            let none = memory::zeros(p + m, "means")?;
            let coef = memory::zeros(p * m, "coefficients")?;
            return LeastSquaresModel::of(coef, &none, 0, &Spectrum::none(), [p, m], Next::RFactor);
        }
        weighs(seen.means().weight())?;
        let (products, many) = (seen.products(p)?, (p, self.threads));
        let spectrum = eigen(self.rows.device, many, &products)?;
        let next = self.next(seen, exact, &spectrum);
        let mut coef = memory::zeros(p * m, "coefficients")?;
        for target in 0..m {
            if matches!(next, Next::Exact | Next::RFactor) {
                break;
            }
            let mut right = memory::zeros(p, "a right side")?;
            for (j, right) in right.iter_mut().enumerate() {
                *right = seen.comoment(p + target, j);
            }
            let alpha = self.params.alpha(target);
            let answer = if self.params.positive {
                solve::nonnegative_of(&spectrum, alpha, &right)?
            } else {
                spectrum.solve(self.params.count(target, &spectrum), alpha, &right)?
            };
            put(&mut coef, m, target, &answer);
        }
        let rank = spectrum.rank(self.params.tol);
        let model =
            LeastSquaresModel::of(coef, seen.means().mean(), rank, &spectrum, [p, m], next)?;
        *kept = Some(spectrum);
        Ok(model)
    }

    /// What the rows should be looked at for after these moments.
    fn next(&self, seen: &Moments, exact: bool, spectrum: &Spectrum) -> Next {
        let (_, p, m) = self.rows.shape();
        let condition = spectrum.condition(self.params.least());
        let drift = condition.powi(2) * f64::EPSILON * seen.remoteness(0..p);
        let coarse = T::NAME == f32::NAME
            && !exact
            && (condition > COARSE || spectrum.values[0].powi(2) < TINY * seen.means().rows());
        let again = condition > STEEP || T::NAME == f64::NAME && drift > DRIFT;
        if coarse {
            Next::Exact
        } else if condition > BAD
            || condition.is_nan()
            || seen.least_square(p..p + m) < TINIEST
            || seen.means().rows() < p as f64 && self.params.least() <= 0.0
            || self.params.positive && again
        {
            Next::RFactor
        } else if again {
            Next::Residual
        } else {
            Next::Nothing
        }
    }

    /// From the triangle of the centred rows.
    fn by_r_factor(
        &self,
        comm: &dyn Communicator,
        known: Option<&Means>,
        rows: usize,
    ) -> Result<LeastSquaresModel> {
        let (_, p, m) = self.rows.shape();
        let found;
        let means = if let Some(known) = known {
            known
        } else {
            found = means(self.rows, comm)?;
            &found
        };
        let none = memory::zeros(p + m, "means")?;
        let mean = if self.params.intercept {
            means.mean()
        } else {
            &none
        };
        let seen = r_factor(self.rows, comm, mean, rows.min(p + m))?;
        lead(comm, || {
            let h = seen.height();
            let many = (h.min(p), self.threads);
            let singular = |threads| solve::singular([h, p], &seen.columns()[..h * p], threads);
            let found = shared(self.rows.device, many, singular)?;
            self.params
                .solve_r_factor(p, &seen, [means.rows(), means.weight()], mean, found)
        })
    }
}

/// The second look.
struct Polish<'r, 'a, 'm, D: Kernels, T: Real> {
    rows: &'r Data<'a, 'm, D, T>,
    params: LeastSquaresParams<'r>,
    means: &'r Means,
    /// The first rank's alone: the others take its line.
    spectrum: Option<Spectrum>,
    last: f64,
}

impl<D: Kernels, T: Real> Rounds for Polish<'_, '_, '_, D, T> {
    type Summary = Sums;
    type Model = LeastSquaresModel;

    const LED: bool = true;

    fn neutral(&self, model: &LeastSquaresModel) -> Result<Sums> {
        Sums::empty(model.coef.len())
    }

    fn look(&mut self, model: &LeastSquaresModel) -> Result<Sums> {
        let (rows, mean) = (self.rows, self.means.mean());
        let gradient = rows.device.residual(rows, mean, &model.coef)?;
        Ok(Sums::of(gradient))
    }

    fn improve(
        &mut self,
        mut model: LeastSquaresModel,
        seen: &mut Sums,
    ) -> Result<(LeastSquaresModel, bool)> {
        let Some(spectrum) = &self.spectrum else {
            return Ok((model, false));
        };
        let (m, p) = (model.intercept.len(), model.p);
        let (mut moved, mut length) = (0.0_f64, 0.0_f64);
        let mut coef = memory::copy(&model.coef, "coefficients")?;
        for target in 0..m {
            let (alpha, mut right) = (self.params.alpha(target), memory::zeros(p, "a right side")?);
            let rows = seen.values().chunks_exact(m).zip(coef.chunks_exact(m));
            for (right, (gradient, coef)) in right.iter_mut().zip(rows) {
                *right = gradient[target] - alpha * coef[target];
            }
            let count = self.params.count(target, spectrum);
            let step = spectrum.solve(count, alpha, &right)?;
            for (row, step) in coef.chunks_exact_mut(m).zip(step) {
                moved += step * step;
                length += row[target] * row[target];
                row[target] += step;
            }
        }
        let moved = moved.sqrt();
        if moved > 0.5 * self.last {
            return Ok((model, true)); // nothing but rounding is left
        }
        self.last = moved;
        model.coef = coef;
        model.intercept = intercept(&model.coef, self.means.mean(), m)?;
        Ok((model, moved <= f64::EPSILON * length.sqrt()))
    }
}
