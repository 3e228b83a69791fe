//! Messages under way, and the buffer they use.

use super::calls::{Options, checked, int, none};
use super::duplicate::{Duplicate, wait};
use crate::{Error, Result, block::Block, comm::Op, memory};
use mpi::{ffi, traits::AsRaw};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Tags of lengths and of blocks.
const LENGTH: i32 = 2;
const BLOCK: i32 = 3;

/// Messages under way. What MPI has not completed cannot be taken back: an unfinished flight leaks
/// its buffer and its duplicate.
pub(super) struct Flight<B: Default + Send + 'static> {
    duplicate: ManuallyDrop<Arc<Duplicate>>,
    options: Arc<Options>,
    requests: Vec<ffi::MPI_Request>,
    buffer: ManuallyDrop<B>,
    /// What is sent from, beside `buffer`.
    sent: ManuallyDrop<Vec<u8>>,
}

/// A length that has travelled.
pub(super) fn bytes(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The address `at` of a buffer, where MPI will read and write.
fn at<T>(buffer: &mut [T], start: usize) -> *mut c_void {
    buffer[start..].as_mut_ptr().cast()
}

impl<B: Default + Send + 'static> Flight<B> {
    /// Nothing under way yet. Fails on a duplicate that was given up.
    pub(super) fn new(duplicate: Arc<Duplicate>, options: Arc<Options>, buffer: B) -> Result<Self> {
        if duplicate.is_broken() {
            return Err(Error::Stale);
        }
        Ok(Self {
            duplicate: ManuallyDrop::new(duplicate),
            options,
            requests: Vec::new(),
            buffer: ManuallyDrop::new(buffer),
            sent: ManuallyDrop::new(Vec::new()),
        })
    }

    /// Another one on the same duplicate.
    pub(super) fn beside<C: Default + Send + 'static>(&self, buffer: C) -> Result<Flight<C>> {
        Flight::new(
            Arc::clone(&self.duplicate),
            Arc::clone(&self.options),
            buffer,
        )
    }

    /// The same, not yet started, with another buffer.
    pub(super) fn instead(mut self, buffer: B) -> Self {
        *self.buffer = buffer;
        self
    }

    /// Waits until all has arrived, and brings the buffer back.
    pub(super) fn land(mut self) -> Result<B> {
        wait(&self.duplicate, &self.options, &mut self.requests)?;
        Ok(std::mem::take(&mut *self.buffer))
    }

    fn start(&mut self, start: impl FnOnce(ffi::MPI_Comm, &mut ffi::MPI_Request)) -> Result<()> {
        let mut request = none();
        let comm = self.duplicate.comm.as_raw();
        checked(&self.options, || start(comm, &mut request))?;
        self.requests.push(request);
        Ok(())
    }

    /// How many `T` one message may have.
    fn piece<T>(&self) -> usize {
        (self.options.limit / size_of::<T>()).clamp(1, i32::MAX as usize)
    }

    /// Sends a block, which is kept until it has left.
    pub(super) fn send(&mut self, block: Block, to: usize) -> Result<()> {
        *self.sent = block.0;
        let (length, piece) = (self.sent.len(), self.piece::<u8>());
        for start in (0..length).step_by(piece) {
            let from = at(&mut self.sent, start);
            let count = int(piece.min(length - start));
            // SAFETY: `count` bytes from there on are inside of `sent`, which nobody touches before `land`;
            // `Drop` frees it only once no request is under way, and else leaks it.
            self.start(|comm, request| unsafe {
                ffi::MPI_Isend(
                    from,
                    count,
                    ffi::RSMPI_UINT8_T,
                    int(to),
                    BLOCK,
                    comm,
                    request,
                );
            })?;
        }
        Ok(())
    }

    /// Gathers blocks of these lengths from all ranks.
    pub(super) fn all_gather(mut self, mine: Block, lengths: Vec<usize>) -> Result<Vec<Block>> {
        let total = lengths.iter().sum::<usize>();
        if total == 0 {
            return Ok(lengths.iter().map(|_| Block::default()).collect());
        }
        let starts: Vec<usize> = lengths
            .iter()
            .scan(0, |sum, n| Some(std::mem::replace(sum, *sum + n)))
            .collect();
        *self.sent = memory::zeros(total, "gathered blocks")?;
        let start = starts[self.duplicate.rank];
        self.sent[start..start + mine.0.len()].copy_from_slice(&mine.0);
        drop(mine);
        if total <= self.options.limit {
            let ints = |n: &[usize]| n.iter().map(|n| int(*n)).collect::<Vec<i32>>();
            return self.all_gather_once([ints(&lengths), ints(&starts)], &lengths);
        }
        // Displacements are `int`: beyond the limit each rank sends its part to all.
        let piece = self.piece::<u8>();
        for (root, (&start, &length)) in starts.iter().zip(&lengths).enumerate() {
            for begin in (start..start + length).step_by(piece) {
                let count = int(piece.min(start + length - begin));
                let to = at(&mut self.sent, begin);
                // SAFETY: as of `send`: `count` bytes inside of `sent`, which `cut` waits for, or `Drop`
                // leaks.
                self.start(|comm, request| unsafe {
                    ffi::MPI_Ibcast(to, count, ffi::RSMPI_UINT8_T, int(root), comm, request);
                })?;
            }
        }
        self.cut(&lengths)
    }

    fn all_gather_once(mut self, ints: [Vec<i32>; 2], lengths: &[usize]) -> Result<Vec<Block>> {
        // Counts and displacements must live until the request is complete, so they fly too.
        let mut ints = self.beside(ints)?;
        let [counts, starts] = [0, 1].map(|which| ints.buffer[which].as_ptr());
        let to = at(&mut self.sent, 0);
        // SAFETY: counts and displacements have a number for each rank and lead no further than `total`,
        // the length of what was `sent`; all three move into `ints` below, whose `Drop` frees them only
        // once no request is under way, and else leaks them. A `Vec` that moves keeps its memory.
        ints.start(|comm, request| unsafe {
            let (from, byte) = (ffi::RSMPI_IN_PLACE, ffi::RSMPI_UINT8_T);
            ffi::MPI_Iallgatherv(from, 0, byte, to, counts, starts, byte, comm, request);
        })?;
        let sent = std::mem::take(&mut *self.sent);
        *ints.sent = sent;
        ints.cut(lengths)
    }

    /// Waits, and cuts what has come into blocks.
    fn cut(mut self, lengths: &[usize]) -> Result<Vec<Block>> {
        wait(&self.duplicate, &self.options, &mut self.requests)?;
        let mut rest = self.sent.as_slice();
        let block = |length: &usize| {
            let (block, others) = rest.split_at(*length);
            rest = others;
            Block(block.to_vec())
        };
        Ok(lengths.iter().map(block).collect())
    }
}

impl Flight<Vec<f64>> {
    /// Reduces the buffer in place.
    pub(super) fn all_reduce(&mut self, op: Op) -> Result<()> {
        let (length, piece) = (self.buffer.len(), self.piece::<f64>());
        for start in (0..length).step_by(piece) {
            let to = at(&mut self.buffer, start);
            let count = int(piece.min(length - start));
            // SAFETY: `count` numbers from there on are inside of `buffer`, which nobody touches before
            // `land`; `Drop` frees it only once no request is under way, and else leaks it.
            self.start(|comm, request| unsafe {
                let op = match op {
                    Op::Sum => ffi::RSMPI_SUM,
                    Op::Max => ffi::RSMPI_MAX,
                };
                let (from, double) = (ffi::RSMPI_IN_PLACE, ffi::RSMPI_DOUBLE);
                ffi::MPI_Iallreduce(from, to, count, double, op, comm, request);
            })?;
        }
        Ok(())
    }
}

impl Flight<Vec<u8>> {
    /// Sends the root's buffer to all, but for its first `inside` bytes.
    pub(super) fn broadcast(&mut self, root: usize, inside: usize) -> Result<()> {
        let (length, piece) = (self.buffer.len(), self.piece::<u8>());
        for start in (inside..length).step_by(piece) {
            let to = at(&mut self.buffer, start);
            let count = int(piece.min(length - start));
            // SAFETY: `count` bytes from there on are inside of `buffer`, which nobody touches before
            // `land`; `Drop` frees it only once no request is under way, and else leaks it.
            self.start(|comm, request| unsafe {
                ffi::MPI_Ibcast(to, count, ffi::RSMPI_UINT8_T, int(root), comm, request);
            })?;
        }
        Ok(())
    }

    /// Fills the buffer with the block of `from`.
    pub(super) fn receive(&mut self, from: usize) -> Result<()> {
        let (length, piece) = (self.buffer.len(), self.piece::<u8>());
        for start in (0..length).step_by(piece) {
            let to = at(&mut self.buffer, start);
            let count = int(piece.min(length - start));
            // SAFETY: `count` bytes from there on are inside of `buffer`, which nobody touches before
            // `land`; `Drop` frees it only once no request is under way, and else leaks it.
            self.start(|comm, request| unsafe {
                ffi::MPI_Irecv(
                    to,
                    count,
                    ffi::RSMPI_UINT8_T,
                    int(from),
                    BLOCK,
                    comm,
                    request,
                );
            })?;
        }
        Ok(())
    }
}

impl Flight<Vec<u64>> {
    /// Sends the first length to `to` and brings the second from `from`.
    pub(super) fn swap_lengths(mut self, to: usize, from: usize) -> Result<Self> {
        let [theirs, mine] = [1, 0].map(|which| at(&mut self.buffer, which));
        // SAFETY: `buffer` has two words (see `start_exchange`, the only caller); MPI writes the second and
        // reads the first, nobody else touches them before `land`, and `Drop` leaks them while a request is
        // under way.
        self.start(|comm, request| unsafe {
            ffi::MPI_Irecv(
                theirs,
                1,
                ffi::RSMPI_UINT64_T,
                int(from),
                LENGTH,
                comm,
                request,
            );
        })?;
        // SAFETY: the same two words.
        self.start(|comm, request| unsafe {
            ffi::MPI_Isend(mine, 1, ffi::RSMPI_UINT64_T, int(to), LENGTH, comm, request);
        })?;
        Ok(self)
    }

    /// Brings the length of every rank.
    pub(super) fn gather_lengths(mut self, mine: u64) -> Result<Self> {
        let rank = self.duplicate.rank;
        self.buffer[rank] = mine;
        let to = at(&mut self.buffer, 0);
        // SAFETY: `buffer` has a word for each rank (see `start_all_gather`, the only caller), nobody
        // touches it before `land`, and `Drop` leaks it while the request is under way.
        self.start(|comm, request| unsafe {
            let (from, word) = (ffi::RSMPI_IN_PLACE, ffi::RSMPI_UINT64_T);
            ffi::MPI_Iallgather(from, 0, word, to, 1, word, comm, request);
        })?;
        Ok(self)
    }
}

impl<B: Default + Send + 'static> Drop for Flight<B> {
    fn drop(&mut self) {
        if self.requests.is_empty() {
            // SAFETY: `requests` is empty, so MPI is done with both buffers; nothing else drops these three
            // fields.
            unsafe {
                ManuallyDrop::drop(&mut self.duplicate);
                ManuallyDrop::drop(&mut self.buffer);
                ManuallyDrop::drop(&mut self.sent);
            }
        }
    }
}
