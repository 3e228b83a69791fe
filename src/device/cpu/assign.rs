//! Labels, and what each centre gets by them: sums and weights, in one pass over the rows that may have
//! another label.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Scratch, blocks, groups};
use super::bounds::{Bounds, Drift, Stale, margins};
use super::centers::Centers;
use super::simd::total;
use super::tiles::Found;
use crate::device::{Assigned, Data};
use crate::{Result, memory, real::Real};
use pulp::{Arch, NullaryFnOnce};
use std::mem::swap;
use std::ops::Range;

/// The centre of each row, what each centre has, and which rows need not be read again.
pub struct LabelState {
    pub(super) labels: Vec<i32>,
    pub(super) has: Assigned,
    bounds: Bounds,
}

impl LabelState {
    /// No centre for any of `n` rows.
    pub(super) fn of(n: usize) -> Result<Self> {
        let mut labels = memory::zeros(n, "labels")?;
        labels.fill(-1);
        Ok(Self {
            labels,
            has: Assigned::default(),
            bounds: Bounds::default(),
        })
    }
}

/// Rows of a block of `T`: with 100 columns it is quickest.
const fn block<T>() -> usize {
    1024 / size_of::<T>()
}

/// What a look wants to know beside the labels.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Nothing,
    /// What rows with another label add and take away.
    Changes,
    /// What all rows add.
    All,
}

/// See `NearestKernels::label`.
pub(super) fn label<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
    kept: &mut LabelState,
) -> Result<()> {
    kept.has = Assigned::default();
    pass(cpu, rows, centers, kept, (Wanted::Nothing, None))
}

/// See `NearestKernels::assign`.
pub(super) fn assign<'k, T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
    kept: &'k mut LabelState,
) -> Result<&'k Assigned> {
    // With weights what is left of a centre without rows would be a rounding, not zero.
    let all = rows.w.is_some() || kept.has.sums.len() != centers.exact.len();
    let wanted = if all { Wanted::All } else { Wanted::Changes };
    let drift = if all {
        kept.has = none(centers)?;
        kept.bounds = Bounds::default();
        None
    } else {
        let (n, changed) = (kept.labels.len(), kept.has.changed);
        kept.bounds.moved(centers, n, changed)?
    };
    pass(cpu, rows, centers, kept, (wanted, drift.as_ref()))?;
    Ok(&kept.has)
}

fn none<T: Real>(centers: &Centers<'_, T>) -> Result<Assigned> {
    Assigned::none(centers.k, centers.p)
}

fn pass<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
    LabelState {
        labels,
        has,
        bounds,
    }: &mut LabelState,
    wanted: (Wanted, Option<&Drift>),
) -> Result<()> {
    let (n, p, _) = rows.shape();
    let groups = groups(n, centers.k * (p + 2));
    let size = groups.first().map_or(1, Range::len);
    let mut margins = bounds.margins.chunks_mut(size);
    let parts: Vec<Mine<'_>> = labels
        .chunks_mut(size)
        .map(|labels| (labels, margins.next().unwrap_or_default()))
        .collect();
    let one = |g: usize, mine: Mine<'_>| group(rows, &groups[g], centers, mine, wanted);
    has.changed = 0.0;
    for part in cpu.each_of(parts, 2.0 * (n * p) as f64 * centers.k as f64, one)? {
        for (all, part) in [
            (&mut has.sums, &part.sums),
            (&mut has.weights, &part.weights),
            (&mut has.counts, &part.counts),
        ] {
            for (sum, part) in all.iter_mut().zip(part) {
                *sum += part;
            }
        }
        has.changed += part.changed;
    }
    Ok(())
}

/// Labels of the rows of a group, and their margins if they are kept.
type Mine<'m> = (&'m mut [i32], &'m mut [f32]);

fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    centers: &Centers<'_, T>,
    (labels, held): Mine<'_>,
    (wanted, drift): (Wanted, Option<&Drift>),
) -> Result<Assigned> {
    let size = block::<T>();
    let mut scratch = Scratch::<T>::plain(rows, size)?;
    let mut has = match wanted {
        Wanted::Nothing => Assigned::default(),
        _ => none(centers)?,
    };
    let (mut found, mut old) = (Found::of(size)?, memory::zeros(size, "labels")?);
    let mut new = memory::zeros(if held.is_empty() { 0 } else { size }, "margins")?;
    let [mut block, mut next] = [Vec::new(), Vec::new()]; // of `size` rows
    let halves = [&centers.halves[0][..], &centers.halves[1][..]];
    let (mut stale, first) = (Stale::of(group, drift), group.start);
    stale.next(labels, held, &mut block, size);
    while !block.is_empty() {
        stale.next(labels, held, &mut next, size);
        scratch.pick(rows, &block, halves);
        centers.nearest(rows.x, [&block, &next], &scratch, &mut found)?;
        for (old, row) in old.iter_mut().zip(&block) {
            *old = labels[row - first];
        }
        if wanted != Wanted::Nothing {
            Arch::new().dispatch(Assign {
                rows: (scratch.entries(block.len()), scratch.pitch()),
                weights: &scratch.weights,
                labels: [&old[..block.len()], &found.labels],
                all: wanted == Wanted::All,
                found: &mut has,
            });
        }
        for (row, label) in block.iter().zip(&found.labels) {
            labels[row - first] = *label;
        }
        margins(centers, &found, &mut new);
        for (row, margin) in block.iter().zip(&new) {
            held[row - first] = *margin;
        }
        swap(&mut block, &mut next);
    }
    Ok(has)
}

/// Rows of a pitch, their weights, and their labels before and now.
struct Assign<'a, T> {
    rows: (&'a [T], usize),
    weights: &'a [f64],
    labels: [&'a [i32]; 2],
    all: bool,
    found: &'a mut Assigned,
}

impl<T: Real> NullaryFnOnce for Assign<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let p = self.found.sums.len() / self.found.counts.len();
        for (i, (old, new)) in self.labels[0].iter().zip(self.labels[1]).enumerate() {
            let changed = old != new;
            self.found.changed += f64::from(u8::from(changed));
            let w = self.weights.get(i).copied().unwrap_or(1.0);
            let z = &self.rows.0[i * self.rows.1..][..p];
            if changed || self.all {
                add(self.found, (*new, 1.0), w, z);
            }
            if changed && !self.all && *old >= 0 {
                add(self.found, (*old, -1.0), w, z);
            }
        }
    }
}

/// Adds a row to its centre, or takes it away.
#[inline(always)]
#[allow(clippy::cast_sign_loss)] // all have one
fn add<T: Real>(found: &mut Assigned, (label, sign): (i32, f64), w: f64, z: &[T]) {
    let (label, w) = (label as usize, sign * w);
    let sums = &mut found.sums[label * z.len()..][..z.len()];
    for j in 0..z.len() {
        sums[j] += w * z[j].into();
    }
    found.weights[label] += w;
    found.counts[label] += sign;
}

/// See `NearestKernels::inertia`.
pub(super) fn inertia<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
    kept: &LabelState,
) -> Result<f64> {
    let (n, p, _) = rows.shape();
    let (groups, size) = (groups(n, 1), block::<T>());
    let halves = [&centers.halves[0][..], &centers.halves[1][..]];
    let one = |g: usize| {
        let mut scratch = Scratch::<T>::plain(rows, size)?;
        let mut sum = 0.0;
        for block in blocks(&groups[g], size) {
            scratch.weigh(rows, &block);
            scratch.fill(rows, &block, halves, false);
            sum += Arch::new().dispatch(Inertia {
                rows: (scratch.entries(block.len()), scratch.pitch()),
                weights: &scratch.weights,
                centers: (&centers.exact, p),
                labels: &kept.labels[block],
            });
        }
        Ok(sum)
    };
    let parts = cpu.each(groups.len(), 3.0 * (n * p) as f64, one)?;
    Ok(parts.into_iter().sum())
}

/// Rows of a pitch, their weights and labels, and centres of a length.
struct Inertia<'a, T> {
    rows: (&'a [T], usize),
    weights: &'a [f64],
    centers: (&'a [f64], usize),
    labels: &'a [i32],
}

impl<T: Real> NullaryFnOnce for Inertia<'_, T> {
    type Output = f64;

    #[inline(always)]
    #[allow(clippy::cast_sign_loss)] // all have one
    fn call(self) -> f64 {
        let ((centers, p), mut sum) = (self.centers, 0.0);
        for (i, label) in self.labels.iter().enumerate() {
            let z = &self.rows.0[i * self.rows.1..][..p];
            let center = &centers[*label as usize * p..][..p];
            let (mut squares, eights) = ([0.0; 8], p / 8 * 8);
            for j in (0..eights).step_by(8) {
                let (z, center) = (&z[j..j + 8], &center[j..j + 8]);
                for l in 0..8 {
                    let step = z[l].into() - center[l];
                    squares[l] += step * step;
                }
            }
            let mut square = total(squares);
            for j in eights..p {
                let step = z[j].into() - center[j];
                square += step * step;
            }
            sum += self.weights.get(i).copied().unwrap_or(1.0) * square;
        }
        sum
    }
}
