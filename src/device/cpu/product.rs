//! Matrix products, by faer.

use super::blocks::{Scratch, block, blocks, groups};
use super::{Cpu, CpuRows};
use crate::device::{Data, ProductKernels};
use crate::{Error, Result, memory, real::Real};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::s;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

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

/// Adds `scale AᵀB` of rows that lie row by row, `widths` wide, to columns `height` long.
pub(super) fn add_products(
    sides: [&[f64]; 2],
    scale: f64,
    widths: [usize; 2],
    (to, height): (&mut [f64], usize),
) {
    let [a, b] = [0, 1].map(|side| {
        let width = widths[side];
        MatRef::from_row_major_slice(sides[side], sides[side].len() / width, width)
    });
    let to = MatMut::from_column_major_slice_mut(to, height, widths[1]).get_mut(..widths[0], ..);
    matmul(to, Accum::Add, a.transpose(), b, scale, Par::Seq);
}

impl Cpu {
    /// Writes `m` numbers for each of `n` rows: tasks of rows, by number.
    fn tasks<N: Send>(
        self,
        (n, m): (usize, usize),
        flops: f64,
        out: &mut [N],
        one: impl Fn((usize, &mut [N])) -> Result<()> + Send + Sync,
    ) -> Result<()> {
        let pool = (flops > super::SMALL && n > ROWS).then(|| super::pool::of(self.threads));
        match pool.flatten() {
            Some(pool) => {
                pool.install(|| out.par_chunks_mut(ROWS * m).enumerate().try_for_each(one))
            }
            None => out.chunks_mut(ROWS * m).enumerate().try_for_each(one),
        }
    }
}

impl ProductKernels for Cpu {
    fn product<T: Real>(
        &self,
        x: &CpuRows<'_, T>,
        coef: &CpuRows<'_, T>,
        intercept: &CpuRows<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let ((n, p), m) = (x.dim(), coef.ncols());
        if coef.nrows() != p || ![1, m].contains(&intercept.len()) || out.len() != n * m {
            return Err(Error::Shape("coefficients and answer"));
        }
        if n * m == 0 {
            return Ok(());
        }
        let mut each = memory::zeros(m, "intercepts")?;
        for (to, from) in each.iter_mut().zip(intercept.iter().cycle()) {
            *to = *from;
        }
        let (intercept, coef) = (&each, by_rows(coef)?);
        let coef = MatRef::from_row_major_slice(&coef, p, m);
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
        self.tasks((n, m), 2.0 * (n * p) as f64 * m as f64, out, one)
    }

    fn project<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &CpuRows<'_, f64>,
        coef: &CpuRows<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        let ((n, p), m) = (rows.x.dim(), coef.ncols());
        if mean.len() != p || coef.nrows() != p || out.len() != n * m {
            return Err(Error::Shape("mean, coefficients and answer"));
        }
        if n * m == 0 {
            return Ok(());
        }
        // The mean in two parts: what `T` has no room for is not lost.
        let mut place = memory::zeros(2 * p, "means")?;
        let (origin, shift) = place.split_at_mut(p);
        for ((origin, shift), mean) in origin.iter_mut().zip(&mut *shift).zip(mean) {
            *origin = T::of(*mean);
            *shift = T::of(mean - (*origin).into());
        }
        let place = [&*origin, &*shift];
        let coef = by_rows(coef)?;
        let coef = MatRef::from_row_major_slice(&coef, p, m);
        let one = |(task, out): (usize, &mut [T])| centered(rows, task * ROWS, place, coef, out);
        self.tasks((n, m), 2.0 * (n * p) as f64 * m as f64, out, one)
    }

    fn quadratic_form<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        [mean, matrix]: [&CpuRows<'_, f64>; 2],
        line: [f64; 2],
        out: &mut [f64],
    ) -> Result<()> {
        let (n, p) = rows.x.dim();
        if mean.len() != p || matrix.dim() != (p, p) || out.len() != n {
            return Err(Error::Shape("mean, matrix and answer"));
        }
        let mut place = memory::zeros(p, "means")?;
        for (to, from) in place.iter_mut().zip(mean) {
            *to = *from;
        }
        let matrix = by_rows(matrix)?;
        let matrix = MatRef::from_row_major_slice(&matrix, p, p);
        let one = |(task, out): (usize, &mut [f64])| {
            formed(rows, task * ROWS, (&place, matrix), line, out)
        };
        self.tasks((n, 1), 2.0 * (n * p) as f64 * p as f64, out, one)
    }

    fn scatter<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        directions: &[f64],
    ) -> Result<Vec<f64>> {
        let (n, p) = rows.x.dim();
        if mean.len() != p || !directions.len().is_multiple_of(p.max(1)) {
            return Err(Error::Shape("mean and directions"));
        }
        let groups = groups(n, directions.len());
        let one = |g: usize| scattered(rows, &groups[g], mean, directions);
        let flops = 4.0 * n as f64 * directions.len() as f64;
        let parts = self.each(groups.len(), flops, one)?;
        let mut sums = memory::zeros(directions.len() + 1, "products")?;
        for part in parts {
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
        Ok(sums)
    }
}

/// Coefficients row by row: a copy, unless they lie so.
fn by_rows<'a, T: Real>(coef: &'a CpuRows<'_, T>) -> Result<Cow<'a, [T]>> {
    if let Some(coef) = coef.as_slice() {
        return Ok(Cow::Borrowed(coef));
    }
    let mut copy = memory::zeros(coef.len(), "coefficients")?;
    for (to, from) in copy.iter_mut().zip(coef) {
        *to = *from;
    }
    Ok(Cow::Owned(copy))
}

/// The share of a group of rows in `scatter`.
fn scattered<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    mean: &[f64],
    directions: &[f64],
) -> Result<Vec<f64>> {
    let (p, size) = (mean.len(), block::<f64>());
    let l = directions.len() / p.max(1);
    let none = memory::zeros(p, "means")?;
    let mut sums = memory::zeros(p * l + 1, "products")?;
    let mut along = memory::zeros(size * l, "a block of products")?;
    let mut scratch = Scratch::<f64>::new(rows, 0..p, size)?;
    let directions = MatRef::from_column_major_slice(directions, p, l);
    for block in blocks(group, size) {
        let n = block.len();
        scratch.weigh(rows, &block);
        scratch.fill(rows, &block, [mean, &none], true);
        let rows = scratch.view(n);
        sums[p * l] += rows.squared_norm_l2();
        let mut along = MatMut::from_row_major_slice_mut(&mut along[..n * l], n, l);
        matmul(
            along.as_mut(),
            Accum::Replace,
            rows,
            directions,
            1.0,
            Par::Seq,
        );
        let to = MatMut::from_column_major_slice_mut(&mut sums[..p * l], p, l);
        matmul(
            to,
            Accum::Add,
            rows.transpose(),
            along.as_ref(),
            1.0,
            Par::Seq,
        );
    }
    Ok(sums)
}

/// Writes the products of the rows from `start` on, less their place, block by block.
fn centered<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    start: usize,
    place: [&[T]; 2],
    coef: MatRef<'_, T>,
    out: &mut [T],
) -> Result<()> {
    let (p, m, size) = (rows.x.ncols(), coef.ncols(), block::<T>());
    let mut scratch = Scratch::<T>::new(rows, 0..p, size)?;
    let group = start..start + out.len() / m;
    for (block, out) in blocks(&group, size).zip(out.chunks_mut(size * m)) {
        let n = block.len();
        scratch.fill(rows, &block, place, false);
        let out = MatMut::from_row_major_slice_mut(out, n, m);
        matmul(
            out,
            Accum::Replace,
            scratch.view(n),
            coef,
            T::of(1.0),
            Par::Seq,
        );
    }
    Ok(())
}

/// Writes the forms of the rows from `start` on, block by block.
fn formed<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    start: usize,
    (mean, matrix): (&[f64], MatRef<'_, f64>),
    [first, scale]: [f64; 2],
    out: &mut [f64],
) -> Result<()> {
    let (p, size) = (mean.len(), block::<f64>());
    let none = memory::zeros(p, "means")?;
    let mut scratch = Scratch::<f64>::new(rows, 0..p, size)?;
    let mut along = memory::zeros(size * p, "a block of products")?;
    let group = start..start + out.len();
    for (block, out) in blocks(&group, size).zip(out.chunks_mut(size)) {
        let n = block.len();
        scratch.fill(rows, &block, [mean, &none], false);
        let (z, along) = (scratch.view(n), &mut along[..n * p]);
        let mut turned = MatMut::from_column_major_slice_mut(along, n, p);
        matmul(turned.as_mut(), Accum::Replace, z, matrix, 1.0, Par::Seq);
        out.fill(0.0);
        for (z, turned) in z.col_iter().zip(turned.col_iter()) {
            for ((sum, z), turned) in out.iter_mut().zip(z.iter()).zip(turned.iter()) {
                *sum += z * turned;
            }
        }
        for sum in out {
            *sum = first + scale * *sum;
        }
    }
    Ok(())
}
