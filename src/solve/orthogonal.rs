//! `A = QR` by blocked Householder reflections (Golub and Van Loan, *Matrix Computations*, 5.2).

use crate::{Error, Result, memory};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::{householder, matmul::matmul, triangular_solve};
use faer::prelude::*;
use faer::{Accum, Conj, MatMut, Par};

/// Room for a decomposition.
pub(super) fn scratch(need: StackReq) -> Result<MemBuffer> {
    let what = "a decomposition";
    let bytes = need.size_bytes();
    MemBuffer::try_new(need).map_err(|_| Error::OutOfMemory { bytes, what })
}

/// Columns whose reflections are applied together.
const BLOCK: usize = 16;

/// Factors the `n × q` matrix in place; brings the blocks of reflections, `b × min(n, q)`, and `b`.
///
/// Not by faer's own, which drops columns that depend on others to `16 n ε`: what depends on rounding
/// alone is left to the reflections, so that `A = QR` to rounding.
fn factor(n: usize, q: usize, a: &mut [f64]) -> Result<(Vec<f64>, usize)> {
    let k = n.min(q);
    let b = k.clamp(1, BLOCK);
    let mut blocks = memory::zeros(b * k, "reflections")?;
    let need = householder::apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<
        f64,
    >(n, b, q);
    let mut room = scratch(need)?;
    let mut all = MatMut::from_column_major_slice_mut(a, n, q);
    let mut factors = MatMut::from_column_major_slice_mut(&mut blocks, b, k);
    for start in (0..k).step_by(b) {
        let w = b.min(k - start);
        let rest = all.rb_mut().get_mut(start.., start..);
        let (mut panel, right) = rest.split_at_col_mut(w);
        let mut factor = factors.rb_mut().get_mut(..w, start..start + w);
        reflect(panel.rb_mut(), factor.rb_mut());
        householder::upgrade_householder_factor(factor.rb_mut(), panel.rb(), w, 1, Par::Seq);
        if right.ncols() > 0 {
            householder::apply_block_householder_transpose_on_the_left_in_place_with_conj(
                panel.rb(),
                factor.rb(),
                Conj::No,
                right,
                Par::Seq,
                MemStack::new(&mut room),
            );
        }
    }
    Ok((blocks, b))
}

/// Reflects a few columns, one by one; the lengths of reflections go to the diagonal of `factor`.
fn reflect(mut panel: MatMut<'_, f64>, mut factor: MatMut<'_, f64>) {
    for j in 0..panel.ncols() {
        let (column, rest) = panel.rb_mut().get_mut(j.., j..).split_at_col_mut(1);
        let (mut head, mut tail) = column.split_at_row_mut(1);
        let found =
            householder::make_householder_in_place(&mut head[(0, 0)], tail.rb_mut().col_mut(0));
        factor[(j, j)] = found.tau;
        let (mut top, below) = rest.split_at_row_mut(1);
        let mut along = [0.0; BLOCK];
        let mut along = MatMut::from_row_major_slice_mut(&mut along[..top.ncols()], 1, top.ncols());
        along.copy_from(top.rb());
        let tail = tail.rb();
        matmul(
            along.rb_mut(),
            Accum::Add,
            tail.transpose(),
            below.rb(),
            1.0,
            Par::Seq,
        );
        let share = -found.tau.recip(); // zero where there was nothing to reflect
        for c in 0..top.ncols() {
            along[(0, c)] *= share;
            top[(0, c)] += along[(0, c)];
        }
        matmul(below, Accum::Add, tail, along.rb(), 1.0, Par::Seq);
    }
}

/// Leaves `R` of the `n × q` matrix in its place, with zeros below.
pub fn r_factor(n: usize, q: usize, a: &mut [f64]) -> Result<()> {
    if n == 0 || q == 0 {
        return Ok(());
    }
    factor(n, q, a)?;
    for (j, column) in a.chunks_exact_mut(n).enumerate() {
        column[(j + 1).min(n)..].fill(0.0);
    }
    Ok(())
}

/// Leaves `R` of the `n × q` matrix in its place, with zeros below; brings `Q`, `n × min(n, q)`, whose
/// columns are orthonormal whatever those of the matrix are.
pub fn orthogonal(n: usize, q: usize, a: &mut [f64]) -> Result<Vec<f64>> {
    let k = n.min(q);
    let mut basis = memory::zeros(n * k, "a basis")?;
    if k == 0 {
        return Ok(basis);
    }
    let (blocks, block) = factor(n, q, a)?;
    basis.iter_mut().step_by(n + 1).for_each(|one| *one = 1.0);
    let need = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
        n, block, k,
    );
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        MatRef::from_column_major_slice(&a[..n * k], n, k),
        MatRef::from_column_major_slice(&blocks, block, k),
        Conj::No,
        MatMut::from_column_major_slice_mut(&mut basis, n, k),
        Par::Seq,
        MemStack::new(&mut scratch(need)?),
    );
    for (j, column) in a.chunks_exact_mut(n).enumerate() {
        column[(j + 1).min(n)..].fill(0.0);
    }
    Ok(basis)
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
    r_factor(n, q, &mut both)?;
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
