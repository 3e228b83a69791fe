//! What each centre gets: labels, sums, weights, in one pass over blocks of rows.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Scratch, blocks, groups};
use super::loops::total;
use super::nearest::Centers;
use crate::device::{Assigned, Data};
use crate::{Result, memory, real::Real};
use pulp::{Arch, NullaryFnOnce};
use std::ops::Range;

/// Rows of a block of `T`: with 100 columns it is quickest.
const fn block<T>() -> usize {
    1024 / size_of::<T>()
}

/// See `NearestKernels::assign`.
pub(super) fn assign<T: Real>(
    cpu: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    centers: &Centers<'_, T>,
    labels: &mut [i32],
) -> Result<Assigned> {
    let (n, p, _) = rows.shape();
    let (k, mut all) = (centers.k, none(centers)?);
    let groups = groups(n, k * (p + 2));
    let size = groups.first().map_or(1, Range::len);
    let parts: Vec<&mut [i32]> = labels.chunks_mut(size).collect();
    let one = |g: usize, labels: &mut [i32]| group(rows, &groups[g], centers, labels);
    for part in cpu.each_of(parts, 2.0 * (n * p) as f64 * k as f64, one)? {
        for (all, part) in [
            (&mut all.sums, &part.sums),
            (&mut all.weights, &part.weights),
            (&mut all.counts, &part.counts),
        ] {
            for (sum, part) in all.iter_mut().zip(part) {
                *sum += part;
            }
        }
        all.inertia += part.inertia;
        all.changed += part.changed;
    }
    Ok(all)
}

fn none<T: Real>(centers: &Centers<'_, T>) -> Result<Assigned> {
    Ok(Assigned {
        sums: memory::zeros(centers.k * centers.p, "sums of clusters")?,
        weights: memory::zeros(centers.k, "weights of clusters")?,
        counts: memory::zeros(centers.k, "counts of clusters")?,
        inertia: 0.0,
        changed: 0.0,
    })
}

fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    centers: &Centers<'_, T>,
    labels: &mut [i32],
) -> Result<Assigned> {
    let mut scratch = Scratch::<T>::new(rows, 0..centers.p, block::<T>())?;
    let mut found = none(centers)?;
    let mut new: Vec<i32> = memory::zeros(block::<T>(), "labels")?;
    let halves = [&centers.halves[0][..], &centers.halves[1][..]];
    for (block, old) in blocks(group, block::<T>()).zip(labels.chunks_mut(block::<T>())) {
        let new = &mut new[..block.len()];
        scratch.weigh(rows, &block);
        scratch.fill(rows, &block, halves, false);
        centers.nearest(rows.x, &block, &scratch, new)?;
        found.changed += old
            .iter()
            .zip(&*new)
            .filter(|(old, new)| old != new)
            .count() as f64;
        old.copy_from_slice(new);
        Arch::new().dispatch(Tally {
            rows: (scratch.entries(block.len()), scratch.pitch()),
            weights: &scratch.weights,
            centers,
            labels: new,
            found: &mut found,
        });
    }
    Ok(found)
}

struct Tally<'a, 'c, T> {
    rows: (&'a [T], usize),
    weights: &'a [f64],
    centers: &'a Centers<'c, T>,
    labels: &'a [i32],
    found: &'a mut Assigned,
}

impl<T: Real> NullaryFnOnce for Tally<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::cast_sign_loss)] // all have one
    fn call(self) {
        let (p, stride) = (self.centers.p, self.rows.1);
        for (i, label) in self.labels.iter().enumerate() {
            let label = *label as usize;
            let w = self.weights.get(i).copied().unwrap_or(1.0);
            let z = &self.rows.0[i * stride..][..p];
            let center = &self.centers.exact[label * p..][..p];
            let sums = &mut self.found.sums[label * p..][..p];
            let mut squares = [0.0; 8];
            let eights = p / 8 * 8;
            for j in (0..eights).step_by(8) {
                let (z, center, sums) = (&z[j..j + 8], &center[j..j + 8], &mut sums[j..j + 8]);
                for l in 0..8 {
                    let z: f64 = z[l].into();
                    sums[l] += w * z;
                    squares[l] += (z - center[l]) * (z - center[l]);
                }
            }
            let mut square = total(squares);
            for j in eights..p {
                let z: f64 = z[j].into();
                sums[j] += w * z;
                square += (z - center[j]) * (z - center[j]);
            }
            self.found.inertia += w * square;
            self.found.weights[label] += w;
            self.found.counts[label] += 1.0;
        }
    }
}
