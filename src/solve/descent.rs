//! Coordinate descent on a Gram matrix.
//!
//! Minimises `½ wᵀQw − qᵀw + ½ s + α ‖w‖₁ + ½ β ‖w‖²`, where `s = yᵀy`, one coordinate after the other
//! (Friedman, Hastie, Tibshirani 2010), until a round moves none by more than `tol` times the largest,
//! and the duality gap is at most `tol s`. Columns that the gap shows to be zero in the answer are left
//! out (Fercoq, Gramfort, Salmon 2015). In scikit-learn's order, so rounds are as many as there.
//!
//! With the slope `a = q − Qw − βw`, `a ≤ α / σ` where `σ ≤ 1`, the gap is
//! `Σⱼ (α |wⱼ| − wⱼ aⱼ) + ½ (1 − σ)² (s − qᵀw) + ½ (1 − σ²) wᵀa`: that of primal and dual, without
//! the difference of large numbers.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::spectrum::dot;
use crate::{Result, memory};
use pulp::{Arch, NullaryFnOnce};

/// A problem, but for its penalties.
#[derive(Clone, Copy)]
pub struct Descent<'a> {
    /// `Q`, `p × p`.
    pub gram: &'a [f64],
    /// `q`.
    pub side: &'a [f64],
    /// `s`.
    pub square: f64,
    /// See above.
    pub tol: f64,
    /// Rounds at most.
    pub limit: usize,
    /// Whether `w ≥ 0`.
    pub positive: bool,
    /// Whether columns are left out on the way.
    pub screening: bool,
}

/// How a descent ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// The duality gap; of least squares alone `‖q − Qw‖²`.
    pub gap: f64,
    /// Rounds taken.
    pub rounds: usize,
    /// Whether the gap is small enough.
    pub converged: bool,
}

/// Where a descent stands.
struct Place<'w> {
    w: &'w mut [f64],
    /// `Qw`.
    products: Vec<f64>,
    /// `a`.
    slope: Vec<f64>,
    /// Columns that are not left out.
    active: Vec<usize>,
}

impl Descent<'_> {
    /// Moves `w` to the answer for `[α, β]`. With a seed, columns are drawn as scikit-learn draws them.
    pub fn run(&self, penalty: [f64; 2], seed: Option<u32>, w: &mut [f64]) -> Result<Ended> {
        let (p, mut seed, tolerance) = (w.len(), seed, self.tol * self.square);
        let screening = self.screening && penalty[0] > 0.0;
        let mut products = memory::zeros(p, "products")?;
        for (j, w) in w.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            add(*w, self.row(j), &mut products);
        }
        let mut place = Place {
            w,
            products,
            slope: memory::zeros(p, "a slope")?,
            active: memory::zeros(p, "columns")?,
        };
        for (j, active) in place.active.iter_mut().enumerate() {
            *active = j;
        }
        let (mut gap, mut steepest) = self.gap(penalty, &mut place);
        let (mut rounds, mut converged) = (0, (0.0..=tolerance).contains(&gap));
        if screening && !converged {
            self.screen(penalty, (gap, steepest), &mut place);
        }
        while !converged && rounds < self.limit {
            rounds += 1;
            let [moved, largest] = Arch::new().dispatch(Sweep {
                descent: self,
                penalty,
                seed: seed.as_mut(),
                place: &mut place,
            });
            if largest == 0.0 || moved / largest <= self.tol || rounds == self.limit {
                (gap, steepest) = self.gap(penalty, &mut place);
                converged = gap <= tolerance;
                if screening && !converged {
                    self.screen(penalty, (gap, steepest), &mut place);
                }
            }
        }
        Ok(Ended {
            gap,
            rounds,
            converged,
        })
    }

    fn row(&self, j: usize) -> &[f64] {
        let p = self.side.len();
        &self.gram[j * p..][..p]
    }

    /// The gap, and the largest entry of the slope, which it leaves in its place.
    fn gap(&self, [alpha, beta]: [f64; 2], place: &mut Place) -> (f64, f64) {
        let (w, slope) = (&*place.w, &mut place.slope);
        let mut steepest = f64::NEG_INFINITY;
        for (j, slope) in slope.iter_mut().enumerate() {
            *slope = self.side[j] - place.products[j] - beta * w[j];
            steepest = steepest.max(if self.positive { *slope } else { slope.abs() });
        }
        if alpha == 0.0 {
            let square = dot(slope, slope);
            return (square / if beta > 0.0 { 2.0 * beta } else { 1.0 }, square);
        }
        let inside = (alpha / steepest).clamp(0.0, 1.0);
        let inside = if steepest > alpha { inside } else { 1.0 };
        let (mut slack, mut along) = (0.0, 0.0);
        for (w, slope) in w.iter().zip(&*slope) {
            slack += alpha * w.abs() - w * slope;
            along += w * slope;
        }
        let rest = self.square - dot(self.side, w);
        let gap =
            slack + 0.5 * (1.0 - inside).powi(2) * rest + 0.5 * (1.0 - inside * inside) * along;
        (gap, steepest)
    }

    /// Leaves out the columns that are zero in every answer with so small a gap.
    fn screen(&self, [alpha, beta]: [f64; 2], (gap, steepest): (f64, f64), place: &mut Place) {
        let radius = (2.0 * gap.abs()).sqrt() / alpha;
        let Place {
            w,
            products,
            slope,
            active,
        } = place;
        active.retain(|&j| {
            let square = self.row(j)[j];
            let angle = slope[j].abs() / alpha.max(steepest);
            let stays = square != 0.0 && (1.0 - angle) / (square + beta).sqrt() <= radius;
            if !stays && w[j] != 0.0 {
                add(-w[j], self.row(j), products);
                w[j] = 0.0;
            }
            stays
        });
    }
}

/// One step for each active column; brings the longest step and the largest coordinate.
struct Sweep<'d, 'a, 'w> {
    descent: &'d Descent<'a>,
    penalty: [f64; 2],
    seed: Option<&'d mut u32>,
    place: &'d mut Place<'w>,
}

impl NullaryFnOnce for Sweep<'_, '_, '_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn call(mut self) -> [f64; 2] {
        let ([alpha, beta], place) = (self.penalty, self.place);
        let (mut moved, mut largest) = (0.0_f64, 0.0_f64);
        for turn in 0..place.active.len() {
            let turn = match &mut self.seed {
                Some(seed) => draw(seed) as usize % place.active.len(),
                None => turn,
            };
            let j = place.active[turn];
            let row = self.descent.row(j);
            let (square, before) = (row[j], place.w[j]);
            if square == 0.0 {
                continue;
            }
            let along = self.descent.side[j] - place.products[j] + before * square;
            let kept = if self.descent.positive && along < 0.0 {
                0.0
            } else {
                (along.abs() - alpha).max(0.0).copysign(along)
            };
            let after = kept / (square + beta);
            place.w[j] = after;
            let step = after - before;
            if step != 0.0 {
                add(step, row, &mut place.products);
            }
            moved = moved.max(step.abs());
            largest = largest.max(after.abs());
        }
        [moved, largest]
    }
}

/// `to += factor row`.
#[inline(always)]
fn add(factor: f64, row: &[f64], to: &mut [f64]) {
    let n = row.len().min(to.len());
    let (row, to) = (&row[..n], &mut to[..n]);
    for i in 0..n {
        to[i] += factor * row[i];
    }
}

/// The next of scikit-learn's numbers (Marsaglia's xorshift), below `2³¹`.
fn draw(seed: &mut u32) -> u32 {
    if *seed == 0 {
        *seed = 1;
    }
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed & 0x7fff_ffff
}
