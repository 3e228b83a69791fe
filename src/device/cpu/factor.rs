//! Rows over triangles, and the factors of rows by reflections, block by block.

use super::Cpu;
use super::blocks::{Aligned, Scratch, block, blocks, groups};
use super::divide::Divisor;
use super::gram::gram;
use crate::device::{Data, FactorKernels};
use crate::{Error, Result, memory, real::Real, solve};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

/// Rows of a task that writes.
const ROWS: usize = 4096;

impl FactorKernels for Cpu {
    fn quotient_gram<T: Real>(&self, rows: &Data<'_, '_, Self, T>, r: &[f64]) -> Result<Vec<f64>> {
        let (n, p) = rows.x.dim();
        let mut all = memory::zeros(p * (p + 1) / 2, "products")?;
        let groups = groups(n, all.len());
        let divisor = &divisors(rows, &[r])?;
        let one = |g: usize| group_gram(rows, &groups[g], divisor);
        let parts = self.each(groups.len(), 2.0 * n as f64 * (p * p) as f64, one)?;
        for part in parts {
            for (sum, part) in all.iter_mut().zip(part) {
                *sum += part;
            }
        }
        Ok(all)
    }

    fn quotient<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        triangles: &[&[f64]],
        turn: Option<&[f64]>,
        out: &mut [T],
    ) -> Result<()> {
        let (n, p) = rows.x.dim();
        if out.len() != n * p || turn.is_some_and(|turn| turn.len() != p * p) {
            return Err(Error::Shape("a turn and a basis"));
        }
        let divisors = &divisors(rows, triangles)?;
        let parts = out.chunks_mut((ROWS * p).max(1)).collect();
        let flops = n as f64 * (p * p) as f64;
        self.each_of(parts, flops, |task, out| {
            divided(rows, task * ROWS, divisors, turn, out)
        })?;
        Ok(())
    }

    fn reflect<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        out: Option<(&mut [T], usize)>,
    ) -> Result<(Vec<f64>, usize)> {
        let (n, p) = rows.x.dim();
        let all: Vec<Range<usize>> = blocks(&(0..n), height(p)).collect();
        let mut outs: Vec<Option<(&mut [T], usize)>> = Vec::new(); // one a block
        match out {
            Some((out, k)) => {
                let parts = out.chunks_mut((height(p) * k).max(1));
                outs.extend(parts.map(|part| Some((part, k))));
            }
            None => outs.resize_with(all.len(), || None),
        }
        let flops = 2.0 * n as f64 * (p * p) as f64;
        let parts = self.each_of(outs, flops, |b, out| top(rows, &all[b], out))?;
        let s = all.iter().map(|block| block.len().min(p)).sum();
        let (mut stack, mut at) = (memory::zeros(s * p, "triangles")?, 0);
        for (part, block) in parts.iter().zip(&all) {
            let k = block.len().min(p);
            for (to, from) in stack.chunks_exact_mut(s).zip(part.chunks_exact(k)) {
                to[at..at + k].copy_from_slice(from);
            }
            at += k;
        }
        Ok((stack, s))
    }

    fn assemble<T: Real>(
        &self,
        p: usize,
        (parts, s): (&[f64], usize),
        (out, k): (&mut [T], usize),
    ) -> Result<()> {
        let (size, n) = (height(p), out.len() / k.max(1));
        let known: usize = blocks(&(0..n), size).map(|b| b.len().min(p)).sum();
        if parts.len() != s * k || s != known {
            return Err(Error::Shape("parts of a basis"));
        }
        let flops = 2.0 * out.len() as f64 * p as f64;
        let outs = out.chunks_mut((size * k).max(1)).collect();
        self.each_of(outs, flops, |b, out: &mut [T]| {
            let (rows, at) = (out.len() / k, b * p);
            let width = rows.min(p);
            let mut factor = memory::zeros(rows * width, "a block of a basis")?;
            let from = out.chunks_exact(k);
            for (to, from) in factor.chunks_exact_mut(width).zip(from) {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = (*from).into();
                }
            }
            let mut whole = memory::zeros(rows * k, "a block of a basis")?;
            matmul(
                MatMut::from_row_major_slice_mut(&mut whole, rows, k),
                Accum::Replace,
                MatRef::from_row_major_slice(&factor, rows, width),
                MatRef::from_column_major_slice(parts, s, k).get(at..at + width, ..),
                1.0,
                Par::Seq,
            );
            for (to, from) in out.iter_mut().zip(whole) {
                *to = T::of(from);
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Rows of a block that is reflected: enough that its triangle is small beside it.
fn height(p: usize) -> usize {
    (16 * p).max(1024)
}

/// A block of rows, column by column.
fn columns<T: Real>(rows: &Data<'_, '_, Cpu, T>, block: &Range<usize>) -> Result<Vec<f64>> {
    let mut a = memory::zeros(block.len() * rows.x.ncols(), "a block of rows")?;
    let part = rows.x.slice(ndarray::s![block.clone(), ..]);
    for (to, from) in a.chunks_exact_mut(block.len()).zip(part.columns()) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = (*from).into();
        }
    }
    Ok(a)
}

/// The triangle of a block of rows; writes its orthonormal factor.
fn top<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    block: &Range<usize>,
    out: Option<(&mut [T], usize)>,
) -> Result<Vec<f64>> {
    let (n, p) = (block.len(), rows.x.ncols());
    let mut a = columns(rows, block)?;
    if let Some((out, k)) = out {
        let found = solve::orthogonal(n, p, &mut a)?;
        for (j, column) in found.chunks_exact(n).enumerate() {
            for (to, from) in out[j..].iter_mut().step_by(k).zip(column) {
                *to = T::of(*from);
            }
        }
    } else {
        solve::r_factor(n, p, &mut a)?;
    }
    let mut top = memory::zeros(n.min(p) * p, "a triangle")?;
    for (to, from) in top.chunks_exact_mut(n.min(p)).zip(a.chunks_exact(n)) {
        to.copy_from_slice(&from[..to.len()]);
    }
    Ok(top)
}

/// Triangles for blocks of these rows.
fn divisors<T: Real>(rows: &Data<'_, '_, Cpu, T>, triangles: &[&[f64]]) -> Result<Vec<Divisor>> {
    let p = rows.x.ncols();
    let pitch = Scratch::<f64>::new(rows, 0..p, 0)?.pitch();
    if triangles.iter().any(|r| r.len() != p * p) {
        return Err(Error::Shape("a triangle"));
    }
    triangles.iter().map(|r| Divisor::of(p, r, pitch)).collect()
}

/// The share of a group of rows in `quotient_gram`.
fn group_gram<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    divisors: &[Divisor],
) -> Result<Vec<f64>> {
    let p = rows.x.ncols();
    let none = memory::zeros(p, "means")?;
    let mut scratch = Scratch::<f64>::new(rows, 0..p, block::<f64>())?;
    let pitch = scratch.pitch();
    let mut sums: Aligned<f64> = Aligned::of(pitch * (p + 1).next_multiple_of(8), "products")?;
    for block in blocks(group, block::<f64>()) {
        let n = block.len();
        scratch.fill(rows, &block, [&none, &none], false);
        for divisor in divisors {
            divisor.divide(scratch.entries_mut(n));
        }
        gram(n, [&scratch, &scratch], &mut sums);
    }
    let mut packed = memory::zeros(p * (p + 1) / 2, "products")?;
    for i in 0..p {
        let row = &mut packed[i * (i + 1) / 2..][..=i];
        row.copy_from_slice(&sums[i * pitch..][..=i]);
    }
    Ok(packed)
}

/// Writes the rows from `start` on over the triangles, turned.
fn divided<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    start: usize,
    divisors: &[Divisor],
    turn: Option<&[f64]>,
    out: &mut [T],
) -> Result<()> {
    let (p, size) = (rows.x.ncols(), block::<f64>());
    let none = memory::zeros(p, "means")?;
    let mut scratch = Scratch::<f64>::new(rows, 0..p, size)?;
    let mut turned = memory::zeros(if turn.is_some() { size * p } else { 0 }, "a block of rows")?;
    let group = start..start + out.len() / p;
    for (block, out) in blocks(&group, size).zip(out.chunks_mut(size * p)) {
        let n = block.len();
        scratch.fill(rows, &block, [&none, &none], false);
        for divisor in divisors {
            divisor.divide(scratch.entries_mut(n));
        }
        let (mut found, mut pitch) = (scratch.entries(n), scratch.pitch());
        if let Some(turn) = turn {
            matmul(
                MatMut::from_row_major_slice_mut(&mut turned[..n * p], n, p),
                Accum::Replace,
                scratch.view(n),
                MatRef::from_column_major_slice(turn, p, p),
                1.0,
                Par::Seq,
            );
            (found, pitch) = (&turned[..n * p], p);
        }
        for (out, row) in out.chunks_exact_mut(p).zip(found.chunks_exact(pitch)) {
            for (out, entry) in out.iter_mut().zip(row) {
                *out = T::of(*entry);
            }
        }
    }
    Ok(())
}
