//! Clusters.

use super::{
    array::{Answers, Held, LabelArray, data},
    comm::Comm,
    error::raise,
    observer,
};
use crate::algo::{self, Draws, KMeans};
use crate::{dispatch, real::Real};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
};
use pyo3::prelude::*;

type Numbers<'py> = Bound<'py, PyArray1<f64>>;
type Rows<'py> = Bound<'py, PyArray2<f64>>;

/// Number of rows, means and sums of squares around them, of the rows of all ranks.
#[pyfunction]
#[pyo3(signature = (comm, x, threads))]
pub(super) fn variances<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<(f64, Numbers<'py>, Numbers<'py>)> {
    let (py, borrowed) = (comm.py(), [Some(x), None, None]);
    let (means, squares) = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| algo::variances(
            &data(device, rows)?,
            comm
        ))
    })?;
    let mean = means.mean().to_vec().into_pyarray(py);
    Ok((means.rows(), mean, squares.into_pyarray(py)))
}

/// Centres around `place` by greedy k-means++; `draws`: one, then equally many for each further one.
#[pyfunction]
#[pyo3(signature = (comm, x, w, place, n_clusters, draws, threads))]
#[allow(clippy::too_many_arguments)] // rows, their place, what is sought
pub(super) fn plus_plus<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    place: PyReadonlyArray1<'py, f64>,
    n_clusters: usize,
    draws: PyReadonlyArray1<'py, f64>,
    threads: usize,
) -> PyResult<Rows<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), None, w]);
    let (place, draws) = (place.as_slice()?, draws.as_slice()?);
    let centers = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let rows = &data(device, rows)?;
            Draws { rows, place }.plus_plus(comm, n_clusters, draws)
        })
    })?;
    centers.into_pyarray(py).reshape([n_clusters, place.len()])
}

/// Rows around `place` for k-means‖ to begin with, and what is nearest to each weighs.
#[pyfunction]
#[pyo3(signature = (comm, x, w, place, n_clusters, draw, seed, threads))]
#[allow(clippy::too_many_arguments)] // rows, their place, what is sought
pub(super) fn oversample<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    place: PyReadonlyArray1<'py, f64>,
    n_clusters: usize,
    draw: f64,
    seed: u64,
    threads: usize,
) -> PyResult<(Rows<'py>, Numbers<'py>)> {
    let (py, borrowed) = (comm.py(), [Some(x), None, w]);
    let place = place.as_slice()?;
    let (rows, weights) = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let rows = &data(device, rows)?;
            Draws { rows, place }.oversample(comm, n_clusters, draw, seed)
        })
    })?;
    let rows = rows
        .into_pyarray(py)
        .reshape([weights.len(), place.len()])?;
    Ok((rows, weights.into_pyarray(py)))
}

/// Rows drawn by weight, none twice and none of `found`: their numbers among all rows, and the rows
/// around `place`.
#[pyfunction]
#[pyo3(signature = (comm, x, w, place, draws, found, threads))]
#[allow(clippy::too_many_arguments)] // rows, their place, what is sought
pub(super) fn drawn<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    place: PyReadonlyArray1<'py, f64>,
    draws: PyReadonlyArray1<'py, f64>,
    found: PyReadonlyArray1<'py, f64>,
    threads: usize,
) -> PyResult<(Numbers<'py>, Rows<'py>)> {
    let (py, borrowed) = (comm.py(), [Some(x), None, w]);
    let (place, draws, found) = (place.as_slice()?, draws.as_slice()?, found.as_slice()?);
    let (numbers, rows) = comm.get().on(borrowed, (py, threads), |input, comm| {
        dispatch!(input, |device, rows| {
            let rows = &data(device, rows)?;
            Draws { rows, place }.without_return(comm, draws, found)
        })
    })?;
    let rows = rows
        .into_pyarray(py)
        .reshape([numbers.len(), place.len()])?;
    Ok((numbers.into_pyarray(py), rows))
}

/// `(centers, labels, inertia, counts, history, strict)`: see `algo::Partition`.
type Clustered<'py> = (
    Rows<'py>,
    Bound<'py, PyAny>,
    f64,
    Numbers<'py>,
    Vec<[f64; 2]>,
    bool,
);

/// Lloyd's rounds over the rows of all ranks; `start` are centres around `place`.
#[pyfunction]
#[pyo3(signature = (comm, x, w, place, start, tolerance, limit, want_inertia, threads, observer))]
#[allow(clippy::too_many_arguments)] // rows, their place, when to stop
pub(super) fn kmeans<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    place: PyReadonlyArray1<'py, f64>,
    start: PyReadonlyArray2<'py, f64>,
    tolerance: f64,
    limit: usize,
    want_inertia: bool,
    threads: usize,
    observer: Option<Py<PyAny>>,
) -> PyResult<Clustered<'py>> {
    let (py, borrowed) = (comm.py(), [Some(x), None, w]);
    let observer = observer::observer(observer);
    let (place, start) = (place.as_slice()?, start.as_array());
    let start: Vec<f64> = start.iter().copied().collect();
    let (centers, labels, inertia, counts, history, strict) =
        comm.get().on(borrowed, (py, threads), |input, comm| {
            dispatch!(input, |device, rows| {
                let rows = &data(device, rows)?;
                let task = KMeans {
                    rows,
                    place,
                    tolerance,
                    limit,
                    want_inertia,
                    observer: observer.as_ref().map(|observer| observer as _),
                };
                let found = task.fit(comm, start)?;
                Ok((
                    found.centers,
                    device.label_array(found.labels)?,
                    found.inertia,
                    found.counts,
                    found.history,
                    found.strict,
                ))
            })
        })?;
    let k = counts.len();
    let centers = centers.into_pyarray(py).reshape([k, place.len()])?;
    let (labels, counts) = (labels.array(py)?, counts.into_pyarray(py));
    Ok((centers, labels, inertia, counts, history, strict))
}

/// The nearest centre of each row, where rows are; so are centres, in double.
#[pyfunction]
#[pyo3(signature = (x, centers, threads))]
pub(super) fn nearest<'py>(
    x: &Bound<'py, PyAny>,
    centers: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = x.py();
    let held = Held::of([Some(x), None, None])?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| labels(py, device, rows, centers))?.array(py)
}

fn labels<D: Answers, T: Real>(
    py: Python<'_>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    centers: &Bound<'_, PyAny>,
) -> PyResult<LabelArray> {
    let centers = device.numbers::<f64>(centers)?;
    let centers = D::borrowed(&centers);
    let run =
        || algo::guarded(|| device.label_array(algo::labels(&data(device, rows)?, &centers)?));
    py.detach(run).map_err(|error| raise(py, &error))
}

/// Distances of rows to centres, both as they are and where they are, into `out`; all of one type.
#[pyfunction]
#[pyo3(signature = (x, centers, out, threads))]
pub(super) fn distances<'py>(
    x: &Bound<'py, PyAny>,
    centers: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<()> {
    let py = x.py();
    let held = Held::of([Some(x), None, None])?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| far(py, device, rows, [centers, out]))
}

fn far<D: Answers, T: Real + Element>(
    py: Python<'_>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    [centers, out]: [&Bound<'_, PyAny>; 2],
) -> PyResult<()> {
    let (centers, mut output) = (device.numbers::<T>(centers)?, device.output::<T>(out)?);
    let (centers, out) = (D::borrowed(&centers), D::out(&mut output)?);
    let run = || algo::guarded(|| device.distances(&data(device, rows)?, &centers, out));
    py.detach(run).map_err(|error| raise(py, &error))
}

/// `Σ w d²` of the rows of all ranks and their nearest centres, which lie where rows do, in double.
#[pyfunction]
#[pyo3(signature = (comm, x, w, centers, threads))]
pub(super) fn inertia<'py>(
    comm: &Bound<'py, Comm>,
    x: &Bound<'py, PyAny>,
    w: Option<&Bound<'py, PyAny>>,
    centers: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<f64> {
    let held = comm.get().hold(comm.py(), Held::of([Some(x), None, w]))?;
    let input = held.input(threads);
    dispatch!(&input, |device, rows| pack_centers(
        comm, device, rows, centers
    ))
}

fn pack_centers<D: Answers, T: Real>(
    comm: &Bound<'_, Comm>,
    device: &D,
    rows: &[Option<D::Rows<'_, T>>; 3],
    centers: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    let (py, comm) = (comm.py(), comm.get());
    let centers = comm.hold(py, device.numbers::<f64>(centers))?;
    let centers = D::borrowed(&centers);
    comm.run(py, |comm| {
        algo::inertia(&data(device, rows)?, comm, &centers)
    })
}
