//! Calls of MPI's functions: how long they may take, how large their messages may be, one at a time
//! where MPI wants that, and their return codes.

use crate::{Error, Result, comm::Clock};
use mpi::ffi;
use std::sync::{Mutex, PoisonError};

/// What a rank does while it waits: signals of the host program come through here.
pub type Watch = Box<dyn Fn() -> Result<()> + Send + Sync>;

/// How one call communicates.
pub struct Options {
    /// Its deadline.
    pub clock: Clock,
    /// The largest message, in bytes; the same on all ranks.
    pub limit: usize,
    /// Whether MPI allows one call at a time in the process.
    pub serialized: bool,
    /// Looked at while waiting.
    pub watch: Watch,
}

/// Our numbers of ranks as MPI's.
pub(super) fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Runs MPI's functions, one at a time where MPI wants that, and looks at their return codes.
///
/// The crate `mpi` drops return codes, and mpi4py asks MPI to return rather than abort; so without
/// this a truncated message would be wrong data and no error.
pub(super) fn checked<R>(options: &Options, calls: impl FnOnce() -> R) -> Result<R> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = options
        .serialized
        .then(|| ONE.lock().unwrap_or_else(PoisonError::into_inner));
    let answer = calls();
    drop(guard);
    match mpi_sys::take_error() {
        Some((code, call)) => Err(Error::Transport { code, call }),
        None => Ok(answer),
    }
}

/// The null request.
pub(super) fn none() -> ffi::MPI_Request {
    // SAFETY: the statics are written once, by `adopt`, which `python::comm` calls before it makes the
    // first `Mpi`; from then on they are only read.
    unsafe { ffi::RSMPI_REQUEST_NULL }
}
