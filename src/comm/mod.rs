//! Who else holds rows.
//!
//! Every operation is split in two: `start_…` hands over a buffer, `wait` brings it back changed.
//! Every rank makes every call, in the same order; one that has nothing to exchange exchanges with
//! itself. So `Threads` can compare the calls, and no rank waits for one that went another way.

mod agree;
mod butterfly;
mod clock;
mod faulty;
#[cfg(feature = "python")]
mod mpi;
mod pending;
mod solo;
mod threads;
mod tree;
mod wire;

use crate::{Error, Result, block::Block};

pub use agree::{Agreed, Facts};
pub use clock::Clock;
pub use faulty::Faulty;
#[cfg(feature = "python")]
pub use mpi::{Join, Library, Mpi, Options, Watch, adopt};
pub use pending::Pending;
pub use solo::Solo;
pub use threads::Threads;
pub use wire::{Reader, Writer};

/// How values from all ranks become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Elementwise sum.
    Sum,
    /// Elementwise maximum.
    Max,
}

/// A group of processes that call the same functions in the same order.
pub trait Communicator: Send + Sync {
    /// My place, `0..size`.
    fn rank(&self) -> usize;

    /// Number of members.
    fn size(&self) -> usize;

    /// Combines equally many values of every rank. The same bits come back on all ranks.
    fn start_all_reduce(&self, values: Vec<f64>, op: Op) -> Result<Pending<Vec<f64>>>;

    /// Sends my block to one rank and brings another's. All ranks together make a permutation.
    fn start_exchange(&self, to: usize, from: usize, block: Block) -> Result<Pending<Block>>;

    /// Sends one block to each rank and brings one from each, in rank order.
    fn start_all_to_all(&self, blocks: Vec<Block>) -> Result<Pending<Vec<Block>>>;

    /// Brings every rank's block, in rank order.
    fn start_all_gather(&self, mine: Block) -> Result<Pending<Vec<Block>>>;

    /// Brings the root's block; what the others hand over is dropped.
    fn start_broadcast(&self, block: Block, root: usize) -> Result<Pending<Block>>;

    /// Names what follows: a deadline's message quotes it.
    fn step(&self, _what: &str) -> Result<()> {
        Ok(())
    }

    /// The number of the call that starts now, counted by each rank; `renew` makes the next header
    /// start on a fresh footing after another rank gave up an earlier call.
    fn call(&self) -> u64 {
        0
    }

    /// Sets the count of calls, after ranks were found out of step.
    fn recount(&self, _calls: u64) {}

    /// A fresh footing, after `Stale`.
    fn renew(&self) -> Result<()> {
        Ok(())
    }

    /// Tells the others that this rank leaves the call under way, and why.
    fn abandon(&self, _error: &Error) {}
}

impl dyn Communicator + '_ {
    /// Sums `values` over all ranks, in place.
    pub fn sum(&self, values: &mut Vec<f64>) -> Result<()> {
        *values = self
            .start_all_reduce(std::mem::take(values), Op::Sum)?
            .wait()?;
        Ok(())
    }

    /// The largest of each value over all ranks, in place.
    pub fn max(&self, values: &mut Vec<f64>) -> Result<()> {
        *values = self
            .start_all_reduce(std::mem::take(values), Op::Max)?
            .wait()?;
        Ok(())
    }

    /// Every rank's block, in rank order.
    pub fn gather(&self, mine: Block) -> Result<Vec<Block>> {
        self.start_all_gather(mine)?.wait()
    }

    /// The root's block.
    pub fn broadcast(&self, block: Block, root: usize) -> Result<Block> {
        self.start_broadcast(block, root)?.wait()
    }

    /// The block of `from`, for mine to `to`.
    pub fn exchange(&self, to: usize, from: usize, block: Block) -> Result<Block> {
        self.start_exchange(to, from, block)?.wait()
    }

    /// A block for each rank, for one from each.
    pub fn all_to_all(&self, blocks: Vec<Block>) -> Result<Vec<Block>> {
        self.start_all_to_all(blocks)?.wait()
    }
}
