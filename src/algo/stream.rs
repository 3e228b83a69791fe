//! Rows that come in batches: each is looked at as it comes, what is known is kept in between, and
//! that of all ranks is reduced at the end.

use super::{guarded, one_pass};
use crate::{Error, Result, comm::Communicator, summary::Streaming};

/// What is known of a batch as well as of those before it, of which there may be none. No ranks.
pub fn absorb<S: Streaming>(state: &[f64], look: impl FnOnce() -> Result<S>) -> Result<Vec<f64>> {
    guarded(|| {
        let mut seen = look()?;
        if !state.is_empty() {
            join(&mut seen, &read(state)?)?;
        }
        seen.pack()
    })
}

/// What is known of the rows of two streams.
pub fn union<S: Streaming>(one: &[f64], other: &[f64]) -> Result<Vec<f64>> {
    absorb(one, || read::<S>(other))
}

fn join<S: Streaming>(seen: &mut S, state: &S) -> Result<()> {
    if seen.shape() != state.shape() {
        return Err(changed());
    }
    seen.merge(state)
}

fn read<S: Streaming>(state: &[f64]) -> Result<S> {
    S::unpack(state).map_err(|error| match error {
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
pub(super) fn gather<S: Streaming>(
    comm: &dyn Communicator,
    state: &[f64],
    neutral: impl Fn() -> Result<S>,
) -> Result<S> {
    let look = || {
        comm.step("what all ranks have seen")?;
        let seen = neutral()?;
        if state.is_empty() {
            return Ok(seen);
        }
        let state: S = read(state)?;
        if state.shape() == seen.shape() {
            Ok(state)
        } else {
            Err(changed())
        }
    };
    one_pass(comm, &neutral, look)
}
