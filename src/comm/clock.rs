//! How long to wait, and what to say then.

use crate::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The deadline of one call, and where the call is.
#[derive(Debug, Default)]
pub struct Clock {
    method: String,
    deadline: Option<Duration>,
    step: Mutex<String>,
}

impl Clock {
    /// For a call of `method` whose ranks wait at most `deadline` for each other at each step.
    pub fn new(method: &str, deadline: Option<Duration>) -> Self {
        Self {
            method: method.to_owned(),
            deadline,
            step: Mutex::default(),
        }
    }

    /// Names what follows.
    pub fn step(&self, what: &str) {
        what.clone_into(&mut self.step.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether somebody who waits since `start` has waited too long.
    pub fn is_over(&self, start: Instant) -> bool {
        self.deadline.is_some_and(|limit| start.elapsed() > limit)
    }

    /// Whether somebody who waits since `start` came much later than those who give up now.
    pub fn is_late(&self, start: Instant) -> bool {
        self.deadline
            .is_none_or(|limit| start.elapsed() < limit / 2)
    }

    /// How long to wait for a word of the others, once the deadline is over.
    pub fn grace(&self) -> Duration {
        let longest = Duration::from_secs(1);
        self.deadline.map_or(longest, |limit| limit.min(longest))
    }

    /// The error of a rank that waits for one that has left the program.
    pub fn left(&self, rank: usize) -> Error {
        let before = match &*self.method {
            "" => "this call",
            method => method,
        };
        Error::Gone {
            rank,
            before: before.to_owned(),
        }
    }

    /// The error of a rank that comes to a call which the others have given up.
    pub fn missed(&self) -> Error {
        Error::Timeout(format!(
            "{}: this rank came too late: the other ranks had given the call up (spmd_timeout)",
            self.method
        ))
    }

    /// The error that names who is missing, where, and for how long.
    pub fn late(&self, missing: &[usize]) -> Error {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let who = match names.len() {
            0 => "some rank came too late".to_owned(),
            1 => format!("rank {} did not come", names[0]),
            _ => format!("ranks {} did not come", names.join(", ")),
        };
        let seconds = self.deadline.unwrap_or_default().as_secs_f64();
        Error::Timeout(format!(
            "{}: {who} to {step} within {seconds} s (spmd_timeout)",
            self.method
        ))
    }
}
