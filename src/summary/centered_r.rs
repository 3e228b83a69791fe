//! The triangle of `[1 z]`: means, and the triangle of the rows less their mean.
//!
//! `R` of `[1 z]` is `√Σw [1 z̄]` above that of `z − z̄`; kept apart, no digit of `z` is lost far from
//! zero. `R` of two sets of rows with weights `a`, `b` is that of their triangles and of one row more,
//! `√(ab / (a + b)) (z̄ₐ − z̄_b)`, one above the other (Chan, Golub, LeVeque 1983, for `RᵀR`).

use super::{Means, RFactor, Streaming, Summary};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
};

/// `n`, `Σw`, `z̄` and `R` of `q` columns, whose rows are less `z̄` or, where not centred, as they are.
#[derive(Debug, PartialEq)]
pub struct CenteredR {
    centered: bool,
    means: Means,
    r_factor: RFactor,
}

/// Numbers behind the means.
const FACTS: usize = 5;

impl CenteredR {
    /// No rows of `q` columns.
    pub fn empty(q: usize, centered: bool) -> Result<Self> {
        Ok(Self::of(Means::empty(q)?, RFactor::empty(q, q)?, centered))
    }

    /// What a device found.
    pub fn of(means: Means, r_factor: RFactor, centered: bool) -> Self {
        Self {
            centered,
            means,
            r_factor,
        }
    }

    /// `n`, `Σw`, `z̄`.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// `R`.
    pub fn r_factor(&self) -> &RFactor {
        &self.r_factor
    }

    /// Puts a row below `R`: `√weight (mine − place)`.
    fn leave(&mut self, weight: f64, shift: &mut [f64]) -> Result<()> {
        for entry in &mut *shift {
            *entry *= weight.sqrt();
        }
        self.r_factor.put(shift)
    }
}

impl Summary for CenteredR {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let (a, b) = (self.means.weight(), other.means.weight());
        if self.centered && a > 0.0 && b > 0.0 {
            let place = other.means.mean();
            let mut shift = self.means.from(place)?;
            for (mine, theirs) in shift.iter_mut().zip(other.means.from(place)?) {
                *mine -= theirs;
            }
            self.leave(a / (a + b) * b, &mut shift)?;
        }
        self.means.merge(&other.means)?;
        self.r_factor.merge(&other.r_factor)
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.means.mean().len(), self.centered)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        self.r_factor.words()
    }

    /// To the common place of all means, and there one above the other.
    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        if comm.size() == 1 {
            return Ok(());
        }
        let mut means = self.means.neutral()?;
        means.merge(&self.means)?;
        comm.step("the means")?;
        means.reduce(comm)?;
        if self.centered && self.means.weight() > 0.0 {
            let mut shift = self.means.from(means.mean())?;
            self.leave(self.means.weight(), &mut shift)?;
        }
        self.means = means;
        comm.step("the triangle")?;
        self.r_factor.reduce(comm)
    }
}

impl Streaming for CenteredR {
    /// `R`, place and rest of the means, then five numbers.
    fn pack(self) -> Result<Vec<f64>> {
        let q = self.means.mean().len();
        let [origin, rest] = self.means.parts();
        Writer::new(q * q + 2 * q + FACTS, "a triangle")?
            .put(self.r_factor.columns())?
            .put(origin)?
            .put(rest)?
            .count(self.r_factor.used())?
            .number(self.means.rows())?
            .number(self.means.weight())?
            .count(q)?
            .flag(self.centered)
            .map(Writer::finish)
    }

    fn unpack(numbers: &[f64]) -> Result<Self> {
        let mut reader = Reader::new(numbers, "a triangle");
        let mut facts = reader.last(FACTS)?;
        let used = facts.count()?;
        let counts = [facts.number()?, facts.number()?];
        let (q, centered) = (facts.count()?, facts.flag()?);
        let columns = reader.take(q.saturating_mul(q))?;
        let means = Means::of(counts, reader.take(q)?, reader.take(q)?)?;
        reader.finish()?;
        if used > q {
            return Err(Error::Shape("a triangle"));
        }
        Ok(Self::of(means, RFactor::of(q, q, columns, used)?, centered))
    }

    fn shape(&self) -> [usize; 2] {
        [self.means.mean().len(), usize::from(self.centered)]
    }
}
