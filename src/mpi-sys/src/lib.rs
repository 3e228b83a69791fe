//! Stand-in for the crate `mpi-sys`: the same names, with nothing linked and nothing generated.
//!
//! Every function is looked up at run time in the library the host program already uses, and every
//! constant comes from the caller of [`init`], so one build serves every MPI. Two things differ
//! between MPIs in ways a caller could see, and both are hidden here: a handle is an `int` (MPICH
//! and its family) or a pointer (Open MPI, the MPI-5 ABI), and `MPI_Status` has its own layout.
#![allow(non_camel_case_types, non_snake_case)]

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;

mod constants;
mod functions;
mod kinds;

pub use constants::*;
pub use functions::*;
pub use kinds::{MPI_Comm, MPI_Datatype, MPI_Errhandler, MPI_Group, MPI_Info};
pub use kinds::{MPI_Message, MPI_Op, MPI_Request, MPI_Status};

pub type MPI_Aint = isize;
pub type MPI_User_function =
    Option<unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int, *mut MPI_Datatype)>;
/// The callbacks' communicator has an undefined upper half where handles are `int`: ignore it.
pub type MPI_Comm_copy_attr_function = Option<
    unsafe extern "C" fn(
        MPI_Comm,
        c_int,
        *mut c_void,
        *mut c_void,
        *mut c_void,
        *mut c_int,
    ) -> c_int,
>;
pub type MPI_Comm_delete_attr_function =
    Option<unsafe extern "C" fn(MPI_Comm, c_int, *mut c_void, *mut c_void) -> c_int>;

/// What has to be known of the MPI library; all of it can be asked of mpi4py.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    /// From `dlopen`; the `MPI_*` symbols must resolve through it.
    pub dl: usize,
    /// Size of a handle: 4 or 8.
    pub handle_bytes: usize,
    /// Size of the library's `MPI_Status`, at most 128.
    pub status_bytes: usize,
    /// Where source, tag and error are in it, counted in `int`s.
    pub status_fields: [usize; 3],
}

static LIBRARY: OnceLock<Library> = OnceLock::new();

thread_local!(static ERROR: Cell<Option<(c_int, &'static str)>> = const { Cell::new(None) });

/// Adopts a library; `constant("COMM_WORLD")` gives a handle or an integer of that MPI.
///
/// # Safety
/// `library` must describe a live, initialised MPI. No other item of this crate may be used before
/// this returns, nor while it runs: the constants are plain statics because `mpi` reads them so.
pub unsafe fn init<E>(
    library: Library,
    constant: impl FnMut(&str) -> Result<usize, E>,
) -> Result<(), E> {
    assert!(matches!(library.handle_bytes, 4 | 8) && library.status_bytes <= 128);
    assert!(library
        .status_fields
        .iter()
        .all(|f| f * 4 < library.status_bytes));
    constants::fill(library.handle_bytes == 4, constant)?;
    let _ = LIBRARY.set(library);
    Ok(())
}

/// The first call that failed on this thread since the last `take_error`: its code and its name.
///
/// The crate `mpi` drops every return code, and mpi4py asks MPI to return rather than abort; so
/// without this a truncated message is wrong data and no error.
pub fn take_error() -> Option<(c_int, &'static str)> {
    ERROR.take()
}

fn library() -> &'static Library {
    LIBRARY.get().expect("mpi_sys::init has not been called")
}

/// The address of `name`, looked up once.
fn find(known: &AtomicUsize, name: &CStr) -> usize {
    let mut at = known.load(Relaxed);
    if at == 0 {
        // SAFETY: `dl` is a handle of `dlopen` that is never closed, for which `init`'s caller vouches; a
        // `CStr` ends with a nul.
        at = unsafe { libc::dlsym(library().dl as *mut c_void, name.as_ptr()) } as usize;
        assert!(at != 0, "{name:?} is not in the MPI library in use");
        known.store(at, Relaxed);
    }
    at
}

fn note(name: &'static str, code: c_int) -> c_int {
    if code != constants::MPI_SUCCESS as c_int && ERROR.get().is_none() {
        ERROR.set(Some((code, name)));
    }
    code
}

/// A handle from its number: as mpi4py gives it, or as an `MPI_I*` call has written it into a
/// zeroed word (such a call may write after it has returned, so `Out` would be too short-lived).
pub fn handle<T: kinds::Handle>(bits: usize) -> T {
    constants::Constant::read(bits, library().handle_bytes == 4)
}
