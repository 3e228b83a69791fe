//! Logistic losses in one pass over blocks of rows: scores, probabilities and what flows back, while
//! the rows are in cache.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::Cpu;
use super::blocks::{Aligned, Scratch, blocks, groups};
use super::exponent::{exp, log_sum};
use super::hessian::{Hessian, Parts};
use super::scores::{Backward, Forward};
use crate::device::{Data, LinkKernels, Linked, Scores, free};
use crate::{Error, Result, memory, real::Real};
use ndarray::s;
use pulp::{Arch, NullaryFnOnce};
use std::ops::Range;

/// Rows of a block: with 100 columns half of the second-level cache.
const BLOCK: usize = 256;

impl LinkKernels for Cpu {
    fn link<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        at: Scores<'_>,
        curved: bool,
    ) -> Result<Linked> {
        rows.check()?;
        let (n, p, targets) = rows.shape();
        let width = p + 1;
        let m = at.coef.len() / width;
        if targets != 1 || m == 0 || at.coef.len() != m * width || at.mean.len() != p {
            return Err(Error::Shape("classes and coefficients"));
        }
        if at.weights.len() != m.max(2) {
            return Err(Error::Shape("weights of classes"));
        }
        let pairs = if curved {
            free(m) * (free(m) + 1) / 2
        } else {
            0
        };
        let r_factor = width * (width + 1) / 2;
        let mut all = Linked {
            loss: 0.0,
            gradient: memory::zeros(m * width, "a gradient")?,
            curvature: memory::zeros(pairs * r_factor, "second derivatives")?,
        };
        let groups = groups(n, m * width + pairs * r_factor);
        let one = |g: usize| group(rows, &groups[g], at, curved);
        let flops = n as f64 * (p * (4 * m + p * pairs)) as f64;
        for part in self.each(groups.len(), flops, one)? {
            all.loss += part.loss;
            add(&mut all.gradient, &part.gradient);
            add(&mut all.curvature, &part.curvature);
        }
        Ok(all)
    }
}

fn add(sums: &mut [f64], part: &[f64]) {
    for (sum, part) in sums.iter_mut().zip(part) {
        *sum += part;
    }
}

/// What one task works with.
struct Task<'s> {
    at: Scores<'s>,
    none: Vec<f64>,
    scratch: Scratch<f64>,
    /// Coefficients and the gradient, of the rows' pitch.
    coef: Aligned<f64>,
    gradient: Aligned<f64>,
    softmax: Softmax,
    bends: Hessian,
}

/// The share of a group of rows.
fn group<T: Real>(
    rows: &Data<'_, '_, Cpu, T>,
    group: &Range<usize>,
    at: Scores<'_>,
    curved: bool,
) -> Result<Linked> {
    let mut task = Task::new(rows, at, curved)?;
    for block in blocks(group, BLOCK) {
        task.add(rows, &block);
    }
    task.found()
}

impl<'s> Task<'s> {
    fn new<T: Real>(rows: &Data<'_, '_, Cpu, T>, at: Scores<'s>, curved: bool) -> Result<Self> {
        let p = at.mean.len();
        let (width, m) = (p + 1, at.coef.len() / (p + 1));
        let scratch = Scratch::<f64>::new(rows, 0..p, BLOCK)?;
        let pitch = scratch.pitch();
        let mut coef: Aligned<f64> = Aligned::of(m * pitch, "coefficients")?;
        for (to, from) in coef
            .chunks_exact_mut(pitch)
            .zip(at.coef.chunks_exact(width))
        {
            to[..width].copy_from_slice(from);
        }
        Ok(Self {
            at,
            none: memory::zeros(p, "means")?,
            scratch,
            coef,
            gradient: Aligned::of(m * pitch, "a gradient")?,
            softmax: Softmax::new(m, curved)?,
            bends: Hessian::new(if curved { m } else { 0 }, [width, pitch], BLOCK)?,
        })
    }

    /// Takes in a block of rows.
    fn add<T: Real>(&mut self, rows: &Data<'_, '_, Cpu, T>, block: &Range<usize>) {
        let (n, scratch, softmax) = (block.len(), &mut self.scratch, &mut self.softmax);
        scratch.weigh(rows, block);
        scratch.fill(rows, block, [self.at.mean, &self.none], false);
        softmax.read(rows, block, &scratch.weights, self.at.weights);
        let pitch = scratch.pitch();
        Arch::new().dispatch(Forward {
            rows: scratch.entries(n),
            coef: &self.coef,
            pitch,
            to: &mut softmax.scores,
            stride: BLOCK,
        });
        Arch::new().dispatch(Turn { softmax, n });
        Arch::new().dispatch(Backward {
            rows: scratch.entries(n),
            pitch,
            rest: &softmax.scores,
            stride: BLOCK,
            to: &mut self.gradient,
        });
        let parts = Parts {
            shares: &softmax.shares,
            stride: BLOCK,
            weights: &softmax.weights[..n],
            inverse: &softmax.inverse[..n],
        };
        self.bends.add(scratch, &parts);
    }

    fn found(&self) -> Result<Linked> {
        let (width, pitch) = (self.at.mean.len() + 1, self.scratch.pitch());
        let mut gradient = memory::zeros(self.at.coef.len(), "a gradient")?;
        for (to, from) in gradient
            .chunks_exact_mut(width)
            .zip(self.gradient.chunks_exact(pitch))
        {
            to.copy_from_slice(&from[..width]);
        }
        Ok(Linked {
            loss: self.softmax.loss.iter().sum(),
            gradient,
            curvature: self.bends.triangles(width, pitch)?,
        })
    }
}

/// What a block says of its rows, score by score in stretches of `BLOCK`.
struct Softmax {
    m: usize,
    /// Scores; then `w (probability − [own class])`.
    scores: Vec<f64>,
    /// `w` times probabilities, where second derivatives are asked for.
    shares: Vec<f64>,
    /// The class of each row, its weight, and `1 / w`, 0 of 0.
    labels: Vec<usize>,
    weights: Vec<f64>,
    inverse: Vec<f64>,
    /// On the way: the largest score, the own class's and its exponential, the sum of the others'.
    largest: Vec<f64>,
    own: Vec<f64>,
    top: Vec<f64>,
    others: Vec<f64>,
    /// Eight sums.
    loss: [f64; 8],
}

impl Softmax {
    fn new(m: usize, curved: bool) -> Result<Self> {
        let column = || memory::zeros(BLOCK, "scores");
        Ok(Self {
            m,
            scores: memory::zeros(m * BLOCK, "scores")?,
            shares: memory::zeros(if curved { m * BLOCK } else { 0 }, "probabilities")?,
            labels: memory::zeros(BLOCK, "labels")?,
            weights: column()?,
            inverse: column()?,
            largest: column()?,
            own: column()?,
            top: column()?,
            others: column()?,
            loss: [0.0; 8],
        })
    }

    /// Takes the classes and weights of a block.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // they were `usize`
    fn read<T: Real>(
        &mut self,
        rows: &Data<'_, '_, Cpu, T>,
        block: &Range<usize>,
        weights: &[f64],
        of_classes: &[f64],
    ) {
        let Some(y) = rows.y else { return };
        let last = of_classes.len() - 1;
        for (i, y) in y.slice(s![block.clone(), 0]).iter().enumerate() {
            let y: f64 = (*y).into();
            let label = (y as usize).min(last);
            let w = weights.get(i).map_or(1.0, |w| *w) * of_classes[label];
            self.labels[i] = label;
            self.weights[i] = w;
            self.inverse[i] = if w > 0.0 { 1.0 / w } else { 0.0 };
        }
    }
}

/// Scores become what flows back, and the loss is added.
struct Turn<'a> {
    softmax: &'a mut Softmax,
    n: usize,
}

impl NullaryFnOnce for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        if self.softmax.m == 1 {
            self.one();
        } else {
            self.many();
        }
    }
}

impl Turn<'_> {
    /// One score: with `t` that of the other class, `ℓ = log (1 + exp t)`.
    #[inline(always)]
    fn one(self) {
        let (n, softmax) = (self.n.next_multiple_of(8).min(BLOCK), self.softmax);
        for i in self.n..n {
            (softmax.weights[i], softmax.labels[i], softmax.scores[i]) = (0.0, 0, 0.0);
        }
        let (scores, weights) = (&mut softmax.scores[..n], &softmax.weights[..n]);
        let sign = &mut softmax.own[..n];
        for (sign, label) in sign.iter_mut().zip(&softmax.labels) {
            *sign = if *label > 0 { -1.0 } else { 1.0 };
        }
        let (losses, hessian) = (&mut softmax.others[..n], &mut softmax.top[..n]);
        for i in 0..n {
            let t = sign[i] * scores[i];
            let tail = exp(-t.abs());
            let share = weights[i] / (1.0 + tail);
            let positive = if t > 0.0 { t } else { 0.0 };
            losses[i] = weights[i] * (log_sum(1.0, tail) + positive);
            scores[i] = sign[i] * share * if t > 0.0 { 1.0 } else { tail };
            hessian[i] = share * tail / (1.0 + tail);
        }
        if !softmax.shares.is_empty() {
            softmax.shares[..n].copy_from_slice(&softmax.top[..n]);
        }
        add_eights(&mut softmax.loss, &softmax.others[..n]);
    }

    /// The softmax; own classes by what the others leave, so that small losses keep their digits.
    #[inline(always)]
    fn many(self) {
        let (n, m, softmax) = (self.n, self.softmax.m, self.softmax);
        let largest = &mut softmax.largest[..n];
        largest.copy_from_slice(&softmax.scores[..n]);
        for c in 1..m {
            let scores = &softmax.scores[c * BLOCK..][..n];
            for i in 0..n {
                largest[i] = if largest[i] > scores[i] {
                    largest[i]
                } else {
                    scores[i]
                };
            }
        }
        for i in 0..n {
            softmax.own[i] = softmax.scores[softmax.labels[i] * BLOCK + i];
        }
        for c in 0..m {
            let scores = &mut softmax.scores[c * BLOCK..][..n];
            for i in 0..n {
                scores[i] = exp(scores[i] - largest[i]);
            }
        }
        for i in 0..n {
            let own = &mut softmax.scores[softmax.labels[i] * BLOCK + i];
            softmax.top[i] = *own;
            *own = 0.0;
        }
        let others = &mut softmax.others[..n];
        others.fill(0.0);
        for scores in softmax.scores.chunks_exact(BLOCK) {
            let scores = &scores[..n];
            for i in 0..n {
                others[i] += scores[i];
            }
        }
        softmax.close(n);
    }
}

impl Softmax {
    /// From exponentials, those of own classes apart, to losses and what flows back.
    #[inline(always)]
    fn close(&mut self, n: usize) {
        let (own, top) = (&mut self.own[..n], &mut self.top[..n]);
        let (others, largest) = (&mut self.others[..n], &mut self.largest[..n]);
        let weights = &self.weights[..n];
        for i in 0..n {
            let inverse = weights[i] / (top[i] + others[i]);
            let gap = largest[i] - own[i];
            own[i] = weights[i] * (log_sum(top[i], others[i]) + gap);
            others[i] *= inverse;
            top[i] *= inverse;
            largest[i] = inverse;
        }
        for scores in self.scores.chunks_exact_mut(BLOCK) {
            let scores = &mut scores[..n];
            for i in 0..n {
                scores[i] *= largest[i];
            }
        }
        if !self.shares.is_empty() {
            self.shares.copy_from_slice(&self.scores);
        }
        for i in 0..n {
            let at = self.labels[i] * BLOCK + i;
            self.scores[at] = -others[i];
            if let Some(share) = self.shares.get_mut(at) {
                *share = top[i];
            }
        }
        add_eights(&mut self.loss, own);
    }
}

/// Adds numbers to eight sums, in a fixed order that the processor can follow.
#[inline(always)]
fn add_eights(sums: &mut [f64; 8], numbers: &[f64]) {
    let (eights, rest) = numbers.as_chunks::<8>();
    for eight in eights {
        for l in 0..8 {
            sums[l] += eight[l];
        }
    }
    for (sum, number) in sums.iter_mut().zip(rest) {
        *sum += number;
    }
}
