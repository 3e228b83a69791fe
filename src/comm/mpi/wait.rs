//! Waiting for messages: busily at first, then giving the processor away.

use super::calls::{Options, checked};
use crate::Result;
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

/// Whether a request is complete; gives MPI a turn.
pub(super) fn test(options: &Options, request: &mut ffi::MPI_Request) -> Result<bool> {
    let mut flag = 0;
    // SAFETY: `request` came from a call that `Flight::start` or `begin` made, and was not complete before
    // (those that are go from the list); its buffers are kept by that `Flight`, or were leaked. `mpi-sys`
    // takes a null status for none.
    checked(options, || unsafe {
        ffi::MPI_Test(request, &raw mut flag, ffi::RSMPI_STATUS_IGNORE);
    })?;
    Ok(flag != 0)
}
