//! `A = QR` by blocked Householder reflections (Golub and Van Loan, *Matrix Computations*, 5.2).

use crate::{Error, Result, memory};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::qr::no_pivoting::factor;
use faer::linalg::{householder, triangular_solve};
use faer::{Conj, MatMut, Par};
use faer::{Spec, prelude::*};

/// Room for a decomposition.
pub(super) fn scratch(need: StackReq) -> Result<MemBuffer> {
    let what = "a decomposition";
    let bytes = need.size_bytes();
    MemBuffer::try_new(need).map_err(|_| Error::OutOfMemory { bytes, what })
}

/// Factors the `n × q` matrix in place; brings the blocks of reflections, `b × min(n, q)`, and `b`.
fn factor(n: usize, q: usize, a: &mut [f64]) -> Result<(Vec<f64>, usize)> {
    let k = n.min(q);
    let b = factor::recommended_block_size::<f64>(n, q).max(1);
    let mut blocks = memory::zeros(b * k, "reflections")?;
    let need = factor::qr_in_place_scratch::<f64>(n, q, b, Par::Seq, Spec::default());
    factor::qr_in_place(
        MatMut::from_column_major_slice_mut(a, n, q),
        MatMut::from_column_major_slice_mut(&mut blocks, b, k),
        Par::Seq,
        MemStack::new(&mut scratch(need)?),
        Spec::default(),
    );
    Ok((blocks, b))
}

/// Leaves `R` of the `n × q` matrix in its place, with zeros below.
pub fn triangle(n: usize, q: usize, a: &mut [f64]) -> Result<()> {
    if n == 0 || q == 0 {
        return Ok(());
    }
    factor(n, q, a)?;
    for (j, column) in a.chunks_exact_mut(n).enumerate() {
        column[(j + 1).min(n)..].fill(0.0);
    }
    Ok(())
}

/// Puts `new` rows below the rows in `mine`, both of `q` columns; where `mine` has no room for them
/// in its `h` rows, the triangle of both takes their place. Brings how many rows are in use.
///
/// `mine` is its columns and how many rows are in use; `new` also says how long its columns are.
pub fn stack(
    [h, q]: [usize; 2],
    (mine, used): (&mut [f64], usize),
    (new, long, more): (&[f64], usize, usize),
) -> Result<usize> {
    if used + more <= h {
        for (mine, new) in mine.chunks_exact_mut(h).zip(new.chunks_exact(long)) {
            mine[used..used + more].copy_from_slice(&new[..more]);
        }
        return Ok(used + more);
    }
    let n = used + more;
    let mut both = memory::zeros(n * q, "rows to be triangled")?;
    for (j, column) in both.chunks_exact_mut(n).enumerate() {
        column[..used].copy_from_slice(&mine[j * h..][..used]);
        column[used..].copy_from_slice(&new[j * long..][..more]);
    }
    triangle(n, q, &mut both)?;
    for (mine, column) in mine.chunks_exact_mut(h).zip(both.chunks_exact(n)) {
        mine.copy_from_slice(&column[..h]);
    }
    Ok(h)
}

/// The `x` of least `‖Ax − b‖`, `A` being `n × k` of full rank, `n ≥ k`; both are overwritten.
pub fn least_squares(n: usize, k: usize, a: &mut [f64], b: &mut [f64]) -> Result<Vec<f64>> {
    let (blocks, block) = factor(n, k, a)?;
    let a = MatRef::from_column_major_slice(a, n, k);
    let blocks = MatRef::from_column_major_slice(&blocks, block, k);
    let mut right = MatMut::from_column_major_slice_mut(b, n, 1);
    let need = householder::apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<
        f64,
    >(n, block, 1);
    householder::apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
        a,
        blocks,
        Conj::No,
        right.as_mut(),
        Par::Seq,
        MemStack::new(&mut scratch(need)?),
    );
    let mut x = right.subrows_mut(0, k);
    triangular_solve::solve_upper_triangular_in_place(a.subrows(0, k), x.as_mut(), Par::Seq);
    memory::copy(&b[..k], "a solution")
}
