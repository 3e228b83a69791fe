//! # Principal components
//!
//! The leading `k` right singular vectors of the centred rows `X − 1x̄ᵀ = U Σ Vᵀ`: the directions in
//! which the rows vary most. `σ²ᵢ / (n − 1)` is the variance along the `i`-th; what is left, spread
//! evenly over the other directions, is the noise of the probabilistic model (Tipping and Bishop,
//! *Probabilistic Principal Component Analysis*, 1999, equation 8).
//!
//! Kept of the rows, by the way that is asked for:
//!
//! * `RFactor`: `R` of the centred rows, whose singular values and vectors are those of the rows, to
//!   rounding (Demmel, Grigori, Hoemmen, Langou 2012). `2 n p²` flops; `p²` numbers a step of the
//!   reduction. With fewer rows than columns, the rows themselves: all ways lead here.
//! * `Moments`: `S = V Σ² Vᵀ`. `n p²` flops, `p² / 2` numbers reduced. What is small beside the
//!   largest singular value has error `ε σ₁² / σᵢ`.
//! * `Range`: nothing, for where `p²` numbers have no room. In every round `S` times a block of `k + 10`
//!   directions, `4 n p k` flops and `p k` numbers each way, until residuals are lost in rounding.
//! * `Leading`: `Moments`, and `RFactor` where `σ₁ / σₖ` of the components that are wanted asks.
//!
//! `f32` rows are multiplied as `f32`, which leaves components open by `ε λ₁ / gap` (Davis and Kahan
//! 1970). Where a gap between them is too narrow for that, the rows are looked at again: for `S V` in
//! `f64`, `4 n p k` flops, with which `S` in its own basis is known exactly but for the products of what
//! is not wanted, so what stays open is squared; or, where that would cost more, for `S` in `f64`.
//!
//! The first rank decomposes, and only the components that are wanted travel.

use super::{Model, eigen, lead, means, moments, one_pass, r_factor, range, shared};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Sums},
};

/// Ratio of singular values above which squares are not enough for `Leading`.
const BAD: f64 = 1e4;
/// Gap between eigenvalues, over the largest, below which `f32` products are not enough.
const NARROW: f64 = 2e-3;
/// Components above which some gap is sure to be narrow.
const FEW: usize = 32;
/// Wanted components, to all there are, above which `S V` is not cheaper than `S`.
const MANY: usize = 6;
/// Part of a component that a polish may bring from the others.
const FAR: f64 = 3e-3;
/// Sum of squares below which `f64` products do not suffice.
const TINIEST: f64 = 1e-280;
/// Mean square below which `f32` products fall to zero.
const TINY: f64 = 1e-30;

/// Parameters and my rows.
pub struct Pca<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Rows of all ranks.
    pub all: usize,
    /// Which components are kept.
    pub count: Count,
    /// See above.
    pub way: Way,
    /// What the first rank may decompose with.
    pub threads: usize,
}

/// How many components.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// That many.
    Of(usize),
    /// As few as explain more than this share of the variance.
    Share(f64),
    /// The likeliest number (Minka 2000).
    Likeliest,
}

/// What is kept of the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// `R`.
    RFactor,
    /// `S`.
    Moments,
    /// `S`, or `R` where that is needed.
    Leading,
    /// Neither: `S V` again and again.
    Range,
}

/// What the rows should be looked at for next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Nothing,
    Polish,
    Exact,
    RFactor,
}

/// As they travel.
const ORDER: [Next; 4] = [Next::Nothing, Next::Polish, Next::Exact, Next::RFactor];

/// The components that are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Number of rows.
    pub n: f64,
    /// `x̄`.
    pub mean: Vec<f64>,
    /// `σ`, falling.
    pub singular: Vec<f64>,
    /// `V`, vector by vector, each with its largest entry positive.
    pub vectors: Vec<f64>,
    /// Variance in all directions.
    pub total: f64,
    /// Mean variance of the directions that are not kept.
    pub noise: f64,
    next: Next,
}

impl<D: Kernels, T: Real> Pca<'_, '_, '_, D, T> {
    /// The components of the rows of all ranks. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator) -> Result<Components> {
        let (_, p, _) = self.rows.shape();
        if let (Way::Range, Count::Of(k)) = (self.way, self.count) {
            return self.by_range(comm, k);
        }
        if self.way == Way::RFactor || self.all < p {
            return self.by_r_factor(comm, &means(self.rows, comm)?);
        }
        let mut exact = !matches!(self.count, Count::Of(0..=FEW));
        loop {
            let look = MomentOptions {
                centered: true,
                exact,
            };
            let seen = moments(self.rows, comm, look)?;
            let mut all = None;
            let mut found = lead(comm, || self.finish(&seen, exact, &mut all))?;
            if found.next == Next::Polish {
                found = self.polish(comm, seen.means(), &found, all)?;
            }
            match found.next {
                Next::Nothing => return Ok(found),
                Next::RFactor if seen.is_finite() => return self.by_r_factor(comm, seen.means()),
                Next::RFactor => return self.by_r_factor(comm, &means(self.rows, comm)?),
                Next::Exact | Next::Polish => exact = true,
            }
        }
    }

    /// From `S V` of the components that were found; the first rank knows the others.
    fn polish(
        &self,
        comm: &dyn Communicator,
        means: &Means,
        found: &Components,
        all: Option<Spectrum>,
    ) -> Result<Components> {
        let (p, k) = (means.mean().len(), found.singular.len());
        let look = || {
            comm.step("the look at the components")?;
            let scatter = self
                .rows
                .device
                .scatter(self.rows, means.mean(), &found.vectors)?;
            Ok(Sums::of(scatter))
        };
        let seen = one_pass(comm, || Sums::empty(p * k + 1), look)?;
        lead(comm, || {
            let mut all = all.ok_or(Error::Shape("a spectrum"))?;
            let products = &seen.values()[..p * k];
            let (device, many) = (self.rows.device, (p, self.threads));
            let inner = eigen(device, many, &all.turned(k, products)?)?;
            let moved = shared(device, many, |threads| all.refine(k, inner, threads))?;
            let next = if moved > FAR {
                Next::Exact
            } else {
                Next::Nothing
            };
            self.keep(all, means, |_, _| next)
        })
    }

    fn by_r_factor(&self, comm: &dyn Communicator, means: &Means) -> Result<Components> {
        let (_, p, _) = self.rows.shape();
        let h = self.all.min(p);
        let seen = r_factor(self.rows, comm, means.mean(), h)?;
        lead(comm, || {
            let right = |threads| solve::right([h, p], seen.columns(), threads);
            let spectrum = shared(self.rows.device, (h, self.threads), right)?;
            self.keep(spectrum, means, |_, _| Next::Nothing)
        })
    }

    fn by_range(&self, comm: &dyn Communicator, k: usize) -> Result<Components> {
        let means = means(self.rows, comm)?;
        let (spectrum, squares) = range(self.rows, comm, means.mean(), k)?;
        let (kept, freedom) = (spectrum.values.iter().map(|v| v * v), means.rows() - 1.0);
        let others = self.all.min(means.mean().len()) - k;
        Ok(Components {
            total: squares / freedom,
            noise: (squares - kept.sum::<f64>()) / freedom / others as f64,
            mean: memory::copy(means.mean(), "means")?,
            singular: spectrum.values,
            vectors: spectrum.vectors,
            ..Components::none(means.rows(), Next::Nothing)
        })
    }

    /// What follows from the moments, and whether that is enough.
    fn finish(
        &self,
        seen: &Moments,
        exact: bool,
        all: &mut Option<Spectrum>,
    ) -> Result<Components> {
        let (_, p, _) = self.rows.shape();
        if !seen.is_finite() || seen.largest_square(0..p) < TINIEST {
            // Squares too large or too small for `f64`, or rows that are not numbers: their means
            // will tell.
            return Ok(Components::none(0.0, Next::RFactor));
        }
        let (products, many) = (seen.products(p)?, (p, self.threads));
        let mut spectrum = eigen(self.rows.device, many, &products)?;
        if T::NAME == f32::NAME && !exact {
            spectrum.turn(p);
            *all = Some(spectrum.clone());
        }
        self.keep(spectrum, seen.means(), |values, k| {
            let largest = values.first().copied().unwrap_or(0.0);
            let least = k.checked_sub(1).map_or(largest, |last| values[last]);
            if all.is_some() && is_coarse(values, k, TINY * seen.means().rows()) {
                Next::Exact
            } else if all.is_some() && solve::gap(values, k) < NARROW * largest * largest {
                if MANY * k <= p {
                    Next::Polish
                } else {
                    Next::Exact
                }
            } else if self.way == Way::Leading && largest > BAD * least {
                Next::RFactor
            } else {
                Next::Nothing
            }
        })
    }

    /// The components that are wanted, of all there are.
    fn keep(
        &self,
        mut spectrum: Spectrum,
        means: &Means,
        next: impl FnOnce(&[f64], usize) -> Next,
    ) -> Result<Components> {
        let (_, p, _) = self.rows.shape();
        let n = means.rows();
        let variances = solve::variances(&spectrum.values, n)?;
        let k = match self.count {
            Count::Of(k) => k,
            Count::Share(share) => solve::by_share(&variances, share),
            Count::Likeliest => solve::likeliest(&variances, n)?,
        };
        let k = k.min(variances.len());
        let rest = &variances[k..];
        let noise = rest.iter().fold(0.0, |sum, v| sum + v) / rest.len().max(1) as f64; // not −0
        let next = next(&spectrum.values, k);
        spectrum.values.truncate(k);
        spectrum.vectors.truncate(k * p);
        spectrum.turn(p);
        Ok(Components {
            n,
            mean: memory::copy(means.mean(), "means")?,
            singular: spectrum.values,
            vectors: spectrum.vectors,
            total: variances.iter().sum(),
            noise,
            next,
        })
    }
}

/// Whether `f32` products fall to zero, or what is left beside the first `k` is lost in them.
fn is_coarse(values: &[f64], k: usize, tiny: f64) -> bool {
    let square = |i: usize| values.get(i).map_or(0.0, |value| value * value);
    let rest: f64 = (k..values.len()).map(square).sum();
    square(0) < tiny || (k < values.len() && rest < NARROW * square(0))
}

impl Components {
    /// None yet.
    fn none(n: f64, next: Next) -> Self {
        Self {
            n,
            mean: Vec::new(),
            singular: Vec::new(),
            vectors: Vec::new(),
            total: 0.0,
            noise: 0.0,
            next,
        }
    }

    /// Variances along the components, and their shares of all variance.
    pub fn explained(&self) -> Result<[Vec<f64>; 2]> {
        let variances = solve::variances(&self.singular, self.n)?;
        let mut shares = memory::copy(&variances, "variances")?;
        for share in &mut shares {
            *share /= self.total;
        }
        Ok([variances, shares])
    }
}

impl Model for Components {
    fn words(&self) -> Result<Vec<f64>> {
        let next = ORDER.iter().position(|next| *next == self.next);
        let (p, k) = (self.mean.len(), self.singular.len());
        let mut words = memory::zeros(6 + p + k + k * p, "components")?;
        words.clear();
        words.extend([p as f64, k as f64, next.unwrap_or(0) as f64]);
        words.extend([self.n, self.total, self.noise]);
        for part in [&self.mean, &self.singular, &self.vectors] {
            words.extend(part);
        }
        Ok(words)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // they were `usize`
    fn of(words: Vec<f64>) -> Result<Self> {
        let broken = Error::Shape("a model that travelled");
        let [p, k, next, n, total, noise] = *words.first_chunk().ok_or(broken.clone())?;
        let [p, k, next] = [p, k, next].map(|n| n as usize);
        let (mean, rest) = words[6..].split_at_checked(p).ok_or(broken.clone())?;
        let (singular, vectors) = rest.split_at_checked(k).ok_or(broken)?;
        Ok(Self {
            n,
            mean: memory::copy(mean, "means")?,
            singular: memory::copy(singular, "singular values")?,
            vectors: memory::copy(vectors, "components")?,
            total,
            noise,
            next: ORDER[next.min(ORDER.len() - 1)],
        })
    }
}
