//! Moments: each block is centred on its own means, so nothing is lost far from the origin; then
//! blocks, and groups of blocks, are moved to common means (Chan, Golub, LeVeque 1983).

use super::blocks::{Aligned, Scratch, block, blocks, groups};
use super::gram::gram;
use super::means::{column_moments, first, first_mean, mean_of, origin};
use super::product::add_products;
use super::{Cpu, r_factor, residual, variances};
use crate::device::{ColumnMoments, Data, MomentKernels, MomentOptions};
use crate::{Result, memory, real::Real};
use std::ops::Range;

/// Columns of one task: its co-moments stay in cache.
const PANEL: usize = 256;

/// What one task brings: of a group of rows, for two panels of columns.
struct Tile {
    weight: f64,
    mean: Vec<f64>,
    /// Of panels `j ≤ i`: `|j| × |i|`, column by column; down to the diagonal where both are one.
    products: Vec<f64>,
    /// From one column to the next.
    height: usize,
}

impl MomentKernels for Cpu {
    fn means<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<ColumnMoments> {
        Ok(variances::variances(*self, rows, false)?.0)
    }

    fn columns<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<(ColumnMoments, Vec<f64>)> {
        variances::variances(*self, rows, true)
    }

    fn moments<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        look: MomentOptions,
    ) -> Result<ColumnMoments> {
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
        Ok(column_moments([n as f64, weight], origin, mean, comoment))
    }

    fn residual<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        coef: &[f64],
    ) -> Result<Vec<f64>> {
        residual::residual(*self, rows, mean, coef)
    }

    fn r_factor<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        h: usize,
    ) -> Result<(Vec<f64>, usize)> {
        r_factor::r_factor(*self, rows, mean, h)
    }
}

/// Looks at a group of rows, each block around the mean of the one before it: then what the rows
/// weigh times the way to their own mean, which the products bring as well, is of their spread's size.
fn tile<A: Real, T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    panels: [Range<usize>; 2],
    origin: Option<&[f64]>,
) -> Result<Tile> {
    let (same, size) = (panels[0] == panels[1], block::<A>());
    let mut sides = Vec::new();
    for panel in panels.into_iter().skip(usize::from(same)) {
        sides.push(Side::<A>::new(rows, panel, group, origin)?);
    }
    let widths = [&sides[0], &sides[sides.len() - 1]].map(|side| side.scratch.width());
    let height = sides[0].scratch.pitch();
    let mut products = memory::zeros(height * widths[1], "co-moments")?;
    let mut sums: Aligned<A> =
        Aligned::of(height * (widths[1] + 1).next_multiple_of(8), "co-moments")?;
    let count = group.len().div_ceil(size);
    let mut weights = memory::zeros(count, "weights")?;
    for (b, block) in blocks(group, size).enumerate() {
        for side in &mut sides {
            weights[b] = side.scratch.weigh(rows, &block);
            side.scratch
                .fill(rows, &block, [&side.origin, &side.shift], true);
        }
        gram(
            block.len(),
            [&sides[0].scratch, &sides[sides.len() - 1].scratch],
            &mut sums,
        );
        if origin.is_some() {
            // Behind the last column on either side are the roots of the weights.
            let last = &mut sums[height * widths[1]..][..height];
            sides[0].learn(b, weights[b], last.iter().copied());
            last.fill(A::of(0.0));
            if !same {
                let last = sums.iter_mut().skip(widths[0]).step_by(height);
                sides[1].learn(b, weights[b], last.map(std::mem::take));
            }
        }
        if (b + 1).is_multiple_of(A::SUMS) || b + 1 == count {
            for (product, sum) in products.iter_mut().zip(sums.iter_mut()) {
                *product += std::mem::take(sum).into();
            }
        }
    }
    let mut mean = memory::zeros(widths[1], "means")?;
    if origin.is_some() {
        mean = between(&weights, &mut sides, height, &mut products)?;
    }
    Ok(Tile {
        weight: weights.iter().sum(),
        mean,
        height,
        products,
    })
}

/// A panel of columns on its way through the blocks of a group.
struct Side<A> {
    scratch: Scratch<A>,
    origin: Vec<A>,
    /// Where the next block is put, from the origin.
    shift: Vec<A>,
    /// Of each block, the way from its place to its mean, times the root of its weight.
    drifts: Vec<f64>,
    /// Of each block, its mean less the origin.
    means: Vec<f64>,
}

impl<A: Real> Side<A> {
    fn new<T: Real>(
        rows: &Data<'_, '_, Cpu, T>,
        panel: Range<usize>,
        group: &Range<usize>,
        origin: Option<&[f64]>,
    ) -> Result<Self> {
        let (width, of) = (panel.len(), |place: &[f64]| {
            let mut rounded: Vec<A> = memory::zeros(place.len(), "means")?;
            for (to, from) in rounded.iter_mut().zip(place) {
                *to = A::of(*from);
            }
            Ok::<_, crate::Error>(rounded)
        });
        let count = group.len().div_ceil(block::<A>());
        let mut start = memory::zeros(width, "means")?;
        let mut scratch = Scratch::<A>::new(rows, panel.clone(), block::<A>())?;
        if let Some(origin) = origin {
            first_mean(
                &mut scratch,
                rows,
                &first(rows, group),
                &origin[panel.clone()],
                &mut start,
            );
        }
        Ok(Self {
            scratch,
            origin: of(origin.map_or(&start, |origin| &origin[panel]))?,
            shift: of(&start)?,
            drifts: memory::zeros(count * width, "means")?,
            means: memory::zeros(count * width, "means")?,
        })
    }

    /// Takes the sums of block `b`, less its place.
    fn learn(&mut self, b: usize, weight: f64, sums: impl Iterator<Item = A>) {
        let width = self.shift.len();
        let weight = if weight > 0.0 { weight } else { 1.0 };
        let found = self.drifts[b * width..]
            .iter_mut()
            .zip(&mut self.means[b * width..]);
        for ((shift, sum), (drift, mean)) in self.shift.iter_mut().zip(sums).zip(found) {
            *drift = sum.into() / weight.sqrt();
            *mean = (*shift).into() + sum.into() / weight;
            *shift = A::of(*mean);
        }
    }
}

/// Moves blocks to their common means, of which it returns the last panel's: adds
/// `Σ W (m_b − m)(m_b − m)ᵀ − Σ d_b d_bᵀ`.
fn between<A: Real>(
    weights: &[f64],
    sides: &mut [Side<A>],
    height: usize,
    products: &mut [f64],
) -> Result<Vec<f64>> {
    let mut mean = Vec::new();
    for side in sides.iter_mut() {
        let width = side.shift.len();
        let rows = side.means.chunks_exact(width);
        (_, mean) = mean_of(weights.iter().copied().zip(rows), width)?;
        for (row, weight) in side.means.chunks_exact_mut(width).zip(weights) {
            for (entry, mean) in row.iter_mut().zip(&mean) {
                *entry = weight.sqrt() * (*entry - mean);
            }
        }
    }
    let widths = [sides[0].shift.len(), mean.len()];
    let last = sides.len() - 1;
    add_products(
        [&sides[0].drifts, &sides[last].drifts],
        -1.0,
        widths,
        (products, height),
    );
    add_products(
        [&sides[0].means, &sides[last].means],
        1.0,
        widths,
        (products, height),
    );
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
            let left = panel_j * PANEL;
            for (at, column) in tile.products.chunks_exact(tile.height).enumerate() {
                let i = panel_i * PANEL + at;
                let step = if centered {
                    weight * (theirs[i] - mean[i])
                } else {
                    0.0
                };
                let row = &mut comoment[i * (i + 1) / 2..][left..=i.min(left + PANEL - 1)];
                for ((entry, product), j) in row.iter_mut().zip(column).zip(left..) {
                    *entry += product + step * (theirs[j] - mean[j]);
                }
            }
        }
    }
    Ok((weight, mean, comoment))
}
