//! Our duplicate of the user's communicator, kept as its attribute.
//!
//! So messages of ours and of the user never meet, and MPI's delete callback lets the duplicate go
//! with the user's communicator. A duplicate on which a call was given up holds messages that
//! nobody will take: it is left alone, and the next call makes another.

use super::calls::{Options, checked, none};
use super::duplicate::Duplicate;
use super::{notice::Post, wait};
use crate::Result;
use mpi::topology::SimpleCommunicator;
use mpi::{
    ffi,
    traits::{AnyCommunicator, CommAttribute, Communicator, FromRaw},
};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What is kept with the user's communicator.
pub(super) struct CommState {
    user: ffi::MPI_Comm,
    rank: usize,
    size: usize,
    calls: Arc<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    duplicate: Option<Arc<Duplicate>>,
    /// A duplication under way that some rank had not come to: where the handle will be written,
    /// and the request.
    begun: Option<(usize, ffi::MPI_Request)>,
}

#[derive(Clone)]
struct StateAttribute(Arc<CommState>);

impl CommAttribute for StateAttribute {}

impl CommState {
    /// The home of the communicator whose handle has these bits.
    pub(super) fn of(user: usize, options: &Options) -> Result<Arc<Self>> {
        let raw = mpi_sys::handle::<ffi::MPI_Comm>(user);
        checked(options, || {
            // SAFETY: the handle is of an intracommunicator (the door asks mpi4py for the class), which mpi4py's object
            // keeps alive during this call. `from_raw` would own, and free, it, hence ManuallyDrop; it must not be
            // given the two predefined ones, which have an arm each.
            let mut user = ManuallyDrop::new(unsafe {
                match raw {
                    r if r == ffi::RSMPI_COMM_WORLD => SimpleCommunicator::world(),
                    r if r == ffi::RSMPI_COMM_SELF => SimpleCommunicator::self_comm(),
                    r => SimpleCommunicator::from_raw(r),
                }
            });
            if let Some(StateAttribute(comm_state)) = user.get_attr::<StateAttribute>() {
                return Arc::clone(comm_state);
            }
            let comm_state = Arc::new(Self {
                user: raw,
                rank: usize::try_from(user.rank()).unwrap_or(0),
                size: usize::try_from(user.size()).unwrap_or(1),
                calls: Arc::default(),
                state: Mutex::default(),
            });
            user.set_attr(StateAttribute(Arc::clone(&comm_state)));
            comm_state
        })
    }

    /// The next call's number.
    pub(super) fn call(&self) -> u64 {
        self.calls.fetch_add(1, Relaxed) + 1
    }

    /// The number of the call under way.
    pub(super) fn now(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Sets the count of calls.
    pub(super) fn recount(&self, calls: u64) {
        self.calls.store(calls, Relaxed);
    }

    /// The duplicate; a new one, together with all ranks, where there is none that is whole.
    pub(super) fn duplicate(&self, options: &Options) -> Result<Arc<Duplicate>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(duplicate) = &state.duplicate {
            duplicate.hear(options)?;
            if !duplicate.is_broken() {
                return Ok(Arc::clone(duplicate));
            }
        }
        options.clock.step("the first use of the communicator");
        let (place, mut request) = match state.begun.take() {
            Some(begun) => begun,
            None => self.begin(options)?,
        };
        let early = Post::early(self.user, self.rank, self.size);
        let waited = wait::poll(
            || wait::test(options, &mut request),
            |start| {
                (options.watch)()?;
                let heard = early.receive(options)?;
                let mut others = heard.iter().filter(|notice| notice.call >= self.now());
                match others.next() {
                    Some(notice) => {
                        Err(early.missing(options, self.now(), (&[notice.from], start)))
                    }
                    None if options.clock.is_over(start) => {
                        Err(early.missing(options, self.now(), (&[], start)))
                    }
                    None => Ok(()),
                }
            },
        );
        if let Err(error) = waited {
            state.begun = Some((place, request));
            self.call(); // used up, so that a rank which makes it later is found out of step
            return Err(error);
        }
        let duplicate = self.adopt(place, options)?;
        // One on which a call was given up is left to MPI, with its messages.
        if let Some(before) = state.duplicate.replace(Arc::clone(&duplicate)) {
            std::mem::forget(before);
        }
        let mut late = false;
        while let Some(notice) = early.receive(options)? {
            late |= notice.call >= self.now();
        }
        if late {
            self.call();
            return Err(options.clock.missed());
        }
        Ok(duplicate)
    }

    /// Starts a duplication. The handle is written when it is complete, so its place must outlive
    /// this call; and plain `MPI_Comm_dup` could not be given up.
    fn begin(&self, options: &Options) -> Result<(usize, ffi::MPI_Request)> {
        let place: *mut usize = Box::leak(Box::new(0));
        let mut request = none();
        // SAFETY: `place` is leaked, so MPI may write the handle at any time; `user` is alive as long as
        // `self` is its attribute.
        checked(options, || unsafe {
            ffi::MPI_Comm_idup(self.user, place.cast::<c_void>(), &raw mut request);
        })?;
        Ok((place as usize, request))
    }

    fn adopt(&self, place: usize, options: &Options) -> Result<Arc<Duplicate>> {
        // SAFETY: `duplicate` waited until the request was complete, so the handle is written and MPI no
        // longer points to it; `place` is the box that `begin` leaked, taken back once, as `begun` was
        // taken. The communicator is new, ours alone. Errors must come back whatever the user's are.
        let comm = checked(options, || unsafe {
            let handle = mpi_sys::handle::<ffi::MPI_Comm>(*Box::from_raw(place as *mut usize));
            ffi::MPI_Comm_set_errhandler(handle, ffi::RSMPI_ERRORS_RETURN);
            SimpleCommunicator::from_raw(handle)
        })?;
        Ok(Arc::new(Duplicate {
            comm: ManuallyDrop::new(comm),
            rank: self.rank,
            size: self.size,
            node_info: OnceLock::new(),
            calls: Arc::clone(&self.calls),
            broken: AtomicBool::new(false),
        }))
    }
}
