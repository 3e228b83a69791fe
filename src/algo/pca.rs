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
//!   largest singular value has error `ε σ₁² / σᵢ`, so `RFactor` follows where `σ₁` is too large beside
//!   the least that is wanted, or beside the noise.
//! * `Range`: nothing, for where `p²` numbers have no room. In every round `S` times a block of `k + 10`
//!   directions, `4 n p k` flops and `p k` numbers each way, until residuals are lost in rounding.
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
    comm::{Communicator, Reader, Writer},
    device::{Data, Kernels, MomentOptions},
    memory,
    real::Real,
    solve::{self, Spectrum},
    summary::{Means, Moments, Sums},
};

/// Ratio of singular values above which squares are not enough.
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
    /// `S`, or `R` where that is needed.
    Moments,
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
    /// Variance in all directions, over the largest.
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
        let largest = spectrum.values.first().copied().unwrap_or(0.0);
        let others = self.all.min(means.mean().len()) - k;
        Ok(Components {
            total: squares / largest / largest,
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
        let varies = |j: &usize| seen.comoment(*j, *j) > 0.0;
        let rank = (0..p).filter(varies).count().min(self.all - 1);
        self.keep(spectrum, seen.means(), |values, k| {
            let largest = values.first().copied().unwrap_or(0.0);
            if all.is_some() && is_coarse(values, k, TINY * seen.means().rows()) {
                Next::Exact
            } else if all.is_some() && solve::gap(values, k) < NARROW * largest * largest {
                if MANY * k <= p {
                    Next::Polish
                } else {
                    Next::Exact
                }
            } else if is_lost(
                values,
                if self.count == Count::Likeliest {
                    rank
                } else {
                    k
                },
                rank,
            ) {
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
        let shares = solve::relative(&spectrum.values)?;
        let k = match self.count {
            Count::Of(k) => k,
            Count::Share(share) => solve::by_share(&shares, share),
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
            total: shares.iter().sum(),
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

/// Whether one of the first `k`, or what is left beside them, is near the rounding of the squares; of
/// those behind the first `rank` all are zero.
fn is_lost(values: &[f64], k: usize, rank: usize) -> bool {
    let (first, rest) = values[..rank].split_at(k.min(rank));
    let largest = values.first().copied().unwrap_or(0.0);
    let least = first.last().copied().unwrap_or(largest);
    let noise = rest.iter().map(|value| value * value).sum::<f64>() / rest.len() as f64;
    largest > BAD * least || (!rest.is_empty() && largest > BAD * noise.sqrt())
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
        let mut shares = solve::relative(&self.singular)?;
        for share in &mut shares {
            *share /= self.total;
        }
        Ok([variances, shares])
    }
}

impl Model for Components {
    fn words(&self) -> Result<Vec<f64>> {
        let next = ORDER.iter().position(|next| *next == self.next);
        let parts = [&self.mean, &self.singular, &self.vectors];
        let room = 7 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut writer = Writer::new(room, "components")?.count(next.unwrap_or(0))?;
        writer = writer
            .number(self.n)?
            .number(self.total)?
            .number(self.noise)?;
        for part in parts {
            writer = writer.slice(part)?;
        }
        Ok(writer.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "a model that travelled");
        let next = ORDER[reader.count()?.min(ORDER.len() - 1)];
        let [n, total, noise] = [reader.number()?, reader.number()?, reader.number()?];
        let new = Self {
            n,
            mean: reader.vec()?,
            singular: reader.vec()?,
            vectors: reader.vec()?,
            total,
            noise,
            next,
        };
        reader.finish()?;
        Ok(new)
    }
}
