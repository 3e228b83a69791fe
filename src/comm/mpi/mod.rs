//! Ranks over MPI, through the crate `mpi`: the only place that names it.
//!
//! Nothing is linked: `adopt` takes the library that the host program uses. Messages travel on a
//! duplicate of the user's communicator (`comm_state`), in pieces of at most `Options::limit` bytes,
//! because counts and displacements of MPI are `int`.
#![allow(unsafe_code)] // a foreign library

mod calls;
mod comm_state;
mod duplicate;
mod flight;
mod notice;
mod wait;

use super::{Communicator, Op, Pending};
use crate::{Error, Result, block::Block, memory};
use comm_state::CommState;
use duplicate::Duplicate;
use flight::Flight;
use std::sync::{Arc, Mutex, PoisonError};

pub use calls::{Options, Watch};
pub use mpi_sys::Library;

/// What joining a communicator brings.
pub struct Join {
    /// The communicator, on our duplicate.
    pub comm: Mpi,
    /// What every rank said of itself when the duplicate was made.
    pub node_info: Arc<Vec<Block>>,
}

/// Adopts an MPI library; `constant("COMM_WORLD")` gives a handle or a number of that MPI.
///
/// # Safety
/// As for `mpi_sys::init`: a live, initialised MPI, and no other use of this module meanwhile.
pub unsafe fn adopt<E>(
    library: Library,
    constant: impl FnMut(&str) -> std::result::Result<usize, E>,
) -> std::result::Result<(), E> {
    // SAFETY: `init`'s contract is this function's, which its caller keeps.
    unsafe { mpi_sys::init(library, constant) }
}

/// A group of processes under MPI.
pub struct Mpi {
    comm_state: Arc<CommState>,
    duplicate: Mutex<Arc<Duplicate>>,
    options: Arc<Options>,
}

impl Mpi {
    /// Joins the communicator whose handle has these bits. The first time, every rank of it does so
    /// together, and each says something of itself.
    pub fn join(user: usize, node_info: &Block, options: Options) -> Result<Join> {
        let options = Arc::new(options);
        let comm_state = CommState::of(user, &options)?;
        let duplicate = comm_state.duplicate(&options)?;
        let comm = Self {
            comm_state,
            duplicate: Mutex::new(Arc::clone(&duplicate)),
            options,
        };
        let node_info = if let Some(node_info) = duplicate.node_info.get() {
            Arc::clone(node_info)
        } else {
            comm.options.clock.step("the first use of the communicator");
            let all = (&comm as &dyn Communicator).gather(node_info.clone());
            // A rank that failed here has used up a call: see `CommState::duplicate`.
            let all = Arc::new(all.inspect_err(|_| duplicate.count())?);
            Arc::clone(duplicate.node_info.get_or_init(|| all))
        };
        Ok(Join { comm, node_info })
    }

    fn duplicate(&self) -> Arc<Duplicate> {
        Arc::clone(
            &self
                .duplicate
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn flight<B: Default + Send + 'static>(&self, buffer: B) -> Result<Flight<B>> {
        Flight::new(self.duplicate(), Arc::clone(&self.options), buffer)
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.duplicate().rank
    }

    fn size(&self) -> usize {
        self.duplicate().size
    }

    fn start_all_reduce(&self, values: Vec<f64>, op: Op) -> Result<Pending<Vec<f64>>> {
        let mut flight = self.flight(values)?;
        flight.all_reduce(op)?;
        Ok(Pending::new(move || flight.land()))
    }

    fn start_exchange(&self, to: usize, from: usize, block: Block) -> Result<Pending<Block>> {
        if to == self.rank() {
            return Ok(Pending::done(block));
        }
        let mut sent = self.flight(Block::default())?;
        let length = self.flight(vec![block.0.len() as u64, 0])?; // two
        let length = length.swap_lengths(to, from)?;
        sent.send(block, to)?;
        Ok(Pending::new(move || {
            let bytes = memory::zeros(flight::bytes(length.land()?[1]), "a block")?;
            let mut received = sent.beside(bytes)?;
            received.receive(from)?;
            let bytes = received.land()?;
            sent.land()?;
            Ok(Block(bytes))
        }))
    }

    fn start_all_to_all(&self, blocks: Vec<Block>) -> Result<Pending<Vec<Block>>> {
        // Every rank exchanges with those at each distance, so no sum of lengths is ever an `int`.
        let (rank, size) = (self.rank(), self.size());
        if blocks.len() != size {
            return Err(Error::Shape("all-to-all needs one block a rank"));
        }
        let mut slots: Vec<Option<Block>> = blocks.into_iter().map(Some).collect();
        let mut pending = Vec::new();
        for distance in 0..size {
            let (to, from) = ((rank + distance) % size, (rank + size - distance) % size);
            let block = slots[to].take().unwrap_or_default();
            pending.push((from, self.start_exchange(to, from, block)?));
        }
        Ok(Pending::new(move || {
            let mut blocks = vec![Block::default(); size]; // empty ones
            for (from, exchange) in pending {
                blocks[from] = exchange.wait()?;
            }
            Ok(blocks)
        }))
    }

    fn start_all_gather(&self, mine: Block) -> Result<Pending<Vec<Block>>> {
        let lengths = self.flight(memory::zeros(self.size(), "lengths")?)?;
        let lengths = lengths.gather_lengths(mine.0.len() as u64)?;
        Ok(Pending::new(move || {
            let gathered = lengths.beside(())?;
            let lengths = lengths.land()?.into_iter().map(flight::bytes).collect();
            gathered.all_gather(mine, lengths)
        }))
    }

    fn start_broadcast(&self, block: Block, root: usize) -> Result<Pending<Block>> {
        let first = self.options.limit.clamp(16, 4096) / 8 * 8;
        let mut head = memory::zeros::<u8>(first, "a block")?;
        let mine = self.rank() == root;
        let inside = block.0.len().min(first - 8);
        if mine {
            head[..8].copy_from_slice(&(block.0.len() as u64).to_ne_bytes());
            head[8..8 + inside].copy_from_slice(&block.0[..inside]);
        }
        let mut flight = self.flight(head)?;
        flight.broadcast(root, 0)?;
        Ok(Pending::new(move || {
            let mut rest = flight.beside(block.0)?;
            let head = flight.land()?;
            let length = flight::bytes(u64::from_ne_bytes(
                head.first_chunk().copied().unwrap_or_default(),
            ));
            let inside = length.min(first - 8);
            if !mine {
                let mut bytes = memory::zeros(length, "a block")?;
                bytes[..inside].copy_from_slice(&head[8..8 + inside]);
                rest = rest.instead(bytes);
            }
            rest.broadcast(root, inside)?;
            Ok(Block(rest.land()?))
        }))
    }

    fn step(&self, what: &str) -> Result<()> {
        self.options.clock.step(what);
        Ok(())
    }

    fn call(&self) -> u64 {
        self.comm_state.call()
    }

    fn recount(&self, calls: u64) {
        self.comm_state.recount(calls);
    }

    fn renew(&self) -> Result<()> {
        let new = self.comm_state.duplicate(&self.options)?;
        *self
            .duplicate
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    fn abandon(&self, error: &Error) {
        self.duplicate()
            .abandon(&self.options, self.comm_state.now(), error);
    }
}
