//! Number, weight, means and co-moments of the columns of `x` and `y` together.
//!
//! Two sets of rows with weights `a`, `b` and means `x̄ₐ`, `x̄_b` have the joint mean
//! `x̄ = (a x̄ₐ + b x̄_b) / (a + b)`. Moving a set from its own mean to `x̄` adds
//! `a (x̄ₐ − x̄)(x̄ₐ − x̄)ᵀ` to its co-moment; once both sit on the same mean, co-moments add
//! (Chan, Golub, LeVeque 1983). `merge` and `reduce` are that one step, for two sets and for all
//! ranks: hence two messages. The common mean is a rounded number, the same for all, and far from zero
//! it is rounded by more than `x̄ₐ − x̄` bears; so it is a place near the mean, and `a (x̄ₐ − place)`
//! travels along: the true mean is that much off, and the products are moved there at the end. Co-moments are symmetric; the lower triangle is kept, row by row.

use super::{Means, Streaming, Summary, TAIL, add};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
    memory,
};
use std::ops::Range;

/// `n`, `Σw`, `x̄` and `S = Σᵢ wᵢ (xᵢ − x̄)(xᵢ − x̄)ᵀ` of `q` columns; `x̄ = 0` where not centred.
#[derive(Debug, PartialEq)]
pub struct Moments {
    q: usize,
    centered: bool,
    means: Means,
    /// `S`, and on the way `Σw` times the means less their common place.
    words: Vec<f64>,
}

/// Numbers behind the means.
const FACTS: usize = 4;

impl Moments {
    /// No rows of `q` columns.
    pub fn empty(q: usize, centered: bool) -> Result<Self> {
        let none = memory::zeros(q * (q + 1) / 2 + q + TAIL, "co-moments")?;
        Ok(Self::made(Means::empty(q)?, none, centered))
    }

    /// What a device found.
    pub fn of(means: Means, mut comoment: Vec<f64>, centered: bool) -> Result<Self> {
        let q = means.mean().len();
        if comoment.len() != q * (q + 1) / 2 {
            return Err(Error::Shape("co-moments"));
        }
        comoment.resize(comoment.len() + q + TAIL, 0.0);
        Ok(Self::made(means, comoment, centered))
    }

    fn made(means: Means, words: Vec<f64>, centered: bool) -> Self {
        Self {
            q: means.mean().len(),
            centered,
            means,
            words,
        }
    }

    /// `n`, `Σw`, `x̄`.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// `S`, entry `(i, j)`.
    pub fn comoment(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.max(j), i.min(j));
        self.words[i * (i + 1) / 2 + j]
    }

    /// The same with zeros for columns that are constant: what they have is rounding, by which no other
    /// column is to be judged.
    #[must_use]
    pub fn without_rounding(mut self) -> Self {
        if !self.centered {
            return self;
        }
        for j in 0..self.q {
            let diagonal = j * (j + 1) / 2 + j;
            let square = self.words[diagonal];
            // Squares that are zero may be of numbers too small for squares.
            if square == 0.0 || !self.means.is_constant(j, square.abs().sqrt()) {
                continue;
            }
            self.words[diagonal - j..=diagonal].fill(0.0);
            for i in j + 1..self.q {
                self.words[i * (i + 1) / 2 + j] = 0.0;
            }
        }
        self
    }

    /// `S` of the first `p` columns, `p × p`, column by column, from the diagonal down.
    pub fn products(&self, p: usize) -> Result<Vec<f64>> {
        let mut products = memory::zeros(p * p, "co-moments")?;
        for (j, column) in products.chunks_exact_mut(p).enumerate() {
            for (i, entry) in column.iter_mut().enumerate().skip(j) {
                *entry = self.comoment(i, j);
            }
        }
        Ok(products)
    }

    /// The smallest of the squares of these columns that are not zero.
    pub fn least_square(&self, columns: Range<usize>) -> f64 {
        let squares = columns.map(|j| self.comoment(j, j));
        let positive = squares.filter(|square| *square > 0.0);
        positive.fold(f64::INFINITY, f64::min)
    }

    /// The largest of the squares of these columns.
    pub fn largest_square(&self, columns: Range<usize>) -> f64 {
        columns.map(|j| self.comoment(j, j)).fold(0.0, f64::max)
    }

    /// How far from zero the farthest of these columns is, in spreads of its own.
    pub fn remoteness(&self, columns: Range<usize>) -> f64 {
        let variances = |j: usize| (self.comoment(j, j) / self.means.weight()).sqrt();
        let far = columns.map(|j| self.means.mean()[j].abs() / variances(j));
        far.filter(|far| far.is_finite()).fold(0.0, f64::max)
    }

    /// Whether every number is one.
    pub fn is_finite(&self) -> bool {
        self.words.iter().all(|word| word.is_finite())
    }

    /// Adds `weight d dᵀ` to `S`.
    fn add_square(&mut self, weight: f64, d: &[f64]) {
        let mut start = 0;
        for i in 0..self.q {
            for (entry, other) in self.words[start..=start + i].iter_mut().zip(d) {
                *entry += weight * d[i] * other;
            }
            start += i + 1;
        }
    }

    /// Moves `S` from `means`, whose rows it holds, to a common place.
    fn leave(&mut self, means: &Means, place: &[f64]) -> Result<()> {
        let shift = means.from(place)?;
        self.add_square(means.weight(), &shift);
        let start = self.q * (self.q + 1) / 2;
        for (drift, d) in self.words[start..start + self.q].iter_mut().zip(&shift) {
            *drift += means.weight() * d;
        }
        Ok(())
    }

    /// Moves `S` from the common place of `means` to the mean.
    fn arrive(&mut self, means: &Means) -> Result<()> {
        let start = self.q * (self.q + 1) / 2;
        let weight = if means.weight() > 0.0 {
            means.weight()
        } else {
            1.0
        };
        let mut rest = memory::zeros(self.q, "means")?;
        for (rest, drift) in rest.iter_mut().zip(&mut self.words[start..start + self.q]) {
            *rest = std::mem::take(drift) / weight;
        }
        self.add_square(-means.weight(), &rest);
        self.means = Means::of([means.rows(), means.weight()], means.mean(), &rest)?;
        Ok(())
    }
}

impl Summary for Moments {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let mine = std::mem::replace(&mut self.means, Means::empty(0)?);
        let mut means = Means::empty(self.q)?;
        means.merge(&mine)?;
        means.merge(&other.means)?;
        let rows = self.words.len() - TAIL;
        add(&mut self.words[..rows], &other.words[..rows]);
        if !self.centered {
            self.means = means;
            return Ok(());
        }
        let place = memory::copy(means.mean(), "means")?;
        self.leave(&mine, &place)?;
        self.leave(&other.means, &place)?;
        self.arrive(&means)
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.q, self.centered)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        if comm.size() == 1 {
            return Ok(());
        }
        let mut means = self.means.neutral()?;
        means.merge(&self.means)?;
        let mine = std::mem::replace(&mut self.means, Means::empty(0)?);
        comm.step("the means")?;
        means.reduce(comm)?;
        if self.centered {
            self.leave(&mine, means.mean())?;
        }
        comm.step("the co-moments")?;
        comm.sum(&mut self.words)?;
        if self.centered {
            return self.arrive(&means);
        }
        self.means = means;
        Ok(())
    }
}

impl Streaming for Moments {
    /// `S`, place and rest of the means, then four numbers.
    fn pack(mut self) -> Result<Vec<f64>> {
        let [origin, rest] = self.means.parts();
        let mut numbers = std::mem::take(&mut self.words);
        numbers.truncate(self.q * (self.q + 1) / 2);
        Writer::after(numbers, 2 * self.q + FACTS, "co-moments")?
            .put(origin)?
            .put(rest)?
            .number(self.means.rows())?
            .number(self.means.weight())?
            .count(self.q)?
            .flag(self.centered)
            .map(Writer::finish)
    }

    fn unpack(numbers: &[f64]) -> Result<Self> {
        let mut reader = Reader::new(numbers, "co-moments");
        let mut facts = reader.last(FACTS)?;
        let counts = [facts.number()?, facts.number()?];
        let (q, centered) = (facts.count()?, facts.flag()?);
        let entries = reader.take(q.saturating_mul(q + 1) / 2)?;
        let means = Means::of(counts, reader.take(q)?, reader.take(q)?)?;
        reader.finish()?;
        Self::of(means, memory::copy(entries, "co-moments")?, centered)
    }

    fn shape(&self) -> [usize; 2] {
        [self.q, usize::from(self.centered)]
    }
}
