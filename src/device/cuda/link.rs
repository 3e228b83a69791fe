//! Logistic losses on a GPU: launches of `link.cu`. Second derivatives are products of columns, of
//! `moments.cu`, by weights of each pair of scores.

use super::buffer::{address, bytes};
use super::compile::{Source, THREADS};
use super::gpu::{Gpu, grid};
use super::moments::{joined, tiled, tiles};
use super::rows::Cuda;
use super::work::{Chunks, Work, alone, few, granted, run, whole};
use crate::device::{Data, LinkKernels, Linked, Scores, free};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};

pub(super) const SOURCE: Source = Source {
    name: "link.cu",
    text: include_str!("link.cu"),
    constants: &[
        ("BATCH", BATCH as f64),
        ("ROWS", ROWS as f64),
        ("FEW", FEW as f64),
        ("MINE", MINE as f64),
    ],
};
/// Rows of a tile; where tiles stay in shared memory their rows, and at most their scores, columns of a thread,
/// and columns.
const BATCH: usize = 64;
const ROWS: usize = 32;
const FEW: usize = 4;
const MINE: usize = 2;
const COLUMNS: usize = MINE * THREADS as usize;
/// Shared memory that every GPU from 7.5 on has for a block.
const SHARED: usize = 64 << 10;
const TURING: i32 = 75;

impl LinkKernels for Cuda {
    fn link<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        at: Scores<'_>,
        curved: bool,
    ) -> Result<Linked> {
        let (work, (n, p, targets)) = (Work::on(rows)?, rows.shape());
        let width = p + 1;
        let m = at.coef.len() / width;
        if targets != 1 || m == 0 || at.coef.len() != m * width || at.mean.len() != p {
            return Err(Error::Shape("classes and coefficients"));
        }
        if at.weights.len() != m.max(2) {
            return Err(Error::Shape("weights of classes"));
        }
        let pairs = if curved {
            free(m) * (free(m) + 1) / 2
        } else {
            0
        };
        if n == 0 {
            return Ok(Linked {
                loss: 0.0,
                gradient: memory::zeros(m * width, "a gradient")?,
                curvature: memory::zeros(pairs * width * (width + 1) / 2, "second derivatives")?,
            });
        }
        let shares = if curved { n * (m + 1) } else { 0 };
        let shares: CudaSlice<f64> = work.gpu.empty(shares, "probabilities")?;
        let mut gradient = look(&work, at, m, curved.then_some(&shares))?;
        let loss = gradient.pop().unwrap_or(0.0);
        let mut curvature = memory::zeros(pairs * width * (width + 1) / 2, "second derivatives")?;
        if curved {
            let triangles = curvature.chunks_exact_mut((width * (width + 1) / 2).max(1));
            let bends = Hessian::of(&work, at.mean)?;
            let pairs = (0..free(m)).flat_map(|b| (0..=b).map(move |a| (a, b)));
            for (r_factor, pair) in triangles.zip(pairs) {
                bends.look((&shares, m), pair, r_factor)?;
            }
        }
        Ok(Linked {
            loss,
            gradient,
            curvature,
        })
    }
}

/// The gradient, behind it the loss.
fn look<T: Real>(
    work: &Work<'_, T>,
    at: Scores<'_>,
    m: usize,
    shares: Option<&CudaSlice<f64>>,
) -> Result<Vec<f64>> {
    let (gpu, numbers, many) = (work.gpu, at.coef.len() + 1, few(m)?);
    let (mean, coef) = (gpu.send(at.mean)?, gpu.send(at.coef)?);
    let classes = gpu.send(at.weights)?;
    let (p, shares) = (at.mean.len(), shares.map_or(0, address));
    let (pitch, buffer) = held::<T>(p, m);
    let small = m <= FEW && p < COLUMNS && buffer <= SHARED && gpu.arch >= TURING;
    let each = if small { 0 } else { BATCH * m };
    let chunks = Chunks::of(work.n, numbers + each)?;
    let parts: CudaSlice<f64> = gpu.empty(chunks.count * numbers, "a gradient")?;
    let mut how = grid([chunks.count, 1], THREADS)?;
    if small {
        let kernel = gpu.kernel::<T>(SOURCE, "link_few")?;
        granted(&kernel, SHARED)?;
        how.shared_mem_bytes = few(buffer)?.unsigned_abs();
        let (mut launch, pitch) = (gpu.stream.launch_builder(&kernel), few(pitch)?);
        launch.arg(&work.raw).arg(&chunks.size).arg(&pitch);
        launch.arg(&mean).arg(&coef).arg(&classes).arg(&many);
        launch.arg(&shares).arg(&parts);
        // SAFETY: as of `link` below; and `buffer` bytes of shared memory are what `held` says `link_few` has.
        unsafe { run(launch, how) }?;
    } else {
        let buffer: CudaSlice<f64> = gpu.empty(chunks.count * each, "scores")?;
        let kernel = gpu.kernel::<T>(SOURCE, "link")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&chunks.size).arg(&mean);
        launch.arg(&coef).arg(&classes).arg(&many).arg(&buffer);
        launch.arg(&shares).arg(&parts);
        // SAFETY: `link` reads the rows, whose one target it takes into 0..max(m, 2), p means, m × (p + 1)
        // coefficients and max(m, 2) weights of classes (`LinkKernels::link` has checked all three). It writes
        // n × (m + 1) shares where there are any, which `LinkKernels::link` made room for, a gradient and a loss
        // for each chunk in `parts`, and BATCH × m scores a chunk in `buffer`.
        unsafe { run(launch, how) }?;
    }
    work.summed(numbers, chunks.count, &parts)
}

/// How far apart rows of a tile are, and the bytes of shared memory: as `link_few` has it.
fn held<T: Real>(p: usize, m: usize) -> (usize, usize) {
    let pitch = p.div_ceil(32) * 32 + 8;
    let doubles = p + m * (p + 1) + ROWS * m;
    (pitch, 8 * doubles + ROWS * pitch * size_of::<T>())
}

/// What second derivatives of all pairs share.
struct Hessian<'w, T> {
    work: &'w Work<'w, T>,
    chunks: Chunks,
    centers: CudaSlice<f64>,
    one: CudaSlice<u8>,
    weights: CudaSlice<u8>,
}

impl<'w, T: Real> Hessian<'w, T> {
    fn of(work: &'w Work<'w, T>, mean: &[f64]) -> Result<Self> {
        let (gpu, width): (&Gpu, _) = (work.gpu, mean.len() + 1);
        let chunks = Chunks::of(work.n, tiled(width))?;
        let mut centers = memory::zeros(chunks.count * width, "means")?;
        for center in centers.chunks_exact_mut(width) {
            center[..mean.len()].copy_from_slice(mean);
        }
        Ok(Self {
            work,
            chunks,
            centers: gpu.send(&centers)?,
            one: gpu.send(bytes(&[T::of(1.0)]))?,
            weights: gpu.empty(work.n * size_of::<T>(), "weights")?,
        })
    }

    /// `Σ h [x − x̄, 1][x − x̄, 1]ᵀ`, the lower triangle row by row, of a pair of `m` scores.
    fn look(
        &self,
        (shares, m): (&CudaSlice<f64>, usize),
        (a, b): (usize, usize),
        to: &mut [f64],
    ) -> Result<()> {
        let (gpu, n) = (self.work.gpu, self.work.n);
        let (count, m, a, b) = (whole(n)?, few(m)?, few(a)?, few(b)?);
        let kernel = gpu.kernel::<T>(SOURCE, "hessian_weights")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&count).arg(&m).arg(&a).arg(&b);
        launch.arg(shares).arg(&self.weights);
        // SAFETY: `bend` reads n × (m + 1) shares, of which those of scores a and b, both below m, and writes n
        // weights of type `T`: `LinkKernels::link` made the first, `of` has room for the others.
        unsafe { run(launch, alone(n)?) }?;
        let (one, weights) = (address(&self.one), address(&self.weights));
        // SAFETY: `one` is a `T`, `weights` are n, on the GPU of the rows; `self` keeps both, and `fetch_into`
        // waits before `raw` is gone.
        let raw = unsafe { self.work.raw.beside(one, weights) };
        let shape = (self.work.raw.width() + 1, self.chunks);
        let parts = tiles((gpu, &raw), shape, Some(&self.centers), true)?;
        let out = joined::<T>(gpu, shape, &parts, None)?;
        gpu.fetch_into(&out, to)
    }
}
