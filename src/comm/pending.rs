//! Operations under way.

use crate::Result;

/// An operation under way. It owns its buffer until `wait` gives it back.
///
/// Dropped without `wait`, it must still end before its buffer goes: whoever fills it with a live
/// request (`Mpi`) captures a guard that waits on drop.
#[must_use = "the answer comes from `wait`"]
pub struct Pending<T>(Box<dyn FnOnce() -> Result<T> + Send>);

impl<T: Send + 'static> Pending<T> {
    /// Ends when `finish` returns.
    pub fn new(finish: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self(Box::new(finish))
    }

    /// Ended already.
    pub fn done(answer: T) -> Self {
        Self::new(|| Ok(answer))
    }

    /// Waits for the end.
    pub fn wait(self) -> Result<T> {
        (self.0)()
    }
}
