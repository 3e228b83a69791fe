//! `S = RᵀR` of a positive definite `S` (Cholesky: Golub and Van Loan, *Matrix Computations*, 4.2), of
//! columns scaled to length one: so how long columns are does not matter, only how near they come to
//! each other (van der Sluis 1969).

use super::orthogonal::scratch;
use crate::{Result, memory};
use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, MatRef, Par, Spec};

/// What is added to a diagonal, relative to it: nothing is quite flat.
pub(super) const RIDGE: f64 = 1e-12;

/// `R`, column by column, of the `q × q` matrix `S`, given by its lower half, and how steep the first
/// `p` columns are: `‖R⁻¹‖_F` where all have length 1. None where rounding leaves no `R`.
///
/// Columns that are zero stay zero.
pub fn cholesky(q: usize, p: usize, mut s: Vec<f64>) -> Result<Option<(Vec<f64>, f64)>> {
    let mut lengths = memory::zeros(q, "lengths")?;
    for (j, length) in lengths.iter_mut().enumerate() {
        *length = s[j * q + j].sqrt();
    }
    for (j, column) in s.chunks_exact_mut(q).enumerate() {
        for (i, entry) in column.iter_mut().enumerate().skip(j) {
            let size = lengths[i] * lengths[j];
            *entry = if size > 0.0 { *entry / size } else { 0.0 };
        }
        column[j] = 1.0;
    }
    let need = factor::cholesky_in_place_scratch::<f64>(q, Par::Seq, Spec::default());
    let factored = factor::cholesky_in_place(
        MatMut::from_column_major_slice_mut(&mut s, q, q),
        factor::LltRegularization::default(),
        Par::Seq,
        MemStack::new(&mut scratch(need)?),
        Spec::default(),
    );
    if factored.is_err() {
        return Ok(None);
    }
    let mut inverse = memory::zeros(p * p, "an inverse")?;
    invert_lower_triangular(
        MatMut::from_column_major_slice_mut(&mut inverse, p, p),
        MatRef::from_column_major_slice(&s, q, q).submatrix(0, 0, p, p),
        Par::Seq,
    );
    let steep = inverse.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut root = memory::zeros(q * q, "a triangle")?;
    for (j, column) in root.chunks_exact_mut(q).enumerate() {
        for (i, entry) in column[..=j].iter_mut().enumerate() {
            *entry = s[i * q + j] * lengths[j];
        }
    }
    Ok(Some((root, steep)))
}

/// Solves in place; says whether the matrix is definite.
pub(super) fn solved(size: usize, matrix: &mut [f64], right: &mut [f64]) -> Result<bool> {
    let (par, params) = (Par::Seq, Spec::default());
    let need = factor::cholesky_in_place_scratch::<f64>(size, par, params);
    let regularization = factor::LltRegularization::default();
    let done = factor::cholesky_in_place(
        MatMut::from_column_major_slice_mut(matrix, size, size),
        regularization,
        par,
        MemStack::new(&mut scratch(need)?),
        params,
    );
    if done.is_err() {
        return Ok(false);
    }
    solve::solve_in_place(
        MatRef::from_column_major_slice(matrix, size, size),
        MatMut::from_column_major_slice_mut(right, size, 1),
        par,
        MemStack::new(&mut scratch(StackReq::EMPTY)?),
    );
    Ok(right.iter().all(|step| step.is_finite()))
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
