//! Products of rows with small matrices.

use super::{Data, Device};
use crate::{Result, real::Real};

/// Products of rows with small matrices.
pub trait ProductKernels: Device {
    /// `XC + b`, row by row into `out`, `n × m`, given `C` and `b`, of `m` numbers or of one for all, where
    /// the rows are: `2 n p m` flops in the type of the rows.
    fn product<T: Real>(
        &self,
        x: &Self::Rows<'_, T>,
        coef: &Self::Rows<'_, T>,
        intercept: &Self::Rows<'_, T>,
        out: Self::Out<'_, T>,
    ) -> Result<()>;

    /// `(X − 1 x̄ᵀ)C`, row by row into `out`, `n × m`, given `x̄` and `C` where the rows are: `2 n p m`
    /// flops in the type of the rows, of which nothing is lost far from the origin.
    fn project<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &Self::Rows<'_, f64>,
        coef: &Self::Rows<'_, T>,
        out: Self::Out<'_, T>,
    ) -> Result<()>
    where
        Self: Sized;

    /// `b + s zᵀPz` of each row, `z = x − x̄`, into `out`, given `x̄` and `P`, `p × p`, where the rows are,
    /// and `b` and `s`: `2 n p²` flops in `f64`.
    fn quadratic_form<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        by: [&Self::Rows<'_, f64>; 2],
        line: [f64; 2],
        out: Self::Out<'_, f64>,
    ) -> Result<()>
    where
        Self: Sized;

    /// `Σᵢ wᵢ (xᵢ − x̄)(xᵢ − x̄)ᵀ V` given `x̄` and `V`, both `p × l`, column by column, in `f64`; behind
    /// it `Σᵢ wᵢ ‖xᵢ − x̄‖²`. `4 n p l` flops; no `p × p` matrix is made.
    fn scatter<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        directions: &[f64],
    ) -> Result<Vec<f64>>
    where
        Self: Sized;
}
