//! Decompositions.

use super::{
    array::{Answers, Held, data},
    comm::Comm,
    error::raise,
};
use crate::algo::{self, Count, Pca, TruncatedSvd, Way};
use crate::{dispatch, real::Real};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

type Numbers<'py> = Bound<'py, PyArray1<f64>>;

/// `(mean, components, singular values, variances, their shares, noise)`.
type Fitted<'py> = (
    Numbers<'py>,
    Bound<'py, PyArray2<f64>>,
    Numbers<'py>,
    Numbers<'py>,
    Numbers<'py>,
    f64,
);

/// Principal components of the rows of all ranks, `samples` in number: `count` of them, or as many as
/// explain more than `share` of the variance, or the likeliest number. Threads as of `least_squares`.
#[pyfunction]
#[pyo3(signature = (comm, x, samples, solver, count, share, threads, together))]
#[allow(clippy::too_many_arguments)] // scikit-learn's own
pub(super) fn pca<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    samples: usize,
    solver: &str,
    count: Option<usize>,
    share: Option<f64>,
    threads: usize,
    together: usize,
) -> PyResult<Fitted<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), None, None]);
    let way = match solver {
        "full" => Way::RFactor,
        "covariance_eigh" => Way::Moments,
        "range" => Way::Range,
        _ => Way::Leading,
    };
    let count = match (count, share) {
        (Some(count), _) => Count::Of(count),
        (None, Some(share)) => Count::Share(share),
        (None, None) => Count::Likeliest,
    };
    let ([variances, shares], found) = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = Pca {
                rows: &data(device, rows)?,
                all: samples,
                count,
                way,
                threads: together,
            };
            let found = fit.fit(comm)?;
            Ok((found.explained()?, found))
        })
    })?;
    let (k, p) = (found.singular.len(), found.mean.len());
    Ok((
        found.mean.into_pyarray(py),
        found.vectors.into_pyarray(py).reshape([k, p])?,
        found.singular.into_pyarray(py),
        variances.into_pyarray(py),
        shares.into_pyarray(py),
        found.noise,
    ))
}

/// `(components, singular values, variances, variance in all)`.
type Truncated<'py> = (Bound<'py, PyArray2<f64>>, Numbers<'py>, Numbers<'py>, f64);

/// The `count` leading singular values and vectors of the rows of all ranks, `samples` in number, and the
/// variances along these; by the range finder if `ranged`. Threads as of `least_squares`.
#[pyfunction]
#[pyo3(signature = (comm, x, samples, count, ranged, threads, together))]
#[allow(clippy::too_many_arguments)] // a call
pub(super) fn truncated_svd<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    samples: usize,
    count: usize,
    ranged: bool,
    threads: usize,
    together: usize,
) -> PyResult<Truncated<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), None, None]);
    let found = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let fit = TruncatedSvd {
                rows: &data(device, rows)?,
                all: samples,
                k: count,
                ranged,
                threads: together,
            };
            fit.fit(comm)
        })
    })?;
    let p = found.vectors.len() / count.max(1);
    Ok((
        found.vectors.into_pyarray(py).reshape([count, p])?,
        found.singular.into_pyarray(py),
        found.variances.into_pyarray(py),
        found.total,
    ))
}

/// `(X − mean) coef` into `out`, all in one place, and all but the mean of one type.
#[pyfunction]
#[pyo3(signature = (x, mean, coef, out, threads))]
pub(super) fn project<'py>(
    x: &Bound<'py, PyAny>,
    mean: &Bound<'py, PyAny>,
    coef: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<()> {
    let py = x.py();
    let held = Held::of([Some(x), None, None])?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| projected(
        py,
        device,
        rows,
        [mean, coef, out]
    ))
}

fn projected<D: Answers, T: Real + Element>(
    py: Python<'_>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    [mean, coef, out]: [&Bound<'_, PyAny>; 3],
) -> PyResult<()> {
    let (mean, coef) = (device.numbers::<f64>(mean)?, device.numbers::<T>(coef)?);
    let mut output = device.output::<T>(out)?;
    let (mean, coef, out) = (D::borrowed(&mean), D::borrowed(&coef), D::out(&mut output)?);
    let run = || algo::guarded(|| device.project(&data(device, rows)?, &mean, &coef, out));
    py.detach(run).map_err(|error| raise(py, &error))
}

/// `b + s (x − mean) matrix (x − mean)` of each row into `out`, given `line = (b, s)`; all in one place, and
/// all but the rows in double.
#[pyfunction]
#[pyo3(signature = (x, mean, matrix, line, out, threads))]
pub(super) fn quadratic_form<'py>(
    x: &Bound<'py, PyAny>,
    mean: &Bound<'py, PyAny>,
    matrix: &Bound<'py, PyAny>,
    line: [f64; 2],
    out: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<()> {
    let py = x.py();
    let held = Held::of([Some(x), None, None])?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| write_quadratic_form(
        (py, device),
        rows,
        [mean, matrix, out],
        line
    ))
}

fn write_quadratic_form<D: Answers, T: Real>(
    (py, device): (Python<'_>, &D),
    rows: &[Option<D::Rows<'_, T>>; 3],
    [mean, matrix, out]: [&Bound<'_, PyAny>; 3],
    line: [f64; 2],
) -> PyResult<()> {
    let (mean, matrix) = (device.numbers::<f64>(mean)?, device.numbers::<f64>(matrix)?);
    let mut output = device.output::<f64>(out)?;
    let (mean, matrix, out) = (
        D::borrowed(&mean),
        D::borrowed(&matrix),
        D::out(&mut output)?,
    );
    let run = || {
        algo::guarded(|| device.quadratic_form(&data(device, rows)?, [&mean, &matrix], line, out))
    };
    py.detach(run).map_err(|error| raise(py, &error))
}
