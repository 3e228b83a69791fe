//! Ranks as threads of one process.

use super::{Communicator, Op, Pending, clock::Clock};
use crate::{Error, Result, block::Block};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Ranks as threads of one process: the laws of communication without an MPI library.
///
/// All ranks must make the same call: else it is an error on all of them. A rank that leaves, by
/// return or by panic, is an error for those who still call; its panic is raised again by `run`.
pub struct Threads {
    membership: Arc<Membership>,
    clock: Clock,
}

/// A place in a world; once it is dropped the rank has left.
struct Membership {
    rank: usize,
    size: usize,
    board: Arc<Board>,
    calls: AtomicU64,
}

#[derive(Default)]
struct Board {
    state: Mutex<State>,
    turned: Condvar,
}

/// What was posted this turn, and what the last full turn brought.
#[derive(Default)]
struct State {
    turn: usize,
    posted: Vec<(usize, Call, Block)>,
    answer: Arc<Vec<(usize, Call, Block)>>,
    gone: Option<usize>,
    /// A call given up, and who knows of it; forgotten once all do.
    given_up: Option<(Error, Vec<usize>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    AllReduce(Op, usize),
    Exchange { to: usize, from: usize },
    AllToAll,
    AllGather,
    Broadcast { root: usize },
}

impl Threads {
    /// A world of `size` ranks.
    pub fn world(size: usize) -> Vec<Self> {
        let board = Arc::new(Board::default());
        let membership = |rank| Membership {
            rank,
            size,
            board: Arc::clone(&board),
            calls: AtomicU64::new(0),
        };
        let start = |rank| Self {
            membership: Arc::new(membership(rank)),
            clock: Clock::default(),
        };
        (0..size).map(start).collect()
    }

    /// The same rank in a call of `method`, with a deadline for the others.
    #[must_use]
    pub fn within(&self, method: &str, deadline: Option<Duration>) -> Self {
        Self {
            membership: Arc::clone(&self.membership),
            clock: Clock::new(method, deadline),
        }
    }

    /// Runs `body` once per rank and returns the answers in rank order.
    pub fn run<R: Send>(size: usize, body: impl Fn(&dyn Communicator) -> R + Sync) -> Vec<R> {
        Self::count(size, body).0
    }

    /// Like `run`; also the number of messages each rank took part in.
    pub fn count<R: Send>(
        size: usize,
        body: impl Fn(&dyn Communicator) -> R + Sync,
    ) -> (Vec<R>, usize) {
        let (world, body) = (Self::world(size), &body);
        let board = Arc::clone(&world[0].membership.board);
        let answers = thread::scope(|scope| {
            let ranks: Vec<_> = world
                .into_iter()
                .map(|me| scope.spawn(move || body(&me)))
                .collect();
            let ended: Vec<_> = ranks.into_iter().map(ScopedJoinHandle::join).collect();
            let answer = |end: thread::Result<R>| end.unwrap_or_else(|panic| resume_unwind(panic));
            ended.into_iter().map(answer).collect()
        });
        let messages = board.lock().turn;
        (answers, messages)
    }

    /// How many messages there were so far.
    pub fn messages(&self) -> usize {
        self.membership.board.lock().turn
    }

    /// This rank makes no more calls: those who wait for it learn of it.
    pub fn leave(&self) {
        self.membership.leave();
    }

    /// Posts mine, waits for all, and brings everyone's in rank order.
    fn post(&self, call: Call, mine: Block) -> Result<Arc<Vec<(usize, Call, Block)>>> {
        let (start, membership) = (Instant::now(), &*self.membership);
        let mut state = membership.ready_board()?;
        if let Some(rank) = state.gone {
            return Err(Error::Gone { rank });
        }
        let turn = state.turn;
        state.posted.push((membership.rank, call, mine));
        if state.posted.len() == membership.size {
            state.posted.sort_by_key(|(rank, ..)| *rank);
            state.answer = Arc::new(std::mem::take(&mut state.posted));
            state.turn += 1;
            membership.board.turned.notify_all();
        }
        while state.turn == turn {
            if let Some(error) = membership.peer_error(&mut state) {
                return Err(error);
            }
            if let Some(rank) = state.gone {
                return Err(Error::Gone { rank });
            }
            if self.clock.is_over(start) {
                let came = |rank: &usize| state.posted.iter().any(|(there, ..)| there == rank);
                let missing: Vec<usize> = (0..membership.size).filter(|rank| !came(rank)).collect();
                let error = self.clock.late(&missing);
                membership.give_up(&mut state, error.clone());
                return Err(error);
            }
            state = membership.board.wait(state);
        }
        same(&state.answer)?;
        Ok(Arc::clone(&state.answer))
    }
}

impl Membership {
    fn leave(&self) {
        self.board.lock().gone.get_or_insert(self.rank);
        self.board.turned.notify_all();
    }

    /// The board, once an earlier call that was given up is over for all.
    fn ready_board(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.board.lock();
        while state.given_up.is_some() {
            if let Some(error) = self.peer_error(&mut state) {
                return Err(error);
            }
            if let Some(rank) = state.gone {
                return Err(Error::Gone { rank });
            }
            state = self.board.wait(state);
        }
        Ok(state)
    }

    /// The error of a call given up, if this rank has not heard of it.
    fn peer_error(&self, state: &mut State) -> Option<Error> {
        let (error, knows) = state.given_up.as_mut()?;
        if knows.contains(&self.rank) {
            return None;
        }
        knows.push(self.rank);
        let error = error.clone();
        if knows.len() == self.size {
            state.given_up = None;
        }
        self.board.turned.notify_all();
        Some(error)
    }

    /// Ends the call under way for all.
    fn give_up(&self, state: &mut State, error: Error) {
        state.given_up = Some((error, vec![self.rank])); // one
        state.posted.clear();
        self.board.turned.notify_all();
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Fails if the ranks did not all make one call.
fn same(posted: &[(usize, Call, Block)]) -> Result<()> {
    let first = posted[0].1;
    let fits = |rank: usize, call: Call| match (first, call) {
        (Call::Exchange { .. }, Call::Exchange { to, .. }) => {
            matches!(posted.get(to), Some((_, Call::Exchange { from, .. }, _)) if *from == rank)
        }
        _ => call == first,
    };
    match posted.iter().find(|(rank, call, _)| !fits(*rank, *call)) {
        Some(&(rank, call, _)) => Err(Error::Calls {
            rank,
            text: format!("{call:?}, not {first:?}"),
        }),
        None => Ok(()),
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until something happens, or long enough to look at the clock again.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let moment = Duration::from_millis(20);
        let woken = self.turned.wait_timeout(state, moment);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.membership.rank
    }

    fn size(&self) -> usize {
        self.membership.size
    }

    fn start_all_reduce(&self, values: Vec<f64>, op: Op) -> Result<Pending<Vec<f64>>> {
        let all = self.post(Call::AllReduce(op, values.len()), values.as_slice().into())?;
        let combine = match op {
            Op::Sum => |a: f64, b: f64| a + b,
            Op::Max => f64::max,
        };
        let mut values = all[0].2.numbers();
        for (_, _, theirs) in &all[1..] {
            for (value, other) in values.iter_mut().zip(theirs.numbers()) {
                *value = combine(*value, other);
            }
        }
        Ok(Pending::done(values))
    }

    fn start_exchange(&self, to: usize, from: usize, block: Block) -> Result<Pending<Block>> {
        let all = self.post(Call::Exchange { to, from }, block)?;
        Ok(Pending::done(all[from].2.clone()))
    }

    fn start_all_to_all(&self, blocks: Vec<Block>) -> Result<Pending<Vec<Block>>> {
        let lengths: Vec<u8> = blocks
            .iter()
            .flat_map(|block| block.0.len().to_ne_bytes())
            .collect();
        let bytes = blocks.into_iter().flat_map(|block| block.0);
        let all = self.post(
            Call::AllToAll,
            Block(lengths.into_iter().chain(bytes).collect()),
        )?;
        let cut = |block: &Block| {
            let (lengths, bytes) = block.0.split_at(self.membership.size * size_of::<usize>());
            let (lengths, _) = lengths.as_chunks();
            let lengths: Vec<usize> = lengths.iter().map(|n| usize::from_ne_bytes(*n)).collect();
            let start: usize = lengths[..self.membership.rank].iter().sum();
            Block(bytes[start..start + lengths[self.membership.rank]].to_vec())
        };
        Ok(Pending::done(
            all.iter().map(|(.., block)| cut(block)).collect(),
        ))
    }

    fn start_all_gather(&self, mine: Block) -> Result<Pending<Vec<Block>>> {
        let all = self.post(Call::AllGather, mine)?;
        let blocks = all.iter().map(|(_, _, block)| block.clone()).collect();
        Ok(Pending::done(blocks))
    }

    fn start_broadcast(&self, block: Block, root: usize) -> Result<Pending<Block>> {
        let all = self.post(Call::Broadcast { root }, block)?;
        Ok(Pending::done(all[root].2.clone()))
    }

    fn step(&self, what: &str) -> Result<()> {
        self.clock.step(what);
        Ok(())
    }

    fn call(&self) -> u64 {
        self.membership.calls.fetch_add(1, Relaxed) + 1
    }

    fn recount(&self, calls: u64) {
        self.membership.calls.store(calls, Relaxed);
    }

    fn abandon(&self, error: &Error) {
        let mut state = self.membership.board.lock();
        if self.membership.peer_error(&mut state).is_none() && state.given_up.is_none() {
            let error = Error::Rank {
                rank: self.membership.rank,
                kind: error.kind().to_owned(),
                text: error.to_string(),
            };
            self.membership.give_up(&mut state, error);
        }
    }
}
