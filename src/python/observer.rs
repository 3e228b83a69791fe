//! What a fit tells Python after each iteration.

use super::error::caught;
use crate::Result;
use numpy::PyArray1;
use pyo3::prelude::*;

/// A callable of Python as the core calls it: with an iterate, and it says whether to stop.
pub(super) fn observer(
    callable: Option<Py<PyAny>>,
) -> Option<impl Fn(&[f64]) -> Result<bool> + Sync> {
    callable.map(|callable| {
        move |iterate: &[f64]| {
            Python::attach(|py| {
                let iterate = PyArray1::from_slice(py, iterate);
                let stop = callable.call1(py, (iterate,));
                stop.and_then(|stop| stop.extract::<bool>(py))
                    .map_err(|error| caught(py, &error))
            })
        }
    })
}
