//! Proximal gradients with momentum (Beck and Teboulle 2009), which starts anew where it leads astray
//! (O'Donoghue and Candès 2015), by one gradient a step.

use super::coordinates::shrunk;
use crate::{Result, memory};

/// The last points, and how steep gradients were found to be.
#[derive(Debug)]
pub struct Fista {
    /// Curvature of each unknown, up to one number for all.
    metric: Vec<f64>,
    /// That number: it only grows.
    bend: f64,
    momentum: f64,
    /// The last point, and where its gradient was looked at, with that.
    last: Option<[Vec<f64>; 3]>,
}

impl Fista {
    /// With curvatures, right up to a common factor.
    pub fn new(metric: Vec<f64>) -> Self {
        Self {
            metric,
            bend: 1.0,
            momentum: 1.0,
            last: None,
        }
    }

    /// The better point, where to look next, and what is left of the gradient; `y` was looked at and
    /// `g` found; `l` are the penalties of absolute values.
    pub fn step(&mut self, y: &[f64], g: &[f64], l: &[f64]) -> Result<[Vec<f64>; 3]> {
        if let Some([_, before, slope]) = &self.last {
            let (mut change, mut way) = (0.0, 0.0);
            for (j, metric) in self.metric.iter().enumerate() {
                change += (g[j] - slope[j]).powi(2) / metric;
                way += (y[j] - before[j]).powi(2) * metric;
            }
            if way > 0.0 {
                self.bend = self.bend.max((change / way).sqrt());
            }
        }
        let mut x = memory::copy(y, "coefficients")?;
        let mut rest = memory::zeros(y.len(), "a gradient")?;
        for (j, metric) in self.metric.iter().enumerate() {
            let bend = self.bend * metric;
            x[j] = shrunk(y[j] - g[j] / bend, l[j] / bend);
            rest[j] = bend * (y[j] - x[j]);
        }
        let mut next = memory::copy(&x, "coefficients")?;
        if let Some([last, ..]) = &self.last {
            let along = |j: usize| rest[j] * (x[j] - last[j]);
            if (0..x.len()).map(along).sum::<f64>() > 0.0 {
                self.momentum = 1.0;
            }
            let momentum = 0.5 * (1.0 + (1.0 + 4.0 * self.momentum * self.momentum).sqrt());
            let share = (self.momentum - 1.0) / momentum;
            self.momentum = momentum;
            for (next, (x, last)) in next.iter_mut().zip(x.iter().zip(last)) {
                *next += share * (x - last);
            }
        }
        self.last = Some([
            memory::copy(&x, "coefficients")?,
            memory::copy(y, "coefficients")?,
            memory::copy(g, "a gradient")?,
        ]);
        Ok([x, next, rest])
    }
}
