//! Moments: each block is centred on its own means, so nothing is lost far from the origin; then
//! blocks, and groups of blocks, are moved to common means (Chan, Golub, LeVeque 1983).

use super::blocks::{Scratch, block, blocks, groups};
use super::product::{gram, gram_of};
use super::{Cpu, residual, triangle};
use crate::device::{Data, Look, Looked, MomentKernels};
use crate::{Result, memory, real::Real};
use std::ops::Range;

/// Columns of one task: its co-moments stay in cache.
const PANEL: usize = 256;
/// Rows whose mean is the origin.
const FIRST: usize = 64;

/// What one task brings: of a group of rows, for two panels of columns.
struct Tile {
    weight: f64,
    mean: Vec<f64>,
    /// Of panels `j ≤ i`: `|j| × |i|`, column by column; down to the diagonal where both are one.
    products: Vec<f64>,
}

impl MomentKernels for Cpu {
    fn means<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<Looked> {
        rows.check()?;
        let (n, p, m) = rows.shape();
        let groups = groups(n, p + m);
        let origin = origin(rows)?;
        let one = |g: usize| group_means::<T>(rows, &groups[g], &origin);
        let found = self.each(groups.len(), 2.0 * (n * (p + m)) as f64, one)?;
        let (weight, mean) = mean_of(found.iter().map(|(w, mean)| (*w, mean.as_slice())), p + m)?;
        Ok(looked([n as f64, weight], origin, mean, Vec::new()))
    }

    fn moments<T: Real>(&self, rows: &Data<'_, '_, Self, T>, look: Look) -> Result<Looked> {
        rows.check()?;
        let (n, p, m) = rows.shape();
        let q = p + m;
        // First of all: where there is no room for the answer, nothing is looked at.
        let comoment = memory::zeros(q * (q + 1) / 2, "co-moments")?;
        let groups = groups(n, q * (q + 1) / 2);
        let panel = |k: usize| k * PANEL..((k + 1) * PANEL).min(q);
        let panels = q.div_ceil(PANEL);
        let origin = if look.centered {
            origin(rows)?
        } else {
            memory::zeros(q, "means")?
        };
        let pairs: Vec<(usize, usize)> = (0..panels)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .collect();
        let centered = look.centered.then_some(origin.as_slice());
        let one = |task: usize| {
            let (group, (i, j)) = (&groups[task / pairs.len()], pairs[task % pairs.len()]);
            if look.exact {
                tile::<f64, T>(rows, group, [panel(j), panel(i)], centered)
            } else {
                tile::<T, T>(rows, group, [panel(j), panel(i)], centered)
            }
        };
        let flops = n as f64 * (q * q) as f64;
        let tiles = self.each(groups.len() * pairs.len(), flops, one)?;
        let (weight, mean, comoment) = assemble(&tiles, &pairs, (q, comoment), look.centered)?;
        Ok(looked([n as f64, weight], origin, mean, comoment))
    }

    fn residual<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        coef: &[f64],
    ) -> Result<Vec<f64>> {
        residual::residual(*self, rows, mean, coef)
    }

    fn triangle<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        h: usize,
    ) -> Result<(Vec<f64>, usize)> {
        triangle::triangle(*self, rows, mean, h)
    }
}

/// Rows without weight have no place: theirs is zero.
fn looked(counts: [f64; 2], mut origin: Vec<f64>, mean: Vec<f64>, comoment: Vec<f64>) -> Looked {
    if counts[1] <= 0.0 {
        origin.fill(0.0);
    }
    Looked {
        counts,
        origin,
        mean,
        comoment,
    }
}

/// A place near the rows: the mean of the first ones.
fn origin<T: Real>(rows: &Data<'_, '_, Cpu, T>) -> Result<Vec<f64>> {
    let (n, p, m) = rows.shape();
    let first = 0..n.min(FIRST);
    let mut origin = memory::zeros(p + m, "means")?;
    let none = memory::zeros(p + m, "means")?;
    if n > 0 {
        let mut scratch = Scratch::<T>::bare(rows, 0..p + m)?;
        scratch.weights.clear(); // any place near the rows will do
        scratch.sums(rows, &first, &none, &mut origin);
    }
    for sum in &mut origin {
        *sum /= first.len().max(1) as f64;
    }
    Ok(origin)
}

/// Weight and means, less the origin, of a group.
fn group_means<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    origin: &[f64],
) -> Result<(f64, Vec<f64>)> {
    let q = origin.len();
    let mut scratch = Scratch::<T>::bare(rows, 0..q)?;
    let mut found = Vec::new();
    for block in blocks(group, block::<T>()) {
        let mut sums = memory::zeros(q, "means")?;
        let weight = scratch.weigh(rows, &block);
        scratch.sums(rows, &block, origin, &mut sums);
        for sum in &mut sums {
            *sum /= if weight > 0.0 { weight } else { 1.0 };
        }
        found.push((weight, sums));
    }
    mean_of(found.iter().map(|(w, mean)| (*w, mean.as_slice())), q)
}

/// The joint weight and means of parts.
fn mean_of<'a>(parts: impl Iterator<Item = (f64, &'a [f64])>, q: usize) -> Result<(f64, Vec<f64>)> {
    let (mut weight, mut mean) = (0.0, memory::zeros(q, "means")?);
    for (part, theirs) in parts.filter(|(part, _)| *part > 0.0) {
        weight += part;
        for (mean, theirs) in mean.iter_mut().zip(theirs) {
            *mean += (theirs - *mean) * (part / weight);
        }
    }
    Ok((weight, mean))
}

/// Looks at a group of rows.
fn tile<A: Real, T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    panels: [Range<usize>; 2],
    origin: Option<&[f64]>,
) -> Result<Tile> {
    let none = memory::zeros(panels[1].end, "means")?;
    let (centered, origin) = (origin.is_some(), origin.unwrap_or(&none));
    let (same, size) = (panels[0] == panels[1], block::<A>());
    let widths = [panels[0].len(), panels[1].len()];
    let mut sides = Vec::new();
    for panel in panels.into_iter().skip(usize::from(same)) {
        sides.push(Scratch::<A>::new(rows, panel, size)?);
    }
    let mut products = memory::zeros(widths[0] * widths[1], "co-moments")?;
    let mut sums: Vec<A> = memory::zeros(products.len(), "co-moments")?;
    let count = group.len().div_ceil(size);
    let mut weights = memory::zeros(count, "weights")?;
    let mut means = [
        memory::zeros(count * if same { 0 } else { widths[0] }, "means")?,
        memory::zeros(count * widths[1], "means")?,
    ];
    for (b, block) in blocks(group, size).enumerate() {
        for (side, means) in sides.iter_mut().rev().zip(means.iter_mut().rev()) {
            let width = side.width();
            let mean = &mut means[b * width..][..width];
            let origin = &origin[side.columns()];
            weights[b] = side.weigh(rows, &block);
            if centered && weights[b] > 0.0 {
                side.sums(rows, &block, origin, mean);
                for mean in mean.iter_mut() {
                    *mean /= weights[b];
                }
            }
            side.fill(rows, &block, [origin, mean], true);
        }
        gram(block.len(), &sides, &mut sums);
        if (b + 1).is_multiple_of(A::SUMS) || b + 1 == count {
            for (product, sum) in products.iter_mut().zip(&mut sums) {
                *product += std::mem::take(sum).into();
            }
        }
    }
    let mut mean = memory::zeros(widths[1], "means")?;
    if centered {
        mean = between(&weights, means, widths, &mut products)?;
    }
    Ok(Tile {
        weight: weights.iter().sum(),
        mean,
        products,
    })
}

/// Moves blocks to their common means, of which it returns the last panel's: adds
/// `Σ W (m_b − m)(m_b − m)ᵀ`.
fn between(
    weights: &[f64],
    means: [Vec<f64>; 2],
    widths: [usize; 2],
    products: &mut [f64],
) -> Result<Vec<f64>> {
    let [mut left, mut right] = means;
    let shift = |means: &mut [f64], width: usize| {
        let rows = means.chunks_exact(width);
        let (_, mean) = mean_of(weights.iter().copied().zip(rows), width)?;
        for (row, weight) in means.chunks_exact_mut(width).zip(weights) {
            for (entry, mean) in row.iter_mut().zip(&mean) {
                *entry = weight.sqrt() * (*entry - mean);
            }
        }
        Ok(mean)
    };
    let mean = shift(&mut right, widths[1])?;
    if left.is_empty() {
        gram_of([&right, &right], widths, products);
    } else {
        shift(&mut left, widths[0])?;
        gram_of([&left, &right], widths, products);
    }
    Ok(mean)
}

/// Moves groups to their common means, and packs the lower triangle.
fn assemble(
    tiles: &[Tile],
    pairs: &[(usize, usize)],
    (q, mut comoment): (usize, Vec<f64>),
    centered: bool,
) -> Result<(f64, Vec<f64>, Vec<f64>)> {
    let groups: Vec<&[Tile]> = tiles.chunks(pairs.len()).collect();
    let mut means = Vec::new();
    for tiles in &groups {
        let mut mean = memory::zeros(q, "means")?;
        for (tile, (i, _)) in tiles.iter().zip(pairs).filter(|(_, (i, j))| i == j) {
            mean[i * PANEL..][..tile.mean.len()].copy_from_slice(&tile.mean);
        }
        means.push((tiles[0].weight, mean));
    }
    let (weight, mean) = mean_of(means.iter().map(|(w, mean)| (*w, mean.as_slice())), q)?;
    for (tiles, (weight, theirs)) in groups.iter().zip(&means) {
        for (tile, (panel_i, panel_j)) in tiles.iter().zip(pairs) {
            let (left, height) = (panel_j * PANEL, tile.products.len() / tile.mean.len());
            for (at, column) in tile.products.chunks_exact(height).enumerate() {
                let i = panel_i * PANEL + at;
                let step = if centered {
                    weight * (theirs[i] - mean[i])
                } else {
                    0.0
                };
                let row = &mut comoment[i * (i + 1) / 2..][left..=i.min(left + height - 1)];
                for ((entry, product), j) in row.iter_mut().zip(column).zip(left..) {
                    *entry += product + step * (theirs[j] - mean[j]);
                }
            }
        }
    }
    Ok((weight, mean, comoment))
}
