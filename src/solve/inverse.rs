//! `A⁺ = V Λ⁺ Vᵀ`.

use super::{Spectrum, eigen, spectrum::by};
use crate::{Result, memory};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef};

/// The pseudo-inverse of the positive `p × p` matrix `A`: eigenvalues at or below `p ε` times the
/// largest count as zero (SciPy's `pinvh`).
pub fn inverse(p: usize, a: &[f64], threads: usize) -> Result<Vec<f64>> {
    inverse_of(p, &eigen(p, a, threads)?, threads)
}

/// The same of the matrix of that spectrum.
pub fn inverse_of(p: usize, spectrum: &Spectrum, threads: usize) -> Result<Vec<f64>> {
    let values = &spectrum.values; // roots of the eigenvalues
    let least = values.first().map_or(0.0, |largest| largest * largest) * p as f64 * f64::EPSILON;
    let rank = values
        .iter()
        .filter(|value| *value * *value > least)
        .count();
    let mut scaled = memory::copy(&spectrum.vectors[..p * rank], "an inverse")?;
    for (vector, value) in scaled.chunks_exact_mut(p.max(1)).zip(values) {
        for entry in vector {
            *entry /= value;
        }
    }
    let mut inverse = memory::zeros(p * p, "an inverse")?;
    let root = MatRef::from_column_major_slice(&scaled, p, rank);
    matmul(
        MatMut::from_column_major_slice_mut(&mut inverse, p, p),
        Accum::Replace,
        root,
        root.transpose(),
        1.0,
        by(threads),
    );
    for i in 0..p {
        for j in 0..i {
            inverse[i * p + j] = inverse[j * p + i];
        }
    }
    Ok(inverse)
}
