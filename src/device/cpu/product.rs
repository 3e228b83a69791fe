//! Matrix products, by faer.

use super::blocks::Scratch;
use super::{Cpu, CpuRows};
use crate::device::ProductKernels;
use crate::{Error, Result, memory, real::Real};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::s;
use rayon::prelude::*;

/// Columns that are multiplied together down to the diagonal; half of that square is wasted.
const fn strip<A>() -> usize {
    128 / size_of::<A>()
}

/// Rows of a task.
const ROWS: usize = 4096;

impl<A: Real> Scratch<A> {
    /// The first `n` rows.
    pub(super) fn view(&self, n: usize) -> MatRef<'_, A> {
        let z = self.entries(n);
        if self.by_rows {
            MatRef::from_row_major_slice(z, n, self.pitch()).get(.., ..self.width())
        } else {
            MatRef::from_column_major_slice(z, n, self.pitch())
        }
    }

    /// The same, to be changed.
    pub(super) fn view_mut(&mut self, n: usize) -> MatMut<'_, A> {
        let (pitch, width, by_rows) = (self.pitch(), self.width(), self.by_rows);
        let z = self.entries_mut(n);
        if by_rows {
            MatMut::from_row_major_slice_mut(z, n, pitch).get_mut(.., ..width)
        } else {
            MatMut::from_column_major_slice_mut(z, n, pitch)
        }
    }
}

/// Adds `AᵀB` of two blocks of `n` rows; where both are one, strip by strip from the top to the
/// diagonal, so that the long side of each product is a multiple of every vector's length.
pub(super) fn gram<A: Real>(n: usize, sides: &[Scratch<A>], to: &mut [A]) {
    let (Some(a), Some(b)) = (sides.first(), sides.last()) else {
        return;
    };
    let strip = if sides.len() > 1 {
        b.width()
    } else {
        strip::<A>()
    };
    products([a.view(n), b.view(n)], strip, sides.len() == 1, to);
}

/// The same for two sets of rows that lie row by row, `widths` wide.
pub(super) fn gram_of(sides: [&Vec<f64>; 2], widths: [usize; 2], to: &mut [f64]) {
    let same = std::ptr::eq(sides[0], sides[1]);
    let view = |side: usize| {
        let width = widths[side];
        MatRef::from_row_major_slice(sides[side], sides[side].len() / width, width)
    };
    products(
        [view(0), view(1)],
        if same { strip::<f64>() } else { widths[1] },
        same,
        to,
    );
}

fn products<A: Real>([a, b]: [MatRef<'_, A>; 2], strip: usize, same: bool, to: &mut [A]) {
    let (rows, columns) = (a.ncols(), b.ncols());
    let mut to = MatMut::from_column_major_slice_mut(to, rows, columns);
    for start in (0..columns).step_by(strip.max(1)) {
        let end = columns.min(start + strip);
        let rows = if same { end } else { rows };
        matmul(
            to.as_mut().get_mut(..rows, start..end),
            Accum::Add,
            a.get(.., ..rows).transpose(),
            b.get(.., start..end),
            A::of(1.0),
            Par::Seq,
        );
    }
}

impl ProductKernels for Cpu {
    fn product<T: Real>(
        &self,
        x: &CpuRows<'_, T>,
        coef: &[T],
        intercept: &[T],
        out: &mut [T],
    ) -> Result<()> {
        let ((n, p), m) = (x.dim(), intercept.len());
        if coef.len() != p * m || out.len() != n * m {
            return Err(Error::Shape("coefficients and answer"));
        }
        if n * m == 0 {
            return Ok(());
        }
        let coef = MatRef::from_row_major_slice(coef, p, m);
        let one = |(task, out): (usize, &mut [T])| {
            let rows = out.len() / m;
            let x = x.slice(s![task * ROWS..task * ROWS + rows, ..]);
            for out in out.chunks_exact_mut(m) {
                out.copy_from_slice(intercept);
            }
            let out = MatMut::from_row_major_slice_mut(out, rows, m);
            let mut copy = Vec::new();
            let x = if let Some(x) = x.to_slice() {
                MatRef::from_row_major_slice(x, rows, p)
            } else {
                copy = memory::zeros(rows * p, "a block of rows")?;
                for (to, from) in copy.iter_mut().zip(x) {
                    *to = *from;
                }
                MatRef::from_row_major_slice(&copy, rows, p)
            };
            matmul(out, Accum::Add, x, coef, T::of(1.0), Par::Seq);
            drop(copy);
            Ok(())
        };
        let flops = 2.0 * (n * p) as f64 * m as f64;
        let pool = (flops > super::SMALL && n > ROWS).then(|| super::pool::of(self.threads));
        match pool.flatten() {
            Some(pool) => {
                pool.install(|| out.par_chunks_mut(ROWS * m).enumerate().try_for_each(one))
            }
            None => out.chunks_mut(ROWS * m).enumerate().try_for_each(one),
        }
    }
}
