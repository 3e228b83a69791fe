//! What a rank that leaves a call tells the others, outside of the order of calls.
//!
//! A rank that gives up a collective cannot say so in it. It sends each of the others one small
//! message with a tag of its own; who waits looks for such messages now and then. A notice without
//! a kind says "I am here, and have waited too long": from those who do not say so within a grace
//! period follows who is missing.

use super::calls::{Options, checked, int, none};
use crate::{Error, Result};
use mpi::ffi;
use std::time::{Duration, Instant};

/// The tag of notices on our duplicate.
const NOTICE: i32 = 1;
/// Their tag where there is no duplicate yet: the largest that every MPI has.
const EARLY: i32 = 32767;
/// All notices have this many bytes: few, so that no MPI waits for a receiver, and an odd number, so
/// that a message of the user's with the same tag is not taken for one.
const LENGTH: usize = 2011;

/// Where notices are sent and looked for.
pub(super) struct Post {
    comm: ffi::MPI_Comm,
    tag: i32,
    rank: usize,
    size: usize,
}

/// A notice that has come.
pub(super) struct Notice {
    /// Who sent it.
    pub from: usize,
    /// In which call.
    pub call: u64,
    kind: String,
    text: String,
}

impl Notice {
    /// The failure it tells of; none if its sender only waits.
    pub(super) fn error(&self) -> Option<Error> {
        (!self.kind.is_empty()).then(|| Error::Rank {
            rank: self.from,
            kind: self.kind.clone(),
            text: self.text.clone(),
        })
    }
}

impl Post {
    /// On a duplicate.
    pub(super) fn on(comm: ffi::MPI_Comm, rank: usize, size: usize) -> Self {
        Self {
            comm,
            tag: NOTICE,
            rank,
            size,
        }
    }

    /// On a communicator whose duplicate some rank has not come to make. This is the one message
    /// that ever travels on the user's communicator, after a deadline only: nothing else is left
    /// to ask on who is missing. The late rank takes it away when it comes.
    pub(super) fn early(comm: ffi::MPI_Comm, rank: usize, size: usize) -> Self {
        Self {
            comm,
            tag: EARLY,
            rank,
            size,
        }
    }

    /// Tells all others. Failures are of no interest: this is the last word in the call.
    pub(super) fn tell(&self, options: &Options, call: u64, kind: &str, text: &str) {
        let mut bytes = format!("{call}\0{kind}\0{text}").into_bytes();
        bytes.resize(LENGTH, 0);
        // Leaked: a request that its receiver never meets is never complete.
        let bytes: &'static mut [u8] = bytes.leak();
        for rank in (0..self.size).filter(|rank| *rank != self.rank) {
            let mut request = none();
            // SAFETY: `bytes` was leaked, so MPI may read it at any time; the communicator is the duplicate
            // or the user's own, which MPI keeps as long as our attribute is on it, and `adopt` came before
            // either.
            let _ = checked(options, || unsafe {
                let (from, count) = (bytes.as_ptr().cast(), int(bytes.len()));
                let byte = ffi::RSMPI_UINT8_T;
                ffi::MPI_Isend(
                    from,
                    count,
                    byte,
                    int(rank),
                    self.tag,
                    self.comm,
                    &raw mut request,
                );
            });
        }
    }

    /// A notice that has come, if any. Another message is left where it is.
    pub(super) fn receive(&self, options: &Options) -> Result<Option<Notice>> {
        let mut bytes = [0_u8; LENGTH];
        // SAFETY: all pointers are to locals that outlive these blocking calls. The message received is the
        // one that `MPI_Improbe` matched: it is of the source and tag probed, so the first of its sender's,
        // and was compared with LENGTH, the size of `bytes`. The zeroed status is plain integers.
        let from = checked(options, || unsafe {
            let (mut flag, mut count) = (0, 0);
            let mut message = ffi::RSMPI_MESSAGE_NULL;
            let mut status = std::mem::zeroed::<ffi::MPI_Status>();
            let (any, byte) = (ffi::RSMPI_ANY_SOURCE, ffi::RSMPI_UINT8_T);
            ffi::MPI_Iprobe(any, self.tag, self.comm, &raw mut flag, &raw mut status);
            if flag == 0 {
                return None;
            }
            ffi::MPI_Get_count(&raw const status, byte, &raw mut count);
            if count != int(LENGTH) {
                return None;
            }
            let (from, end) = (status.MPI_SOURCE, &raw mut status);
            ffi::MPI_Improbe(
                from,
                self.tag,
                self.comm,
                &raw mut flag,
                &raw mut message,
                end,
            );
            if flag == 0 {
                return None;
            }
            let to = bytes.as_mut_ptr().cast();
            ffi::MPI_Mrecv(to, count, byte, &raw mut message, ffi::RSMPI_STATUS_IGNORE);
            Some(from)
        })?;
        Ok(from.map(|from| {
            let node_info = String::from_utf8_lossy(&bytes);
            let mut parts = node_info.trim_end_matches('\0').splitn(3, '\0');
            let mut next = || parts.next().unwrap_or_default().to_owned();
            Notice {
                from: usize::try_from(from).unwrap_or(0),
                call: next().parse().unwrap_or(0),
                kind: next(),
                text: next(),
            }
        }))
    }

    /// Says that I am here, hears who else is, and names the others.
    pub(super) fn missing(
        &self,
        options: &Options,
        call: u64,
        (heard, since): (&[usize], Instant),
    ) -> Error {
        let late = options.clock.is_late(since);
        self.tell(options, call, "", "");
        let mut here: Vec<usize> = [heard, &[self.rank]].concat();
        let start = Instant::now();
        while here.len() < self.size && start.elapsed() < options.clock.grace() {
            match self.receive(options) {
                Ok(Some(notice)) => here.push(notice.from),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return error,
            }
        }
        let missing: Vec<usize> = (0..self.size).filter(|rank| !here.contains(rank)).collect();
        if late && missing.is_empty() {
            return options.clock.missed();
        }
        options.clock.late(&missing)
    }
}
