//! The gradient of least squares at given coefficients.

use super::Cpu;
use super::blocks::{Scratch, block, blocks, groups};
use crate::device::Data;
use crate::{Result, memory, real::Real};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

/// See `MomentKernels::residual`.
pub(super) fn residual<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    mean: &[f64],
    coef: &[f64],
) -> Result<Vec<f64>> {
    rows.check()?;
    let (n, p, m) = rows.shape();
    let groups = groups(n, p * m);
    let one = |g: usize| group(rows, &groups[g], mean, coef);
    let parts = cpu.each(groups.len(), 4.0 * (n * p * m) as f64, one)?;
    let mut gradient = memory::zeros(p * m, "a gradient")?;
    for part in parts {
        for (sum, part) in gradient.iter_mut().zip(part) {
            *sum += part;
        }
    }
    Ok(gradient)
}

fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    mean: &[f64],
    coef: &[f64],
) -> Result<Vec<f64>> {
    let (_, p, m) = rows.shape();
    let size = block::<f64>();
    let none = memory::zeros(mean.len(), "means")?;
    let mut x = Scratch::<f64>::new(rows, 0..p, size)?;
    let mut y = Scratch::<f64>::new(rows, p..p + m, size)?;
    let mut gradient = memory::zeros(p * m, "a gradient")?;
    let coef = MatRef::from_row_major_slice(coef, p, m);
    for block in blocks(group, size) {
        let n = block.len();
        y.weigh(rows, &block);
        x.fill(rows, &block, [&mean[..p], &none[..p]], false);
        y.fill(rows, &block, [&mean[p..], &none[p..]], false);
        let left = x.view(n);
        let weights = std::mem::take(&mut y.weights);
        let mut rest = y.view_mut(n);
        matmul(rest.as_mut(), Accum::Add, left, coef, -1.0, Par::Seq);
        for (i, w) in weights[..n.min(weights.len())].iter().enumerate() {
            for j in 0..m {
                rest[(i, j)] *= w;
            }
        }
        let sums = MatMut::from_row_major_slice_mut(&mut gradient, p, m);
        matmul(
            sums,
            Accum::Add,
            left.transpose(),
            rest.as_ref(),
            1.0,
            Par::Seq,
        );
        y.weights = weights;
    }
    Ok(gradient)
}
