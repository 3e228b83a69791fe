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
//! * `κ > 10⁴`, or fewer rows than columns: they are looked at again for `Triangle`, whose `R` has
//!   the condition of `X`, not its square. Coefficients alone would do with the second look up to
//!   `10⁷`; but `σ` has error `κ² ε`, and users read it.
//! * `f32` rows are multiplied as `f32`, and looked at again as `f64` where `κ > 10`.
//!
//! With `positive`, `C ≥ 0`: non-negative least squares on the root of `S_xx + α I`, or on `R`.

use super::{
    Aim, Line, Next, Rounds, eigen, intercept, lead, means, moments, put, rounds, shared, triangle,
    weighs,
};
use crate::{
    Result,
    comm::Communicator,
    device::{Data, Kernels, Look},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Slope},
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
    pub aim: Aim<'r>,
    /// No rank has more rows.
    pub most: usize,
    /// What the first rank may decompose with.
    pub threads: usize,
}

impl<D: Kernels, T: Real> LeastSquares<'_, '_, '_, D, T> {
    /// The model of the rows of all ranks. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<Line> {
        let (_, p, _) = self.rows.shape();
        let rows = self.most.saturating_mul(comm.size());
        if rows <= p {
            return self.by_triangle(comm, None, rows);
        }
        let mut exact = false;
        loop {
            let centered = self.aim.intercept;
            let seen = moments(self.rows, comm, Look { centered, exact })?;
            let mut spectrum = None;
            let line = lead(comm, || self.finish(&seen, exact, &mut spectrum))?;
            match line.next {
                Next::Nothing => return Ok(line),
                Next::Exact => exact = true,
                Next::Triangle => {
                    let means = seen.is_finite().then(|| seen.means());
                    return self.by_triangle(comm, means, rows);
                }
                Next::Residual => {
                    let (rows, means, last) = (self.rows, seen.means(), f64::INFINITY);
                    let mut polish = Polish {
                        rows,
                        aim: self.aim,
                        means,
                        spectrum,
                        last,
                    };
                    return rounds(&mut polish, comm, line, LOOKS);
                }
            }
        }
    }

    /// What follows from the moments, and whether that is enough.
    fn finish(&self, seen: &Moments, exact: bool, kept: &mut Option<Spectrum>) -> Result<Line> {
        let (_, p, m) = self.rows.shape();
        if !seen.is_finite() || seen.largest_square(0..p) < TINIEST {
            // Squares too large or too small for `f64`, or rows that are not numbers: their means
            // will tell.
            let none = memory::zeros(p + m, "means")?;
            let coef = memory::zeros(p * m, "coefficients")?;
            return Line::of(coef, &none, 0, &Spectrum::none(), [p, m], Next::Triangle);
        }
        weighs(seen.means().weight())?;
        let (products, many) = (seen.products(p)?, (p, self.threads));
        let spectrum = eigen(self.rows.device, many, &products)?;
        let next = self.next(seen, exact, &spectrum);
        let mut coef = memory::zeros(p * m, "coefficients")?;
        for target in 0..m {
            if matches!(next, Next::Exact | Next::Triangle) {
                break;
            }
            let mut right = memory::zeros(p, "a right side")?;
            for (j, right) in right.iter_mut().enumerate() {
                *right = seen.comoment(p + target, j);
            }
            let alpha = self.aim.alpha(target);
            let answer = if self.aim.positive {
                solve::nonnegative_of(&spectrum, alpha, &right)?
            } else {
                spectrum.solve(self.aim.count(target, &spectrum), alpha, &right)?
            };
            put(&mut coef, m, target, &answer);
        }
        let rank = spectrum.rank(self.aim.tol);
        let line = Line::of(coef, seen.means().mean(), rank, &spectrum, [p, m], next)?;
        *kept = Some(spectrum);
        Ok(line)
    }

    /// What the rows should be looked at for after these moments.
    fn next(&self, seen: &Moments, exact: bool, spectrum: &Spectrum) -> Next {
        let (_, p, m) = self.rows.shape();
        let condition = spectrum.condition(self.aim.least());
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
            || seen.means().rows() < p as f64 && self.aim.least() <= 0.0
            || self.aim.positive && again
        {
            Next::Triangle
        } else if again {
            Next::Residual
        } else {
            Next::Nothing
        }
    }

    /// From the triangle of the centred rows.
    fn by_triangle(
        &self,
        comm: &dyn Communicator,
        known: Option<&Means>,
        rows: usize,
    ) -> Result<Line> {
        let (_, p, m) = self.rows.shape();
        let found;
        let means = if let Some(known) = known {
            known
        } else {
            found = means(self.rows, comm)?;
            &found
        };
        let none = memory::zeros(p + m, "means")?;
        let mean = if self.aim.intercept {
            means.mean()
        } else {
            &none
        };
        let mut seen = triangle(self.rows, comm, mean, rows.min(p + m))?;
        if self.aim.intercept {
            seen = seen.without_rounding(means);
        }
        lead(comm, || {
            let h = seen.height();
            let many = (h.min(p), self.threads);
            let singular = |threads| solve::singular([h, p], &seen.columns()[..h * p], threads);
            let found = shared(self.rows.device, many, singular)?;
            self.aim
                .line(p, &seen, [means.rows(), means.weight()], mean, found)
        })
    }
}

/// The second look.
struct Polish<'r, 'a, 'm, D: Kernels, T: Real> {
    rows: &'r Data<'a, 'm, D, T>,
    aim: Aim<'r>,
    means: &'r Means,
    /// The first rank's alone: the others take its line.
    spectrum: Option<Spectrum>,
    last: f64,
}

impl<D: Kernels, T: Real> Rounds for Polish<'_, '_, '_, D, T> {
    type Summary = Slope;
    type Model = Line;

    const LED: bool = true;

    fn neutral(&self, line: &Line) -> Result<Slope> {
        Slope::empty(line.coef.len())
    }

    fn look(&mut self, line: &Line) -> Result<Slope> {
        let (rows, mean) = (self.rows, self.means.mean());
        let gradient = rows.device.residual(rows, mean, &line.coef)?;
        Ok(Slope::of(gradient))
    }

    fn improve(&mut self, mut line: Line, seen: &mut Slope) -> Result<(Line, bool)> {
        let Some(spectrum) = &self.spectrum else {
            return Ok((line, false));
        };
        let (m, p) = (line.intercept.len(), line.p);
        let (mut moved, mut length) = (0.0_f64, 0.0_f64);
        let mut coef = memory::copy(&line.coef, "coefficients")?;
        for target in 0..m {
            let (alpha, mut right) = (self.aim.alpha(target), memory::zeros(p, "a right side")?);
            let rows = seen.gradient().chunks_exact(m).zip(coef.chunks_exact(m));
            for (right, (gradient, coef)) in right.iter_mut().zip(rows) {
                *right = gradient[target] - alpha * coef[target];
            }
            let count = self.aim.count(target, spectrum);
            let step = spectrum.solve(count, alpha, &right)?;
            for (row, step) in coef.chunks_exact_mut(m).zip(step) {
                moved += step * step;
                length += row[target] * row[target];
                row[target] += step;
            }
        }
        let moved = moved.sqrt();
        if moved > 0.5 * self.last {
            return Ok((line, true)); // nothing but rounding is left
        }
        self.last = moved;
        line.coef = coef;
        line.intercept = intercept(&line.coef, self.means.mean(), m)?;
        Ok((line, moved <= f64::EPSILON * length.sqrt()))
    }
}
