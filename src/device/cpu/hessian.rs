//! Second derivatives of losses: weighted products of the columns, for each pair of scores.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::blocks::{Aligned, Scratch};
use super::gram::weighted_gram;
use crate::device::free;
use crate::{Result, memory};
use pulp::{Arch, NullaryFnOnce};

/// What a block of rows brings.
pub(super) struct Parts<'a> {
    /// Weights times probabilities, score by score in stretches; of one score times those of both.
    pub(super) shares: &'a [f64],
    pub(super) stride: usize,
    /// `w`, and `1 / w`, 0 of 0.
    pub(super) weights: &'a [f64],
    pub(super) inverse: &'a [f64],
}

/// Second derivatives of the pairs of scores.
pub(super) struct Hessian {
    m: usize,
    width: usize,
    /// From one pair to the next.
    size: usize,
    sums: Aligned<f64>,
    scaled: Aligned<f64>,
    factors: Vec<f64>,
}

impl Hessian {
    /// Of `m` scores and blocks of that many rows; of none where not asked for.
    pub(super) fn new(m: usize, [width, pitch]: [usize; 2], block: usize) -> Result<Self> {
        let (what, free) = ("second derivatives", free(m));
        let size = pitch * (width + 1).next_multiple_of(8);
        let pairs = free * (free + 1) / 2;
        Ok(Self {
            m,
            width,
            size,
            sums: Aligned::of(pairs * size, what)?,
            scaled: Aligned::of(if m > 0 { block * pitch } else { 0 }, what)?,
            factors: memory::zeros(block, what)?,
        })
    }

    /// Takes in a block of rows.
    pub(super) fn add(&mut self, scratch: &Scratch<f64>, of: &Parts<'_>) {
        let (mut pair, n) = (0, of.weights.len());
        for b in 0..free(self.m) {
            for a in 0..=b {
                let [left, right] = [a, b].map(|c| &of.shares[c * of.stride..][..n]);
                for (i, factor) in self.factors[..n].iter_mut().enumerate() {
                    *factor = match (self.m, a == b) {
                        (1, _) => left[i],
                        (_, true) => left[i] * ((of.weights[i] - left[i]) * of.inverse[i]),
                        (_, false) => -left[i] * (right[i] * of.inverse[i]),
                    };
                }
                Arch::new().dispatch(Scale {
                    rows: scratch.entries(n),
                    pitch: scratch.pitch(),
                    factors: &self.factors[..n],
                    to: &mut self.scaled,
                });
                let sums = &mut self.sums[pair * self.size..][..self.size];
                weighted_gram(n, scratch, &self.scaled, sums);
                pair += 1;
            }
        }
    }

    /// The lower triangles, row by row.
    pub(super) fn triangles(&self, width: usize, pitch: usize) -> Result<Vec<f64>> {
        let pairs = self.sums.len() / self.size.max(1);
        let mut all = memory::zeros(pairs * width * (width + 1) / 2, "second derivatives")?;
        let mut at = 0;
        for sums in self.sums.chunks_exact(self.size) {
            for (b, row) in sums.chunks_exact(pitch).enumerate().take(self.width) {
                all[at..=at + b].copy_from_slice(&row[..=b]);
                at += b + 1;
            }
        }
        Ok(all)
    }
}

/// Rows times numbers.
struct Scale<'a> {
    rows: &'a [f64],
    pitch: usize,
    factors: &'a [f64],
    to: &'a mut [f64],
}

impl NullaryFnOnce for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.rows.chunks_exact(self.pitch);
        for ((row, to), factor) in rows
            .zip(self.to.chunks_exact_mut(self.pitch))
            .zip(self.factors)
        {
            for j in 0..row.len().min(to.len()) {
                to[j] = row[j] * factor;
            }
        }
    }
}
