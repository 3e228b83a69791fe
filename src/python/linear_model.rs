//! Linear models.

use super::{
    array::{Held, data},
    comm::Comm,
    error::raise,
};
use crate::algo::{self, Conjugates, LeastSquares};
use crate::device::ProductKernels;
use crate::{dispatch, real::Real};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadwriteArray2,
};
use pyo3::prelude::*;

/// `(coef, intercept, rank, singular)`: `n_features × n_targets`, `n_targets`, and of the rows.
type Fitted<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    usize,
    Bound<'py, PyArray1<f64>>,
);

/// Least squares over the rows of all ranks; `most` is the largest share of any rank. Of the ranks on
/// a node each has `threads`, or one of them all `together`.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, fit_intercept, tol, positive, most, threads, together))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn least_squares<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    fit_intercept: bool,
    tol: f64,
    positive: bool,
    most: usize,
    threads: usize,
    together: usize,
) -> PyResult<Fitted<'py>> {
    let (py, lent) = (comm.py(), [Some(x), Some(y), w]);
    let line = comm.get().on(lent, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = LeastSquares {
                rows: &data(device, rows)?,
                intercept: fit_intercept,
                tol,
                positive,
                most,
                threads: together,
            };
            fit.fit(comm)
        })
    })?;
    let m = line.intercept.len();
    let coef = line.coef.into_pyarray(py).reshape([line.p, m])?;
    let (intercept, singular) = (
        line.intercept.into_pyarray(py),
        line.singular.into_pyarray(py),
    );
    Ok((coef, intercept, line.rank, singular))
}

/// `(coef, intercept, settled)`, as `least_squares` has them.
type Found<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>, bool);

/// Least squares over the rows of all ranks, penalised by `alphas`, one of each target, in rounds that keep
/// no products of columns; and whether these came to their end.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, fit_intercept, tol, alphas, threads))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn conjugates<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    fit_intercept: bool,
    tol: f64,
    alphas: PyReadonlyArray1<'py, f64>,
    threads: usize,
) -> PyResult<Found<'py>> {
    let (py, lent) = (comm.py(), [Some(x), Some(y), w]);
    let alphas = alphas.as_slice()?;
    let (coef, intercept, settled) = comm.get().on(lent, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = Conjugates {
                rows: &data(device, rows)?,
                intercept: fit_intercept,
                tol,
                alphas,
            };
            fit.fit(comm)
        })
    })?;
    let (m, size) = (intercept.len(), coef.len());
    let coef = coef.into_pyarray(py).reshape([size / m.max(1), m])?;
    Ok((coef, intercept.into_pyarray(py), settled))
}

/// Rows in all, then for each target the sums of squares of residuals and around the mean, over the
/// rows of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, y, residual, w, threads))]
pub(super) fn r2<'py>(
    comm: &Bound<'py, Comm>,
    y: &Bound<'py, PyAny>,
    residual: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (py, lent) = (comm.py(), [Some(y), Some(residual), w]);
    let sums = comm.get().on(lent, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| algo::r2(&data(device, rows)?, comm))
    })?;
    Ok(sums.into_pyarray(py))
}

/// `X coef + intercept` into `out`, all of one type.
#[pyfunction]
#[pyo3(signature = (x, coef, intercept, out, threads))]
pub(super) fn linear<'py>(
    x: &Bound<'py, PyAny>,
    coef: &Bound<'py, PyAny>,
    intercept: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<()> {
    let py = x.py();
    let held = Held::of([Some(x), None, None])?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| product(
        py,
        device,
        rows,
        [coef, intercept, out]
    ))
}

fn product<D: ProductKernels, T: Real + Element>(
    py: Python<'_>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    [coef, intercept, out]: [&Bound<'_, PyAny>; 3],
) -> PyResult<()> {
    let coef = coef.extract::<PyReadonlyArray1<'_, T>>()?;
    let intercept = intercept.extract::<PyReadonlyArray1<'_, T>>()?;
    let mut out = out.extract::<PyReadwriteArray2<'_, T>>()?;
    let (coef, intercept, out) = (coef.as_slice()?, intercept.as_slice()?, out.as_slice_mut()?);
    let run = || algo::guarded(|| device.product(data(device, rows)?.x, coef, intercept, out));
    py.detach(run).map_err(|error| raise(py, &error))
}
