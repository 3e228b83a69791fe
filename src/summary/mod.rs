//! What is known of the rows seen so far: small, mergeable, on the host, in `f64`.

mod centered_r;
mod clusters;
mod columns;
mod extremes;
mod leading_rows;
mod means;
mod moments;
mod r_factor;
mod sums;
mod tsqr_basis;

use crate::{Result, comm::Communicator, memory};

pub use centered_r::CenteredR;
pub use clusters::{Clusters, Farthest, Round};
pub use columns::Columns;
pub use extremes::Extremes;
pub use leading_rows::LeadingRows;
pub use means::Means;
pub use moments::Moments;
pub use r_factor::RFactor;
pub use sums::Sums;
pub use tsqr_basis::TsqrBasis;

/// How many words at the end of every summary are not about rows.
pub const TAIL: usize = 2;

/// A fixed-size account of a set of rows, closed under union.
///
/// Laws, checked for every implementor: `merge` is associative up to rounding; `reduce` over ranks
/// equals `merge` over their summaries in rank order; `neutral` changes nothing.
pub trait Summary: Sized + Send {
    /// Takes in the rows another summary has seen (streaming). Leaves the tail alone.
    fn merge(&mut self, other: &Self) -> Result<()>;

    /// No rows, in the same shape: what a failed or empty rank sends.
    fn neutral(&self) -> Result<Self>;

    /// All of it in one buffer. The tail: how many ranks failed, and the first rank's decision.
    fn words(&mut self) -> &mut Vec<f64>;

    /// Takes in the rows every rank has seen (SPMD): by merging in rank order, whatever the merge.
    /// Sums override it by one `comm.sum`.
    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        let shape = self.neutral()?;
        let mine = std::mem::take(self.words());
        *self.words() = comm.fold(mine, |lower, upper| {
            let [mut lower, mut upper] = [read(&shape, lower)?, read(&shape, upper)?];
            lower.merge(&upper)?;
            add(lower.tail(), upper.tail());
            Ok(std::mem::take(lower.words()))
        })?;
        Ok(())
    }

    /// The last words: failures, decision.
    fn tail(&mut self) -> &mut [f64] {
        let words = self.words();
        let rows = words.len() - TAIL;
        &mut words[rows..]
    }
}

/// A summary that is kept between batches of rows, as one stretch of numbers.
pub trait Streaming: Summary {
    /// All of it but the tail.
    fn pack(self) -> Result<Vec<f64>>;

    /// The summary that was packed.
    fn unpack(numbers: &[f64]) -> Result<Self>;

    /// What two must share to be merged: the number of columns, and how they were looked at.
    fn shape(&self) -> [usize; 2];
}

/// A summary of that shape with these words.
fn read<S: Summary>(shape: &S, words: &[f64]) -> Result<S> {
    let mut summary = shape.neutral()?;
    *summary.words() = memory::copy(words, "a summary")?;
    Ok(summary)
}

/// Adds word by word: how sums merge.
fn add(mine: &mut [f64], theirs: &[f64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}
