//! Linear models.

use super::{
    array::{Answers, Held, data},
    comm::Comm,
    error::raise,
    stream::absorbed,
};
use crate::algo::{
    self, ConjugateGradients, ElasticNet, ElasticNetPath, Grid, LeastSquares, LeastSquaresModel,
    LeastSquaresParams,
};
use crate::device::Cpu;
use crate::{dispatch, real::Real, solve::Descent};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;

/// `(coef, intercept, rank, singular)`: `n_features × n_targets`, `n_targets`, and of the rows.
type Fitted<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    usize,
    Bound<'py, PyArray1<f64>>,
);

/// Least squares over the rows of all ranks, penalised by `alphas`, of each target or none; `most` is the
/// largest share of any rank. Of the ranks on a node each has `threads`, or one of them all `together`.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, fit_intercept, tol, positive, alphas, most, threads, together))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn least_squares<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    fit_intercept: bool,
    tol: f64,
    positive: bool,
    alphas: PyReadonlyArray1<'py, f64>,
    most: usize,
    threads: usize,
    together: usize,
) -> PyResult<Fitted<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), Some(y), w]);
    let params = LeastSquaresParams {
        intercept: fit_intercept,
        tol,
        positive,
        alphas: alphas.as_slice()?,
    };
    let model = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = LeastSquares {
                rows: &data(device, rows)?,
                params,
                most,
                threads: together,
            };
            fit.fit(comm)
        })
    })?;
    fitted(py, model)
}

fn fitted(py: Python<'_>, model: LeastSquaresModel) -> PyResult<Fitted<'_>> {
    let m = model.intercept.len();
    let coef = model.coef.into_pyarray(py).reshape([model.p, m])?;
    let (intercept, singular) = (
        model.intercept.into_pyarray(py),
        model.singular.into_pyarray(py),
    );
    Ok((coef, intercept, model.rank, singular))
}

/// `(coef, intercept, converged)`, as `least_squares` has them.
type Found<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>, bool);

/// The same in rounds that keep no products of columns; and whether these came to their end. `alphas` has
/// one of each target.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, fit_intercept, tol, alphas, threads))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn conjugate_gradients<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    fit_intercept: bool,
    tol: f64,
    alphas: PyReadonlyArray1<'py, f64>,
    threads: usize,
) -> PyResult<Found<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), Some(y), w]);
    let params = LeastSquaresParams {
        intercept: fit_intercept,
        tol,
        positive: false,
        alphas: alphas.as_slice()?,
    };
    let (coef, intercept, converged) = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let rows = &data(device, rows)?;
            ConjugateGradients { rows, params }.fit(comm)
        })
    })?;
    let (m, size) = (intercept.len(), coef.len());
    let coef = coef.into_pyarray(py).reshape([size / m.max(1), m])?;
    Ok((coef, intercept.into_pyarray(py), converged))
}

/// What is known of the rows and targets of a batch as well; `centered` where an intercept is sought.
#[pyfunction]
#[pyo3(signature = (state, x, y, w, centered, threads))]
pub(super) fn absorb_centered_r<'py>(
    state: PyReadonlyArray1<'py, f64>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    centered: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    absorbed(
        (x.py(), threads),
        &state,
        [Some(x), Some(y), w],
        |input, state| {
            dispatch!(input, |device, rows| algo::absorb(state, || {
                algo::centered_r(&data(device, rows)?, centered)
            }))
        },
    )
}

/// Least squares of what all ranks know of `shape`, columns and targets, and how many rows they have. One
/// rank of a node has the threads of all `together`.
#[pyfunction]
#[pyo3(signature = (comm, state, shape, fit_intercept, tol, alphas, together))]
#[allow(clippy::too_many_arguments)] // a call
pub(super) fn finish_stream<'py>(
    comm: &Bound<'py, Comm>,
    state: PyReadonlyArray1<'py, f64>,
    shape: [usize; 2],
    fit_intercept: bool,
    tol: f64,
    alphas: PyReadonlyArray1<'py, f64>,
    together: usize,
) -> PyResult<(Fitted<'py>, f64)> {
    let py = comm.py();
    let (comm, state) = (comm.get(), state.as_slice()?);
    let params = LeastSquaresParams {
        intercept: fit_intercept,
        tol,
        positive: false,
        alphas: alphas.as_slice()?,
    };
    let fit = || {
        algo::collective(comm.get(), |comm| {
            let host = Cpu { threads: together };
            algo::finish_stream(comm, state, shape, &params, (&host, together))
        })
    };
    let (model, rows) = py.detach(fit).map_err(|error| raise(py, &error))?;
    Ok((fitted(py, model)?, rows))
}

/// `(alphas, coef, intercept, gaps, rounds, tolerances, n_samples, anew)`, as `algo::ElasticNetPath` has them.
type Nets<'py> = ([Bound<'py, PyArray1<f64>>; 6], f64, bool);

/// Elastic nets over the rows of all ranks, one for each of `alphas`; where `least` is not zero, for
/// `alphas[0]` strengths evenly down to that share of the largest. Of `tolerances`: `l1_ratio`, `tol`,
/// `least`; of `switches`: `fit_intercept`, `positive`, `screening`.
#[pyfunction]
#[pyo3(signature = (comm, x, y, w, alphas, tolerances, switches, max_iter, seeds, gram, start, threads))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn elastic_net<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    alphas: PyReadonlyArray1<'py, f64>,
    tolerances: [f64; 3],
    switches: [bool; 3],
    max_iter: usize,
    seeds: PyReadonlyArray1<'py, u32>,
    gram: PyReadonlyArray1<'py, f64>,
    start: PyReadonlyArray1<'py, f64>,
    threads: usize,
) -> PyResult<Nets<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), Some(y), w]);
    let (alphas, seeds, start) = (alphas.as_slice()?, seeds.as_slice()?, start.as_slice()?);
    let gram = gram.as_slice()?;
    let ([share, tol, least], [intercept, positive, screening]) = (tolerances, switches);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of strengths
    let grid = match alphas.first() {
        Some(count) if least > 0.0 => Grid::Spaced {
            count: *count as usize,
            least,
        },
        _ => Grid::Given(alphas),
    };
    let descent = Descent {
        gram: &[],
        side: &[],
        square: 0.0,
        tol,
        limit: max_iter,
        positive,
        screening,
    };
    let path = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = ElasticNet {
                rows: &data(device, rows)?,
                intercept,
                grid,
                share,
                descent,
                seeds,
                gram,
                start,
            };
            fit.fit(comm)
        })
    })?;
    Ok(nets(py, path))
}

fn nets(py: Python<'_>, path: ElasticNetPath) -> Nets<'_> {
    let (samples, anew) = (path.samples, path.anew);
    let parts = [
        path.alphas,
        path.coef,
        path.intercept,
        path.gaps,
        path.rounds,
        path.tolerances,
    ];
    (parts.map(|part| part.into_pyarray(py)), samples, anew)
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
    let (py, borrowed) = (comm.py(), [Some(y), Some(residual), w]);
    let sums = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| algo::r2(&data(device, rows)?, comm))
    })?;
    Ok(sums.into_pyarray(py))
}

/// `X coef + intercept` into `out`, all of one type and in one place; one intercept may serve all targets.
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

fn product<D: Answers, T: Real + Element>(
    py: Python<'_>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    [coef, intercept, out]: [&Bound<'_, PyAny>; 3],
) -> PyResult<()> {
    let (coef, intercept) = (device.numbers::<T>(coef)?, device.numbers::<T>(intercept)?);
    let mut output = device.output::<T>(out)?;
    let (coef, intercept, out) = (
        D::borrowed(&coef),
        D::borrowed(&intercept),
        D::out(&mut output)?,
    );
    let run = || algo::guarded(|| device.product(data(device, rows)?.x, &coef, &intercept, out));
    py.detach(run).map_err(|error| raise(py, &error))
}
