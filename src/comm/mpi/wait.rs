//! Waiting for messages: busily at first, then giving the processor away.

use super::{
    Options, Ours, checked, leave,
    notice::{Notice, Post},
};
use crate::{Error, Result};
use mpi::ffi;
use std::time::{Duration, Instant};

/// Tests before the first pause.
const SPINS: u32 = 200;
/// After that long the processor goes to others for whole slices.
const BUSY: Duration = Duration::from_millis(2);
const NAP: Duration = Duration::from_micros(50);
/// How often signals, deadline and the others' words are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Tests `done` until it is, and takes a `glance` now and then.
pub(super) fn poll(
    mut done: impl FnMut() -> Result<bool>,
    mut glance: impl FnMut(Instant) -> Result<()>,
) -> Result<()> {
    let start = Instant::now();
    let (mut turn, mut last) = (0, start);
    loop {
        leave::refuse_if_finalized()?;
        if done()? {
            return Ok(());
        }
        turn += 1;
        if turn < SPINS {
            std::hint::spin_loop();
            continue;
        }
        if start.elapsed() > BUSY {
            std::thread::sleep(NAP);
        } else {
            std::thread::yield_now();
        }
        if last.elapsed() > GLANCE {
            glance(start)?;
            last = Instant::now();
        }
    }
}

/// Waits for all requests; those that are complete are gone from the list, also after an error.
pub(super) fn wait(
    ours: &Ours,
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
    poll(done, |start| ours.glance((options, number), start)).inspect_err(|error| {
        // Of an error of MPI's the others do not know yet: see `abandon`.
        if !matches!(error, Error::Transport { .. }) {
            ours.give_up();
        }
    })
}

/// Whether a request is complete; gives MPI a turn.
pub(super) fn test(options: &Options, request: &mut ffi::MPI_Request) -> Result<bool> {
    let mut flag = 0;
    // SAFETY: a live request, whose memory its owner keeps; `mpi-sys` allows a null status.
    checked(options, || unsafe {
        ffi::MPI_Test(request, &raw mut flag, ffi::RSMPI_STATUS_IGNORE);
    })?;
    Ok(flag != 0)
}

impl Ours {
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

    fn post(&self) -> Post {
        Post::on(self)
    }

    /// Tells the others that this rank leaves the call under way, and why.
    pub(super) fn abandon(&self, options: &Options, call: u64, error: &Error) {
        if !self.is_broken() && self.size > 1 {
            self.give_up();
            self.post().tell(options, call, Some(error));
        }
    }
}
