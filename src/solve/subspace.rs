//! The leading eigenvectors of a matrix of which only products with blocks are known.
//!
//! Block Lanczos with thick restarts: the basis grows by the residuals of the best approximations in it,
//! and is cut back to those before it grows too large (Knyazev 2001 for the blocks, Wu and Simon 2000
//! for the restarts). Basis and products are kept: `8 p l` numbers for blocks of `l`.

use super::{Spectrum, eigen, spectrum::dot};
use crate::{Error, Result, memory};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Blocks in the basis at most.
const BLOCKS: usize = 4;

/// A growing basis.
pub struct Subspace {
    p: usize,
    l: usize,
    /// Orthonormal vectors, `p` long.
    basis: Vec<f64>,
    /// Their products with the matrix.
    images: Vec<f64>,
    /// The next block.
    fresh: Vec<f64>,
    draws: u64,
}

impl Subspace {
    /// Nothing is known yet; blocks of `l`, `4 l ≤ p`.
    pub fn new(p: usize, l: usize) -> Result<Self> {
        let mut new = Self {
            p,
            l,
            basis: Vec::new(),
            images: Vec::new(),
            fresh: Vec::new(),
            draws: 0,
        };
        new.renew(&[])?;
        Ok(new)
    }

    /// Orthonormal vectors whose products are needed next.
    pub fn fresh(&self) -> &[f64] {
        &self.fresh
    }

    /// Takes the products of the fresh block. Brings the best approximations of all in the basis, and
    /// the largest residual of the first `k`, over the largest eigenvalue.
    pub fn improve(&mut self, k: usize, products: &[f64]) -> Result<(Spectrum, f64)> {
        let (p, l) = (self.p, self.l);
        if !products.iter().all(|product| product.is_finite()) {
            return Err(Error::NotFinite);
        }
        self.basis.extend(&self.fresh);
        self.images.extend(products);
        let m = self.basis.len() / p;
        let mut gram = memory::zeros(m * m, "products")?;
        let copies = [
            memory::copy(&self.basis, "a basis")?,
            memory::copy(&self.images, "products")?,
        ];
        let [basis, images] = copies
            .each_ref()
            .map(|of| MatRef::from_column_major_slice(of, p, m));
        let to = MatMut::from_column_major_slice_mut(&mut gram, m, m);
        matmul(
            to,
            Accum::Replace,
            basis.transpose(),
            &images,
            1.0,
            Par::Seq,
        );
        let inner = eigen(m, &gram, 1)?;
        let keep = if m < BLOCKS * l { m } else { 2 * l };
        let turn = MatRef::from_column_major_slice(&inner.vectors, m, m).get(.., ..keep);
        for (to, from) in [(&mut self.basis, basis), (&mut self.images, images)] {
            to.truncate(keep * p);
            let to = MatMut::from_column_major_slice_mut(to, p, keep);
            matmul(to, Accum::Replace, from, turn, 1.0, Par::Seq);
        }
        let mut residuals = memory::copy(&self.images[..l * p], "residuals")?;
        let (mut worst, largest) = (0.0_f64, inner.values[0].powi(2).max(f64::MIN_POSITIVE));
        for (i, residual) in residuals.chunks_exact_mut(p).enumerate() {
            let value = inner.values[i].powi(2);
            for (r, x) in residual.iter_mut().zip(&self.basis[i * p..][..p]) {
                *r -= value * x;
            }
            if i < k {
                worst = worst.max(dot(residual, residual).sqrt() / largest);
            }
        }
        self.renew(&residuals)?;
        let spectrum = Spectrum {
            values: inner.values,
            vectors: memory::copy(&self.basis, "components")?,
        };
        Ok((spectrum, worst))
    }

    /// A fresh block from these vectors, or from others where they lie in the basis.
    fn renew(&mut self, vectors: &[f64]) -> Result<()> {
        let p = self.p;
        self.fresh.clear();
        for i in 0..self.l {
            let mut vector = match vectors.get(i * p..(i + 1) * p) {
                Some(vector) => memory::copy(vector, "a direction")?,
                None => draw(&mut self.draws, p)?,
            };
            while !self.part(&mut vector) {
                vector = draw(&mut self.draws, p)?;
            }
            self.fresh.extend(vector);
        }
        Ok(())
    }

    /// Makes a vector orthogonal to all there are, and of length one; not where nothing is left of it.
    fn part(&self, vector: &mut [f64]) -> bool {
        let start = dot(vector, vector).sqrt();
        for _ in 0..3 {
            let norm = dot(vector, vector).sqrt();
            if norm <= 1e-10 * start || norm < f64::MIN_POSITIVE {
                return false;
            }
            scale(vector, 1.0 / norm);
            for known in self
                .basis
                .chunks_exact(self.p)
                .chain(self.fresh.chunks_exact(self.p))
            {
                let along = dot(known, vector);
                for (v, known) in vector.iter_mut().zip(known) {
                    *v -= along * known;
                }
            }
        }
        let norm = dot(vector, vector).sqrt();
        scale(vector, 1.0 / norm);
        (norm - 1.0).abs() < 1e-3
    }
}

/// Numbers without a pattern, the same in every run (Steele, Lea and Flood 2014).
pub(super) fn draw(draws: &mut u64, p: usize) -> Result<Vec<f64>> {
    let mut vector = memory::zeros(p, "a direction")?;
    for entry in &mut vector {
        *draws = draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *draws;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *entry = ((z ^ (z >> 31)) >> 11) as f64 / 2_f64.powi(52) - 1.0;
    }
    Ok(vector)
}

fn scale(vector: &mut [f64], factor: f64) {
    for v in vector {
        *v *= factor;
    }
}
