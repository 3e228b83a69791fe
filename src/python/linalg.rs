//! Orthonormal bases.

use super::{
    array::{Answers, Held, data},
    comm::Comm,
    error::raise,
};
use crate::algo::{Qr, collective};
use crate::{dispatch, real::Real};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

/// Numbers, and rows.
type Factors<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray2<f64>>);

/// Of the rows of all ranks, `samples` in number: singular values and right vectors if `singular`, else
/// nothing and `R`. Writes this rank's rows of `U` or `Q` into `out`. Threads as of `least_squares`.
#[pyfunction]
#[pyo3(signature = (comm, x, samples, singular, out, threads, together))]
#[allow(clippy::too_many_arguments)] // a call
pub(super) fn factor<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    samples: usize,
    singular: bool,
    out: Option<&Bound<'py, PyAny>>,
    threads: usize,
    together: usize,
) -> PyResult<Factors<'py>> {
    let py = comm.py();
    let held = comm.get().hold(py, Held::of([Some(x), None, None]))?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| {
        found(comm, (device, rows), (samples, singular, together), out)
    })
}

fn found<'py, D: Answers, T: Real + Element>(
    comm: &Bound<'py, Comm>,
    (device, rows): (&D, &[Option<D::Rows<'_, T>>; 3]),
    (all, singular, threads): (usize, bool, usize),
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Factors<'py>> {
    let (py, comm) = (comm.py(), comm.get());
    let output = out.map(|out| device.output::<T>(out));
    let mut output = comm.hold(py, output.transpose())?;
    let out = output.as_mut().map(D::out).transpose();
    let out = comm.hold(py, out)?;
    let fit = || {
        collective(comm.get(), |comm| {
            let rows = &data(device, rows)?;
            let (p, qr) = (rows.shape().1, Qr { rows, all, threads });
            if singular {
                let found = qr.svd(comm, out)?;
                return Ok((p, found.values, found.vectors));
            }
            Ok((p, Vec::new(), qr.qr(comm, out)?))
        })
    };
    let (p, values, matrix) = py.detach(fit).map_err(|error| raise(py, &error))?;
    let k = matrix.len() / p.max(1);
    let matrix = matrix.into_pyarray(py);
    let matrix = if singular {
        matrix.reshape([k, p])?
    } else {
        matrix.reshape([p, k])?.transpose()?
    };
    Ok((values.into_pyarray(py), matrix))
}
