//! Rows in blocks of fixed size: read once from memory, centred and weighed in cache.
//!
//! Sums go in the order of blocks, so they do not depend on threads.
#![allow(clippy::inline_always)] // rows are taken inside of loops that pulp compiles anew

use super::simd::{CenterRows, PickRows, add_columns, add_squares, center_columns, reach};
use super::{Cpu, part::Part};
use crate::{Result, device::Data, memory, real::Real};
use ndarray::s;
use pulp::Arch;
use std::ops::{Deref, DerefMut, Range};

/// Rows of a block of `A`: with 100 columns it fits the second-level cache.
pub(super) const fn block<A>() -> usize {
    2048 / size_of::<A>()
}

/// Rows of a task, at least.
const ROWS: usize = 16_384;
/// Numbers that the tasks of one look may keep in all.
const KEPT: usize = 1 << 22;

/// Groups of rows for tasks that keep `words` numbers each: by size alone, not by threads.
pub(super) fn groups(n: usize, words: usize) -> Vec<Range<usize>> {
    let most = (KEPT / words.max(1)).max(1);
    let rows = n.div_ceil(most).div_ceil(ROWS).max(1) * ROWS;
    (0..n)
        .step_by(rows)
        .map(|start| start..(start + rows).min(n))
        .collect()
}

/// The blocks of a group.
pub(super) fn blocks(
    group: &Range<usize>,
    size: usize,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = group.end;
    group
        .clone()
        .step_by(size)
        .map(move |start| start..(start + size).min(end))
}

/// Columns of a block of rows of `[x y]`, in `f64` or in their own type, row by row or column by
/// column as `x` lies.
pub(super) struct Scratch<A> {
    room: Aligned<A>,
    /// Between rows, which begin at cache lines; more than the number of columns.
    stride: usize,
    /// Whether row by row; then the root of its weight is behind each row.
    pub by_rows: bool,
    /// Weights of the rows of the block, and their roots; empty if there are none.
    pub weights: Vec<f64>,
    roots: Vec<A>,
    columns: Range<usize>,
}

/// Numbers that begin at a cache line.
pub(super) struct Aligned<A> {
    room: Vec<A>,
    start: usize,
    len: usize,
}

/// Bytes of a cache line, and of the longest vector.
const LINE: usize = 64;

impl<A: Real> Aligned<A> {
    pub(super) fn of(len: usize, what: &'static str) -> Result<Self> {
        let room: Vec<A> = memory::zeros(len + LINE / size_of::<A>(), what)?;
        let start = (room.as_ptr() as usize).wrapping_neg() % LINE / size_of::<A>();
        Ok(Self { room, start, len })
    }
}

impl<A> Deref for Aligned<A> {
    type Target = [A];

    fn deref(&self) -> &[A] {
        &self.room[self.start..][..self.len]
    }
}

impl<A> DerefMut for Aligned<A> {
    fn deref_mut(&mut self) -> &mut [A] {
        &mut self.room[self.start..][..self.len]
    }
}

impl<A: Real> Scratch<A> {
    /// Room for `size` rows of these columns of `[x y]`.
    pub(super) fn new<T: Real>(
        rows: &Data<'_, '_, Cpu, T>,
        columns: Range<usize>,
        size: usize,
    ) -> Result<Self> {
        let size = size.min(rows.x.nrows());
        let weights = if rows.w.is_some() { size } else { 0 };
        let stride = (columns.len() + 1).next_multiple_of(LINE / size_of::<A>());
        let mut room = Aligned::of(size * stride, "a block of rows")?;
        for row in room.chunks_exact_mut(stride) {
            row[columns.len()] = A::of(1.0);
        }
        Ok(Self {
            room,
            stride,
            by_rows: true,
            weights: memory::zeros(weights, "weights")?,
            roots: memory::zeros(weights, "weights")?,
            columns,
        })
    }

    /// Room for rows with nothing but zeros behind them.
    pub(super) fn plain<T: Real>(rows: &Data<'_, '_, Cpu, T>, size: usize) -> Result<Self> {
        let mut new = Self::new(rows, 0..rows.x.ncols(), size)?;
        new.room.fill(A::of(0.0));
        Ok(new)
    }

    /// Room for the weights of blocks alone.
    pub(super) fn bare<T: Real>(
        rows: &Data<'_, '_, Cpu, T>,
        columns: Range<usize>,
    ) -> Result<Self> {
        let mut new = Self::new(rows, columns.start..columns.start, block::<A>())?;
        new.columns = columns;
        Ok(new)
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The entries of `n` rows, and what lies between them.
    pub(super) fn entries(&self, n: usize) -> &[A] {
        &self.room[..n * self.pitch()]
    }

    /// The same, to be changed.
    pub(super) fn entries_mut(&mut self, n: usize) -> &mut [A] {
        let pitch = self.pitch();
        &mut self.room[..n * pitch]
    }

    /// Number of columns, and the root of the weight.
    pub(super) fn padded(&self) -> usize {
        self.width() + 1
    }

    /// Entries that a row takes.
    pub(super) fn pitch(&self) -> usize {
        if self.by_rows {
            self.stride
        } else {
            self.width()
        }
    }

    /// Σw of the block, after reading its weights.
    pub(super) fn weigh<T: Real>(
        &mut self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
    ) -> f64 {
        let Some(w) = rows.w else {
            return block.len() as f64;
        };
        let w = w.slice(s![block.clone(), 0]);
        for ((weight, root), w) in self.weights.iter_mut().zip(&mut self.roots).zip(w) {
            *weight = (*w).into();
            *root = A::of(weight.sqrt());
        }
        self.weights[..block.len()].iter().sum()
    }

    /// Sums of the columns less `origin` over the block, by weight.
    pub(super) fn sums<T: Real>(
        &self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
        origin: &[f64],
        sums: &mut [f64],
    ) {
        sums.fill(0.0);
        let weights = &self.weights[..block.len().min(self.weights.len())];
        let mut at = 0;
        for part in Part::of(rows, &self.columns, block) {
            let here = at..at + part.width;
            at += part.width;
            add_columns(part, weights, &origin[here.clone()], &mut sums[here]);
        }
    }

    /// Sums of the squares of the columns less their place over the block, by weight.
    pub(super) fn squares<T: Real>(
        &self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
        place: [&[f64]; 2],
        sums: &mut [f64],
    ) {
        let weights = &self.weights[..block.len().min(self.weights.len())];
        let mut at = 0;
        for part in Part::of(rows, &self.columns, block) {
            let here = at..at + part.width;
            at += part.width;
            let place = place.map(|place| &place[here.clone()]);
            add_squares(part, weights, place, &mut sums[here]);
        }
    }

    /// Raises `most` to the largest `−x`, then the largest `x`, of the columns over the rows of the
    /// block that weigh something.
    pub(super) fn extremes<T: Real>(
        &self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
        most: &mut [T],
    ) {
        let weights = &self.weights[..block.len().min(self.weights.len())];
        let (least, largest) = most.split_at_mut(self.columns.len());
        let mut at = 0;
        for part in Part::of(rows, &self.columns, block) {
            let here = at..at + part.width;
            at += part.width;
            reach(
                part,
                weights,
                [&mut least[here.clone()], &mut largest[here]],
            );
        }
    }

    /// Fills the entries with `(x − origin) − shift`, times the root of the weight where `rooted`.
    pub(super) fn fill<T: Real>(
        &mut self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
        place: [&[A]; 2],
        rooted: bool,
    ) {
        let (n, stride, mut at) = (block.len(), self.stride, 0);
        let roots: &[A] = if rooted { &self.roots } else { &[] };
        let (pitch, by_rows) = (self.pitch(), self.by_rows);
        let z = &mut self.room[..n * pitch];
        for part in Part::of(rows, &self.columns, block) {
            let width = part.width;
            let place = place.map(|place| &place[at..at + width]);
            if by_rows {
                let z = &mut *z;
                Arch::new().dispatch(CenterRows {
                    part,
                    place,
                    roots,
                    z,
                    stride,
                    at,
                });
            } else {
                let z = &mut z[at * n..(at + width) * n];
                center_columns(part.view, place, roots, z);
            }
            at += width;
        }
        if by_rows {
            for (row, root) in z.chunks_exact_mut(stride).zip(roots) {
                row[at] = *root;
            }
        }
    }

    /// The same of some rows, rising, and their weights; they are in one piece if there are any.
    pub(super) fn pick<T: Real>(
        &mut self,
        rows: &Data<'_, '_, Cpu, T>,
        some: &[usize],
        place: [&[A]; 2],
    ) {
        if is_whole(some) {
            let first = some.first().copied().unwrap_or(0);
            let all = first..first + some.len();
            self.weigh(rows, &all);
            return self.fill(rows, &all, place, false);
        }
        Arch::new().dispatch(PickRows {
            x: *rows.x,
            some,
            place,
            z: &mut self.room,
            stride: self.stride,
        });
    }
}

/// Whether rows, rising, are all from the first to the last.
#[inline(always)]
pub(super) fn is_whole(some: &[usize]) -> bool {
    let ends = some.first().zip(some.last());
    ends.is_none_or(|(first, last)| last - first < some.len())
}
