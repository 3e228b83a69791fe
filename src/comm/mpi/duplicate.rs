//! A duplicate of the user's communicator: calls and waits on it, and what other ranks say meanwhile.

use super::calls::Options;
use super::notice::Post;
use super::wait::{poll, test};
use crate::{Error, Result, block::Block};
use mpi::topology::SimpleCommunicator;
use mpi::{ffi, traits::AsRaw};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A duplicate.
pub(super) struct Duplicate {
    pub(super) comm: ManuallyDrop<SimpleCommunicator>,
    pub(super) rank: usize,
    pub(super) size: usize,
    /// What every rank said of itself when it was made.
    pub(super) node_info: OnceLock<Arc<Vec<Block>>>,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) broken: AtomicBool,
}

/// Waits for all requests; those that are complete are gone from the list, also after an error.
pub(super) fn wait(
    duplicate: &Duplicate,
    options: &Options,
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
    poll(done, |start| duplicate.glance(options, start)).inspect_err(|error| {
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
    pub(super) fn glance(&self, options: &Options, start: Instant) -> Result<()> {
        (options.watch)().inspect_err(|error| self.abandon(options, self.now(), error))?;
        let post = self.post();
        if let Some(notice) = post.receive(options)? {
            self.give_up();
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
        self.give_up();
        if notice.call <= self.now() {
            return Ok(());
        }
        self.count();
        Err(notice.error().unwrap_or_else(|| options.clock.missed()))
    }

    fn post(&self) -> Post {
        Post::on(self.comm.as_raw(), self.rank, self.size)
    }

    /// Tells the others that this rank leaves the call under way, and why.
    pub(super) fn abandon(&self, options: &Options, call: u64, error: &Error) {
        if !self.is_broken() && self.size > 1 {
            self.give_up();
            self.post()
                .tell(options, call, error.kind(), &error.to_string());
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
