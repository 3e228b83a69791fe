//! The one place that asks for memory which grows with rows, columns, targets or ranks.

use crate::{Error, Result};

/// `n` zeros, or the error that says what they were for.
pub fn zeros<T: Clone + Default>(n: usize, what: &'static str) -> Result<Vec<T>> {
    let mut values = Vec::new();
    reserve(&mut values, n, what)?;
    values.resize(n, T::default());
    Ok(values)
}

/// Room for `more` behind `values`, or the error that says what it was for.
pub fn reserve<T>(values: &mut Vec<T>, more: usize, what: &'static str) -> Result<()> {
    let bytes = values
        .len()
        .saturating_add(more)
        .saturating_mul(size_of::<T>());
    values
        .try_reserve_exact(more)
        .map_err(|_| Error::OutOfMemory { bytes, what })
}

/// A copy of `values`, or the error that says what it was for.
pub fn copy<T: Clone + Default>(values: &[T], what: &'static str) -> Result<Vec<T>> {
    let mut new = zeros(values.len(), what)?;
    new.clone_from_slice(values);
    Ok(new)
}
