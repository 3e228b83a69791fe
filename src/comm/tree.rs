//! A reduction that every pair makes once, and that brings each rank what follows for it.
//!
//! Up a binary tree in rank order, and down again: `⌈log₂ size⌉` exchanges each way. Where what a merge
//! leaves to either side is sensitive to rounding, ranks of different processors must not all make it,
//! as they do in a butterfly.

use super::Communicator;
use crate::{Result, block::Block};

impl dyn Communicator + '_ {
    /// `join(lower, upper)` brings the words of both, and what `split` needs to tell, from the words that
    /// come down for both, those for each; `top` makes the first of these. My words at the end.
    pub fn tree<S>(
        &self,
        mut words: Vec<f64>,
        join: impl Fn(&[f64], &[f64]) -> Result<(Vec<f64>, S)>,
        top: impl FnOnce(&[f64]) -> Result<Vec<f64>>,
        split: impl Fn(&S, &[f64]) -> Result<[Vec<f64>; 2]>,
    ) -> Result<Vec<f64>> {
        let (rank, size) = (self.rank(), self.size());
        let steps = size.next_power_of_two().ilog2();
        let partner = |step: u32| {
            let across = rank ^ (1 << step);
            let met = rank.is_multiple_of(1 << step) && across < size;
            if met { across } else { rank }
        };
        let mut states = Vec::new(); // one a step
        for step in 0..steps {
            let partner = partner(step);
            let mine = if partner < rank { &*words } else { &[] };
            let theirs = self.exchange(partner, partner, mine.into())?;
            if partner > rank {
                let (both, state) = join(&words, &theirs.numbers())?;
                words = both;
                states.push(state);
            }
        }
        let mut down = if rank.is_multiple_of(1 << steps) {
            top(&words)?
        } else {
            Vec::new()
        };
        for step in (0..steps).rev() {
            let partner = partner(step);
            let mut sent = Block::default();
            if partner > rank
                && let Some(state) = states.pop()
            {
                let [mine, theirs] = split(&state, &down)?;
                (down, sent) = (mine, theirs.as_slice().into());
            }
            let received = self.exchange(partner, partner, sent)?;
            if partner < rank {
                down = received.numbers();
            }
        }
        Ok(down)
    }
}
