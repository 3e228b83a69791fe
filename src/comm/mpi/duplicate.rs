//! A duplicate of the user's communicator: calls and waits on it, and what other ranks say meanwhile.

use super::calls::{Options, checked};
use super::notice::{Notice, Post};
use super::wait::{poll, test};
use crate::{Error, Result, block::Block};
use mpi::topology::SimpleCommunicator;
use mpi::{ffi, traits::AsRaw};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// The tag of what ranks say when they leave: see `leave`.
pub(super) const LEFT: i32 = 4;

/// A duplicate.
pub(super) struct Duplicate {
    pub(super) comm: ManuallyDrop<SimpleCommunicator>,
    pub(super) rank: usize,
    pub(super) size: usize,
    /// What every rank said of itself when it was made.
    pub(super) node_info: OnceLock<Arc<Vec<Block>>>,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) broken: AtomicBool,
    /// How many operations began here: see `leave`.
    pub(super) operations: AtomicU64,
    /// Who has left, after how many.
    pub(super) left: Mutex<Vec<(usize, u64)>>,
}

/// Waits for all requests; those that are complete are gone from the list, also after an error.
pub(super) fn wait(
    duplicate: &Duplicate,
    (options, number): (&Options, u64),
    requests: &mut Vec<ffi::MPI_Request>,
) -> Result<()> {
    let done = || {
        while let Some(request) = requests.last_mut() {
            if !test(options, request)? {
                return Ok(false);
            }
            requests.pop();
        }
        Ok(true)
    };
    poll(done, |start| duplicate.glance((options, number), start)).inspect_err(|error| {
        // Of an error of MPI's the others do not know yet: see `abandon`.
        if !matches!(error, Error::Transport { .. }) {
            duplicate.give_up();
        }
    })
}

impl Duplicate {
    /// Whether a call was given up here.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// No more messages here.
    pub(super) fn give_up(&self) {
        self.broken.store(true, Relaxed);
    }

    /// The number of the call under way.
    pub(super) fn now(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// One more call, made or missed.
    pub(super) fn count(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Looks at signals, at what others say, and at the clock.
    fn glance(&self, (options, number): (&Options, u64), start: Instant) -> Result<()> {
        (options.watch)().inspect_err(|error| self.abandon(options, self.now(), error))?;
        let post = self.post();
        self.listen(options)?;
        if let Some(rank) = self.left_before(number) {
            let error = options.clock.left(rank);
            self.abandon(options, self.now(), &error);
            return Err(error);
        }
        if let Some(notice) = post.receive(options)? {
            self.hear_of(&notice);
            if notice.call < self.now() {
                return Err(Error::Stale);
            }
            return Err(notice
                .error()
                .unwrap_or_else(|| post.missing(options, self.now(), (&[notice.from], start))));
        }
        if options.clock.is_over(start) {
            self.give_up();
            return Err(post.missing(options, self.now(), (&[], start)));
        }
        Ok(())
    }

    /// What is heard before a new call starts here: of an earlier call, that the duplicate is no
    /// longer whole; of the call to come, that this rank is late for it, and has so made it.
    pub(super) fn hear(&self, options: &Options) -> Result<()> {
        (options.watch)()?;
        let Some(notice) = self.post().receive(options)? else {
            return Ok(());
        };
        self.hear_of(&notice);
        if notice.call <= self.now() {
            return Ok(());
        }
        self.count();
        Err(notice.error().unwrap_or_else(|| options.clock.missed()))
    }

    /// A call was given up: there, or because a rank has left.
    fn hear_of(&self, notice: &Notice) {
        self.give_up();
        if let Some(Error::Gone { rank, .. }) = notice.error() {
            self.record_left(rank, 0);
        }
    }

    /// The number of the operation that begins.
    pub(super) fn operation(&self) -> u64 {
        self.operations.fetch_add(1, Relaxed) + 1
    }

    /// Takes the notices that have come.
    pub(super) fn listen(&self, options: &Options) -> Result<()> {
        // SAFETY: all pointers are to locals, and what is received is the one word that was sent.
        let receive = || unsafe {
            let mut word = 0_u64;
            let (mut flag, mut message) = (0, ffi::RSMPI_MESSAGE_NULL);
            let mut status = std::mem::zeroed::<ffi::MPI_Status>();
            let (any, comm) = (ffi::RSMPI_ANY_SOURCE, self.comm.as_raw());
            ffi::MPI_Improbe(
                any,
                LEFT,
                comm,
                &raw mut flag,
                &raw mut message,
                &raw mut status,
            );
            if flag == 0 {
                return None;
            }
            let (to, ignore) = ((&raw mut word).cast(), ffi::RSMPI_STATUS_IGNORE);
            ffi::MPI_Mrecv(to, 1, ffi::RSMPI_UINT64_T, &raw mut message, ignore);
            Some((usize::try_from(status.MPI_SOURCE).unwrap_or(0), word))
        };
        while let Some((rank, word)) = checked(options, receive)? {
            self.record_left(rank, word);
        }
        Ok(())
    }

    /// Keeps in mind that a rank left after so many operations.
    pub(super) fn record_left(&self, rank: usize, operations: u64) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.push((rank, operations));
    }

    /// The ranks known to have left.
    pub(super) fn left(&self) -> Vec<usize> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter().map(|(rank, _)| *rank).collect()
    }

    /// The lowest rank known to have left before this operation.
    pub(super) fn left_before(&self, operation: u64) -> Option<usize> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let before = left.iter().filter(|(_, made)| *made < operation);
        before.map(|(rank, _)| *rank).min()
    }

    fn post(&self) -> Post {
        Post::on(self.comm.as_raw(), self.rank, self.size)
    }

    /// Tells the others that this rank leaves the call under way, and why.
    pub(super) fn abandon(&self, options: &Options, call: u64, error: &Error) {
        if !self.is_broken() && self.size > 1 {
            self.give_up();
            self.post().tell(options, call, Some(error));
        }
    }
}

impl Drop for Duplicate {
    fn drop(&mut self) {
        let mut over = 0;
        // SAFETY: the MPI standard allows `MPI_Finalized` at any time, and `over` is a local.
        unsafe { ffi::MPI_Finalized(&raw mut over) };
        if over == 0 && !self.is_broken() {
            // SAFETY: only this `Drop` takes the communicator, which MPI still knows (it is not finalised)
            // and on which no call was given up.
            unsafe { ManuallyDrop::drop(&mut self.comm) };
        }
    }
}
