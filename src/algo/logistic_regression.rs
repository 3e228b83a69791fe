//! # Logistic regression
//!
//! Minimises `F = Σᵢ wᵢ ℓᵢ / W + Σⱼ (½ l₂ⱼ βⱼ² + l₁ⱼ |βⱼ|)` over coefficients and intercepts `β`, with the
//! losses `ℓ` of `device::LinkKernels` and `W = Σᵢ wᵢ`. Rows are put around their means where there is an
//! intercept without penalty: so nothing is lost far from the origin, and coefficients are the same.
//!
//! Kept of the rows: `Sums` of loss, gradient and Hessian. The solver is chosen by sizes alone: Newton's
//! steps by Cholesky for few coefficients (`n p²` flops for each pair of scores; Nocedal and Wright,
//! *Numerical Optimization*, 3.3); L-BFGS for many, preconditioned by the co-moments of the columns, which
//! bound the Hessian (Böhning 1992; `4 n p m` flops an iteration); with an L1 penalty proximal Newton by
//! coordinate descent (Lee, Sun and Saunders 2014), or FISTA where there is no memory for a Hessian.
//! All ranks look at the first rank's iterate; `solve::LineSearch` judges it.

use super::{
    LogisticState, Observer, Place, Rounds, Stepped, lead, moments, rounds, shift_intercepts,
    variances,
};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels, MomentOptions, Scores, free},
    memory,
    real::Real,
    solve::{self, Fista, LineSearch, Memory, Metric, Penalized, Verdict, dot, moved},
    summary::Sums,
};

/// Coefficients for each score up to which the co-moments of the columns pay, and at most.
const SPECTRAL: [usize; 2] = [64, 1024];
/// What second derivatives may cost, in gradients, where Newton's steps are the first way.
const CHEAP: usize = 8;
/// Part of the last fall above which second derivatives are looked at anew.
const STALE: f64 = 0.05;
/// Part of `F` below which rounding may hide a fall.
const HIDDEN: f64 = 1e-11;
/// Part of `F` below which a fall cannot be seen.
const STILL: f64 = 1e-22;

/// Parameters and my rows.
pub struct LogisticRegression<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, with numbers of classes.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// What rows of each class weigh, beside their own weight.
    pub weights: &'r [f64],
    /// `W`.
    pub total: f64,
    /// `W l₁` and `W l₂`, of coefficients and of intercepts.
    pub penalties: [[f64; 2]; 2],
    /// Whether there is an intercept, and whether rows are put around their means.
    pub intercept: [bool; 2],
    /// The largest entry of the gradient, for columns as they are, that is small enough; and the one
    /// that ends it.
    pub tol: [f64; 2],
    /// Steps at most.
    pub limit: usize,
    /// Second derivatives of more unknowns have no room.
    pub room: usize,
    /// On the first rank: sees the coefficients after each step.
    pub observer: Option<Observer<'r>>,
}

/// How steps are found.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Newton,
    Quasi,
    Proximal,
    Gradient,
}

impl<D: Kernels, T: Real> LogisticRegression<'_, '_, '_, D, T> {
    /// The model of the rows of all ranks, from the first rank's coefficients. A header must have
    /// agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator, start: &[f64]) -> Result<LogisticState> {
        let (width, way) = (self.rows.shape().1 + 1, self.way(start.len()));
        let place = self.place(comm, way, start.len() / width)?;
        let mut optimizer = Optimizer::new(self, way, &place, start)?;
        let begin = lead(comm, || {
            let mut coef = memory::copy(start, "coefficients")?;
            shift_intercepts(&mut coef, &place.mean, 1.0);
            optimizer.goal.fix(&mut coef);
            Ok(LogisticState {
                coef,
                steps: 0,
                converged: false,
                value: f64::INFINITY,
                steepness: f64::INFINITY,
                curved: matches!(way, Way::Newton | Way::Proximal),
            })
        })?;
        let limit = self.limit.saturating_add(1).saturating_mul(30);
        let found = rounds(&mut optimizer, comm, begin, limit)?;
        lead(comm, || {
            let mut state = found.clone();
            state.coef = optimizer.for_columns_as_they_are(&state.coef)?;
            Ok(state)
        })
    }

    /// By the weight of all rows: a row of weight 2 goes the way of two rows, on any number of ranks.
    fn way(&self, unknowns: usize) -> Way {
        let [[first, second], _] = self.penalties;
        let bent = first > 0.0 || second > 0.0;
        let fits = unknowns <= self.room;
        let cheap = self.expense(unknowns) <= CHEAP && self.total >= unknowns as f64;
        match (bent, fits) {
            (true, true) => Way::Proximal,
            (true, false) => Way::Gradient,
            (false, true) if cheap => Way::Newton,
            (false, _) => Way::Quasi,
        }
    }

    /// What second derivatives cost, in gradients.
    fn expense(&self, unknowns: usize) -> usize {
        let width = self.rows.shape().1 + 1;
        let m = unknowns / width;
        width * free(m) * (free(m) + 1) / (8 * m.max(1))
    }

    /// Where rows are put, and what bends the loss.
    fn place(&self, comm: &dyn Communicator, way: Way, m: usize) -> Result<Place> {
        let (rows, (_, p, _)) = (self.rows, self.rows.shape());
        let bare = Data { y: None, ..*rows };
        let centered = self.intercept[1];
        let ridge = [0, 1].map(|of| self.penalties[1][of] / self.total);
        // What one score's curvature is of the weight where all classes are alike.
        let part = if m > 1 { 1.0 / m as f64 } else { 0.25 };
        let few = p <= SPECTRAL[0].saturating_mul(m).min(SPECTRAL[1]);
        if way == Way::Quasi && few && self.total >= p as f64 {
            let exact = false;
            let seen = moments(&bare, comm, MomentOptions { centered, exact })?;
            if !seen.is_finite() {
                return Err(Error::NotFinite);
            }
            let spectrum = solve::eigen(p, &seen.products(p)?, 1)?;
            let weight = seen.means().weight();
            return Ok(Place {
                mean: memory::copy(seen.means().mean(), "means")?,
                zeros: (0..p).map(|j| seen.comoment(j, j) == 0.0).collect(),
                metric: Metric::spectral(spectrum, part, ridge, weight),
            });
        }
        let (means, mut squares) = variances(&bare, comm)?;
        let mut mean = memory::copy(means.mean(), "means")?;
        for (square, mean) in squares.iter_mut().zip(&mut mean) {
            *square /= means.weight();
            if !centered {
                *square += *mean * *mean;
                *mean = 0.0;
            }
        }
        Ok(Place {
            mean,
            zeros: squares.iter().map(|square| *square == 0.0).collect(),
            metric: Metric::diagonal(&squares, part, ridge, m)?,
        })
    }
}

/// The steps from one iterate to the next.
struct Optimizer<'t, 'r, 'a, 'm, D: Kernels, T: Real> {
    task: &'t LogisticRegression<'r, 'a, 'm, D, T>,
    way: Way,
    mean: &'t [f64],
    goal: Penalized,
    metric: &'t Metric,
    memory: Memory,
    fista: Fista,
    /// `β` and the gradient where the first rank has been.
    at: Option<[Vec<f64>; 2]>,
    step: Vec<f64>,
    search: LineSearch,
    far: f64,
    /// What the last step promised.
    slope: f64,
    /// The last second derivatives.
    bends: Vec<f64>,
    /// Whether Newton's steps led nowhere.
    lost: bool,
}

impl<'t, 'r, 'a, 'm, D: Kernels, T: Real> Optimizer<'t, 'r, 'a, 'm, D, T> {
    fn new(
        task: &'t LogisticRegression<'r, 'a, 'm, D, T>,
        way: Way,
        place: &'t Place,
        start: &[f64],
    ) -> Result<Self> {
        let (mean, metric) = (&place.mean[..], &place.metric);
        let bends = match metric {
            Metric::Diagonal(bends) => memory::copy(bends, "a metric")?,
            Metric::Spectral { .. } => Vec::new(),
        };
        let columns = (mean, &place.zeros[..]);
        let goal = Penalized::of(
            task.total,
            task.penalties,
            task.intercept[0],
            columns,
            start,
        )?;
        Ok(Self {
            task,
            way,
            mean,
            goal,
            metric,
            memory: Memory::default(),
            fista: Fista::new(bends),
            at: None,
            step: Vec::new(),
            search: LineSearch::new(0.0, 0.0),
            far: 0.0,
            slope: f64::NEG_INFINITY,
            bends: Vec::new(),
            lost: false,
        })
    }

    /// Coefficients for columns that are not centred.
    fn for_columns_as_they_are(&self, coef: &[f64]) -> Result<Vec<f64>> {
        let mut coef = memory::copy(coef, "coefficients")?;
        shift_intercepts(&mut coef, self.mean, -1.0);
        self.goal.choose_optimum(&mut coef);
        Ok(coef)
    }

    /// Whether the observer of this step wants no other.
    fn enough(&self, coef: &[f64]) -> Result<bool> {
        match self.task.observer {
            Some(observer) => observer(&self.for_columns_as_they_are(coef)?),
            None => Ok(false),
        }
    }

    /// Judges the iterate; if it is on the way, brings the next trial.
    fn descend(&mut self, mut state: LogisticState, seen: &[f64]) -> Stepped {
        let (value, gradient) = self.goal.value(&state.coef, seen)?;
        let mut enough = false;
        if let Some([coef, before]) = &self.at {
            let slope = (self.way != Way::Proximal).then(|| dot(&gradient, &self.step));
            match self.search.judge(self.far, value, slope) {
                Verdict::Accept => {
                    state.steps += 1;
                    enough = self.enough(&state.coef)?;
                }
                Verdict::Over => {
                    state.coef = memory::copy(coef, "coefficients")?;
                    return Ok(self.stalled(state));
                }
                Verdict::Try(far) => {
                    (self.far, state.curved) = (far, self.way != Way::Quasi);
                    state.coef = moved(coef, &self.step, far)?;
                    return Ok((state, false));
                }
            }
            if self.way == Way::Quasi {
                let step = moved(&state.coef, coef, -1.0)?;
                let change = moved(&gradient, before, -1.0)?;
                self.memory.remember(step, change, self.metric)?;
            }
        }
        (state.value, state.steepness) =
            (value, self.goal.steepness(&state.coef, &gradient, false));
        if enough || state.steepness <= self.task.tol[1] || state.steps >= self.task.limit {
            let converged = enough || state.steepness <= self.task.tol[0];
            return Ok(state.over(converged));
        }
        if state.steps >= 10 + self.task.expense(state.coef.len()) {
            state = match self.switch_to_newton(state) {
                Ok(next) => return Ok(next),
                Err(state) => state,
            };
        }
        self.step(state, gradient, &seen[1..])
    }

    /// Takes the direction from an iterate that stays.
    fn step(&mut self, mut state: LogisticState, gradient: Vec<f64>, seen: &[f64]) -> Stepped {
        if state.curved {
            self.bends = memory::copy(&seen[state.coef.len()..], "second derivatives")?;
        }
        let (step, slope) = match self.way {
            Way::Newton => self.goal.newton(&gradient, &self.bends)?,
            Way::Proximal => self.goal.proximal(&state.coef, &gradient, &self.bends)?,
            Way::Quasi | Way::Gradient => {
                let mut step = self.memory.direction(&gradient, self.metric)?;
                self.goal.fix(&mut step);
                let slope = dot(&gradient, &step);
                (step, slope)
            }
        };
        // A fall too small to be seen, which was hardly larger before: nothing but rounding is left.
        let still = -slope <= STILL * state.value.abs() && slope < 0.25 * self.slope;
        if slope.is_nan() || slope >= 0.0 || still {
            return Ok(self.stalled(state));
        }
        // Second derivatives that serve well are kept.
        let outdated = state.steps < 2 || slope < STALE * self.slope;
        state.curved = outdated && self.way != Way::Quasi;
        (self.search, self.far, self.slope) = (LineSearch::new(state.value, slope), 1.0, slope);
        let next = moved(&state.coef, &step, 1.0)?;
        let coef = std::mem::replace(&mut state.coef, next);
        (self.step, self.at) = (step, Some([coef, gradient]));
        Ok((state, false))
    }

    /// Where no step leads further. Where the last promised a fall that rounding hides, the place is as
    /// good as any; else Newton's steps were misled, and limited memory goes on from there.
    fn stalled(&mut self, state: LogisticState) -> (LogisticState, bool) {
        let hidden = self.way != Way::Quasi && -self.slope <= HIDDEN * state.value.abs();
        let good = hidden || state.steepness <= self.task.tol[0];
        let mut state = match self.switch_to_newton(state) {
            Ok(next) => return next,
            Err(state) => state,
        };
        if good || self.way != Way::Newton {
            return state.over(good);
        }
        (self.way, self.lost, state.curved) = (Way::Quasi, true, false);
        (self.at, self.memory, self.slope) = (None, Memory::default(), f64::NEG_INFINITY);
        (state, false)
    }

    /// Where limited memory takes long, second derivatives are looked at there, and Newton's steps
    /// follow; unless they have no room.
    fn switch_to_newton(
        &mut self,
        mut state: LogisticState,
    ) -> std::result::Result<(LogisticState, bool), LogisticState> {
        if self.way != Way::Quasi || self.lost || state.coef.len() > self.task.room {
            return Err(state);
        }
        (self.way, self.at, self.slope) = (Way::Newton, None, f64::NEG_INFINITY);
        state.curved = true;
        Ok((state, false))
    }

    /// The same by proximal gradients.
    fn prox_step(&mut self, mut state: LogisticState, seen: &[f64]) -> Stepped {
        let (value, gradient) = self.goal.value(&state.coef, seen)?;
        let first = self.goal.first();
        let [x, next, rest] = self.fista.step(&state.coef, &gradient, &first)?;
        (state.value, state.steepness) = (value, self.goal.steepness(&x, &rest, true));
        let sure = state.steepness <= self.task.tol[1];
        if sure || state.steps >= self.task.limit {
            let converged = state.steepness <= self.task.tol[0];
            state.coef = x;
            return Ok(state.over(converged));
        }
        state.steps += 1;
        if self.enough(&x)? {
            state.coef = x;
            return Ok(state.over(true));
        }
        state.coef = next;
        Ok((state, false))
    }
}

impl<D: Kernels, T: Real> Rounds for Optimizer<'_, '_, '_, '_, D, T> {
    type Summary = Sums;
    type Model = LogisticState;

    const LED: bool = true;

    fn neutral(&self, state: &LogisticState) -> Result<Sums> {
        let (width, unknowns) = (self.mean.len() + 1, state.coef.len());
        let free = free(unknowns / width);
        let pairs = if state.curved {
            free * (free + 1) / 2
        } else {
            0
        };
        Sums::empty(1 + unknowns + pairs * width * (width + 1) / 2)
    }

    fn look(&mut self, state: &LogisticState) -> Result<Sums> {
        let (rows, weights) = (self.task.rows, self.task.weights);
        let at = Scores {
            mean: self.mean,
            coef: &state.coef,
            weights,
        };
        let mut found = rows.device.link(rows, at, state.curved)?;
        found.gradient.insert(0, found.loss);
        found.gradient.extend(found.curvature);
        Ok(Sums::of(found.gradient))
    }

    fn improve(&mut self, state: LogisticState, seen: &mut Sums) -> Stepped {
        match self.way {
            Way::Gradient => self.prox_step(state, seen.values()),
            _ => self.descend(state, seen.values()),
        }
    }
}
