//! The least and the largest number of each column.

use super::{Summary, TAIL};
use crate::{Result, comm::Communicator, memory};

/// The largest `−x` and the largest `x` of `q` columns, so that both merge alike; `−∞` of no rows.
#[derive(Debug, PartialEq)]
pub struct Extremes {
    words: Vec<f64>,
}

impl Extremes {
    /// No rows of `q` columns.
    pub fn empty(q: usize) -> Result<Self> {
        let mut largest: Vec<f64> = memory::zeros(2 * q, "extremes")?;
        largest.fill(f64::NEG_INFINITY);
        Ok(Self::of(largest))
    }

    /// From a device: the largest `−x`, then the largest `x`.
    pub fn of(mut largest: Vec<f64>) -> Self {
        largest.extend([0.0; TAIL]);
        Self { words: largest }
    }

    /// The largest `−x`, then the largest `x`.
    pub fn largest(&self) -> &[f64] {
        &self.words[..self.words.len() - TAIL]
    }

    /// Takes in what every rank has seen: one message, without the tail.
    pub(super) fn reach(&mut self, comm: &dyn Communicator) -> Result<()> {
        let mut largest = memory::copy(self.largest(), "extremes")?;
        comm.max(&mut largest)?;
        self.words[..largest.len()].copy_from_slice(&largest);
        Ok(())
    }
}

impl Summary for Extremes {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let rows = self.words.len() - TAIL;
        for (mine, theirs) in self.words[..rows].iter_mut().zip(&other.words) {
            *mine = mine.max(*theirs);
        }
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.largest().len() / 2)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    /// The extremes, and the sums of the tail.
    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        self.reach(comm)?;
        let mut tail = self.tail().to_vec();
        comm.sum(&mut tail)?;
        self.tail().copy_from_slice(&tail);
        Ok(())
    }
}
