//! What logistic regression learns, and how far it has come.

use super::Model;
use crate::{
    Result,
    comm::{Reader, Writer},
    solve::Metric,
};

/// The next iterate, and whether it is the last.
pub(super) type Stepped = Result<(LogisticState, bool)>;

/// The iterate that is looked at, and what is known of the last one.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticState {
    /// `C` and `b` side by side, `m × (p + 1)`, row by row.
    pub coef: Vec<f64>,
    /// Steps so far.
    pub steps: usize,
    /// Whether the gradient is small enough, or as small as rounding lets it be.
    pub converged: bool,
    /// `F`.
    pub value: f64,
    /// The largest entry of the gradient.
    pub steepness: f64,
    /// Whether second derivatives are wanted.
    pub(super) curved: bool,
}

impl LogisticState {
    /// That is the end.
    pub(super) fn over(mut self, converged: bool) -> (Self, bool) {
        (self.converged, self.curved) = (converged, false);
        (self, true)
    }
}

impl Model for LogisticState {
    fn words(&self) -> Result<Vec<f64>> {
        let writer = Writer::new(6 + self.coef.len(), "coefficients")?;
        let writer = writer.slice(&self.coef)?.count(self.steps)?;
        let writer = writer.number(self.value)?.number(self.steepness)?;
        Ok(writer.flag(self.converged)?.flag(self.curved)?.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "coefficients");
        let new = Self {
            coef: reader.vec()?,
            steps: reader.count()?,
            value: reader.number()?,
            steepness: reader.number()?,
            converged: reader.flag()?,
            curved: reader.flag()?,
        };
        reader.finish()?;
        Ok(new)
    }
}

/// Where rows are put, which columns are zero there, and what bends the loss.
pub(super) struct Place {
    pub(super) mean: Vec<f64>,
    pub(super) zeros: Vec<bool>,
    pub(super) metric: Metric,
}

/// Moves intercepts to where rows are put around the means, or back.
pub(super) fn shift_intercepts(coef: &mut [f64], mean: &[f64], sign: f64) {
    let width = mean.len() + 1;
    for coef in coef.chunks_exact_mut(width) {
        let shift = coef.iter().zip(mean).map(|(c, mean)| c * mean);
        coef[width - 1] += sign * shift.sum::<f64>();
    }
}
