//! # Elastic net
//!
//! Minimises `½ Σᵢ wᵢ (yᵢ − cᵀxᵢ − b)² / Σᵢ wᵢ + α ρ ‖c‖₁ + ½ α (1 − ρ) ‖c‖²`, each target for itself,
//! for one `α` after the other, each from the answer before; with `ρ = 1` that is the Lasso. With the
//! co-moments `S` of the columns of `x` and `y`: coordinate descent on `Q = S_xx` and `q = S_xy`, times
//! `n / Σᵢ wᵢ`; `b = ȳ − cᵀx̄`.
//!
//! Kept of the rows: `Moments`; one look costs `n (p + m)²` flops and `(p + m)² / 2` numbers reduced, and
//! a round of descent `2 p²` flops on the first rank. `f32` rows are multiplied as `f64`.
//!
//! Friedman, Hastie and Tibshirani, *Regularization Paths for Generalized Linear Models via Coordinate
//! Descent* (2010), eq. 10 for the Gram matrix.

use super::{Model, intercept, lead, moments, put, weighs};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::Descent,
    summary::Moments,
};

/// How far from zero a mean may be where a given Gram matrix is taken for one of centred columns.
const CENTERED: f64 = 1e-8;
/// The least `α` of a grid: scikit-learn's.
const LEAST: f64 = 1e-15;

/// Which `α`.
#[derive(Clone, Copy, Debug)]
pub enum Grid<'r> {
    /// These, one after the other.
    Given(&'r [f64]),
    /// So many from the least that makes `c` zero down to that times `least`, evenly in logarithms.
    Spaced {
        /// How many.
        count: usize,
        /// See above.
        least: f64,
    },
}

/// Parameters and my rows.
pub struct ElasticNet<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, with targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Whether `b` is sought; else it is zero, and nothing is centred.
    pub intercept: bool,
    /// `α`.
    pub grid: Grid<'r>,
    /// `ρ`.
    pub share: f64,
    /// What a descent is told, but for the problem.
    pub descent: Descent<'r>,
    /// For the order of columns, one for each `α` and target; none: one after the other.
    pub seeds: &'r [u32],
    /// `Q` as the user has it, of centred and weighted rows; none: empty.
    pub gram: &'r [f64],
    /// Where to begin, `m × p`; none: empty. The first rank's counts.
    pub start: &'r [f64],
}

/// The fitted lines, `k` of `m` targets.
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticNetPath {
    /// `k`, `m`, `p`.
    pub shape: [usize; 3],
    /// Whether a given Gram matrix was none of the rows less their mean, so that it was not taken.
    pub anew: bool,
    /// `α`.
    pub alphas: Vec<f64>,
    /// `k × m × p`.
    pub coef: Vec<f64>,
    /// `b`, `k × m`.
    pub intercept: Vec<f64>,
    /// Duality gaps, `k × m`; times `n`.
    pub gaps: Vec<f64>,
    /// Rounds, `k × m`; less than zero where those were too few.
    pub rounds: Vec<f64>,
    /// How large a gap may be, `m`; times `n`.
    pub tolerances: Vec<f64>,
    /// `n`, of all ranks.
    pub samples: f64,
}

impl<D: Kernels, T: Real> ElasticNet<'_, '_, '_, D, T> {
    /// The model of the rows of all ranks. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<ElasticNetPath> {
        let (centered, exact) = (self.intercept, true);
        let seen = moments(self.rows, comm, MomentOptions { centered, exact })?;
        lead(comm, || self.finish(&seen))
    }

    fn finish(&self, seen: &Moments) -> Result<ElasticNetPath> {
        let (_, p, m) = self.rows.shape();
        if !seen.is_finite() {
            return Err(Error::NotFinite);
        }
        weighs(seen.means().weight())?;
        if !self.start.is_empty() && self.start.len() != m * p {
            return Err(Error::Unfit(
                "coef_ has another shape than the rows and targets ask for; warm_start=False forgets it",
            ));
        }
        let n = seen.means().rows();
        let (gram, anew) = self.products(seen, n / seen.means().weight())?;
        let alphas = self.alphas(seen)?;
        let k = alphas.len();
        let mut path = ElasticNetPath::empty([k, m, p])?;
        (path.alphas, path.anew, path.samples) = (alphas, anew, n);
        for target in 0..m {
            self.descend(seen, &gram, target, &mut path)?;
        }
        for (coef, to) in path
            .coef
            .chunks_exact(p * m)
            .zip(path.intercept.chunks_exact_mut(m))
        {
            let mut turned = memory::zeros(p * m, "coefficients")?;
            for (target, coef) in coef.chunks_exact(p).enumerate() {
                put(&mut turned, m, target, coef);
            }
            to.copy_from_slice(&intercept(&turned, seen.means().mean(), m)?);
        }
        let finite = path.coef.iter().all(|c| c.is_finite());
        finite.then_some(path).ok_or(Error::Unfit(
            "Coordinate descent iterations resulted in non-finite parameter values. The input data \
             may contain large values and need to be preprocessed.",
        ))
    }

    /// One target for each `α`.
    fn descend(
        &self,
        seen: &Moments,
        gram: &[f64],
        target: usize,
        to: &mut ElasticNetPath,
    ) -> Result<()> {
        let ([_, m, p], n) = (to.shape, to.samples);
        let scale = n / seen.means().weight();
        let mut side = memory::zeros(p, "a right side")?;
        for (j, side) in side.iter_mut().enumerate() {
            *side = scale * seen.comoment(p + target, j);
        }
        let square = scale * seen.comoment(p + target, p + target);
        let descent = Descent {
            gram,
            side: &side,
            square: if square < 0.0 { 0.0 } else { square }, // rounding
            ..self.descent
        };
        let mut w = match self.start.get(target * p..(target + 1) * p) {
            Some(start) => memory::copy(start, "coefficients")?,
            None => memory::zeros(p, "coefficients")?,
        };
        for (i, alpha) in to.alphas.iter().enumerate() {
            let at = i * m + target;
            let penalty = [alpha * self.share * n, alpha * (1.0 - self.share) * n];
            let ended = descent.run(penalty, self.seeds.get(at).copied(), &mut w)?;
            to.coef[at * p..][..p].copy_from_slice(&w);
            to.gaps[at] = ended.gap;
            to.rounds[at] = ended.rounds as f64 * if ended.converged { 1.0 } else { -1.0 };
        }
        to.tolerances[target] = descent.tol * descent.square;
        Ok(())
    }

    /// `Q`, and whether it is not the user's though there is one.
    fn products(&self, seen: &Moments, scale: f64) -> Result<(Vec<f64>, bool)> {
        let (_, p, _) = self.rows.shape();
        let far = seen.means().mean()[..p].iter().any(|m| m.abs() > CENTERED);
        let given = self.gram.len() == p * p;
        if given && !(self.intercept && far) {
            let (i, j) = (p / 2, (p / 2 + 1).min(p - 1));
            let (own, theirs) = (scale * seen.comoment(i, j), self.gram[i * p + j]);
            let within = if T::NAME == f32::NAME { 1e-4 } else { 1e-7 };
            if (own - theirs).abs() > 1e-5 + within * theirs.abs() {
                return Err(Error::Unfit(
                    "Gram matrix passed in via 'precompute' parameter did not pass validation when a \
                     single element was checked - please check that it was computed properly.",
                ));
            }
            return Ok((memory::copy(self.gram, "a Gram matrix")?, false));
        }
        let mut gram = memory::zeros(p * p, "a Gram matrix")?;
        for (i, row) in gram.chunks_exact_mut(p).enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = scale * seen.comoment(i, j);
            }
        }
        Ok((gram, given))
    }

    fn alphas(&self, seen: &Moments) -> Result<Vec<f64>> {
        let (count, least) = match self.grid {
            Grid::Given(alphas) => return memory::copy(alphas, "penalties"),
            Grid::Spaced { count, least } => (count, least),
        };
        let (_, p, m) = self.rows.shape();
        let side = (0..p).flat_map(|j| (p..p + m).map(move |target| seen.comoment(target, j)));
        let largest = side.fold(0.0_f64, |largest, q| {
            largest.max(if self.descent.positive { q } else { q.abs() })
        });
        let top = largest / (seen.means().weight() * self.share);
        let mut alphas = memory::zeros(count, "penalties")?;
        for (i, alpha) in alphas.iter_mut().enumerate() {
            let part = i as f64 / (count.max(2) - 1) as f64;
            *alpha = if top > LEAST {
                top * least.powf(part)
            } else {
                LEAST
            };
        }
        Ok(alphas)
    }
}

impl ElasticNetPath {
    fn empty([k, m, p]: [usize; 3]) -> Result<Self> {
        Ok(Self {
            shape: [k, m, p],
            anew: false,
            alphas: memory::zeros(k, "penalties")?,
            coef: memory::zeros(k * m * p, "coefficients")?,
            intercept: memory::zeros(k * m, "intercepts")?,
            gaps: memory::zeros(k * m, "gaps")?,
            rounds: memory::zeros(k * m, "rounds")?,
            tolerances: memory::zeros(m, "tolerances")?,
            samples: 0.0,
        })
    }

    fn parts(&mut self) -> [&mut Vec<f64>; 6] {
        [
            &mut self.alphas,
            &mut self.coef,
            &mut self.intercept,
            &mut self.gaps,
            &mut self.rounds,
            &mut self.tolerances,
        ]
    }
}

impl Model for ElasticNetPath {
    fn words(&self) -> Result<Vec<f64>> {
        let [k, m, p] = self.shape;
        let room = 5 + k + k * m * (p + 3) + m;
        let mut writer = Writer::new(room, "a path")?.count(k)?.count(m)?.count(p)?;
        writer = writer.flag(self.anew)?.number(self.samples)?;
        let parts = [&self.alphas, &self.coef, &self.intercept, &self.gaps];
        for part in parts.into_iter().chain([&self.rounds, &self.tolerances]) {
            writer = writer.put(part)?;
        }
        Ok(writer.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "a model that travelled");
        let mut new = Self::empty([reader.count()?, reader.count()?, reader.count()?])?;
        (new.anew, new.samples) = (reader.flag()?, reader.number()?);
        for part in new.parts() {
            let known = reader.take(part.len())?;
            part.copy_from_slice(known);
        }
        reader.finish()?;
        Ok(new)
    }
}
