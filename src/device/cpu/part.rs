//! The pieces of `x` and `y` that hold some columns of a block of rows.
#![allow(clippy::inline_always)] // rows are taken inside of loops that pulp compiles anew

use super::{Cpu, CpuRows};
use crate::{device::Data, real::Real};
use ndarray::{ArrayView2, Axis, s};
use std::ops::Range;

/// The piece of `x` or `y` that holds some columns of a block.
pub(super) struct Part<'a, T> {
    /// Its rows.
    pub(super) view: ArrayView2<'a, T>,
    /// The memory from the first row on, and from one row to the next, where rows lie in one piece.
    memory: Option<(&'a [T], usize)>,
    /// Number of columns.
    pub(super) width: usize,
}

impl<'a, T: Real> Part<'a, T> {
    /// The pieces that hold these columns of `[x y]`.
    pub(super) fn of(
        rows: &Data<'_, 'a, Cpu, T>,
        columns: &Range<usize>,
        block: &Range<usize>,
    ) -> impl Iterator<Item = Self> + use<'a, T> {
        let p = rows.x.ncols();
        let x = columns.start.min(p)..columns.end.min(p);
        let y = columns.start.max(p) - p..columns.end.max(p) - p;
        let cut = |from: Option<&CpuRows<'a, T>>, columns: Range<usize>| {
            let from = *from.filter(|_| !columns.is_empty())?;
            let stride = from.ncols();
            let memory = from
                .to_slice()
                .map(|all| &all[block.start * stride + columns.start..]);
            Some(Self {
                width: columns.len(),
                view: from.slice_move(s![block.clone(), columns]),
                memory: memory.map(|memory| (memory, stride)),
            })
        };
        [cut(Some(rows.x), x), cut(rows.y, y)].into_iter().flatten()
    }

    /// Whether rows do not lie in one piece.
    #[inline(always)]
    pub(super) fn by_columns(&self) -> bool {
        self.width > 1 && self.view.strides()[1] != 1
    }

    /// Row `i`, where it lies in one piece.
    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> Option<&'a [T]> {
        match self.memory {
            Some((memory, stride)) => Some(&memory[i * stride..][..self.width]),
            None => self.view.index_axis_move(Axis(0), i).to_slice(),
        }
    }
}
