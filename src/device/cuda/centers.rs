//! Centres on a GPU, and what rows are nearest to: launches of `nearest.cu` and `centers.cu`.
//!
//! Scores `zᵀc − ½‖c‖²` are computed in floats, or by tensor cores in numbers of 11 bits, with a bound of
//! their error. Where the best two are closer than that a row is in doubt: it is looked at again in three
//! products of such numbers, and then by differences in double. So labels are those of exact numbers,
//! whichever way they were found.

use super::buffer::address;
use super::compile::{Source, THREADS};
use super::driver::ContextGuard;
use super::gpu::{AMPERE, Gpu, grid};
use super::rows::CudaRows;
use super::work::{Work, alone, few, granted, run};
use crate::{Error, Result, real::Real};
use cudarc::driver::{CudaFunction, CudaSlice, DeviceRepr, LaunchConfig, PushKernelArg};
use std::marker::PhantomData;

/// The kernels.
pub(super) const SOURCE: Source = Source {
    name: "nearest.cu",
    text: include_str!("nearest.cu"),
    constants: &[("SPAN", SPAN as f64), ("TIE", TIE)],
};
/// The kernels for tensor cores.
pub(super) const TILES: Source = Source {
    name: "centers.cu",
    text: include_str!("centers.cu"),
    constants: &[
        ("HIGH", HIGH as f64),
        ("SPAN", HIGH as f64),
        ("DEPTH", DEPTH as f64),
        ("PITCH", PITCH as f64),
        ("SKEW", SKEW as f64),
    ],
};
/// Centres that tensor cores are worth it for; and that one product of 11 bits is.
const MANY: usize = 16;
const COARSE: usize = 64;
/// Rows, and centres, of a tile of `nearest`.
const SPAN: usize = 64;
/// What the order of sums may leave in distances, relative to their terms.
const TIE: f64 = 1e-12;
/// Rows, and centres, of a tile for tensor cores; its columns; how far apart its rows lie in shared memory,
/// and by how much more than they are long.
const HIGH: usize = 128;
const DEPTH: usize = 16;
const PITCH: usize = DEPTH + SKEW;
const SKEW: usize = 4;
/// Columns of rows that stay in shared memory: 88 kB, which every GPU with such tensor cores has.
const WIDE: usize = 128;
/// Blocks of kernels that go on by themselves.
const BLOCKS: usize = 1056;

/// `Doubt` of `centers.cu`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Doubt {
    share: f64,
    least: f64,
    coarse: f64,
    longest: u64,
}

// SAFETY: `repr(C)` gives it the layout of the kernels' `Doubt`: three doubles and an address, without gaps.
unsafe impl DeviceRepr for Doubt {}

/// Centres on the GPU, beside rows of `T`.
pub struct Centers<T> {
    pub(super) p: usize,
    pub(super) k: usize,
    pub(super) place: CudaSlice<f64>,
    pub(super) exact: CudaSlice<f64>,
    /// `c`, then `½‖c‖²`, in the type of the rows; or for tensor cores floats, in whole tiles.
    packed: CudaSlice<u8>,
    halves: CudaSlice<u8>,
    /// The largest `‖c‖`.
    longest: CudaSlice<f64>,
    tensor: bool,
    of: PhantomData<T>,
    /// In force again once these are freed: the last one here.
    kept: Option<ContextGuard>,
}

impl<T: Real> Centers<T> {
    /// Of the host, around a place.
    pub(super) fn of(gpu: &Gpu, place: &[f64], exact: &[f64]) -> Result<Self> {
        let p = place.len();
        if p == 0 || exact.is_empty() || !exact.len().is_multiple_of(p) {
            return Err(Error::Shape("centers"));
        }
        let shape = (exact.len() / p, p);
        Self::made(gpu, || {
            Self::packed(gpu, shape, [gpu.send(place)?, gpu.send(exact)?])
        })
    }

    /// Of the GPU.
    pub(super) fn pack_centers(gpu: &Gpu, centers: &CudaRows<'_, f64>) -> Result<Self> {
        let (k, p) = centers.shape();
        let (first, steps) = (centers.first(), centers.steps());
        if k * p == 0 {
            return Err(Error::Shape("centers"));
        }
        Self::made(gpu, || {
            let sent = [gpu.empty(p, "centers")?, gpu.empty(k * p, "centers")?];
            let (many, width) = (few(k)?, few(p)?);
            let kernel = gpu.kernel::<T>(SOURCE, "pack_centers")?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&first).arg(&steps.0).arg(&steps.1);
            launch.arg(&many).arg(&width);
            launch.arg(&sent[0]).arg(&sent[1]);
            // SAFETY: `around` reads k × p centres, and writes p numbers of a place and k × p of centres, for which
            // both parts of `sent` were made.
            unsafe { run(launch, warps(p)?) }?;
            let made = Self::packed(gpu, (k, p), sent)?;
            gpu.wait()?; // their owner may take them back
            Ok(made)
        })
    }

    /// After an error nothing is read any more; memory is freed before the caller's context is back.
    fn made(gpu: &Gpu, work: impl FnOnce() -> Result<Self>) -> Result<Self> {
        let kept = ContextGuard::now()?;
        let mut made = work();
        match &mut made {
            Ok(made) => made.kept = Some(kept),
            Err(_) => {
                let _ = gpu.wait();
            }
        }
        made
    }

    fn packed(
        gpu: &Gpu,
        (k, p): (usize, usize),
        [place, exact]: [CudaSlice<f64>; 2],
    ) -> Result<Self> {
        let tensor = k >= MANY && gpu.arch >= AMPERE;
        let (high, wide, size) = if tensor {
            let (high, wide) = (k.next_multiple_of(HIGH), p.next_multiple_of(DEPTH));
            (high, wide, size_of::<f32>())
        } else {
            (k, p, size_of::<T>())
        };
        let centers = Self {
            p,
            k,
            place,
            exact,
            packed: gpu.empty(high * wide * size, "centers")?,
            halves: gpu.empty(high * size, "centers")?,
            longest: gpu.cleared(1, "a length")?,
            tensor,
            of: PhantomData,
            kept: None,
        };
        let shape = [few(k)?, few(p)?, few(high)?, few(wide)?, i32::from(tensor)];
        let kernel = gpu.kernel::<T>(SOURCE, "pack")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&centers.exact);
        for number in &shape {
            launch.arg(number);
        }
        launch.arg(&centers.packed).arg(&centers.halves);
        launch.arg(&centers.longest);
        // SAFETY: `pack` reads k × p centres, of which `packed`'s callers have sent as many, and writes high × wide
        // numbers and `high` halves, for which `Self` has room in the type that `tensor` says, and one length.
        unsafe { run(launch, warps(high)?) }?;
        Ok(centers)
    }

    /// By how much scores may be off: by at most `p + 4` roundings of their terms' size; on tensor cores,
    /// which leave out the least of products and cut sums of eight off, by less than twice as many.
    fn doubt(&self) -> Doubt {
        let (roundings, rounding, smallest) = if self.tensor {
            let (rounding, smallest) = (f32::EPSILON, f32::MIN_POSITIVE);
            (4.0 * (self.p + 8) as f64, rounding.into(), smallest.into())
        } else {
            (2.0 * (self.p + 4) as f64, T::ROUNDING, T::LEAST)
        };
        Doubt {
            share: roundings * rounding + TIE,
            least: roundings * smallest,
            // Both scores of a gap, by two factors with an error of 2⁻¹¹ each.
            coarse: 2.0 * (f64::powi(2.0, -10) + f64::powi(2.0, -22)),
            longest: address(&self.longest),
        }
    }

    /// Fails unless rows have as many columns.
    pub(super) fn fit(&self, work: &Work<'_, T>) -> Result<()> {
        let fits = work.raw.width() == self.p;
        fits.then_some(()).ok_or(Error::Shape("centers and rows"))
    }

    /// New labels of rows, in `buffer`, in the coarse way if that is `wanted`; whether it is for rows such as
    /// these from now on.
    pub(super) fn find(
        &self,
        work: &Work<'_, T>,
        buffer: &CudaSlice<i32>,
        wanted: bool,
    ) -> Result<bool> {
        let gpu = work.gpu;
        self.fit(work)?;
        if buffer.len() < work.n {
            return Err(Error::Shape("labels are not of these rows"));
        }
        // A flag; how many rows are in doubt.
        let told: CudaSlice<i32> = gpu.cleared(2, "a flag")?;
        let coarse = wanted && self.tensor && self.k >= COARSE && few(work.n).is_ok();
        if coarse {
            let rows: CudaSlice<i32> = gpu.empty(work.n, "numbers of rows")?;
            let list = [address(&rows), address(&told) + size_of::<i32>() as u64];
            self.rounded(work, buffer, list)?;
            self.split(work, buffer, Some(list))?;
        } else if self.tensor {
            self.split(work, buffer, None)?;
        } else {
            self.floats(work, buffer)?;
        }
        self.recheck(work, buffer, &told)?;
        let mut found = [0; 2];
        gpu.fetch_into(&told, &mut found)?;
        let doubtful = usize::try_from(found[1]).unwrap_or(usize::MAX);
        // A third of the products, and all of them for these again.
        let pays = wanted && doubtful <= work.n / 2;
        (found[0] == 0).then_some(pays).ok_or(Error::NotFinite)
    }

    /// In floats, without tensor cores.
    fn floats(&self, work: &Work<'_, T>, buffer: &CudaSlice<i32>) -> Result<()> {
        let (k, doubt) = (few(self.k)?, self.doubt());
        let kernel = work.gpu.kernel::<T>(SOURCE, "nearest")?;
        let mut launch = work.gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&self.place);
        launch.arg(&self.packed).arg(&self.halves).arg(&k);
        launch.arg(&doubt.share).arg(&doubt.least);
        launch.arg(&self.longest).arg(buffer);
        // SAFETY: `nearest` reads the rows, p numbers of a place, k × p numbers of centres and k halves, which
        // `packed` made in the type of the rows, and writes a label for each row: see `find`, which asks for this.
        unsafe { run(launch, grid([work.n.div_ceil(SPAN), 1], THREADS)?) }
    }

    /// By one product of numbers of 11 bits; rows in doubt are listed, and counted.
    fn rounded(&self, work: &Work<'_, T>, buffer: &CudaSlice<i32>, list: [u64; 2]) -> Result<()> {
        let (kernel, how, wide) = self.tiles(work, "nearest_tf32", usize::MAX)?;
        let ([list, many], k, doubt) = (list, few(self.k)?, self.doubt());
        let mut launch = work.gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&self.place);
        launch.arg(&self.packed).arg(&self.halves);
        launch.arg(&k).arg(&wide).arg(&doubt);
        launch.arg(buffer).arg(&list).arg(&many);
        // SAFETY: as of `split`; and the list, of a number for each row, and its counter are those of `find`, which
        // keeps both until it has waited.
        unsafe { run(launch, how) }
    }

    /// By three products of such numbers, as exact as floats; of all rows, or of those that are listed.
    fn split(
        &self,
        work: &Work<'_, T>,
        buffer: &CudaSlice<i32>,
        some: Option<[u64; 2]>,
    ) -> Result<()> {
        let blocks = some.map_or(usize::MAX, |_| BLOCKS);
        let (kernel, how, wide) = self.tiles(work, "nearest_tf32x3", blocks)?;
        let (k, some) = (few(self.k)?, some.unwrap_or_default());
        let doubt = Doubt {
            coarse: 0.0,
            ..self.doubt()
        };
        let mut launch = work.gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&some).arg(&self.place);
        launch.arg(&self.packed).arg(&self.halves);
        launch.arg(&k).arg(&wide).arg(&doubt).arg(buffer);
        // SAFETY: the kernel reads the rows, of a list those that `rounded` has put there, p numbers of a place, and
        // whole tiles of floats and halves, which `packed` made (`tensor` is set wherever this is called: see
        // `find`), and writes a label for each row; `tiles` says how much shared memory it has.
        unsafe { run(launch, how) }
    }

    /// A kernel for tensor cores, its launch, and how many columns of rows it keeps at a time.
    fn tiles(
        &self,
        work: &Work<'_, T>,
        name: &str,
        most: usize,
    ) -> Result<(CudaFunction, LaunchConfig, i32)> {
        let wide = self.p.next_multiple_of(DEPTH).min(WIDE);
        let kernel = work.gpu.kernel::<T>(TILES, name)?;
        granted(&kernel, shared(WIDE))?;
        let mut how = grid([work.n.div_ceil(HIGH).min(most), 1], THREADS)?;
        how.shared_mem_bytes = few(shared(wide))?.unsigned_abs();
        Ok((kernel, how, few(wide)?))
    }

    /// Rows that are left in doubt, in double; says where one is not finite.
    fn recheck(
        &self,
        work: &Work<'_, T>,
        buffer: &CudaSlice<i32>,
        told: &CudaSlice<i32>,
    ) -> Result<()> {
        let k = few(self.k)?;
        let kernel = work.gpu.kernel::<T>(SOURCE, "recheck")?;
        let mut launch = work.gpu.stream.launch_builder(&kernel);
        launch.arg(&work.raw).arg(&self.place).arg(&self.exact);
        launch.arg(&k).arg(&self.longest).arg(buffer).arg(told);
        let blocks = work.n.div_ceil(THREADS as usize).min(BLOCKS);
        // SAFETY: `recheck` reads the rows, p numbers of a place and k × p of centres, reads and writes a label for
        // each row, and writes a flag: see `find`.
        unsafe { run(launch, grid([blocks, 1], THREADS)?) }
    }
}

/// A warp for each of so many.
fn warps(many: usize) -> Result<LaunchConfig> {
    alone(many * 32)
}

/// Bytes of shared memory: rows of a tile, and two tiles of centres.
fn shared(wide: usize) -> usize {
    size_of::<f32>() * (HIGH * (wide + SKEW) + 2 * HIGH * PITCH)
}
