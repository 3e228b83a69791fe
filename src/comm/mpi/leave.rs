//! What a rank that finalizes MPI tells the others: it takes part in no further operation.
//!
//! `MPI_Finalize` deletes the attributes of `MPI_COMM_SELF` before it does anything else, and they
//! may communicate (MPI 4.1, 11.2.4). So one attribute there notices every way to leave, but for the
//! end of a process that does not finalize MPI, of which the launcher ends the job.
//!
//! On each duplicate the rank tells its neighbors at distances 1, 2, 4, ..., as a barrier would:
//! `2 log₂ size` messages of one word, which are synchronous. So it knows which of them have been
//! received, and receives those that cross: where all ranks leave together none is left over. A
//! rank that waits for the one that left raises an error and tells all others.
//!
//! The word is the number of operations begun. Who waits in one of those need not mind: the rank
//! has done its part, and only operations after it will not be met.

use super::calls::{self, Options, checked, int, none};
use super::duplicate::{Duplicate, LEFT};
use super::wait;
use crate::Result;
use mpi::ffi;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{AnyCommunicator, AsRaw, CommAttribute};
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a rank that leaves waits for its notices to be received; after that it waits in
/// `MPI_Finalize` for the other ranks.
const PATIENCE: Duration = Duration::from_millis(200);
const NAP: Duration = Duration::from_micros(200);

/// The duplicates of this process.
static ALIVE: Mutex<Vec<Weak<Duplicate>>> = Mutex::new(Vec::new());

/// The attribute whose deletion is the beginning of `MPI_Finalize`.
#[derive(Clone)]
struct AtFinalize {
    process: u32,
    options: Arc<Options>,
}

impl CommAttribute for AtFinalize {}

impl Drop for AtFinalize {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return; // a forked child is not the rank
        }
        if self.options.guarded {
            tell_all(&self.options);
        }
        calls::finalized();
    }
}

/// Makes a duplicate one of those on which this rank tells that it leaves.
pub(super) fn enroll(duplicate: &Arc<Duplicate>, options: &Arc<Options>) -> Result<()> {
    static ONCE: Once = Once::new();
    let mut alive = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
    alive.retain(|duplicate| duplicate.strong_count() > 0);
    alive.push(Arc::downgrade(duplicate));
    drop(alive);
    checked(options, || {
        ONCE.call_once(|| {
            ManuallyDrop::new(SimpleCommunicator::self_comm()).set_attr(AtFinalize {
                process: std::process::id(),
                options: Arc::clone(options),
            });
        });
    })
}

/// Takes a duplicate that another replaces off the list.
pub(super) fn retire(duplicate: &Arc<Duplicate>) {
    let mut alive = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
    alive.retain(|other| other.as_ptr() != Arc::as_ptr(duplicate));
}

fn alive() -> Vec<Arc<Duplicate>> {
    let alive = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
    alive.iter().filter_map(Weak::upgrade).collect()
}

fn tell_all(options: &Options) {
    let mut open: Vec<_> = alive()
        .into_iter()
        .map(|duplicate| {
            let requests = duplicate.tell_that_i_leave(options);
            (duplicate, requests)
        })
        .collect();
    let start = Instant::now();
    loop {
        for (duplicate, requests) in &mut open {
            requests.retain_mut(|request| wait::test(options, request) == Ok(false));
            // What crosses was sent before the receipt that completes a request.
            let _ = duplicate.listen(options);
        }
        let done = open.iter().all(|(_, requests)| requests.is_empty());
        if done || start.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(NAP);
    }
    for (duplicate, requests) in &open {
        if !requests.is_empty() {
            duplicate.give_up(); // it is left to MPI, with its messages
        }
    }
}

/// A member of a communicator of which any duplicate of this process knows that it has left.
pub(super) fn find(user: ffi::MPI_Comm, options: &Options) -> Result<Option<usize>> {
    let mut found = None;
    for duplicate in alive() {
        duplicate.listen(options)?;
        let places = duplicate
            .left_before(u64::MAX)
            .map(|_| duplicate.places_in(user, options));
        found = found.into_iter().chain(places.transpose()?.flatten()).min();
    }
    Ok(found)
}

impl Duplicate {
    /// Sends the notices; those who have left themselves need none.
    fn tell_that_i_leave(&self, options: &Options) -> Vec<ffi::MPI_Request> {
        if self.listen(options).is_err() {
            return Vec::new();
        }
        // Leaked: the requests may outlive everything.
        let word: &'static u64 = Box::leak(Box::new(self.operations.load(Relaxed)));
        let left = self.left();
        let send = |rank: usize| {
            let mut request = none();
            // SAFETY: `word` lives for ever.
            let sent = checked(options, || unsafe {
                let (from, to) = ((&raw const *word).cast(), int(rank));
                let comm = self.comm.as_raw();
                ffi::MPI_Issend(
                    from,
                    1,
                    ffi::RSMPI_UINT64_T,
                    to,
                    LEFT,
                    comm,
                    &raw mut request,
                );
            });
            sent.ok().map(|()| request)
        };
        let told = self
            .neighbors()
            .into_iter()
            .filter(|rank| !left.contains(rank));
        told.filter_map(send).collect()
    }

    /// The ranks at distances 1, 2, 4, ... on either side.
    fn neighbors(&self) -> Vec<usize> {
        let steps = std::iter::successors(Some(1), |step| Some(2 * step));
        let steps = steps.take_while(|step| *step < self.size);
        let mut all: Vec<usize> = steps
            .flat_map(|step| [step, self.size - step])
            .map(|step| (self.rank + step) % self.size)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The lowest place in another communicator of those who have left this one.
    fn places_in(&self, user: ffi::MPI_Comm, options: &Options) -> Result<Option<usize>> {
        let duplicate: Vec<i32> = self.left().into_iter().map(int).collect();
        let mut theirs = duplicate.clone();
        // SAFETY: two live communicators, as many places as ranks, and groups freed once each.
        checked(options, || unsafe {
            let (mut mine, mut users) = (ffi::RSMPI_GROUP_NULL, ffi::RSMPI_GROUP_NULL);
            ffi::MPI_Comm_group(self.comm.as_raw(), &raw mut mine);
            ffi::MPI_Comm_group(user, &raw mut users);
            let (count, to) = (int(duplicate.len()), theirs.as_mut_ptr());
            ffi::MPI_Group_translate_ranks(mine, count, duplicate.as_ptr(), users, to);
            ffi::MPI_Group_free(&raw mut mine);
            ffi::MPI_Group_free(&raw mut users);
        })?;
        // Those who are no members have the negative MPI_UNDEFINED.
        Ok(theirs
            .into_iter()
            .filter_map(|rank| usize::try_from(rank).ok())
            .min())
    }
}
