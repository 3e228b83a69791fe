//! What is known of rows between batches, as plain arrays; empty where no rows were seen.

use super::{
    array::{Held, data},
    comm::Comm,
    error::raise,
};
use crate::summary::{Bordered, Columns, Moments};
use crate::{Result, algo, dispatch};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Numbers<'py> = Bound<'py, PyArray1<f64>>;

/// What is known of the columns of a batch as well.
#[pyfunction]
#[pyo3(signature = (known, x, w, threads))]
pub(super) fn absorb_columns<'py>(
    known: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    let py = x.py();
    let held = Held::of([Some(x), None, w])?;
    let (input, known) = (held.input(threads), known.as_slice()?);
    brought(py, || {
        dispatch!(&input, |device, rows| algo::absorb(known, || {
            algo::columns(&data(device, rows)?)
        }))
    })
}

/// What is known of the rows of two streams.
#[pyfunction]
#[pyo3(signature = (kind, one, other))]
pub(super) fn union<'py>(
    kind: &str,
    one: PyReadonlyArray1<'py, f64>,
    other: PyReadonlyArray1<'py, f64>,
) -> PyResult<Numbers<'py>> {
    let py = one.py();
    let join = match kind {
        "bordered" => algo::union::<Bordered>,
        "columns" => algo::union::<Columns>,
        "moments" => algo::union::<Moments>,
        _ => return Err(PyValueError::new_err(format!("there is no kind {kind}"))),
    };
    let (one, other) = (one.as_slice()?, other.as_slice()?);
    brought(py, || join(one, other))
}

/// Rows and weight; means, sums of squares around them, least and largest of the columns of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, known, columns))]
pub(super) fn basic_statistics<'py>(
    comm: &Bound<'py, Comm>,
    known: PyReadonlyArray1<'py, f64>,
    columns: usize,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, known) = (comm.get(), known.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            algo::basic_statistics(comm, known, columns)
        })
    })
}

/// Runs without the interpreter's lock, and brings the numbers.
pub(super) fn brought(
    py: Python<'_>,
    run: impl FnOnce() -> Result<Vec<f64>> + Send,
) -> PyResult<Numbers<'_>> {
    let numbers = py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(numbers.into_pyarray(py))
}
