//! # Least squares
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ − Cᵀxᵢ − b‖²`; among equal answers the one of least norm, where singular
//! values of the centred, weighted `X` at or below `tol` times the largest count as zero. With
//! co-moments `S` of the columns of `x` and `y` and `S_xx = V Λ Vᵀ`: `C = V Λ⁺ Vᵀ S_xy`, `σ² = Λ`,
//! `b = ȳ − Cᵀx̄`.
//!
//! Kept of the rows: `Means` and `Moments`; one look costs `n (p + m)²` flops and `(p + m)² / 2`
//! numbers reduced. Alone this has error `cond(X)² ε`, so by the condition `κ` that was found:
//!
//! * `κ > 100`: the rows are looked at again for `g = Σᵢ wᵢ (xᵢ − x̄) rᵢᵀ`, and `C += V Λ⁺ Vᵀ g`;
//!   `4 n p m` flops and `p m` numbers a look (Higham, *Accuracy and Stability*, ch. 12 and 20).
//! * `κ > 10⁴`, or fewer rows than columns: they are looked at again for `Triangle`, whose `R` has
//!   the condition of `X`, not its square. Coefficients alone would do with the second look up to
//!   `10⁷`; but `σ` has error `κ² ε`, and users read it.
//! * `f32` rows are multiplied as `f32`, and looked at again as `f64` where `κ > 10`.
//!
//! With `positive`, `C ≥ 0`: non-negative least squares on the root of `S_xx`, or on `R`.

use super::{Model, Rounds, lead, means, moments, rounds, shared, triangle};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, Look},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Slope, Triangle},
};

/// Condition of `X` above which a second look pays.
const STEEP: f64 = 100.0;
/// Condition of `X` above which squares are not enough.
const BAD: f64 = 1e4;
/// Condition of `X` above which `f32` products are not enough.
const COARSE: f64 = 10.0;
/// Mean square below which `f32` products fall to zero.
const TINY: f64 = 1e-30;
/// Sum of squares below which `f64` products do.
const TINIEST: f64 = 1e-280;
/// `κ² ε` times how far from zero columns are: what the intercept may lose.
const DRIFT: f64 = 1e-12;
/// Second looks at most.
const LOOKS: usize = 4;

/// Parameters and my rows.
pub struct LeastSquares<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, with targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Whether `b` is sought; else it is zero, and nothing is centred.
    pub intercept: bool,
    /// See above.
    pub tol: f64,
    /// Whether `C ≥ 0`.
    pub positive: bool,
    /// No rank has more rows.
    pub most: usize,
    /// What the first rank may decompose with.
    pub threads: usize,
}

/// What the rows should be looked at for next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Nothing,
    Exact,
    Residual,
    Triangle,
}

/// As they travel.
const ORDER: [Next; 4] = [Next::Nothing, Next::Exact, Next::Residual, Next::Triangle];

/// The fitted line, and the spectrum of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Number of columns.
    pub p: usize,
    /// `C`, `p × m`, row by row.
    pub coef: Vec<f64>,
    /// `b`.
    pub intercept: Vec<f64>,
    /// How many singular values count.
    pub rank: usize,
    /// Singular values, falling: of `n` and `p` the smaller.
    pub singular: Vec<f64>,
    next: Next,
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
            let centered = self.intercept;
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
        weighs(seen.means())?;
        let (products, many) = (seen.products(p)?, (p, self.threads));
        let eigen = |threads| solve::eigen(p, &products, threads);
        let spectrum = shared(self.rows.device, many, eigen)?;
        let condition = spectrum.condition();
        let drift = condition.powi(2) * f64::EPSILON * seen.remoteness(0..p);
        let coarse = T::NAME == f32::NAME
            && !exact
            && (condition > COARSE || spectrum.values[0].powi(2) < TINY * seen.means().rows());
        let next = if coarse {
            Next::Exact
        } else if condition > BAD
            || condition.is_nan()
            || seen.least_square(p..p + m) < TINIEST
            || seen.means().rows() < p as f64
            || self.positive && condition > STEEP
        {
            Next::Triangle
        } else if condition > STEEP || T::NAME == f64::NAME && drift > DRIFT {
            Next::Residual
        } else {
            Next::Nothing
        };
        let rank = spectrum.rank(self.tol);
        let mut coef = memory::zeros(p * m, "coefficients")?;
        for target in 0..m {
            if matches!(next, Next::Exact | Next::Triangle) {
                break;
            }
            let mut right = memory::zeros(p, "a right side")?;
            for (j, right) in right.iter_mut().enumerate() {
                *right = seen.comoment(p + target, j);
            }
            let answer = if self.positive {
                solve::nonnegative_of(&spectrum, &right)?
            } else {
                spectrum.solve(rank, &right)?
            };
            put(&mut coef, m, target, &answer);
        }
        let line = Line::of(coef, seen.means().mean(), rank, &spectrum, [p, m], next)?;
        *kept = Some(spectrum);
        Ok(line)
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
        let mean = if self.intercept { means.mean() } else { &none };
        let h = rows.min(p + m);
        let seen = triangle(self.rows, comm, mean, h)?;
        lead(comm, || self.finish_triangle(&seen, means, mean))
    }

    fn finish_triangle(&self, seen: &Triangle, means: &Means, mean: &[f64]) -> Result<Line> {
        let (_, p, m) = self.rows.shape();
        weighs(means)?;
        let h = seen.height();
        let many = (h.min(p), self.threads);
        let singular = |threads| solve::singular([h, p], &seen.columns()[..h * p], threads);
        let (left, mut spectrum) = shared(self.rows.device, many, singular)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of rows
        spectrum.values.truncate(means.rows() as usize);
        let rank = spectrum.rank(self.tol);
        let mut coef = memory::zeros(p * m, "coefficients")?;
        for target in 0..m {
            let right = &seen.columns()[(p + target) * h..][..h];
            let answer = if self.positive {
                solve::nonnegative(h, p, &seen.columns()[..h * p], right)?
            } else {
                let mut answer = memory::zeros(p, "coefficients")?;
                let vectors = spectrum.vectors.chunks_exact(p).zip(left.chunks_exact(h));
                for ((v, u), value) in vectors.zip(&spectrum.values).take(rank) {
                    let along = u.iter().zip(right).map(|(u, r)| u * r).sum::<f64>() / value;
                    for (answer, v) in answer.iter_mut().zip(v) {
                        *answer += along * v;
                    }
                }
                answer
            };
            put(&mut coef, m, target, &answer);
        }
        Line::of(coef, mean, rank, &spectrum, [p, m], Next::Nothing)
    }
}

/// Fails where no row weighs anything.
fn weighs(means: &Means) -> Result<()> {
    if means.weight() > 0.0 {
        return Ok(());
    }
    Err(Error::Unfit(
        "Sample weights must contain at least one non-zero number.",
    ))
}

/// Writes one column of `C`.
fn put(coef: &mut [f64], m: usize, target: usize, column: &[f64]) {
    for (row, value) in coef.chunks_exact_mut(m).zip(column) {
        row[target] = *value;
    }
}

/// The second look.
struct Polish<'r, 'a, 'm, D: Kernels, T: Real> {
    rows: &'r Data<'a, 'm, D, T>,
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
            let mut right = memory::zeros(p, "a right side")?;
            for (right, row) in right.iter_mut().zip(seen.gradient().chunks_exact(m)) {
                *right = row[target];
            }
            let step = spectrum.solve(line.rank, &right)?;
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

/// `ȳ − Cᵀx̄`.
pub(super) fn intercept(coef: &[f64], mean: &[f64], m: usize) -> Result<Vec<f64>> {
    let (x, y) = mean.split_at(mean.len() - m);
    let mut intercept = memory::copy(y, "intercepts")?;
    for (row, x) in coef.chunks_exact(m.max(1)).zip(x) {
        for (intercept, c) in intercept.iter_mut().zip(row) {
            *intercept -= c * x;
        }
    }
    Ok(intercept)
}

impl Line {
    fn of(
        coef: Vec<f64>,
        mean: &[f64],
        rank: usize,
        spectrum: &Spectrum,
        [p, m]: [usize; 2],
        next: Next,
    ) -> Result<Self> {
        Ok(Self {
            p,
            intercept: intercept(&coef, mean, m)?,
            coef,
            rank,
            singular: memory::copy(&spectrum.values, "singular values")?,
            next,
        })
    }
}

impl Model for Line {
    fn words(&self) -> Result<Vec<f64>> {
        let next = ORDER.iter().position(|next| *next == self.next);
        let next = next.unwrap_or(0);
        let m = self.intercept.len();
        let mut words = [self.p, m, self.rank, next].map(|n| n as f64).to_vec();
        for part in [&self.coef, &self.intercept, &self.singular] {
            words.extend(part);
        }
        Ok(words)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // they were `usize`
    fn of(words: Vec<f64>) -> Result<Self> {
        let broken = Error::Shape("a model that travelled");
        let [p, m, rank, next] = *words.first_chunk().ok_or(broken.clone())?;
        let [p, m, rank, next] = [p, m, rank, next].map(|n| n as usize);
        let (coef, rest) = words[4..].split_at_checked(p * m).ok_or(broken.clone())?;
        let (intercept, singular) = rest.split_at_checked(m).ok_or(broken)?;
        Ok(Self {
            p,
            coef: memory::copy(coef, "coefficients")?,
            intercept: memory::copy(intercept, "intercepts")?,
            rank,
            singular: memory::copy(singular, "singular values")?,
            next: ORDER[next.min(ORDER.len() - 1)],
        })
    }
}
