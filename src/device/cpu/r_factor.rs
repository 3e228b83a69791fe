//! The triangle of rows, block by block (TSQR: Demmel, Grigori, Hoemmen, Langou 2012).

use super::Cpu;
use super::blocks::{Scratch, block, blocks, groups};
use crate::device::Data;
use crate::{Result, memory, real::Real, solve};
use std::ops::Range;

/// See `MomentKernels::r_factor`.
pub(super) fn r_factor<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    mean: &[f64],
    h: usize,
) -> Result<(Vec<f64>, usize)> {
    rows.check()?;
    let (n, p, m) = rows.shape();
    let q = p + m;
    let groups = groups(n, h * q);
    let one = |g: usize| group(rows, &groups[g], mean, h);
    let flops = 2.0 * n as f64 * (q * q) as f64;
    let parts = cpu.each(groups.len(), flops, one)?;
    let mut all = (memory::zeros(h * q, "a triangle")?, 0);
    for (part, used) in parts {
        all.1 = solve::stack([h, q], (&mut all.0, all.1), (&part, h, used))?;
    }
    Ok(all)
}

fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    mean: &[f64],
    h: usize,
) -> Result<(Vec<f64>, usize)> {
    let (_, p, m) = rows.shape();
    let q = p + m;
    let size = q.next_multiple_of(block::<f64>()).max(block::<f64>());
    let mut scratch = Scratch::<f64>::new(rows, 0..q, size)?;
    scratch.by_rows = false;
    let none = memory::zeros(q, "means")?;
    let mut all = (memory::zeros(h * q, "a triangle")?, 0);
    for block in blocks(group, size) {
        let n = block.len();
        scratch.weigh(rows, &block);
        scratch.fill(rows, &block, [mean, &none], true);
        all.1 = solve::stack([h, q], (&mut all.0, all.1), (scratch.entries(n), n, n))?;
    }
    Ok(all)
}
