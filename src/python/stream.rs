//! What is known of rows between batches, as plain arrays; empty where no rows were seen.

use super::{
    array::{Held, data},
    comm::Comm,
    error::raise,
};
use crate::device::{Cpu, Input, cuda};
use crate::summary::{Bordered, Columns, Moments, Span};
use crate::{Result, algo, dispatch, solve};
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
    absorbed(
        (x.py(), threads),
        &known,
        [Some(x), None, w],
        |input, known| {
            dispatch!(input, |device, rows| algo::absorb(known, || {
                algo::columns(&data(device, rows)?)
            }))
        },
    )
}

/// What is known of the products of the columns of a batch as well.
#[pyfunction]
#[pyo3(signature = (known, x, centered, threads))]
pub(super) fn absorb_moments<'py>(
    known: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    centered: bool,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    absorbed(
        (x.py(), threads),
        &known,
        [Some(x), None, None],
        |input, known| {
            dispatch!(input, |device, rows| algo::absorb(known, || {
                algo::comoments(&data(device, rows)?, centered)
            }))
        },
    )
}

/// `room` rows that span a batch as well.
#[pyfunction]
#[pyo3(signature = (known, x, room, threads))]
pub(super) fn absorb_span<'py>(
    known: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    room: usize,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    absorbed(
        (x.py(), threads),
        &known,
        [Some(x), None, None],
        |input, known| {
            dispatch!(input, |device, rows| algo::absorb(known, || {
                algo::span(&data(device, rows)?, room)
            }))
        },
    )
}

/// Looks at a batch with the interpreter's lock released: at its rows, and at what is known.
pub(super) fn absorbed<'py>(
    (py, threads): (Python<'py>, usize),
    known: &PyReadonlyArray1<'py, f64>,
    lent: [Option<&Bound<'py, PyAny>>; 3],
    look: impl FnOnce(&Input<'_>, &[f64]) -> Result<Vec<f64>> + Send,
) -> PyResult<Numbers<'py>> {
    let held = Held::of(lent)?;
    let (input, known) = (held.input(threads), known.as_slice()?);
    brought(py, || look(&input, known))
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
        "span" => algo::union::<Span>,
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

/// Rows, means, covariance and, where it is wanted, precision, of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, known, columns, centered, precise, place))]
pub(super) fn covariance<'py>(
    comm: &Bound<'py, Comm>,
    known: PyReadonlyArray1<'py, f64>,
    columns: usize,
    centered: bool,
    precise: bool,
    place: Place,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, known) = (comm.get(), known.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            let (at, together) = ((columns, centered), place.0);
            dispatch!(&at_hand(place), |device, _rows| {
                algo::empirical_covariance(comm, known, at, precise, (device, together))
            })
        })
    })
}

/// Rows, number of components, variance and noise; means, variances, singular values, components of all
/// ranks, from `room` rows that span theirs, or if that is 0 from their products.
#[pyfunction]
#[pyo3(signature = (comm, known, columns, room, count, place))]
pub(super) fn components<'py>(
    comm: &Bound<'py, Comm>,
    known: PyReadonlyArray1<'py, f64>,
    columns: usize,
    room: usize,
    count: Option<usize>,
    place: Place,
) -> PyResult<Numbers<'py>> {
    let py = comm.py();
    let (comm, known) = (comm.get(), known.as_slice()?);
    brought(py, || {
        algo::collective(comm.get(), |comm| {
            let (at, together) = ((columns, room), place.0);
            dispatch!(&at_hand(place), |device, _rows| {
                algo::components(comm, known, at, count, (device, together))
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

/// Threads of all ranks on the node together, and the card that rows came from.
type Place = (usize, Option<usize>);

/// Where matrices are decomposed: what is known of rows is on the host, so a card that cannot be had is
/// none.
fn at_hand((threads, card): Place) -> Input<'static> {
    match card.map(cuda::card) {
        Some(Ok(card)) => Input::CudaF64(cuda::Cuda(card), [None; 3]),
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
