//! A mean loss of `m` scores with penalties on their coefficients:
//! `F = Σᵢ wᵢ ℓᵢ / W + Σⱼ (½ l₂ⱼ βⱼ² + l₁ⱼ |βⱼ|)`.

use super::{Curvature, spectrum::dot};
use crate::{Result, memory};

/// Penalties of coefficients and intercepts, and where columns were put.
#[derive(Debug)]
pub struct Penalized {
    /// `W`.
    total: f64,
    /// `l₁` and `l₂` of each unknown; those without are fixed.
    each: Vec<Option<[f64; 2]>>,
    /// How far columns were moved: unknowns of a score, but the intercept.
    mean: Vec<f64>,
    /// The mean of the first intercepts.
    level: f64,
}

impl Penalized {
    /// From `W l₁` and `W l₂`, of coefficients and of intercepts, if there are any; with the first `β`.
    pub fn of(
        total: f64,
        penalties: [[f64; 2]; 2],
        intercept: bool,
        mean: &[f64],
        start: &[f64],
    ) -> Result<Self> {
        let width = mean.len() + 1;
        let of = |j: usize| {
            let last = usize::from(j % width == width - 1);
            let both = [0, 1].map(|power: usize| penalties[power][last] / total);
            (last == 0 || intercept).then_some(both)
        };
        Ok(Self {
            total,
            each: (0..start.len()).map(of).collect(),
            mean: memory::copy(mean, "means")?,
            level: level(start, width),
        })
    }

    /// `l₁`.
    pub fn first(&self) -> Vec<f64> {
        self.each
            .iter()
            .map(|both| both.map_or(0.0, |both| both[0]))
            .collect()
    }

    /// All scores of a softmax may move together. Intercepts without penalty end where they began;
    /// coefficients where among equal sums of absolute values their squares are least.
    pub fn choose_optimum(&self, coef: &mut [f64]) {
        let width = self.mean.len() + 1;
        let last = self.each.last().copied().flatten();
        if coef.len() > width && last == Some([0.0, 0.0]) {
            let shift = self.level - level(coef, width);
            for coef in coef.chunks_exact_mut(width) {
                coef[width - 1] += shift;
            }
        }
        let penalty = self.each.first().copied().flatten();
        let bare = penalty.is_some_and(|[first, second]| first > 0.0 && second == 0.0);
        if coef.len() > width && bare {
            for j in 0..width - 1 {
                let shift = middle(coef.iter().skip(j).step_by(width).copied().collect());
                for coef in coef.chunks_exact_mut(width) {
                    coef[j] -= shift;
                }
            }
        }
    }

    /// `F` there, and the gradient of all but `l₁`; from the loss and its gradient.
    pub fn value(&self, coef: &[f64], seen: &[f64]) -> Result<(f64, Vec<f64>)> {
        let mut value = seen[0] / self.total;
        let mut gradient = memory::copy(&seen[1..=coef.len()], "a gradient")?;
        for ((g, c), penalty) in gradient.iter_mut().zip(coef).zip(&self.each) {
            let Some([first, second]) = penalty else {
                *g = 0.0;
                continue;
            };
            *g = *g / self.total + second * c;
            value += first * c.abs() + 0.5 * second * c * c;
        }
        Ok((value, gradient))
    }

    /// The largest entry of the gradient for columns that are not moved; `whole` has `l₁` in it.
    pub fn steepness(&self, coef: &[f64], gradient: &[f64], whole: bool) -> f64 {
        let width = self.mean.len() + 1;
        let mut most = 0.0_f64;
        for (j, (c, penalty)) in coef.iter().zip(&self.each).enumerate() {
            let Some([first, _]) = penalty else { continue };
            let intercept = gradient[j / width * width + width - 1];
            let mean = self.mean.get(j % width).unwrap_or(&0.0);
            let g = gradient[j] + mean * intercept;
            let g = match (whole, *c == 0.0) {
                (true, _) => g.abs(),
                (false, true) => (g.abs() - first).max(0.0),
                (false, false) => (g + first * c.signum()).abs(),
            };
            most = if g <= most { most } else { g }; // NaN stays
        }
        most
    }

    /// Newton's step from there, `l₁` apart, and the fall that it promises: negative.
    pub fn newton(&self, gradient: &[f64], triangles: &[f64]) -> Result<(Vec<f64>, f64)> {
        let (hessian, ridge) = self.hessian(gradient.len(), triangles)?;
        let step = hessian.step(gradient, &ridge)?;
        let slope = dot(gradient, &step);
        Ok((step, slope))
    }

    /// The same with `l₁`.
    pub fn proximal(
        &self,
        coef: &[f64],
        gradient: &[f64],
        triangles: &[f64],
    ) -> Result<(Vec<f64>, f64)> {
        let (hessian, _) = self.hessian(gradient.len(), triangles)?;
        let first = self.first();
        let step = hessian.proximal(gradient, coef, &first)?;
        let change = |j: usize| first[j] * ((coef[j] + step[j]).abs() - coef[j].abs());
        let slope = dot(gradient, &step) + (0..coef.len()).map(change).sum::<f64>();
        Ok((step, slope))
    }

    /// Second derivatives of all but `l₁`, and the penalties in them.
    fn hessian(&self, unknowns: usize, triangles: &[f64]) -> Result<(Curvature, Vec<Option<f64>>)> {
        let width = self.mean.len() + 1;
        let mut hessian = Curvature::of(width, unknowns / width, triangles, 1.0 / self.total)?;
        let second = self.each.iter().map(|both| both.map(|both| both[1]));
        let ridge: Vec<Option<f64>> = second.collect();
        hessian.add(&ridge);
        Ok((hessian, ridge))
    }
}

/// The mean intercept.
fn level(coef: &[f64], width: usize) -> f64 {
    let last = coef.chunks_exact(width).map(|coef| coef[width - 1]);
    last.sum::<f64>() / (coef.len() / width) as f64
}

/// What is nearest to the mean of those that are in the middle by order.
fn middle(mut numbers: Vec<f64>) -> f64 {
    let m = numbers.len();
    let mean = numbers.iter().sum::<f64>() / m as f64;
    numbers.sort_by(f64::total_cmp);
    mean.max(numbers[(m - 1) / 2]).min(numbers[m / 2])
}
