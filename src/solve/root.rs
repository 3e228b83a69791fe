//! `S = RᵀR` by Cholesky's factorisation, of columns scaled to length one: so how long columns are
//! does not matter, only how near they come to each other (van der Sluis 1969).

use super::orthogonal::scratch;
use crate::{Result, memory};
use faer::dyn_stack::MemStack;
use faer::linalg::cholesky::llt::factor;
use faer::linalg::{matmul::matmul, triangular_inverse};
use faer::{Accum, MatMut, MatRef, Par, Spec};

/// Squared length below which a column counts for none.
const TINIEST: f64 = 1e-280;

/// `R` of the `p × p` matrix `S`, given by its lower half, column by column; and `‖R̃⁻¹‖²`, Frobenius's,
/// of the `R̃` of the scaled columns: `p` where they are orthogonal, `p κ²` at most. None where `S` has
/// no root in `f64`.
pub fn root(p: usize, s: &[f64]) -> Result<Option<(Vec<f64>, f64)>> {
    let mut scales = memory::zeros(p, "scales")?;
    for (scale, square) in scales.iter_mut().zip(s.iter().step_by(p + 1)) {
        *scale = square.sqrt();
        if !square.is_finite() || *square < TINIEST {
            return Ok(None);
        }
    }
    let mut lower = memory::zeros(p * p, "a triangle")?;
    for (j, column) in lower.chunks_exact_mut(p).enumerate() {
        for i in j..p {
            column[i] = s[j * p + i] / scales[i] / scales[j];
        }
    }
    let need = factor::cholesky_in_place_scratch::<f64>(p, Par::Seq, Spec::default());
    let found = factor::cholesky_in_place(
        MatMut::from_column_major_slice_mut(&mut lower, p, p),
        factor::LltRegularization::default(),
        Par::Seq,
        MemStack::new(&mut scratch(need)?),
        Spec::default(),
    );
    if found.is_err() {
        return Ok(None);
    }
    let mut inverse = memory::zeros(p * p, "a triangle")?;
    triangular_inverse::invert_lower_triangular(
        MatMut::from_column_major_slice_mut(&mut inverse, p, p),
        MatRef::from_column_major_slice(&lower, p, p),
        Par::Seq,
    );
    let (mut loss, mut r) = (0.0, memory::zeros(p * p, "a triangle")?);
    for j in 0..p {
        loss += inverse[j * p + j..(j + 1) * p]
            .iter()
            .map(|entry| entry * entry)
            .sum::<f64>();
        for i in 0..=j {
            r[j * p + i] = lower[i * p + j] * scales[j];
        }
    }
    Ok(loss.is_finite().then_some((r, loss)))
}

/// `AB`, `h × m`, of `h × k` and `k × m` matrices.
pub fn product([h, k, m]: [usize; 3], a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    let mut to = memory::zeros(h * m, "a product")?;
    matmul(
        MatMut::from_column_major_slice_mut(&mut to, h, m),
        Accum::Replace,
        MatRef::from_column_major_slice(a, h, k),
        MatRef::from_column_major_slice(b, k, m),
        1.0,
        Par::Seq,
    );
    Ok(to)
}
