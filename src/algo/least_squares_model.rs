//! The line of least squares: what is sought, how it follows from a triangle, and how it travels.

use super::Model;
use crate::{
    Error, Result,
    comm::{Reader, Writer},
    memory,
    solve::{self, Spectrum},
    summary::RFactor,
};

/// What is sought beside small residuals.
#[derive(Clone, Copy, Debug)]
pub struct LeastSquaresParams<'a> {
    /// Whether `b` is sought; else it is zero, and nothing is centred.
    pub intercept: bool,
    /// Singular values at or below `tol` times the largest count as zero, where `α` is.
    pub tol: f64,
    /// Whether `C ≥ 0`.
    pub positive: bool,
    /// `α` of each target; none: zeros.
    pub alphas: &'a [f64],
}

/// What the rows should be looked at for next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    Nothing,
    Exact,
    Residual,
    RFactor,
}

/// As they travel.
const ORDER: [Next; 4] = [Next::Nothing, Next::Exact, Next::Residual, Next::RFactor];

/// The fitted line, and the spectrum of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastSquaresModel {
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
    pub(super) next: Next,
}

impl LeastSquaresParams<'_> {
    /// `α` of a target.
    pub(super) fn alpha(&self, target: usize) -> f64 {
        self.alphas.get(target).copied().unwrap_or(0.0)
    }

    /// The least `α`: that of the worst condition.
    pub(super) fn least(&self) -> f64 {
        let least = self.alphas.iter().copied().reduce(f64::min);
        least.unwrap_or(0.0)
    }

    /// How many singular values a target takes.
    pub(super) fn count(&self, target: usize, spectrum: &Spectrum) -> usize {
        let tol = if self.alpha(target) > 0.0 {
            0.0
        } else {
            self.tol
        };
        spectrum.rank(tol)
    }

    /// From the triangle of `[x y]` less `mean`, `p` being the columns of `x`, the numbers of rows and
    /// their weight, and the left vectors and the spectrum of its first `p` columns.
    pub(super) fn solve_r_factor(
        &self,
        p: usize,
        seen: &RFactor,
        [rows, weight]: [f64; 2],
        mean: &[f64],
        (left, mut spectrum): (Vec<f64>, Spectrum),
    ) -> Result<LeastSquaresModel> {
        weighs(weight)?;
        let (h, m) = (seen.height(), mean.len() - p);
        let x = &seen.columns()[..h * p];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of rows
        spectrum.values.truncate(rows as usize);
        let mut coef = memory::zeros(p * m, "coefficients")?;
        for target in 0..m {
            let right = &seen.columns()[(p + target) * h..][..h];
            let answer = if self.positive {
                nonnegative([h, p], x, self.alpha(target), right)?
            } else {
                let (alpha, count) = (self.alpha(target), self.count(target, &spectrum));
                let mut answer = memory::zeros(p, "coefficients")?;
                let vectors = spectrum.vectors.chunks_exact(p).zip(left.chunks_exact(h));
                for ((v, u), value) in vectors.zip(&spectrum.values).take(count) {
                    let along = u.iter().zip(right).map(|(u, r)| u * r).sum::<f64>();
                    let along = along / (value + alpha / value);
                    for (answer, v) in answer.iter_mut().zip(v) {
                        *answer += along * v;
                    }
                }
                answer
            };
            put(&mut coef, m, target, &answer);
        }
        let rank = spectrum.rank(self.tol);
        LeastSquaresModel::of(coef, mean, rank, &spectrum, [p, m], Next::Nothing)
    }
}

/// `x ≥ 0` of least `‖Ax − b‖² + α‖x‖²`: of `A` with `√α I` below.
fn nonnegative([h, p]: [usize; 2], a: &[f64], alpha: f64, b: &[f64]) -> Result<Vec<f64>> {
    if alpha <= 0.0 {
        return solve::nonnegative(h, p, a, b);
    }
    let n = h + p;
    let mut tall = memory::zeros(n * p, "a triangle")?;
    for (j, column) in tall.chunks_exact_mut(n).enumerate() {
        column[..h].copy_from_slice(&a[j * h..][..h]);
        column[h + j] = alpha.sqrt();
    }
    let mut right = memory::zeros(n, "a right side")?;
    right[..h].copy_from_slice(b);
    solve::nonnegative(n, p, &tall, &right)
}

/// Fails where no row weighs anything.
pub(super) fn weighs(weight: f64) -> Result<()> {
    if weight > 0.0 {
        return Ok(());
    }
    Err(Error::Unfit(
        "Sample weights must contain at least one non-zero number.",
    ))
}

/// Writes one column of `C`.
pub(super) fn put(coef: &mut [f64], m: usize, target: usize, column: &[f64]) {
    for (row, value) in coef.chunks_exact_mut(m).zip(column) {
        row[target] = *value;
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

impl LeastSquaresModel {
    pub(super) fn of(
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

impl Model for LeastSquaresModel {
    fn words(&self) -> Result<Vec<f64>> {
        let next = ORDER.iter().position(|next| *next == self.next);
        let parts = [&self.coef, &self.intercept, &self.singular];
        let room = 6 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut writer = Writer::new(room, "a model")?.count(self.p)?;
        writer = writer.count(self.rank)?.count(next.unwrap_or(0))?;
        for part in parts {
            writer = writer.slice(part)?;
        }
        Ok(writer.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "a model that travelled");
        let [p, rank, next] = [reader.count()?, reader.count()?, reader.count()?];
        let new = Self {
            p,
            coef: reader.vec()?,
            intercept: reader.vec()?,
            rank,
            singular: reader.vec()?,
            next: ORDER[next.min(ORDER.len() - 1)],
        };
        reader.finish()?;
        Ok(new)
    }
}
