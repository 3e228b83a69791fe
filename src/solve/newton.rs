//! Steps from first and second derivatives: Newton's, by Cholesky; with absolute values as a penalty
//! too, by coordinates.

use super::cholesky::{RIDGE, solved};
use super::coordinates::Coordinates;
use crate::{Result, memory};

/// Second derivatives of `m` scores with `width` unknowns each.
#[derive(Debug)]
pub struct Curvature {
    width: usize,
    m: usize,
    /// All, symmetric.
    entries: Vec<f64>,
}

impl Curvature {
    /// From the triangles of `device::Linked`, each times `scale`.
    pub fn of(width: usize, m: usize, triangles: &[f64], scale: f64) -> Result<Self> {
        let size = width * m;
        let entries = memory::zeros(size * size, "second derivatives")?;
        let mut all = Self { width, m, entries };
        let free = if m > 1 { m - 1 } else { m };
        let mut parts = triangles.chunks_exact(width * (width + 1) / 2);
        for b in 0..free {
            for a in 0..=b {
                let mut part = parts.next().unwrap_or_default().iter();
                for i in 0..width {
                    for j in 0..=i {
                        let entry = scale * part.next().copied().unwrap_or_default();
                        all.put([a, b], [i, j], entry);
                    }
                }
            }
        }
        if m > free {
            all.close();
        }
        Ok(all)
    }

    /// Writes one entry of the pair, wherever symmetry has it.
    fn put(&mut self, [a, b]: [usize; 2], [i, j]: [usize; 2], entry: f64) {
        let (size, width) = (self.width * self.m, self.width);
        for (a, b) in [(a, b), (b, a)] {
            for (i, j) in [(i, j), (j, i)] {
                self.entries[(a * width + i) * size + b * width + j] = entry;
            }
        }
    }

    /// The last score's follow: the derivatives of all scores together are zero.
    fn close(&mut self) {
        let (size, width, last) = (self.width * self.m, self.width, self.m - 1);
        for i in 0..width {
            for j in 0..=i {
                let mut total = 0.0;
                for a in 0..last {
                    let at = (a * width + i) * size;
                    let row = (0..last).map(|b| self.entries[at + b * width + j]);
                    let entry = row.sum::<f64>();
                    total += entry;
                    self.put([a, last], [i, j], -entry);
                }
                self.put([last, last], [i, j], total);
            }
        }
    }

    /// Adds to the diagonal; an unknown without any number is fixed: nothing bends there but itself.
    pub fn add(&mut self, ridge: &[Option<f64>]) {
        let size = self.width * self.m;
        for (j, ridge) in ridge.iter().enumerate() {
            if let Some(ridge) = ridge {
                self.entries[j * size + j] += ridge;
                continue;
            }
            for i in 0..size {
                self.entries[i * size + j] = 0.0;
                self.entries[j * size + i] = 0.0;
            }
            self.entries[j * size + j] = 1.0;
        }
    }

    /// What multiplied by the second derivatives is `−g`. Unknowns without `ridge` are kept where all
    /// scores move alike, which changes no probability.
    pub fn step(&self, g: &[f64], ridge: &[Option<f64>]) -> Result<Vec<f64>> {
        let (size, width, m) = (self.width * self.m, self.width, self.m);
        let mut step = memory::zeros(size, "a step")?;
        let mut more = RIDGE;
        loop {
            let mut factor = memory::copy(&self.entries, "second derivatives")?;
            let diagonal = |j: usize| self.entries[j * size + j];
            let most = (0..size).map(diagonal).fold(0.0, f64::max);
            for j in 0..size {
                factor[j * size + j] += more * diagonal(j).max(RIDGE * most) + f64::MIN_POSITIVE;
            }
            for i in (0..width).filter(|i| m > 1 && ridge[*i] == Some(0.0)) {
                let mean = (0..m).map(|c| diagonal(c * width + i)).sum::<f64>() / m as f64;
                let alike = mean.max(RIDGE * most) / m as f64;
                for (a, b) in (0..m * m).map(|pair| (pair / m, pair % m)) {
                    factor[(a * width + i) * size + b * width + i] += alike;
                }
            }
            for (step, g) in step.iter_mut().zip(g) {
                *step = -g;
            }
            if solved(size, &mut factor, &mut step)? {
                return Ok(step);
            }
            more *= 100.0;
            if more > 1.0 || more.is_nan() {
                for (j, (step, g)) in step.iter_mut().zip(g).enumerate() {
                    *step = -g / diagonal(j).max(f64::MIN_POSITIVE);
                }
                return Ok(step);
            }
        }
    }

    /// The step from `x` to the least `gᵀd + ½ dᵀHd + Σ lⱼ |xⱼ + dⱼ|`.
    pub fn proximal(&self, g: &[f64], x: &[f64], l: &[f64]) -> Result<Vec<f64>> {
        let way = Coordinates {
            bends: &self.entries,
            x,
            l,
            step: memory::zeros(g.len(), "a step")?,
            slope: memory::copy(g, "a gradient")?,
        };
        way.descend()
    }
}
