//! The least of a quadratic with a penalty on absolute values: by descent along one coordinate after the
//! other (Friedman, Hastie and Tibshirani 2010); where that takes long, by Cholesky among those that are
//! not zero.

use super::cholesky::{RIDGE, solved};
use crate::{Result, memory};

/// How much of the first sweep's change may be left, and how many sweeps there are at most.
const SETTLED: f64 = 1e-8;
const SWEEPS: usize = 500;
/// Sweeps before each leap, and how many leaps there are at most.
const PATIENCE: usize = 20;
const LEAPS: usize = 12;

/// Where the way from `x` has come to.
pub(super) struct Coordinates<'a> {
    /// Second derivatives: symmetric.
    pub(super) bends: &'a [f64],
    pub(super) x: &'a [f64],
    /// Penalties.
    pub(super) l: &'a [f64],
    /// `d`.
    pub(super) step: Vec<f64>,
    /// `g + Hd`.
    pub(super) slope: Vec<f64>,
}

impl Coordinates<'_> {
    /// The step to the least `gᵀd + ½ dᵀHd + Σ lⱼ |xⱼ + dⱼ|`.
    pub(super) fn descend(mut self) -> Result<Vec<f64>> {
        let (mut first, mut whole, mut leaps) = (0.0_f64, true, LEAPS);
        for sweep in 1..=SWEEPS {
            let moved = self.sweep(whole);
            first = first.max(moved);
            let converged = moved <= SETTLED * SETTLED * first;
            let done = converged && whole;
            whole = converged; // those that are not zero first, then all
            if leaps > 0 && (done || sweep % PATIENCE == 0) {
                // Where columns are nearly alike small changes do not say that it is near.
                let fall = self.leap()?;
                (whole, leaps) = (true, leaps - 1);
                if fall > SETTLED * SETTLED * first {
                    continue;
                }
            }
            if done {
                break;
            }
        }
        Ok(self.step)
    }

    fn here(&self, j: usize) -> f64 {
        self.x[j] + self.step[j]
    }

    /// Takes each coordinate, or each that is not zero, to its least; says how far they went at most.
    fn sweep(&mut self, whole: bool) -> f64 {
        let (size, mut moved) = (self.x.len(), 0.0_f64);
        for j in 0..size {
            let (here, l) = (self.here(j), self.l[j]);
            if !whole && here == 0.0 {
                continue;
            }
            let row = &self.bends[j * size..][..size];
            let bend = row[j];
            let there = if bend > 0.0 {
                shrunk(bend * here - self.slope[j], l) / bend
            } else if l > 0.0 {
                0.0
            } else {
                here
            };
            let change = there - here;
            if change != 0.0 {
                self.step[j] = there - self.x[j];
                moved = moved.max(change * change * bend);
                for (slope, entry) in self.slope.iter_mut().zip(row) {
                    *slope += change * entry;
                }
            }
        }
        moved
    }

    /// To the least among those that are not zero, as far as no sign changes. What would change its
    /// sign becomes zero: all of that, or where it does not lead down the first alone. Says how far down.
    fn leap(&mut self) -> Result<f64> {
        let size = self.x.len();
        let free = |j: &usize| self.l[*j] == 0.0 || self.here(*j) != 0.0;
        let active: Vec<usize> = (0..size).filter(free).collect();
        let Some(way) = self.way(&active)? else {
            return Ok(0.0);
        };
        let crosses =
            |j: usize, way: f64| self.l[j] > 0.0 && self.here(j) * (self.here(j) + way) < 0.0;
        let share = |j: usize, way: f64| {
            let part = self.here(j).abs() / way.abs();
            if crosses(j, way) { part } else { 1.0 }
        };
        let each = || active.iter().copied().zip(way.iter().copied());
        let first = each().map(|(j, way)| share(j, way)).fold(1.0, f64::min);
        for far in [1.0, first] {
            let mut change: Vec<f64> = memory::zeros(size, "a step")?;
            let mut bent: Vec<f64> = memory::zeros(size, "a gradient")?;
            let mut fall = 0.0;
            for (j, way) in each() {
                let stops = crosses(j, way) && share(j, way) <= far;
                change[j] = if stops { -self.here(j) } else { far * way };
                for (bent, entry) in bent.iter_mut().zip(&self.bends[j * size..][..size]) {
                    *bent += change[j] * entry;
                }
            }
            for (j, _) in each() {
                let (here, change) = (self.here(j), change[j]);
                fall += change * (self.slope[j] + 0.5 * bent[j]);
                fall += self.l[j] * ((here + change).abs() - here.abs());
            }
            if fall < 0.0 {
                for j in 0..size {
                    let there = self.here(j) + change[j];
                    if change[j] != 0.0 {
                        self.step[j] = there - self.x[j];
                    }
                    self.slope[j] += bent[j];
                }
                return Ok(-fall);
            }
        }
        Ok(0.0)
    }

    /// Newton's way among some, whose signs stay; none where their second derivatives are not definite.
    fn way(&self, active: &[usize]) -> Result<Option<Vec<f64>>> {
        let (size, few) = (self.x.len(), active.len());
        let diagonal = |j: usize| self.bends[j * size + j];
        let most = active.iter().map(|j| diagonal(*j)).fold(0.0, f64::max);
        let mut way = memory::zeros(few, "a step")?;
        let mut more = RIDGE;
        while few > 0 && more < 1.0 {
            let mut factor = memory::zeros(few * few, "second derivatives")?;
            for (i, (to, a)) in factor.chunks_exact_mut(few).zip(active).enumerate() {
                for (to, b) in to.iter_mut().zip(active) {
                    *to = self.bends[a * size + b];
                }
                to[i] += more * diagonal(*a).max(RIDGE * most) + f64::MIN_POSITIVE;
                way[i] = -self.slope[*a] - self.l[*a] * self.here(*a).signum();
            }
            if solved(few, &mut factor, &mut way)? {
                return Ok(Some(way));
            }
            more *= 100.0;
        }
        Ok(None)
    }
}

/// `a` moved towards zero by `l`.
pub(super) fn shrunk(a: f64, l: f64) -> f64 {
    (a.abs() - l).max(0.0).copysign(a)
}
