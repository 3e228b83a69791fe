//! Single rows on a GPU, as draws and empty clusters want them: launches of `draw.cu`.

use super::buffer::{address, bytes};
use super::cast::by_rows;
use super::centers::Centers;
use super::compile::{Source, THREADS};
use super::gpu::{Gpu, grid};
use super::rows::{Cuda, CudaOut, CudaRows};
use super::work::{Work, alone, few, run, whole};
use crate::device::{Data, Far, PIECE};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};
use std::ops::Range;

pub(super) const SOURCE: Source = Source {
    name: "draw.cu",
    text: include_str!("draw.cu"),
    constants: &[
        ("SPAN", SPAN as f64),
        ("POINTS", POINTS as f64),
        ("PIECE", PIECE as f64),
    ],
};
/// Rows of a tile, and its points.
const SPAN: usize = 64;
const POINTS: usize = 16;

/// A row, around a place if there is one, and its weight behind it.
pub(super) fn gather<T: Real>(
    work: &Work<'_, T>,
    row: usize,
    place: Option<&CudaSlice<f64>>,
) -> Result<Vec<f64>> {
    let (gpu, p) = (work.gpu, work.raw.width());
    if row >= work.n || place.is_some_and(|place| place.len() < p) {
        return Err(Error::Shape("there is no such row"));
    }
    let (numbers, row, place) = (p + 1, whole(row)?, place.map_or(0, address));
    let out: CudaSlice<f64> = gpu.empty(numbers, "a row")?;
    let kernel = gpu.kernel::<T>(SOURCE, "gather")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&row).arg(&place).arg(&out);
    // SAFETY: `gather` reads a row that there is and p numbers of a place (checked), and writes p + 1, for which
    // `out` was made.
    unsafe { run(launch, alone(numbers)?) }?;
    gpu.fetch(&out, numbers)
}

/// See `NearestKernels::update_min_distance`.
///
/// # Safety
/// From `nearest` on there must be a `T` for each row, on their GPU, which nobody else reads or writes.
pub(super) unsafe fn update_min_distance<T: Real>(
    work: &Work<'_, T>,
    nearest: u64,
    [newest, candidates]: [&[f64]; 2],
) -> Result<Vec<f64>> {
    let (gpu, p) = (work.gpu, work.raw.width());
    let [new, many] = [newest, candidates].map(|points| points.len() / p.max(1));
    let (pieces, columns) = (work.n.div_ceil(PIECE), many.max(1));
    if work.n == 0 {
        return Ok(Vec::new()); // of no pieces
    }
    let points = sent::<T>(gpu, &[newest, candidates].concat())?; // a few
    let (new, many) = (few(new)?, few(many)?);
    let out: CudaSlice<f64> = gpu.empty(pieces * columns, "potentials")?;
    let kernel = gpu.kernel::<T>(SOURCE, "update_min_distance")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&nearest).arg(&points);
    launch.arg(&new).arg(&many).arg(&out);
    // SAFETY: `update_min_distance` reads the rows and (new + many) × p numbers of points, which `sent` has made of as many,
    // reads and writes a number for each row, which the caller vouches for, and writes `columns` for each piece,
    // for which `out` was made.
    unsafe { run(launch, grid([pieces, 1], THREADS)?) }?;
    gpu.fetch(&out, pieces * columns)
}

/// See `NearestKernels::potentials`.
///
/// # Safety
/// From `nearest` on there must be a `T` for each row, on their GPU, which nobody else writes to.
pub(super) unsafe fn potentials<T: Real>(
    work: &Work<'_, T>,
    nearest: u64,
    newest: &[f64],
    some: &Range<usize>,
) -> Result<Vec<f64>> {
    let (gpu, p, many) = (work.gpu, work.raw.width(), some.len());
    if many == 0 {
        return Ok(Vec::new()); // of no rows
    }
    if some.end > work.n {
        return Err(Error::Shape("there are no such rows"));
    }
    let (points, new) = (sent::<T>(gpu, newest)?, few(newest.len() / p.max(1))?);
    let start = whole(some.start)?;
    // Whole blocks of rows: the last one goes on beyond `some`.
    let buffer = many.next_multiple_of(SPAN);
    let out: CudaSlice<f64> = gpu.empty(buffer, "potentials")?;
    let kernel = gpu.kernel::<T>(SOURCE, "potentials")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&nearest).arg(&points);
    launch.arg(&new).arg(&start).arg(&out);
    // SAFETY: `potentials` reads rows from `start` on and a number for each, which the caller vouches for, and
    // new × p numbers of points, which `sent` has made of as many. It writes a number for each row of its
    // blocks that there is: at most `buffer`.
    unsafe { run(launch, grid([many.div_ceil(SPAN), 1], THREADS)?) }?;
    gpu.fetch(&out, many)
}

/// See `NearestKernels::farthest`. Distances of all rows come to the host: clusters are seldom empty.
///
/// # Safety
/// There must be a label for each row, of a centre that there is.
pub(super) unsafe fn farthest<T: Real>(
    rows: &Data<'_, '_, Cuda, T>,
    centers: &Centers<T>,
    (labels, count): (&CudaSlice<i32>, usize),
) -> Result<Vec<Far>> {
    let work = Work::on(rows)?;
    let (gpu, n) = (work.gpu, work.n);
    centers.fit(&work)?;
    if n == 0 {
        return Ok(Vec::new()); // of no rows
    }
    let out: CudaSlice<f64> = gpu.empty(n, "distances")?;
    let kernel = gpu.kernel::<T>(SOURCE, "apart")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch
        .arg(&work.raw)
        .arg(&centers.place)
        .arg(&centers.exact);
    launch.arg(labels).arg(&out);
    // SAFETY: `apart` reads the rows, a label of each and the centres of those, which the caller vouches for, of
    // as many columns (`fit` has checked), and writes n numbers, for which `out` was made.
    unsafe { run(launch, alone(n)?) }?;
    let distances = gpu.fetch(&out, n)?;
    let mut own: Vec<i32> = memory::zeros(n, "labels")?;
    gpu.fetch_into(labels, &mut own)?;
    let mut far: Vec<(f64, usize)> = Vec::new(); // at most `count` and one
    for (row, distance) in distances.into_iter().enumerate() {
        if far.len() < count || far.last().is_some_and(|least| distance > least.0) {
            let at = far.partition_point(|other| other.0 >= distance);
            far.insert(at, (distance, row));
            far.truncate(count);
        }
    }
    let mut found = Vec::new(); // as many
    for (distance, row) in far {
        let mut z = gather(&work, row, Some(&centers.place))?;
        let weight = z.pop().unwrap_or(1.0);
        found.push(Far {
            distance,
            weight,
            label: usize::try_from(own[row]).unwrap_or(0),
            z,
        });
    }
    Ok(found)
}

/// See `NearestKernels::distances`.
pub(super) fn distances<T: Real>(
    rows: &Data<'_, '_, Cuda, T>,
    points: &CudaRows<'_, T>,
    out: &CudaOut<'_, T>,
) -> Result<()> {
    let (work, (n, p, _), many) = (Work::on(rows)?, rows.shape(), points.shape().0);
    if many == 0 || points.shape().1 != p {
        return Err(Error::Shape("distances"));
    }
    let (gpu, out, k) = (work.gpu, out.checked_address(n * many)?, few(many)?);
    if n == 0 {
        return Ok(());
    }
    let (points, _copy) = by_rows(&rows.device.0, points)?;
    let kernel = gpu.kernel::<T>(SOURCE, "distances")?;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&work.raw).arg(&points).arg(&k).arg(&out);
    let blocks = [n.div_ceil(SPAN), many.div_ceil(POINTS)];
    // SAFETY: `distances` reads the rows and k × p numbers of points, row by row (`by_rows` sees to that, and
    // p was compared), and writes n × k, as many as `out.buffer` has checked.
    unsafe { run(launch, grid(blocks, THREADS)?) }?;
    gpu.wait()
}

/// Numbers in the type of the rows.
fn sent<T: Real>(gpu: &Gpu, values: &[f64]) -> Result<CudaSlice<u8>> {
    let mut rounded = memory::zeros(values.len(), "centers")?;
    for (to, from) in rounded.iter_mut().zip(values) {
        *to = T::of(*from);
    }
    gpu.send(bytes(&rounded))
}
