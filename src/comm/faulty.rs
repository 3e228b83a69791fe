//! A communicator that fails where it is told: faults are tested on the wheel that users run.

use super::{Communicator, Op, Pending};
use crate::{Error, Result, block::Block};

/// What happens, and before which step.
pub struct Faulty {
    inner: Box<dyn Communicator>,
    kind: String,
    step: String,
}

impl Faulty {
    /// From `kind:step:rank`, with `panic`, `error` or `memory` for the kind; other ranks, and
    /// texts of another form, leave `inner` as it is.
    pub fn wrap(inner: Box<dyn Communicator>, fault: &str) -> Box<dyn Communicator> {
        let parts: Vec<_> = fault.split(':').collect();
        match parts[..] {
            [kind, step, rank] if rank.parse() == Ok(inner.rank()) => Box::new(Self {
                inner,
                kind: kind.to_owned(),
                step: step.to_owned(),
            }),
            _ => inner,
        }
    }
}

impl Communicator for Faulty {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn start_all_reduce(&self, values: Vec<f64>, op: Op) -> Result<Pending<Vec<f64>>> {
        self.inner.start_all_reduce(values, op)
    }

    fn start_exchange(&self, to: usize, from: usize, block: Block) -> Result<Pending<Block>> {
        self.inner.start_exchange(to, from, block)
    }

    fn start_all_to_all(&self, blocks: Vec<Block>) -> Result<Pending<Vec<Block>>> {
        self.inner.start_all_to_all(blocks)
    }

    fn start_all_gather(&self, mine: Block) -> Result<Pending<Vec<Block>>> {
        self.inner.start_all_gather(mine)
    }

    fn start_broadcast(&self, block: Block, root: usize) -> Result<Pending<Block>> {
        self.inner.start_broadcast(block, root)
    }

    #[allow(clippy::panic)] // the fault that is asked for
    fn step(&self, what: &str) -> Result<()> {
        if what == self.step {
            match self.kind.as_str() {
                "panic" => panic!("a fault was asked for at {what}"),
                "error" => return Err(Error::Shape("a fault was asked for")),
                "memory" => {
                    crate::memory::zeros::<f64>(1 << 58, "a fault that was asked for")?;
                }
                _ => {}
            }
        }
        self.inner.step(what)
    }

    fn call(&self) -> u64 {
        self.inner.call()
    }

    fn recount(&self, calls: u64) {
        self.inner.recount(calls);
    }

    fn renew(&self) -> Result<()> {
        self.inner.renew()
    }

    fn abandon(&self, error: &Error) {
        self.inner.abandon(error);
    }
}
