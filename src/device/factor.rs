//! Orthonormal bases of the columns of rows.

use super::{Data, Device};
use crate::{Result, real::Real};

/// Orthonormal bases of the columns of rows, computed in `f64`. Triangles and parts lie column by
/// column.
pub trait FactorKernels: Device {
    /// `ZᵀZ` of `Z = X R⁻¹`, the lower triangle row by row. Reads each row once: `2 n p²` flops.
    fn quotient_gram<T: Real>(&self, rows: &Data<'_, '_, Self, T>, r: &[f64]) -> Result<Vec<f64>>
    where
        Self: Sized;

    /// `X R₁⁻¹ R₂⁻¹ …` row by row into `out`, `n × p`; times `turn`, `p × p`, where there is one. Each
    /// row is that of rows that differ from `X` by rounding alone. `n p²` flops for each triangle,
    /// `2 n p²` for the turn.
    fn quotient<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        triangles: &[&[f64]],
        turn: Option<&[f64]>,
        out: Self::Out<'_, T>,
    ) -> Result<()>
    where
        Self: Sized;

    /// The triangles of blocks of rows by reflections, one below the other: `s × p`, and `s`; writes the
    /// orthonormal factor of each block into the first columns of its rows of `out`, `n × k`. Blocks
    /// follow from the shape alone. Reads each row once: `2 n p²` flops, `4 n p²` for the factors.
    fn reflect<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        out: Option<(Self::Out<'_, T>, usize)>,
    ) -> Result<(Vec<f64>, usize)>
    where
        Self: Sized;

    /// Multiplies those factors, of rows of `p` columns, by their parts of `parts`, `s × k`, with `s`; in
    /// `out`, `n × k`, with `k`. `2 n p k` flops.
    fn assemble<T: Real>(
        &self,
        p: usize,
        parts: (&[f64], usize),
        out: (Self::Out<'_, T>, usize),
    ) -> Result<()>;
}
