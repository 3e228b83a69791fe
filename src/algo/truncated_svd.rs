//! # Truncated singular values
//!
//! The leading `k` of `X = U Σ Vᵀ`, not centred: `V` and `Σ`, and how much of the variance of the rows is
//! along each, `vᵀ S v / n` with `S` around the means, of which nothing is lost far from the origin.
//!
//! Kept of the rows:
//!
//! * `Moments`: `XᵀX = S + n x̄ x̄ᵀ = V Σ² Vᵀ`. `n p²` flops, `p² / 2` numbers reduced. Vectors have error
//!   `ε σ₁² / σᵢ²` over the gap between their squares, so
//! * `RFactor`, where `σ₁ > 100 σₖ`, and with fewer rows than columns: `R` has the singular values and
//!   vectors of the rows, to rounding. `2 n p²` flops, `p²` numbers a step of the reduction; one look
//!   more at the variances, `4 n p k` flops.
//! * Neither, where `p²` numbers have no room: the range finder, and the same look.
//!
//! Halko, Martinsson and Tropp 2011 find them by random projections; here nothing is drawn.

use super::{Model, eigen, lead, means, moments, one_pass, r_factor, range, shared};
use crate::{
    Result,
    comm::{Communicator, Reader, Writer},
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Sums},
};
use std::ops::Range;

/// Ratio of singular values above which squares are not enough.
const BAD: f64 = 100.0;
/// Sum of squares below which `f64` products do not suffice.
const TINIEST: f64 = 1e-280;
/// Largest singular values whose squares `f64` holds.
const ORDINARY: Range<f64> = 1e-140..1e140;

/// Parameters and my rows.
pub struct TruncatedSvd<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Rows of all ranks.
    pub all: usize,
    /// How many are wanted: at most columns, and rows of all ranks.
    pub k: usize,
    /// Whether there is no room for `p²` numbers.
    pub ranged: bool,
    /// What the first rank may decompose with.
    pub threads: usize,
}

/// What is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Truncated {
    /// `σ`, falling.
    pub singular: Vec<f64>,
    /// `V`, vector by vector, each with its largest entry positive.
    pub vectors: Vec<f64>,
    /// The variance along each.
    pub variances: Vec<f64>,
    /// Their shares of the variance in all directions.
    pub shares: Vec<f64>,
}

impl<D: Kernels, T: Real> TruncatedSvd<'_, '_, '_, D, T> {
    /// Of the rows of all ranks. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<Truncated> {
        let (_, p, _) = self.rows.shape();
        let none = memory::zeros(p, "means")?;
        if self.ranged {
            let means = means(self.rows, comm)?;
            let (found, _) = range(self.rows, comm, &none, self.k)?;
            return self.variances(comm, &means, found);
        }
        if self.all >= p {
            let how = MomentOptions {
                centered: true,
                exact: true,
            };
            let seen = moments(self.rows, comm, how)?;
            let found = lead(comm, || self.finish(&seen))?;
            if found.singular.len() == self.k {
                return Ok(found);
            }
        }
        let means = means(self.rows, comm)?;
        let h = self.all.min(p);
        let seen = r_factor(self.rows, comm, &none, h)?;
        let found = lead(comm, || {
            let right = |threads| solve::right([h, p], seen.columns(), threads);
            let mut spectrum = shared(self.rows.device, (h, self.threads), right)?;
            self.cut(&mut spectrum);
            let Spectrum { values, vectors } = spectrum;
            Ok(Truncated::with([values, vectors], None))
        })?;
        let found = Spectrum {
            values: found.singular,
            vectors: found.vectors,
        };
        self.variances(comm, &means, found)
    }

    fn cut(&self, spectrum: &mut Spectrum) {
        let (_, p, _) = self.rows.shape();
        spectrum.values.truncate(self.k);
        spectrum.vectors.truncate(self.k * p);
        spectrum.turn(p);
    }

    /// What follows from the moments; nothing where they are not enough.
    fn finish(&self, seen: &Moments) -> Result<Truncated> {
        let (_, p, _) = self.rows.shape();
        let (n, mean) = (seen.means().rows(), seen.means().mean());
        let mut products = seen.products(p)?;
        for (j, column) in products.chunks_exact_mut(p).enumerate() {
            for (entry, other) in column[j..].iter_mut().zip(&mean[j..]) {
                *entry += n * mean[j] * other;
            }
        }
        let largest = products
            .iter()
            .step_by(p + 1)
            .fold(0.0_f64, |a, b| a.max(*b));
        if largest < TINIEST || !products.iter().all(|entry| entry.is_finite()) {
            return Ok(Truncated::with([Vec::new(), Vec::new()], None));
        }
        let mut spectrum = eigen(self.rows.device, (p, self.threads), &products)?;
        self.cut(&mut spectrum);
        let Spectrum { values, vectors } = spectrum;
        if values[0] > BAD * values[self.k - 1] {
            return Ok(Truncated::with([Vec::new(), Vec::new()], None));
        }
        let mut square = memory::zeros(p * p, "co-moments")?;
        for (j, column) in square.chunks_exact_mut(p).enumerate() {
            for (i, entry) in column.iter_mut().enumerate() {
                *entry = seen.comoment(i, j);
            }
        }
        let scatter = solve::product([p, p, self.k], &square, &vectors)?;
        let total = (0..p).map(|j| seen.comoment(j, j)).sum::<f64>() / n;
        let variances = along(&vectors, &scatter, [p, self.k], n)?;
        let shares = over(&variances, total)?;
        Ok(Truncated::with(
            [values, vectors],
            Some([variances, shares]),
        ))
    }

    /// With the variances, for which the rows are looked at again.
    fn variances(
        &self,
        comm: &dyn Communicator,
        means: &Means,
        found: Spectrum,
    ) -> Result<Truncated> {
        let (p, k, n) = (means.mean().len(), self.k, means.rows());
        let largest = found.values.first().copied().unwrap_or(0.0);
        if !self.ranged && largest > 0.0 && !ORDINARY.contains(&largest) {
            return self.spread_scaled(comm, means, found);
        }
        let look = || {
            comm.step("the look at the variances")?;
            let device = self.rows.device;
            let scatter = device.scatter(self.rows, means.mean(), &found.vectors)?;
            Ok(Sums::of(scatter))
        };
        let seen = one_pass(comm, || Sums::empty(p * k + 1), look)?;
        lead(comm, || {
            let (scatter, total) = seen.values().split_at(p * k);
            let variances = along(&found.vectors, scatter, [p, k], n)?;
            let shares = over(&variances, total[0] / n)?;
            let parts = Some([variances, shares]);
            Ok(Truncated::with([found.values, found.vectors], parts))
        })
    }

    /// The same of rows whose squares vanish or overflow: by their triangle, over `σ₁`.
    fn spread_scaled(
        &self,
        comm: &dyn Communicator,
        means: &Means,
        found: Spectrum,
    ) -> Result<Truncated> {
        let (p, k, n) = (means.mean().len(), self.k, means.rows());
        let h = self.all.min(p);
        let seen = r_factor(self.rows, comm, means.mean(), h)?;
        lead(comm, || {
            let largest = found.values.first().copied().unwrap_or(0.0);
            let mut r = memory::copy(seen.columns(), "a triangle")?;
            for entry in &mut r {
                *entry /= largest;
            }
            let square = |part: &[f64]| part.iter().map(|x| x * x).sum::<f64>();
            let products = solve::product([h, p, k], &r, &found.vectors)?;
            let mut squares = memory::zeros(k, "variances")?;
            for (to, product) in squares.iter_mut().zip(products.chunks_exact(h)) {
                *to = square(product);
            }
            let mut variances = over(&squares, n / largest)?;
            for variance in &mut variances {
                *variance *= largest;
            }
            let parts = Some([variances, over(&squares, square(&r))?]);
            Ok(Truncated::with([found.values, found.vectors], parts))
        })
    }
}

/// Values over a number.
fn over(values: &[f64], number: f64) -> Result<Vec<f64>> {
    let mut values = memory::copy(values, "variances")?;
    for value in &mut values {
        *value /= number;
    }
    Ok(values)
}

/// `vᵀ S v / n`, given `S V`.
fn along(vectors: &[f64], scatter: &[f64], [p, k]: [usize; 2], n: f64) -> Result<Vec<f64>> {
    let mut variances = memory::zeros(k, "variances")?;
    let pairs = vectors.chunks_exact(p).zip(scatter.chunks_exact(p));
    for (variance, (v, s)) in variances.iter_mut().zip(pairs) {
        let square: f64 = v.iter().zip(s).map(|(v, s)| v * s).sum();
        *variance = square.max(0.0) / n;
    }
    Ok(variances)
}

impl Truncated {
    fn with(
        [singular, vectors]: [Vec<f64>; 2],
        variances_and_shares: Option<[Vec<f64>; 2]>,
    ) -> Self {
        let [variances, shares] = variances_and_shares.unwrap_or_default();
        Self {
            singular,
            vectors,
            variances,
            shares,
        }
    }
}

impl Model for Truncated {
    fn words(&self) -> Result<Vec<f64>> {
        let parts = [&self.singular, &self.vectors, &self.variances, &self.shares];
        let room = parts.iter().map(|part| 1 + part.len()).sum();
        let mut writer = Writer::new(room, "vectors")?;
        for part in parts {
            writer = writer.slice(part)?;
        }
        Ok(writer.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "a model that travelled");
        let new = Self {
            singular: reader.vec()?,
            vectors: reader.vec()?,
            variances: reader.vec()?,
            shares: reader.vec()?,
        };
        reader.finish()?;
        Ok(new)
    }
}
