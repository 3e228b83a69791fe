//! Products of rows with small matrices.

use super::Device;
use crate::{Result, real::Real};

/// Products of rows with small matrices.
pub trait ProductKernels: Device {
    /// `XC + b`, row by row into `out`, `n × m`, given `C` and `b`, row by row: `2 n p m` flops in
    /// the type of the rows.
    fn product<T: Real>(
        &self,
        x: &Self::Rows<'_, T>,
        coef: &[T],
        intercept: &[T],
        out: &mut [T],
    ) -> Result<()>;
}
