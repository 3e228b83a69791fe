//! `A = V Λ Vᵀ` and `A = U Σ Vᵀ`, and the answer of least norm that follows.

use super::{orthogonal::scratch, scale::Scale};
use crate::{Error, Result, memory};
use faer::dyn_stack::MemStack;
use faer::linalg::{evd, matmul::matmul, svd};
use faer::{Accum, ColMut, MatMut, Par, diag::DiagMut};
use faer::{Spec, prelude::*};

/// Singular values `σ` of the rows, falling, and the right vectors `V`, `p` long.
#[derive(Clone, Debug)]
pub struct Spectrum {
    /// `σ`.
    pub values: Vec<f64>,
    /// `V`, vector by vector.
    pub vectors: Vec<f64>,
}

impl Spectrum {
    /// Of no rows.
    pub fn none() -> Self {
        Self {
            values: Vec::new(),
            vectors: Vec::new(),
        }
    }

    /// How many values are above `tol` times the largest.
    pub fn rank(&self, tol: f64) -> usize {
        let least = self.values.first().map_or(0.0, |largest| tol * largest);
        self.values.iter().filter(|value| **value > least).count()
    }

    /// Largest over smallest value, those of the rows with `√α I` below them.
    pub fn condition(&self, alpha: f64) -> f64 {
        let with = |value: &f64| value.hypot(alpha.sqrt());
        match (self.values.first(), self.values.last()) {
            (Some(largest), Some(least)) if *largest > 0.0 => with(largest) / with(least),
            _ => 1.0,
        }
    }

    /// Turns every vector, `p` long, so that its entry of largest size, the first of such, is positive:
    /// scikit-learn's `svd_flip(u_based_decision=False)`.
    pub fn turn(&mut self, p: usize) {
        self.turn_with(p, &mut []);
    }

    /// The same, each with its left vector.
    pub fn turn_with(&mut self, p: usize, left: &mut [f64]) {
        let h = left.len() / self.values.len().max(1);
        for (i, vector) in self.vectors.chunks_exact_mut(p).enumerate() {
            let first = vector.first().copied().unwrap_or(0.0);
            let larger = |most: f64, v: &f64| if v.abs() > most.abs() { *v } else { most };
            if vector.iter().fold(first, larger) < 0.0 {
                for entry in vector.iter_mut().chain(&mut left[i * h..][..h]) {
                    *entry = -*entry;
                }
            }
        }
    }

    /// `Vᵀ S V`, of which `S vᵢ` of the first `k` vectors are known, one by one, all `p` long: diagonal
    /// but for these.
    pub fn turned(&self, k: usize, products: &[f64]) -> Result<Vec<f64>> {
        let p = self.values.len();
        let mut gram = memory::zeros(p * p, "co-moments")?;
        for (i, column) in gram.chunks_exact_mut(p).enumerate() {
            column[i] = self.values[i] * self.values[i];
            if i < k {
                let vectors = self.vectors.chunks_exact(p).skip(i);
                for (entry, v) in column[i..].iter_mut().zip(vectors) {
                    *entry = dot(v, &products[i * p..][..p]);
                }
            }
        }
        Ok(gram)
    }

    /// Takes in the spectrum of `Vᵀ S V`. Brings the largest part of one of the first `k` vectors that
    /// was among the others.
    pub fn refine(&mut self, k: usize, inner: Spectrum, threads: usize) -> Result<f64> {
        let p = self.values.len();
        let mut vectors = memory::zeros(p * p, "eigenvectors")?;
        matmul(
            MatMut::from_column_major_slice_mut(&mut vectors, p, p),
            Accum::Replace,
            MatRef::from_column_major_slice(&self.vectors, p, p),
            MatRef::from_column_major_slice(&inner.vectors, p, p),
            1.0,
            by(threads),
        );
        let foreign = |v: &[f64]| dot(&v[k..], &v[k..]).sqrt();
        let firsts = inner.vectors.chunks_exact(p).take(k);
        let moved = firsts.map(foreign).fold(0.0, f64::max);
        *self = Self {
            values: inner.values,
            vectors,
        };
        Ok(moved)
    }

    /// `V diag(1 / (σ² + α)) Vᵀ b` over the first `rank` values: what `(S + αI) c = b` means in their
    /// span.
    pub fn solve(&self, rank: usize, alpha: f64, b: &[f64]) -> Result<Vec<f64>> {
        let mut c = memory::zeros(b.len(), "a solution")?;
        for (v, value) in self
            .vectors
            .chunks_exact(b.len())
            .zip(&self.values)
            .take(rank)
        {
            let along = dot(v, b) / value / (value + alpha / value); // no square: it may overflow
            for (c, v) in c.iter_mut().zip(v) {
                *c += along * v;
            }
        }
        Ok(c)
    }
}

/// `Σ aᵢ bᵢ`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The narrowest gap from one of the first `k` eigenvalues `σ²` to the next.
pub fn gap(values: &[f64], k: usize) -> f64 {
    let square = |i: usize| values.get(i).map_or(0.0, |value| value * value);
    let gaps = (0..k).map(|i| square(i) - square(i + 1));
    gaps.fold(f64::INFINITY, f64::min)
}

/// In a pool of so many threads; whoever asks for several is in theirs.
pub(super) fn by(threads: usize) -> Par {
    if threads > 1 {
        Par::rayon(threads)
    } else {
        Par::Seq
    }
}

/// Eigenvalues, rising, and eigenvectors, one by one.
pub type Pairs = (Vec<f64>, Vec<f64>);

/// The spectrum of rows whose products are the `p × p` matrix `S`, given by its lower half.
pub fn eigen(p: usize, s: &[f64], threads: usize) -> Result<Spectrum> {
    eigen_by(p, s, |s| pairs(p, s, threads))
}

/// The same, by another way to the eigenvalues and eigenvectors of `S` over a number of its size.
pub fn eigen_by(
    p: usize,
    s: &[f64],
    way: impl FnOnce(&[f64]) -> Result<Pairs>,
) -> Result<Spectrum> {
    let (scaled, scale) = scaled(s)?;
    let (mut values, mut vectors) = way(&scaled)?;
    values.reverse();
    for value in &mut values {
        *value = value.max(0.0).sqrt();
    }
    scale.root().multiply(&mut values);
    for k in 0..p / 2 {
        let (left, right) = vectors.split_at_mut((p - 1 - k) * p);
        left[k * p..][..p].swap_with_slice(&mut right[..p]);
    }
    Ok(Spectrum { values, vectors })
}

/// Eigenvalues and eigenvectors of the `p × p` matrix `S`, given by its lower half; its entries are
/// squared.
pub fn pairs(p: usize, s: &[f64], threads: usize) -> Result<Pairs> {
    let par = by(threads);
    let mut values = memory::zeros(p, "eigenvalues")?;
    let mut vectors = memory::zeros(p * p, "eigenvectors")?;
    let need = evd::self_adjoint_evd_scratch::<f64>(
        p,
        evd::ComputeEigenvectors::Yes,
        par,
        Spec::default(),
    );
    evd::self_adjoint_evd(
        MatRef::from_column_major_slice(s, p, p),
        diagonal(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, p, p)),
        par,
        MemStack::new(&mut scratch(need)?),
        Spec::default(),
    )
    .map_err(|_| Error::NoDecomposition("the eigenvalue decomposition"))?;
    Ok((values, vectors))
}

/// `U`, `h` long, vector by vector, and the spectrum of the `h × p` matrix `A`.
pub fn singular([h, p]: [usize; 2], a: &[f64], threads: usize) -> Result<(Vec<f64>, Spectrum)> {
    let mut left = memory::zeros(h * h.min(p), "singular vectors")?;
    let spectrum = decomposed([h, p], a, Some(&mut left), by(threads))?;
    Ok((left, spectrum))
}

/// The spectrum of the `h × p` matrix `A`.
pub fn right([h, p]: [usize; 2], a: &[f64], threads: usize) -> Result<Spectrum> {
    decomposed([h, p], a, None, by(threads))
}

fn decomposed(
    [h, p]: [usize; 2],
    a: &[f64],
    left: Option<&mut [f64]>,
    par: Par,
) -> Result<Spectrum> {
    let (a, scale) = &scaled(a)?;
    let k = h.min(p);
    let mut values = memory::zeros(k, "singular values")?;
    let mut vectors = memory::zeros(p * k, "singular vectors")?;
    let thin = svd::ComputeSvdVectors::Thin;
    let wanted = left.as_ref().map_or(svd::ComputeSvdVectors::No, |_| thin);
    let need = svd::svd_scratch::<f64>(h, p, wanted, thin, par, Spec::default());
    svd::svd(
        MatRef::from_column_major_slice(a, h, p),
        diagonal(&mut values),
        left.map(|left| MatMut::from_column_major_slice_mut(left, h, k)),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, p, k)),
        par,
        MemStack::new(&mut scratch(need)?),
        Spec::default(),
    )
    .map_err(|_| Error::NoDecomposition("the singular value decomposition"))?;
    scale.multiply(&mut values);
    Ok(Spectrum { values, vectors })
}

/// `A` over the size of its largest entry, and that: decompositions square entries.
fn scaled(a: &[f64]) -> Result<(Vec<f64>, Scale)> {
    let (scale, mut a) = (Scale::of(a), memory::copy(a, "a decomposition")?);
    scale.divide(&mut a);
    Ok((a, scale))
}

fn diagonal(values: &mut [f64]) -> DiagMut<'_, f64> {
    ColMut::from_slice_mut(values).as_diagonal_mut()
}
