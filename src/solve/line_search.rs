//! How far to go along a direction: until the value falls enough and the slope is less steep (the weak
//! conditions of Wolfe; Nocedal and Wright, *Numerical Optimization*, 3.1). Where values differ by
//! rounding only, the slope decides (Hager and Zhang 2005).

use crate::{Result, memory};

/// What a fall must be of the one that the slope promises.
const FALL: f64 = 1e-4;
/// What may be left of the slope.
const STEEP: f64 = 0.9;
/// What rounding may leave in a value.
const ROUNDING: f64 = 4e-15;
/// Trials at most.
const TRIALS: usize = 25;

/// A place on the way: how far, the value, the slope.
type Place = [f64; 3];

/// A search along one direction.
#[derive(Debug)]
pub struct LineSearch {
    start: Place,
    low: Place,
    high: Option<Place>,
    trials: usize,
}

/// What to do after a trial.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Stay there.
    Accept,
    /// Try as far as that.
    Try(f64),
    /// Nothing more is to be found on this line.
    Over,
}

impl LineSearch {
    /// From a value and a slope, which is negative.
    pub fn new(value: f64, slope: f64) -> Self {
        let start = [0.0, value, slope];
        Self {
            start,
            low: start,
            high: None,
            trials: 0,
        }
    }

    /// Judges the value as far as `t`, and where there is one the slope.
    pub fn judge(&mut self, t: f64, value: f64, slope: Option<f64>) -> Verdict {
        let [_, start, first] = self.start;
        let falls = value <= start + FALL * t * first;
        let level = value <= start + ROUNDING * start.abs();
        let here = [t, value, slope.unwrap_or(f64::INFINITY)];
        self.trials += 1;
        match slope {
            _ if !(falls || level) => self.high = Some(here), // NaN too
            Some(slope) if slope < STEEP * first => self.low = here,
            Some(slope) if !falls && slope > -STEEP * first => self.high = Some(here),
            _ => return Verdict::Accept,
        }
        if self.trials >= TRIALS {
            return Verdict::Over;
        }
        Verdict::Try(self.next())
    }

    /// Between the bounds by a parabola, or beyond the lower one.
    fn next(&self) -> f64 {
        let [low, value, slope] = self.low;
        let Some([high, far, rise]) = self.high else {
            return 4.0 * low;
        };
        let long = high - low;
        let step = if rise.is_finite() && rise > 0.0 {
            -slope * long / (rise - slope)
        } else {
            -0.5 * slope * long * long / (far - value - slope * long)
        };
        let step = if step.is_finite() { step } else { 0.5 * long };
        low + step.clamp(0.1 * long, 0.9 * long)
    }
}

/// `x + t d`.
pub fn moved(x: &[f64], d: &[f64], t: f64) -> Result<Vec<f64>> {
    let mut y = memory::copy(x, "coefficients")?;
    for (y, d) in y.iter_mut().zip(d) {
        *y += t * d;
    }
    Ok(y)
}
