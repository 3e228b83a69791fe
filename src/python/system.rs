//! What the machine offers.

use super::error::raise;
use crate::algo::guarded;
use crate::device;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

/// The instructions that are chosen at run time.
#[pyfunction]
pub(super) fn simd() -> String {
    device::simd()
}

/// How many threads the rank at `rank` should use: `masks` are the cpus of the ranks on its node,
/// `others` ranks are there too, the node has `node` cpus, and all ranks together the quota.
#[pyfunction]
#[pyo3(signature = (masks, rank, others, node, quota))]
#[allow(clippy::needless_pass_by_value)]
pub(super) fn threads(
    masks: Vec<Vec<usize>>,
    rank: usize,
    others: usize,
    node: usize,
    quota: Option<f64>,
) -> PyResult<usize> {
    if rank >= masks.len() {
        return Err(PyIndexError::new_err("there is no such rank"));
    }
    Ok(device::threads_for(&masks, rank, others, node, quota))
}

/// What of CUDA was found: name and text. It loads what it looks for.
#[pyfunction]
pub(super) fn cuda(py: Python<'_>) -> PyResult<Vec<(&'static str, String)>> {
    guarded(|| Ok(device::cuda::found())).map_err(|error| raise(py, &error))
}

/// Columns up to which the host decomposes symmetric matrices of rows on GPUs.
#[pyfunction]
pub(super) fn cusolver_columns(py: Python<'_>) -> PyResult<usize> {
    device::cuda::most_columns().map_err(|error| raise(py, &error))
}

/// How many GPUs there are, and whether kernels can be compiled for them; else the error says why not.
#[pyfunction]
pub(super) fn gpus(py: Python<'_>) -> PyResult<usize> {
    guarded(device::cuda::ready).map_err(|error| raise(py, &error))
}
