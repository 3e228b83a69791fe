//! How far the second nearest centre is behind, from one look to the next: a row whose own centre and
//! all others have moved by less than that keeps it, `d₂ − d₁ > δ_own + max δ_other` (Hamerly 2010),
//! and is not read.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::centers::Centers;
use super::tiles::Found;
use crate::{Result, memory, real::Real};
use pulp::{Arch, NullaryFnOnce};
use std::ops::Range;

/// Bytes of a row from which on four more for its margin are worth their room.
const WORTH: usize = 128;

/// Part of the rows that still change their centre when margins begin to be worth their time.
const SETTLED: f64 = 0.25;

/// More than what roundings to `f32` leave in a margin, and to `f64` in a movement, relative to terms.
const SLACK: f64 = 1e-6;

/// Kept between looks at centres that move.
#[derive(Default)]
pub(super) struct Bounds {
    /// `d₂ − d₁` of each row, at least; empty where none are kept.
    pub(super) margins: Vec<f32>,
    /// The centres of the last look.
    last: Vec<f64>,
}

/// How far centres have moved.
pub(super) struct Drift {
    moved: Vec<f64>,
    /// The one that moved most, and how far the others did at most.
    most: (usize, f64),
}

impl Bounds {
    /// How far centres moved since the last look, which this one becomes; none if all of the `n` rows
    /// are to be read. `changed` of them have changed their centre in the last look.
    pub(super) fn moved<T: Real>(
        &mut self,
        centers: &Centers<'_, T>,
        n: usize,
        changed: f64,
    ) -> Result<Option<Drift>> {
        let worth = centers.k > 1 && centers.p * size_of::<T>() >= WORTH;
        if !worth || self.margins.is_empty() && changed > n as f64 * SETTLED {
            return Ok(None);
        }
        let drift = if self.margins.is_empty() {
            self.margins = memory::zeros(n, "margins")?;
            None
        } else {
            Some(Drift::of(centers, &self.last)?)
        };
        self.last = memory::copy(&centers.exact, "centers")?;
        Ok(drift)
    }
}

impl Drift {
    fn of<T: Real>(centers: &Centers<'_, T>, last: &[f64]) -> Result<Self> {
        let mut moved = memory::zeros(centers.k, "centers")?;
        let pairs = centers.exact.chunks_exact(centers.p);
        for (moved, (new, old)) in moved
            .iter_mut()
            .zip(pairs.zip(last.chunks_exact(centers.p)))
        {
            let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
            let squares: f64 = new.iter().zip(old).map(square).sum();
            *moved = squares.sqrt() * (1.0 + SLACK);
        }
        let farther = |best: usize, c: usize| if moved[c] > moved[best] { c } else { best };
        let most = (0..centers.k).fold(0, farther);
        let others = (0..centers.k).filter(|c| *c != most);
        let second = others.map(|c| moved[c]).fold(0.0, f64::max);
        Ok(Self {
            moved,
            most: (most, second),
        })
    }

    /// How much nearer the others may have come to rows of a centre than their own.
    #[inline(always)]
    fn lost(&self, label: usize) -> f64 {
        let others = if label == self.most.0 {
            self.most.1
        } else {
            self.moved[self.most.0]
        };
        self.moved[label] + others
    }
}

/// The rows of a group whose centre may be another one than before: without drift all.
pub(super) struct Stale<'d> {
    left: Range<usize>,
    first: usize,
    drift: Option<&'d Drift>,
}

impl<'d> Stale<'d> {
    pub(super) fn of(group: &Range<usize>, drift: Option<&'d Drift>) -> Self {
        Self {
            left: group.clone(),
            first: group.start,
            drift,
        }
    }

    /// Puts the next ones into `block`, at most `size`; labels and margins are the group's.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // with slack; all have a centre
    pub(super) fn next(
        &mut self,
        labels: &[i32],
        margins: &mut [f32],
        block: &mut Vec<usize>,
        size: usize,
    ) {
        block.clear();
        let Some(drift) = self.drift else {
            let end = self.left.end.min(self.left.start + size);
            block.extend(self.left.start..end);
            self.left.start = end;
            return;
        };
        while block.len() < size {
            let Some(row) = self.left.next() else { return };
            let margin = &mut margins[row - self.first];
            let before = f64::from(*margin);
            let lost = drift.lost(labels[row - self.first] as usize);
            *margin = (before - lost - SLACK * (before + lost)) as f32;
            // Of smaller ones the rounding is not relative.
            if *margin <= f32::MIN_POSITIVE || margin.is_nan() {
                block.push(row);
            }
        }
    }
}

/// Margins of the rows of a block, `√(‖z‖² − 2 s₂) − √(‖z‖² − 2 s₁)`, less what is in doubt of them: each
/// square by what two scores are, and twice that for `‖z‖²` and for ties.
pub(super) fn margins<T: Real>(centers: &Centers<'_, T>, found: &Found<T>, to: &mut [f32]) {
    Arch::new().dispatch(Margins { centers, found, to });
}

struct Margins<'a, 'c, T> {
    centers: &'a Centers<'c, T>,
    found: &'a Found<T>,
    to: &'a mut [f32],
}

impl<T: Real> NullaryFnOnce for Margins<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // with slack
    fn call(self) {
        let n = self.to.len();
        let (scores, gaps) = (&self.found.scores[..n], &self.found.gaps[..n]);
        let squares = &self.found.squares[..n];
        for i in 0..n {
            let (score, gap, square) = (scores[i].into(), gaps[i].into(), squares[i].into());
            let doubt = 4.0 * self.centers.doubt(squares[i]);
            let near = square - 2.0 * score + doubt;
            let far = square - 2.0 * (score - gap) - doubt;
            let (near, far) = (positive(near).sqrt(), positive(far).sqrt());
            self.to[i] = (far - near - SLACK * (far + near)) as f32;
        }
    }
}

#[inline(always)]
fn positive(x: f64) -> f64 {
    if x > 0.0 { x } else { 0.0 }
}
