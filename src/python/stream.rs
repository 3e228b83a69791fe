//! What is known of rows between batches, as plain arrays; empty where no rows were seen.

use super::{
    array::{Held, data},
    comm::Comm,
    error::raise,
};
use crate::device::{Cpu, Input, cuda};
use crate::summary::{CenteredR, Columns, LeadingRows, Moments};
use crate::{Result, algo, dispatch, solve};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Numbers<'py> = Bound<'py, PyArray1<f64>>;

/// What is known of the columns of a batch as well.
#[pyfunction]
#[pyo3(signature = (state, x, w, threads))]
pub(super) fn absorb_columns<'py>(
    state: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    absorbed(
        (x.py(), threads),
        &state,
        [Some(x), None, w],
        |input, state| {
            dispatch!(input, |device, rows| algo::absorb(state, || {
                algo::columns(&data(device, rows)?)
            }))
        },
    )
}

/// What is known of the products of the columns of a batch as well.
#[pyfunction]
#[pyo3(signature = (state, x, centered, threads))]
pub(super) fn absorb_moments<'py>(
    state: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    centered: bool,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    absorbed(
        (x.py(), threads),
        &state,
        [Some(x), None, None],
        |input, state| {
            dispatch!(input, |device, rows| algo::absorb(state, || {
                algo::comoments(&data(device, rows)?, centered)
            }))
        },
    )
}

/// `height` rows that span a batch as well.
#[pyfunction]
#[pyo3(signature = (state, x, height, threads))]
pub(super) fn absorb_leading_rows<'py>(
    state: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    height: usize,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    absorbed(
        (x.py(), threads),
        &state,
        [Some(x), None, None],
        |input, state| {
            dispatch!(input, |device, rows| algo::absorb(state, || {
                algo::leading_rows(&data(device, rows)?, height)
            }))
        },
    )
}

/// Looks at a batch with the interpreter's lock released: at its rows, and at what is known.
pub(super) fn absorbed<'py>(
    (py, threads): (Python<'py>, usize),
    state: &PyReadonlyArray1<'py, f64>,
    borrowed: [Option<&Bound<'py, PyAny>>; 3],
    look: impl FnOnce(&Input<'_>, &[f64]) -> Result<Vec<f64>> + Send,
) -> PyResult<Numbers<'py>> {
    let held = Held::of(borrowed)?;
    let (input, state) = (held.input(threads), state.as_slice()?);
    brought(py, || look(&input, state))
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
        "centered_r" => algo::union::<CenteredR>,
        "columns" => algo::union::<Columns>,
        "moments" => algo::union::<Moments>,
        "leading_rows" => algo::union::<LeadingRows>,
        _ => return Err(PyValueError::new_err(format!("there is no kind {kind}"))),
    };
    let (one, other) = (one.as_slice()?, other.as_slice()?);
    brought(py, || join(one, other))
}

/// Rows and weight; means, sums of squares around them, least and largest of the columns of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, state, columns))]
pub(super) fn basic_statistics<'py>(
    comm: &Bound<'py, Comm>,
    state: PyReadonlyArray1<'py, f64>,
    columns: usize,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, state) = (comm.get(), state.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            algo::basic_statistics(comm, state, columns)
        })
    })
}

/// Rows, means, covariance and, where it is wanted, precision, of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, state, columns, centered, precise, place))]
pub(super) fn covariance<'py>(
    comm: &Bound<'py, Comm>,
    state: PyReadonlyArray1<'py, f64>,
    columns: usize,
    centered: bool,
    precise: bool,
    place: Place,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, state) = (comm.get(), state.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            let (at, together) = ((columns, centered), place.0);
            dispatch!(&at_hand(place), |device, _rows| {
                algo::empirical_covariance(comm, state, at, precise, (device, together))
            })
        })
    })
}

/// Rows, number of components, variance and noise; means, variances, singular values, components of all
/// ranks, from `height` rows that span theirs, or if that is 0 from their products.
#[pyfunction]
#[pyo3(signature = (comm, state, columns, height, count, place))]
pub(super) fn components<'py>(
    comm: &Bound<'py, Comm>,
    state: PyReadonlyArray1<'py, f64>,
    columns: usize,
    height: usize,
    count: Option<usize>,
    place: Place,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, state) = (comm.get(), state.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            let (at, together) = ((columns, height), place.0);
            dispatch!(&at_hand(place), |device, _rows| {
                algo::components(comm, state, at, count, (device, together))
            })
        })
    })
}

/// The pseudo-inverse of a symmetric matrix of `columns`, none of whose eigenvalues is negative.
#[pyfunction]
#[pyo3(signature = (matrix, columns))]
pub(super) fn inverse(matrix: PyReadonlyArray1<'_, f64>, columns: usize) -> PyResult<Numbers<'_>> {
    let py = matrix.py();
    let matrix = matrix.as_slice()?;
    if matrix.len() != columns * columns {
        return Err(PyValueError::new_err("the matrix is not square"));
    }
    brought(py, || algo::guarded(|| solve::inverse(columns, matrix, 1)))
}

/// Threads of all ranks on the node together, and the GPU that rows came from.
type Place = (usize, Option<usize>);

/// Where matrices are decomposed: what is known of rows is on the host, so a GPU that cannot be had is
/// none.
fn at_hand((threads, gpu): Place) -> Input<'static> {
    match gpu.map(cuda::gpu) {
        Some(Ok(gpu)) => Input::CudaF64(cuda::Cuda(gpu), [None; 3]),
        _ => Input::CpuF64(Cpu { threads }, [None, None, None]),
    }
}

/// Runs without the interpreter's lock, and brings the numbers.
pub(super) fn brought(
    py: Python<'_>,
    run: impl FnOnce() -> Result<Vec<f64>> + Send,
) -> PyResult<Numbers<'_>> {
    let numbers = py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(numbers.into_pyarray(py))
}
