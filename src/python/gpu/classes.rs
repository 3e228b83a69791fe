//! What scores on a GPU say of classes.

use super::super::error::raise;
use super::kind::Kind;
use super::{GpuArray, Held};
use crate::algo::guarded;
use crate::device::cuda::CudaRows;
use crate::{Error, real::Real};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Of each row the number of its highest score, `int32`; where `classes` are given, one by one on the GPU
/// of the scores, the class of that number. Of one score: whether it is above zero.
#[pyfunction]
#[pyo3(signature = (scores, classes=None))]
pub(in super::super) fn best_on_gpu(
    scores: &Bound<'_, PyAny>,
    classes: Option<&Bound<'_, GpuArray>>,
) -> PyResult<GpuArray> {
    let held = Held::of([Some(scores), None, None])?;
    if held.double {
        best::<f64>(scores.py(), &held, classes)
    } else {
        best::<f32>(scores.py(), &held, classes)
    }
}

fn best<T: Real>(
    py: Python<'_>,
    held: &Held<'_>,
    classes: Option<&Bound<'_, GpuArray>>,
) -> PyResult<GpuArray> {
    let (scores, device) = (scores::<T>(py, held)?, &held.device);
    let classes = classes.map(Bound::get);
    if classes.is_some_and(|all| all.gpu.ordinal != device.0.ordinal) {
        return Err(PyValueError::new_err("classes are on another GPU"));
    }
    let kind = classes.map_or(Kind::LABEL, |all| all.kind);
    let all = classes.map(GpuArray::bytes).transpose()?;
    let run = || guarded(|| device.best(&scores, all.as_ref().map(|all| (all, kind.size()))));
    let buffer = py.detach(run).map_err(|error| raise(py, &error))?;
    let shape = vec![scores.shape().0]; // one number
    Ok(GpuArray::own(&device.0, buffer, shape, kind))
}

/// Probabilities of classes, of one score those of both, or their logarithms.
#[pyfunction]
#[pyo3(signature = (scores, logarithms))]
pub(in super::super) fn probabilities_on_gpu(
    scores: &Bound<'_, PyAny>,
    logarithms: bool,
) -> PyResult<GpuArray> {
    let held = Held::of([Some(scores), None, None])?;
    if held.double {
        shares::<f64>(scores.py(), &held, logarithms)
    } else {
        shares::<f32>(scores.py(), &held, logarithms)
    }
}

fn shares<T: Real>(py: Python<'_>, held: &Held<'_>, logarithms: bool) -> PyResult<GpuArray> {
    let (scores, device) = (scores::<T>(py, held)?, &held.device);
    let (n, m) = scores.shape();
    let shape = vec![n, m.max(2)]; // two numbers
    let found = GpuArray::bare::<T>(py, &device.0, shape)?;
    let run = || guarded(|| device.shares(&scores, logarithms, &found.out()));
    py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(found)
}

fn scores<'h, T: Real>(py: Python<'_>, held: &'h Held<'_>) -> PyResult<CudaRows<'h, T>> {
    let [scores, ..] = held.rows::<T>();
    scores.ok_or_else(|| raise(py, &Error::Shape("there are no scores")))
}
