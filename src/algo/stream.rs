//! Rows that come in batches: each is looked at as it comes, what is known is kept in between, and
//! that of all ranks is reduced at the end.

use super::{guarded, one_pass};
use crate::{Error, Result, comm::Communicator, summary::Kept};

/// What is known of a batch as well as of those before it, of which there may be none. No ranks.
pub fn absorb<S: Kept>(known: &[f64], look: impl FnOnce() -> Result<S>) -> Result<Vec<f64>> {
    guarded(|| {
        let mut seen = look()?;
        if !known.is_empty() {
            join(&mut seen, &read(known)?)?;
        }
        let numbers = seen.pack()?;
        // A number that is none would stay for ever.
        if numbers.iter().any(|number| number.is_nan()) {
            return Err(Error::NotFinite);
        }
        Ok(numbers)
    })
}

/// What is known of the rows of two streams.
pub fn union<S: Kept>(one: &[f64], other: &[f64]) -> Result<Vec<f64>> {
    absorb(one, || read::<S>(other))
}

fn join<S: Kept>(seen: &mut S, known: &S) -> Result<()> {
    if seen.shape() != known.shape() {
        return Err(changed());
    }
    seen.merge(known)
}

fn read<S: Kept>(known: &[f64]) -> Result<S> {
    S::unpack(known).map_err(|error| match error {
        Error::Shape(_) => changed(),
        error => error,
    })
}

fn changed() -> Error {
    Error::Unfit(
        "the rows before had other columns, or a parameter has changed: call fit, which forgets",
    )
}

/// What is known of the batches of all ranks; `neutral` stands for a rank that had none.
pub(super) fn gather<S: Kept>(
    comm: &dyn Communicator,
    known: &[f64],
    neutral: impl Fn() -> Result<S>,
) -> Result<S> {
    let look = || {
        comm.step("what all ranks have seen")?;
        let seen = neutral()?;
        if known.is_empty() {
            return Ok(seen);
        }
        let known: S = read(known)?;
        if known.shape() == seen.shape() {
            Ok(known)
        } else {
            Err(changed())
        }
    };
    one_pass(comm, &neutral, look)
}
