//! The triangle of a QR decomposition: `RᵀR = Σᵢ wᵢ zᵢ zᵢᵀ` without squaring the condition.
//!
//! `R` of two sets of rows is that of their two triangles, one above the other (TSQR: Demmel,
//! Grigori, Hoemmen, Langou 2012). As long as there is room, rows are kept as they are, so wide
//! data needs no square: the answer is the same.

use super::{Means, Summary, TAIL};
use crate::{Result, memory, solve};

/// Up to `h` rows of `q` columns, column by column, whose products are those of all rows seen.
#[derive(Debug, PartialEq)]
pub struct RFactor {
    h: usize,
    q: usize,
    /// `h q` entries, then how many of the `h` rows are in use.
    words: Vec<f64>,
}

impl RFactor {
    /// No rows of `q` columns, with room for `h`: `q`, or all rows there are if those are fewer.
    pub fn empty(h: usize, q: usize) -> Result<Self> {
        Ok(Self {
            h,
            q,
            words: memory::zeros(h * q + 1 + TAIL, "a triangle")?,
        })
    }

    /// From a device: `rows`, column by column, `h` to a column, of which `used` are in use.
    pub fn of(h: usize, q: usize, rows: &[f64], used: usize) -> Result<Self> {
        let mut new = Self::empty(h, q)?;
        new.words[..h * q].copy_from_slice(rows);
        new.words[h * q] = used as f64;
        Ok(new)
    }

    /// `h`.
    pub fn height(&self) -> usize {
        self.h
    }

    /// `R`, column by column, each `h` long.
    pub fn columns(&self) -> &[f64] {
        &self.words[..self.h * self.q]
    }

    /// The same with zeros for columns that are constant, as `Moments::without_rounding`; rows are less
    /// these means.
    #[must_use]
    pub fn without_rounding(mut self, means: &Means) -> Self {
        for (j, column) in self
            .words
            .chunks_exact_mut(self.h.max(1))
            .take(self.q)
            .enumerate()
        {
            let largest = column.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            let size = if largest > 0.0 { largest } else { 1.0 }; // squares would vanish or overflow
            let square: f64 = column.iter().map(|x| (x / size) * (x / size)).sum();
            if means.is_constant(j, size * square.sqrt()) {
                column.fill(0.0);
            }
        }
        self
    }

    /// The first `h` of its rows, where no others are in use.
    pub fn first(&self, h: usize) -> Result<Self> {
        let mut new = Self::empty(h, self.q)?;
        let columns = self.columns().chunks_exact(self.h);
        for (to, column) in new.words.chunks_exact_mut(h).zip(columns) {
            to.copy_from_slice(&column[..h]);
        }
        new.words[h * self.q] = self.used() as f64;
        Ok(new)
    }

    /// How many of the `h` rows are in use.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn used(&self) -> usize {
        self.words[self.h * self.q] as usize
    }

    /// Takes in one row.
    pub(super) fn put(&mut self, row: &[f64]) -> Result<()> {
        let (h, q, used) = (self.h, self.q, self.used());
        let used = solve::stack([h, q], (&mut self.words[..h * q], used), (row, 1, 1))?;
        self.words[h * q] = used as f64;
        Ok(())
    }
}

impl Summary for RFactor {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let (h, q) = (self.h, self.q);
        let (mine, theirs) = (self.used(), other.used());
        let used = solve::stack(
            [h, q],
            (&mut self.words[..h * q], mine),
            (other.columns(), other.h, theirs),
        )?;
        self.words[h * q] = used as f64;
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.h, self.q)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }
}
