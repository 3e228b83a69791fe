//! Rows in the memory of a GPU: where another library put them, in any order.

use super::gpu::Gpu;
use crate::device::Data;
use crate::{Error, Result, real::Real};
use cudarc::driver::DeviceRepr;
use std::marker::PhantomData;
use std::sync::Arc;

/// A GPU as a place that holds rows.
#[derive(Clone)]
pub struct Cuda(pub Arc<Gpu>);

/// Rows on a GPU; their owner lives for `'a`.
#[derive(Clone, Copy, Debug)]
pub struct CudaRows<'a, T> {
    first: u64,
    shape: (usize, usize),
    steps: (i64, i64),
    owner: PhantomData<&'a [T]>,
}

impl<T> CudaRows<'_, T> {
    /// Rows and columns, from the address of the first number on; `steps` go from one row, and from one
    /// column, to the next, in numbers.
    ///
    /// # Safety
    /// Each of these numbers must be a `T` in memory of the GPU that the rows are used with, at an address
    /// that is a multiple of its size. For `'a` that memory must stay, and nobody may write to it.
    pub unsafe fn new(first: u64, shape: (usize, usize), steps: (i64, i64)) -> Self {
        Self {
            first,
            shape,
            steps,
            owner: PhantomData,
        }
    }

    /// The address of the first number.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// From one row, and from one column, to the next; in numbers.
    pub(super) fn steps(&self) -> (i64, i64) {
        self.steps
    }

    /// Whether numbers lie one by one, row by row.
    pub(super) fn is_plain(&self) -> bool {
        let (n, p) = self.shape;
        (p < 2 || self.steps.1 == 1) && (n < 2 || i64::try_from(p) == Ok(self.steps.0))
    }
}

/// Room for numbers on a GPU, one by one; its owner lives for `'o`.
pub struct CudaOut<'o, T> {
    first: u64,
    len: usize,
    owner: PhantomData<&'o mut [T]>,
}

impl<T> CudaOut<'_, T> {
    /// The first of `len` numbers.
    ///
    /// # Safety
    /// There must be as many `T`, aligned, in memory of the GPU that the answer is of, and for `'o` nobody
    /// else may read or write them.
    pub unsafe fn new(first: u64, len: usize) -> Self {
        Self {
            first,
            len,
            owner: PhantomData,
        }
    }

    /// The same for a while.
    pub(super) fn again(&mut self) -> CudaOut<'_, T> {
        CudaOut {
            first: self.first,
            len: self.len,
            owner: PhantomData,
        }
    }

    /// How many rows of `k` numbers it has room for.
    pub(super) fn rows(&self, k: usize) -> usize {
        self.len / k.max(1)
    }

    /// Its address, if it has room for so many.
    pub(super) fn checked_address(&self, len: usize) -> Result<u64> {
        let fits = (self.len == len).then_some(self.first);
        fits.ok_or(Error::Shape("the output has another size than the answer"))
    }
}

/// `Rows` of `common.cuh`: `T` at each place that it describes, on the GPU it is used with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<T> {
    parts: [u64; 3],
    n: i64,
    steps: [i64; 5],
    columns: [i32; 2],
    near: i32,
    pad: i32,
    of: PhantomData<T>,
}

// SAFETY: `repr(C)` gives it the layout of the kernels' `Rows`, field by field, and `pad` fills its last word:
// `tests/cuda/emulated.py` has the same struct, and the test below its size.
unsafe impl<T: Real> DeviceRepr for Raw<T> {}

impl<T: Real> Raw<T> {
    /// The same rows, with one target that is there once for all, and weights one by one.
    ///
    /// # Safety
    /// At `target` there must be a number, and at `weights` one for each row, in memory of the same GPU
    /// that stays as long as this is used.
    pub(super) unsafe fn beside(self, target: u64, weights: u64) -> Self {
        let [x_row, x_column, ..] = self.steps;
        Self {
            parts: [self.parts[0], target, weights],
            steps: [x_row, x_column, 0, 0, 1],
            columns: [self.columns[0], 1],
            ..self
        }
    }

    /// Rows of ours, column by column.
    ///
    /// # Safety
    /// From `first` on there must be `n × p` numbers in memory of the GPU, which stays as long as this is
    /// used.
    pub(super) unsafe fn ours(first: u64, n: usize, p: usize) -> Result<Self> {
        let n = i64::try_from(n).map_err(|_| Error::Shape("too many rows"))?;
        let p = i32::try_from(p).map_err(|_| Error::Shape("too many columns"))?;
        Ok(Self {
            parts: [first, 0, 0],
            n,
            steps: [1, n, 0, 0, 0],
            columns: [p, 0],
            near: 0,
            pad: 0,
            of: PhantomData,
        })
    }

    /// Columns of `x` and of `y` together.
    pub(super) fn all(&self) -> usize {
        let of = |at: usize| usize::try_from(self.columns[at]).unwrap_or(0);
        of(0) + of(1)
    }

    /// Columns of `x`.
    pub(super) fn width(&self) -> usize {
        usize::try_from(self.columns[0]).unwrap_or(0)
    }

    /// Rows, targets and weights where they lie.
    pub(super) fn of(rows: &Data<'_, '_, Cuda, T>) -> Result<Self> {
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
            of: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Raw;

    #[test]
    fn rows_are_as_large_as_kernels_have_them() {
        assert_eq!(size_of::<Raw<f32>>(), 3 * 8 + 6 * 8 + 4 * 4);
        assert_eq!(size_of::<Raw<f64>>(), size_of::<Raw<f32>>());
    }
}
