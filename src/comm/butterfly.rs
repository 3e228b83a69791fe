//! A reduction by any associative merge, in rank order.
//!
//! Recursive doubling over the largest power of two; before it, the ranks too many pair up with a
//! neighbour, so order holds; after it, the pairs share the answer. `⌊log₂ size⌋` exchanges, and
//! two more where `size` is no power of two. (Rabenseifner and Träff, EuroPVM/MPI 2004.)

use super::Communicator;
use crate::Result;

impl dyn Communicator + '_ {
    /// `merge(lower, upper)` over the words of all ranks, in rank order.
    pub fn fold(
        &self,
        mut words: Vec<f64>,
        merge: impl Fn(&[f64], &[f64]) -> Result<Vec<f64>>,
    ) -> Result<Vec<f64>> {
        let rank = self.rank();
        let (seats, extra) = seats(self.size());
        let paired = rank < 2 * extra;
        let neighbor = if paired { rank ^ 1 } else { rank };
        let swap = |partner, words: &[f64]| -> Result<Vec<f64>> {
            Ok(self.exchange(partner, partner, words.into())?.numbers())
        };
        let join = |partner: usize, words: Vec<f64>| -> Result<Vec<f64>> {
            let theirs = swap(partner, &words)?;
            Ok(match partner.cmp(&rank) {
                std::cmp::Ordering::Less => merge(&theirs, &words)?,
                std::cmp::Ordering::Equal => words,
                std::cmp::Ordering::Greater => merge(&words, &theirs)?,
            })
        };
        if extra > 0 {
            words = join(neighbor, words)?;
        }
        let seated = !paired || rank.is_multiple_of(2);
        let seat = if paired { rank / 2 } else { rank - extra };
        for step in 0..seats.ilog2() {
            let across = seat ^ (1 << step);
            let partner = if across < extra {
                2 * across
            } else {
                across + extra
            };
            words = join(if seated { partner } else { rank }, words)?;
        }
        if extra > 0 {
            let theirs = swap(neighbor, &words)?;
            words = if seated { words } else { theirs };
        }
        Ok(words)
    }
}

/// The largest power of two that fits, and how many ranks are left over.
fn seats(size: usize) -> (usize, usize) {
    let seats = 1 << size.ilog2();
    (seats, size - seats)
}
