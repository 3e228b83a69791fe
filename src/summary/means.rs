//! Number, weight and means of rows: what centring needs.

use super::{Summary, TAIL, add};
use crate::{Result, comm::Communicator, memory};

/// `n`, `Σw` and `x̄` of `q` columns, as a place near the rows and what is left of `x̄`.
#[derive(Debug, PartialEq)]
pub struct Means {
    origin: Vec<f64>,
    mean: Vec<f64>,
    /// `n`, `Σw`, and `x̄` less the origin.
    words: Vec<f64>,
}

impl Means {
    /// No rows of `q` columns.
    pub fn empty(q: usize) -> Result<Self> {
        let none = memory::zeros(q, "means")?;
        Self::of([0.0; 2], &none, &none)
    }

    /// Rows in number and their weight; their means, less an origin.
    pub fn of(counts: [f64; 2], origin: &[f64], rest: &[f64]) -> Result<Self> {
        let mut words = memory::zeros(2 + rest.len() + TAIL, "means")?;
        words[..2].copy_from_slice(&counts);
        words[2..2 + rest.len()].copy_from_slice(rest);
        let mut mean = memory::copy(origin, "means")?;
        add(&mut mean, rest);
        Ok(Self {
            origin: memory::copy(origin, "means")?,
            mean,
            words,
        })
    }

    /// `n`.
    pub fn rows(&self) -> f64 {
        self.words[0]
    }

    /// `Σw`.
    pub fn weight(&self) -> f64 {
        self.words[1]
    }

    /// `x̄`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Whether column `j` is constant, `length²` being its `Σᵢ wᵢ (xᵢ − x̄)²`: where it is no more than what
    /// rounding leaves of a constant, `Σᵢ wᵢ (4 ε x̄)²`. Rows of any other column differ by a bit at least,
    /// and many do.
    pub fn is_constant(&self, j: usize, length: f64) -> bool {
        let noise = 4.0 * f64::EPSILON * self.mean[j].abs();
        length <= self.weight().sqrt() * noise
    }

    /// A place near the rows, and `x̄` less that place.
    pub(super) fn parts(&self) -> [&[f64]; 2] {
        [&self.origin, &self.words[2..2 + self.origin.len()]]
    }

    /// `x̄` less a place, with digits that `x̄` itself has no room for.
    pub fn from(&self, place: &[f64]) -> Result<Vec<f64>> {
        let mut shift = memory::copy(&self.origin, "means")?;
        for ((shift, place), rest) in shift.iter_mut().zip(place).zip(&self.words[2..]) {
            *shift = (*shift - place) + rest;
        }
        Ok(shift)
    }
}

impl Summary for Means {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let (a, b) = (self.weight(), other.weight());
        let place = if a > 0.0 { &self.origin } else { &other.origin };
        let place = memory::copy(place, "means")?;
        let (mut rest, theirs) = (self.from(&place)?, other.from(&place)?);
        for (mine, theirs) in rest.iter_mut().zip(theirs).filter(|_| b > 0.0) {
            *mine = if a > 0.0 {
                *mine + (theirs - *mine) * (b / (a + b))
            } else {
                theirs
            };
        }
        let counts = [self.rows() + other.rows(), a + b];
        let tail = [self.tail()[0], self.tail()[1]];
        *self = Self::of(counts, &place, &rest)?;
        self.tail().copy_from_slice(&tail);
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.mean.len())
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    /// One sum, of `n`, `Σw` and `Σw x̄`: the same place on all ranks, near their means.
    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        if comm.size() == 1 {
            return Ok(());
        }
        let weight = self.weight();
        for (word, mean) in self.words[2..].iter_mut().zip(&self.mean) {
            *word = mean * weight;
        }
        comm.sum(&mut self.words)?;
        let weight = if self.weight() > 0.0 {
            self.weight()
        } else {
            1.0
        };
        for (word, (mean, origin)) in self.words[2..]
            .iter_mut()
            .zip(self.mean.iter_mut().zip(&mut self.origin))
        {
            (*mean, *origin) = (*word / weight, *word / weight);
            *word = 0.0;
        }
        Ok(())
    }
}
