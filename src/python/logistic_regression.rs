//! Logistic regression.

use super::{array::data, comm::Comm, observer};
use crate::{algo::LogisticRegression, dispatch};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

/// `(coef, steps, converged, value, steepness)`: see `algo::LogisticState`.
type Fitted<'py> = (Bound<'py, PyArray2<f64>>, usize, bool, f64, f64);

/// Logistic regression over the rows of all ranks, from the first rank's `start`: a row a score, its
/// intercept last. `classes` are weights of classes, `total` the weight of all rows; `penalties` stand
/// by first and second power, for coefficients and for intercepts; `stop`: the gradient that is small
/// enough, the one that ends it, steps, and unknowns whose second derivatives have room.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, classes, total, start, penalties, intercept, stop, threads, observer))]
#[allow(clippy::too_many_arguments)] // rows, what is sought, when to stop
pub(super) fn logistic<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    classes: PyReadonlyArray1<'py, f64>,
    total: f64,
    start: PyReadonlyArray2<'py, f64>,
    penalties: [[f64; 2]; 2],
    intercept: [bool; 2],
    stop: ([f64; 2], usize, usize),
    threads: usize,
    observer: Option<Py<PyAny>>,
) -> PyResult<Fitted<'py>> {
    let observer = observer::observer(observer);
    let (py, borrowed) = (comm.py(), [Some(x), Some(y), w]);
    let (weights, start) = (classes.as_slice()?, start.as_array());
    let shape = start.dim();
    let start: Vec<f64> = start.iter().copied().collect();
    let (tol, limit, room) = stop;
    let state = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let task = LogisticRegression {
                rows: &data(device, rows)?,
                weights,
                total,
                penalties,
                intercept,
                tol,
                limit,
                room,
                observer: observer.as_ref().map(|observer| observer as _),
            };
            task.fit(comm, &start)
        })
    })?;
    let coef = state.coef.into_pyarray(py).reshape([shape.0, shape.1])?;
    Ok((
        coef,
        state.steps,
        state.converged,
        state.value,
        state.steepness,
    ))
}
