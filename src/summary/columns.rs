//! What is known of columns one by one: number, weight, means, squares around them, extremes.
//!
//! Squares move to common means as the co-moments of `Moments` do (Chan, Golub, LeVeque 1983).

use super::{Extremes, Means, Streaming, Summary, TAIL, add};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
    memory,
};

/// `n`, `Σw`, `x̄`, `Σᵢ wᵢ (xᵢ − x̄)²`, least and largest `x` of `q` columns.
#[derive(Debug, PartialEq)]
pub struct Columns {
    means: Means,
    extremes: Extremes,
    /// Squares, and on the way `Σw` times the means less their common place.
    words: Vec<f64>,
}

impl Columns {
    /// No rows of `q` columns.
    pub fn empty(q: usize) -> Result<Self> {
        let none = memory::zeros(q, "squares")?;
        Self::of(Means::empty(q)?, none, Extremes::empty(q)?)
    }

    /// What a device found.
    pub fn of(means: Means, mut squares: Vec<f64>, extremes: Extremes) -> Result<Self> {
        let q = means.mean().len();
        if squares.len() != q || extremes.largest().len() != 2 * q {
            return Err(Error::Shape("columns"));
        }
        squares.resize(2 * q + TAIL, 0.0);
        Ok(Self {
            means,
            extremes,
            words: squares,
        })
    }

    /// `n`, `Σw`, `x̄`.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// `Σᵢ wᵢ (xᵢ − x̄)²`.
    pub fn squares(&self) -> &[f64] {
        &self.words[..self.means.mean().len()]
    }

    /// The largest `−x`, then the largest `x`, of rows that weigh something.
    pub fn extremes(&self) -> &[f64] {
        self.extremes.largest()
    }

    /// Whether means and squares are numbers.
    pub fn is_finite(&self) -> bool {
        let mut numbers = self.words.iter().chain(self.means.mean());
        numbers.all(|number| number.is_finite())
    }

    /// Moves the squares from the means to a common place.
    fn leave(&mut self, place: &[f64]) -> Result<()> {
        let (shift, weight) = (self.means.from(place)?, self.means.weight());
        let (squares, drift) = self.words.split_at_mut(shift.len());
        for ((square, drift), d) in squares.iter_mut().zip(drift).zip(shift) {
            *square += weight * d * d;
            *drift += weight * d;
        }
        Ok(())
    }

    /// Moves the squares from the common place of `means` to the mean.
    fn arrive(&mut self, means: &Means) -> Result<()> {
        let q = means.mean().len();
        let weight = means.weight();
        let mut rest = memory::zeros(q, "means")?;
        let (squares, drift) = self.words.split_at_mut(q);
        for ((square, drift), rest) in squares.iter_mut().zip(drift).zip(&mut rest) {
            if weight > 0.0 {
                *rest = *drift / weight;
            }
            *drift = 0.0;
            *square = (*square - weight * *rest * *rest).max(0.0);
        }
        self.means = Means::of([means.rows(), weight], means.mean(), &rest)?;
        Ok(())
    }
}

impl Summary for Columns {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let q = self.means.mean().len();
        let [a, b] = [&self.means, &other.means].map(Means::weight);
        if a > 0.0 && b > 0.0 {
            let mine = self.means.from(other.means.mean())?;
            let theirs = other.means.from(other.means.mean())?;
            for ((square, mine), theirs) in self.words.iter_mut().zip(mine).zip(theirs) {
                *square += a * b / (a + b) * (mine - theirs) * (mine - theirs);
            }
        }
        add(&mut self.words[..q], other.squares());
        self.means.merge(&other.means)?;
        self.extremes.merge(&other.extremes)
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.means.mean().len())
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    /// Means, squares around the common ones, extremes: three messages of `q` and `2 q` numbers.
    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        if comm.size() == 1 {
            return Ok(());
        }
        let mut means = self.means.neutral()?;
        means.merge(&self.means)?;
        comm.step("the means")?;
        means.reduce(comm)?;
        self.leave(means.mean())?;
        comm.step("the squares")?;
        comm.sum(&mut self.words)?;
        self.arrive(&means)?;
        comm.step("the extremes")?;
        self.extremes.reach(comm)
    }
}

impl Streaming for Columns {
    fn pack(self) -> Result<Vec<f64>> {
        let [origin, rest] = self.means.parts();
        Writer::new(3 + 5 * origin.len(), "columns")?
            .count(origin.len())?
            .number(self.means.rows())?
            .number(self.means.weight())?
            .put(origin)?
            .put(rest)?
            .put(self.squares())?
            .put(self.extremes())
            .map(Writer::finish)
    }

    fn unpack(numbers: &[f64]) -> Result<Self> {
        let mut reader = Reader::new(numbers, "columns");
        let q = reader.count()?;
        let counts = [reader.number()?, reader.number()?];
        let means = Means::of(counts, reader.take(q)?, reader.take(q)?)?;
        let squares = memory::copy(reader.take(q)?, "squares")?;
        let largest = memory::copy(reader.take(q.saturating_mul(2))?, "extremes")?;
        reader.finish()?;
        Self::of(means, squares, Extremes::of(largest))
    }

    fn shape(&self) -> [usize; 2] {
        [self.means.mean().len(), 0]
    }
}
