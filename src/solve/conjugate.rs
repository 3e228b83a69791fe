//! The answers of `(S + αI) c = b` where only products of `S` are known, for several `b` and `α` at once.
//!
//! Conjugate gradients (Hestenes and Stiefel 1952), where the diagonal may stand for the matrix; begun
//! anew from the true residual until answers no longer move: what rounding costs is won back (Björck,
//! Elfving and Strakoš 1998). Unscaled they come to the answer of least norm; scaled to another one
//! where columns depend on each other. That a probe tells, whose answer is known: it is not found then.

use super::{spectrum::dot, subspace::draw};
use crate::{Error, Result, memory};

/// Residual, to that at the start, at which an answer is looked at again: the first time.
const DEEP: f64 = 1e-10;
/// Between these later; by the condition, so that no direction is left out.
const LATER: [f64; 2] = [1e-8, 1e-3];
/// Directions are noise that rise less than this part of the flattest of the first time.
const NOISE: f64 = 0.01;
/// Move, to the length of the answer, after which nothing but rounding is left.
const TIGHT: f64 = 1e-10;
/// Last move that will do.
const LOOSE: f64 = 1e-8;
/// How far from its answer the probe may end.
const NEAR: f64 = 1e-5;
/// Longest column to the shortest up to which nothing is scaled.
const EVEN: f64 = 4.0;

/// What to look at next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// `b − S c`, of the answers so far.
    Residuals,
    /// Products of `S` with directions.
    Products,
    /// Nothing more.
    Nothing,
}

/// Several sides on their way.
pub struct ConjugateSolver {
    /// The probe is the last.
    sides: Vec<Side>,
    /// The answer of the probe, if there is one.
    truth: Option<Vec<f64>>,
    /// What to start again from where the probe is not found.
    spare: Vec<Side>,
    ask: Ask,
}

impl ConjugateSolver {
    /// Nothing is known yet but the diagonal of `S`, with zeros for columns of nothing; whether all others
    /// may be independent; and `α` of each side. Where `α = 0`, eigenvalues at or below `tol²` times the
    /// largest count as zero.
    pub fn new(diagonal: &[f64], full: bool, alphas: &[f64], tol: f64) -> Result<Self> {
        let lengths = || diagonal.iter().filter(|square| **square > 0.0);
        let most = lengths().fold(0.0_f64, |most, square| most.max(*square));
        let least = lengths().fold(most, |least, square| least.min(*square));
        let unique = alphas.iter().all(|alpha| *alpha > 0.0);
        let sides = |scaled: bool| -> Result<Vec<Side>> {
            let side = |alpha: &f64| Side::new(diagonal, scaled, *alpha, tol);
            alphas.iter().map(side).collect()
        };
        if !unique && (!full || most <= EVEN * EVEN * least) {
            return Ok(Self::from(sides(false)?));
        }
        let mut new = Self::from(sides(true)?);
        if !unique {
            let mut truth = draw(&mut 0, diagonal.len())?;
            for (entry, square) in truth.iter_mut().zip(diagonal) {
                *entry = if *square > 0.0 {
                    *entry / square.sqrt()
                } else {
                    0.0
                };
            }
            let mut probe = Side::new(diagonal, true, 0.0, tol)?;
            probe.direction.copy_from_slice(&truth);
            new.sides.push(probe);
            (new.truth, new.spare, new.ask) = (Some(truth), sides(false)?, Ask::Products);
        }
        Ok(new)
    }

    fn from(sides: Vec<Side>) -> Self {
        Self {
            sides,
            truth: None,
            spare: Vec::new(),
            ask: Ask::Residuals,
        }
    }

    /// What to look at, and where: with products one place more than sides where there is a probe.
    pub fn ask(&self) -> (Ask, impl Iterator<Item = &[f64]>) {
        let count = match self.ask {
            Ask::Products => self.sides.len(),
            _ => self.wanted(),
        };
        let places = self.sides[..count].iter().map(move |side| match self.ask {
            Ask::Products => side.direction.as_slice(),
            _ => side.answer.as_slice(),
        });
        (self.ask, places)
    }

    /// Sides without the probe.
    fn wanted(&self) -> usize {
        self.sides.len() - usize::from(self.truth.is_some())
    }

    /// Takes what was asked for, column by column.
    pub fn take(&mut self, seen: &[f64]) -> Result<()> {
        if !seen.iter().all(|entry| entry.is_finite()) {
            return Err(Error::NotFinite);
        }
        let wanted = self.wanted();
        let columns = seen.chunks_exact(seen.len() / self.ask().1.count().max(1));
        if self.ask == Ask::Residuals {
            for (side, residual) in self.sides.iter_mut().zip(columns) {
                if !side.converged {
                    side.start(residual);
                }
            }
        } else if let Some(probe) = self.sides.get_mut(wanted).filter(|probe| !probe.begun) {
            for products in columns.skip(wanted) {
                probe.start(products);
            }
            self.ask = Ask::Residuals;
            return Ok(());
        } else {
            for (side, products) in self.sides.iter_mut().zip(columns) {
                side.walk(products);
            }
        }
        self.ask = self.next();
        Ok(())
    }

    fn next(&mut self) -> Ask {
        let wanted = self.wanted();
        let walks = |sides: &[Side]| sides.iter().any(|side| side.walks);
        if walks(&self.sides[..wanted]) {
            return Ask::Products;
        }
        for side in self.sides[..wanted]
            .iter_mut()
            .filter(|side| !side.converged)
        {
            side.keep();
        }
        if !self.sides[..wanted].iter().all(|side| side.converged) {
            return Ask::Residuals;
        }
        if walks(&self.sides[wanted..]) {
            return Ask::Products;
        }
        if let Some(truth) = self.truth.take()
            && let Some(probe) = self.sides.pop()
            && probe.apart(&truth) > NEAR
        {
            self.sides = std::mem::take(&mut self.spare);
            return Ask::Residuals;
        }
        Ask::Nothing
    }

    /// The answers as they are, and whether they are settled.
    pub fn answers(&mut self) -> (bool, impl Iterator<Item = &[f64]>) {
        let wanted = self.wanted();
        let mut converged = true;
        for side in &mut self.sides[..wanted] {
            if !side.converged && side.moved > LOOSE {
                side.keep();
                side.moved = f64::INFINITY;
            }
            converged &= side.moved <= LOOSE;
        }
        let answers = self.sides[..wanted].iter();
        (converged, answers.map(|side| side.answer.as_slice()))
    }
}

/// One `b`, and how far its answer is.
struct Side {
    alpha: f64,
    /// What the matrix is taken for.
    diagonal: Vec<f64>,
    /// `c`.
    answer: Vec<f64>,
    /// What comes to it, from its true residual on.
    step: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    /// Squared length of the residual at the start, and now.
    lengths: [f64; 2],
    /// Largest `dᵀ(S + αI)d` over the squared length of `d`, and the least of the first time.
    steepest: f64,
    least: f64,
    /// Which part of the largest is noise.
    flat: f64,
    /// How far the last step went.
    moved: f64,
    begun: bool,
    walks: bool,
    converged: bool,
}

impl Side {
    fn new(diagonal: &[f64], scaled: bool, alpha: f64, tol: f64) -> Result<Self> {
        let none = || memory::zeros(diagonal.len(), "an answer");
        let mut own = memory::copy(diagonal, "a diagonal")?;
        for entry in own.iter_mut().filter(|entry| **entry > 0.0) {
            *entry = if scaled { *entry + alpha } else { 1.0 };
        }
        let tol = if alpha > 0.0 { 0.0 } else { tol };
        Ok(Self {
            alpha,
            diagonal: own,
            answer: none()?,
            step: none()?,
            residual: none()?,
            direction: none()?,
            lengths: [0.0; 2],
            steepest: 0.0,
            least: f64::INFINITY,
            flat: f64::EPSILON.max(tol * tol),
            moved: f64::INFINITY,
            begun: false,
            walks: false,
            converged: false,
        })
    }

    /// From `b − S c` on.
    fn start(&mut self, residual: &[f64]) {
        let own = self.residual.iter_mut().zip(residual).zip(&self.answer);
        for ((own, residual), answer) in own {
            *own = residual - self.alpha * answer;
        }
        self.begun = true;
        self.step.fill(0.0);
        self.direction.fill(0.0);
        let length = self.shorten();
        self.lengths = [length, length];
        self.walks = length > 0.0;
        if self.walks {
            self.turn(0.0);
        } else {
            (self.converged, self.moved) = (true, 0.0);
        }
    }

    /// Squared length of the residual; columns of nothing have none.
    fn shorten(&mut self) -> f64 {
        let mut length = 0.0;
        for (residual, diagonal) in self.residual.iter_mut().zip(&self.diagonal) {
            if *diagonal > 0.0 {
                length += *residual * *residual / diagonal;
            } else {
                *residual = 0.0;
            }
        }
        length
    }

    /// The next direction, with a share of the last.
    fn turn(&mut self, share: f64) {
        let entries = self.direction.iter_mut().zip(&self.residual);
        for ((direction, residual), diagonal) in entries.zip(&self.diagonal) {
            if *diagonal > 0.0 {
                *direction = residual / diagonal + share * *direction;
            }
        }
    }

    /// Along the direction, of which the product with `S` is known.
    fn walk(&mut self, products: &[f64]) {
        if !self.walks {
            return;
        }
        let (alpha, before) = (self.alpha, self.lengths[1]);
        let own = dot(&self.direction, &self.direction);
        let steep = dot(products, &self.direction) + alpha * own;
        let rise = steep / self.size(&self.direction);
        self.steepest = self.steepest.max(rise);
        let length = before / steep;
        self.walks = rise > self.flat * self.steepest && length.is_finite();
        if self.walks {
            for (residual, (product, direction)) in self
                .residual
                .iter_mut()
                .zip(products.iter().zip(&self.direction))
            {
                *residual -= length * (product + alpha * direction);
            }
            for (step, direction) in self.step.iter_mut().zip(&self.direction) {
                *step += length * direction;
            }
            let deep = if self.moved.is_finite() {
                self.flat.clamp(LATER[0], LATER[1])
            } else {
                self.least = self.least.min(rise);
                DEEP
            };
            self.lengths[1] = self.shorten();
            self.walks = self.lengths[1] > deep * deep * self.lengths[0];
        }
        if self.walks {
            self.turn(self.lengths[1] / before);
        } else {
            self.direction.fill(0.0);
        }
    }

    /// Squared length.
    fn size(&self, of: &[f64]) -> f64 {
        let squares = of.iter().zip(&self.diagonal).map(|(c, d)| c * c * d);
        squares.sum()
    }

    /// Takes the step, unless nothing but rounding is left.
    fn keep(&mut self) {
        let before = self.size(&self.answer).sqrt();
        let far = self.size(&self.step).sqrt();
        let moved = if far > 0.0 {
            far / before.max(far)
        } else {
            0.0
        };
        if moved > 0.5 * self.moved {
            self.converged = true;
            return;
        }
        for (answer, step) in self.answer.iter_mut().zip(&self.step) {
            *answer += step;
        }
        self.step.fill(0.0);
        (self.moved, self.converged) = (moved, moved <= TIGHT);
        self.flat = self.flat.max(NOISE * self.least / self.steepest);
    }

    /// How far the step is from the truth, to its length.
    fn apart(&self, truth: &[f64]) -> f64 {
        let error = self.step.iter().zip(truth).zip(&self.diagonal);
        let error: f64 = error.map(|((c, t), d)| (c - t).powi(2) * d).sum();
        (error / self.size(truth)).sqrt()
    }
}
