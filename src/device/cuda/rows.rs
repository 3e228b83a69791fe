//! Rows in the memory of a card: where another library put them, in any order.

use super::card::Card;
use super::solver::eigen;
use crate::device::{Cpu, Data, Device};
use crate::{Error, Result, real::Real};
use cudarc::driver::DeviceRepr;
use std::marker::PhantomData;
use std::sync::Arc;

/// A card as a place that holds rows.
#[derive(Clone)]
pub struct Cuda(pub Arc<Card>);

/// Rows on a card; their owner lives for `'a`.
#[derive(Clone, Copy, Debug)]
pub struct CudaRows<'a, T> {
    /// The address of the first.
    pub first: u64,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// From one row, and from one column, to the next; in numbers.
    pub steps: (i64, i64),
    /// Who lends them.
    pub owner: PhantomData<&'a [T]>,
}

impl<T> CudaRows<'_, T> {
    /// Whether numbers lie one by one, row by row.
    pub(super) fn is_plain(&self) -> bool {
        let (n, p) = self.shape;
        (p < 2 || self.steps.1 == 1) && (n < 2 || i64::try_from(p) == Ok(self.steps.0))
    }
}

/// Room for numbers on a card, one by one; its owner lives for `'o`.
pub struct CudaOut<'o, T> {
    first: u64,
    len: usize,
    owner: PhantomData<&'o mut [T]>,
}

impl<T> CudaOut<'_, T> {
    /// The first of `len` numbers.
    ///
    /// # Safety
    /// There must be as many, on the card of the rows, and nobody else may read or write them meanwhile.
    pub unsafe fn new(first: u64, len: usize) -> Self {
        Self {
            first,
            len,
            owner: PhantomData,
        }
    }

    /// How many rows of `k` numbers it has room for.
    pub(super) fn rows(&self, k: usize) -> usize {
        self.len / k.max(1)
    }

    /// Its address, if it has room for so many.
    pub(super) fn room(&self, len: usize) -> Result<u64> {
        let fits = (self.len == len).then_some(self.first);
        fits.ok_or(Error::Shape("there is no room for the answer"))
    }
}

impl Device for Cuda {
    type Rows<'a, T: Real> = CudaRows<'a, T>;
    type Out<'o, T: Real> = CudaOut<'o, T>;

    fn again<'s, T: Real>(out: &'s mut CudaOut<'_, T>) -> CudaOut<'s, T> {
        CudaOut {
            first: out.first,
            len: out.len,
            owner: PhantomData,
        }
    }

    fn shape<T: Real>(x: &CudaRows<'_, T>) -> (usize, usize) {
        x.shape
    }

    fn host<R: Send>(&self, threads: usize, work: impl FnOnce(usize) -> R + Send) -> R {
        Cpu { threads }.host(threads, work)
    }

    fn eigen(&self, p: usize, s: &[f64]) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        eigen(&self.0, p, s)
    }
}

/// `Rows` of `common.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    parts: [u64; 3],
    n: i64,
    steps: [i64; 5],
    columns: [i32; 2],
    near: i32,
    pad: i32,
}

// SAFETY: it has the layout of the kernels' struct, and no hidden bytes.
unsafe impl DeviceRepr for Raw {}

impl Raw {
    /// The same rows, with one target that is there once for all, and weights one by one.
    pub(super) fn beside(self, target: u64, weights: u64) -> Self {
        let [x_row, x_column, ..] = self.steps;
        Self {
            parts: [self.parts[0], target, weights],
            steps: [x_row, x_column, 0, 0, 1],
            columns: [self.columns[0], 1],
            ..self
        }
    }

    /// Rows of ours, column by column.
    pub(super) fn ours(first: u64, n: usize, p: usize) -> Result<Self> {
        let n = i64::try_from(n).map_err(|_| Error::Shape("too many rows"))?;
        let p = i32::try_from(p).map_err(|_| Error::Shape("too many columns"))?;
        Ok(Self {
            parts: [first, 0, 0],
            n,
            steps: [1, n, 0, 0, 0],
            columns: [p, 0],
            near: 0,
            pad: 0,
        })
    }

    /// Columns of `x`.
    pub(super) fn width(&self) -> usize {
        usize::try_from(self.columns[0]).unwrap_or(0)
    }

    /// Rows, targets and weights where they lie.
    pub(super) fn of<T: Real>(rows: &Data<'_, '_, Cuda, T>) -> Result<Self> {
        rows.check()?;
        let (n, p, m) = rows.shape();
        let count =
            |count: usize| i32::try_from(count).map_err(|_| Error::Shape("too many columns"));
        let of = |part: Option<&CudaRows<'_, T>>| {
            part.map_or((0, (0, 0)), |part| (part.first, part.steps))
        };
        let [x, y, w] = [of(Some(rows.x)), of(rows.y), of(rows.w)];
        count(p + m)?;
        Ok(Self {
            parts: [x.0, y.0, w.0],
            n: i64::try_from(n).map_err(|_| Error::Shape("too many rows"))?,
            steps: [x.1.0, x.1.1, y.1.0, y.1.1, w.1.0],
            columns: [count(p)?, count(m)?],
            near: i32::from(x.1.1.abs() <= x.1.0.abs()),
            pad: 0,
        })
    }
}
