//! A gradient: one sum per unknown.

use super::{Summary, TAIL, add};
use crate::{Result, comm::Communicator, memory};

/// The gradient of a loss over the rows, `p × m`, row by row.
#[derive(Debug, PartialEq)]
pub struct Sums {
    words: Vec<f64>,
}

impl Sums {
    /// From a device.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.extend([0.0; TAIL]);
        Self { words: values }
    }

    /// No rows, with that many unknowns.
    pub fn empty(unknowns: usize) -> Result<Self> {
        Ok(Self {
            words: memory::zeros(unknowns + TAIL, "a gradient")?,
        })
    }

    /// The gradient.
    pub fn values(&self) -> &[f64] {
        &self.words[..self.words.len() - TAIL]
    }
}

impl Summary for Sums {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let rows = self.words.len() - TAIL;
        add(&mut self.words[..rows], &other.words[..rows]);
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.words.len() - TAIL)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        comm.sum(&mut self.words)
    }
}
