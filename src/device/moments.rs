//! First and second moments of the columns of `x` and `y`, side by side: `q = p + m`.

use super::{Data, Device};
use crate::{Result, real::Real};

/// What one look brings.
pub struct ColumnMoments {
    /// `n` and `Σw`.
    pub counts: [f64; 2],
    /// A place near the rows, `q` numbers; zeros where not centred or without weight.
    pub origin: Vec<f64>,
    /// `x̄` and `ȳ` less that place: so digits are kept that a mean far from zero has no room for.
    pub mean: Vec<f64>,
    /// `S = Σᵢ wᵢ (zᵢ − z̄)(zᵢ − z̄)ᵀ`, the lower triangle row by row; or its diagonal alone.
    pub comoment: Vec<f64>,
}

/// How to look at second moments.
#[derive(Clone, Copy, Debug)]
pub struct MomentOptions {
    /// Whether around the means.
    pub centered: bool,
    /// Whether `f32` rows are multiplied as `f64`.
    pub exact: bool,
}

/// First and second moments.
pub trait MomentKernels: Device {
    /// `n`, `Σw`, the means and the diagonal of `S`. Reads each row once from memory and once from
    /// cache: `5 n q` flops.
    fn means<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<ColumnMoments>
    where
        Self: Sized;

    /// The same, and of the rows that weigh something the largest `−x`, then the largest `x`, of each
    /// column. Reads each row once from memory and twice from cache: `7 n q` flops.
    fn columns<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<(ColumnMoments, Vec<f64>)>
    where
        Self: Sized;

    /// `n`, `Σw`, the means and `S`. Reads each row once from memory and once from cache: `n q²` flops.
    fn moments<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        look: MomentOptions,
    ) -> Result<ColumnMoments>
    where
        Self: Sized;

    /// `g = Σᵢ wᵢ (xᵢ − x̄) rᵢᵀ` with `rᵢ = yᵢ − ȳ − Cᵀ(xᵢ − x̄)`, row by row, given `[x̄ ȳ]` and `C`,
    /// row by row. Reads each row once: `4 n p m` flops.
    fn residual<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        coef: &[f64],
    ) -> Result<Vec<f64>>
    where
        Self: Sized;

    /// At most `h` rows with the products of all `√wᵢ (zᵢ − z̄)`, column by column, and how many are
    /// in use. Reads each row once: `2 n q²` flops.
    fn r_factor<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        mean: &[f64],
        h: usize,
    ) -> Result<(Vec<f64>, usize)>
    where
        Self: Sized;
}
