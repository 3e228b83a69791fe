//! One process.

use super::{Communicator, Op, Pending};
use crate::{Result, block::Block};

/// One process: every operation is done before it starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Solo;

impl Communicator for Solo {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn start_all_reduce(&self, values: Vec<f64>, _: Op) -> Result<Pending<Vec<f64>>> {
        Ok(Pending::done(values))
    }

    fn start_exchange(&self, _: usize, _: usize, block: Block) -> Result<Pending<Block>> {
        Ok(Pending::done(block))
    }

    fn start_all_to_all(&self, blocks: Vec<Block>) -> Result<Pending<Vec<Block>>> {
        Ok(Pending::done(blocks))
    }

    fn start_all_gather(&self, mine: Block) -> Result<Pending<Vec<Block>>> {
        Ok(Pending::done(vec![mine])) // one
    }

    fn start_broadcast(&self, block: Block, _: usize) -> Result<Pending<Block>> {
        Ok(Pending::done(block))
    }
}
