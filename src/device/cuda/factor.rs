//! Orthonormal bases on a GPU: launches of `factor.cu`; products of columns are those of `moments.cu`.

use super::buffer::address;
use super::compile::{Source, THREADS};
use super::driver::ContextGuard;
use super::gpu::{Gpu, grid};
use super::moments::{joined, tiled, tiles};
use super::rows::{Cuda, CudaOut, Raw};
use super::work::{Chunks, Work, few, run, whole};
use crate::device::{Data, FactorKernels};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{CudaSlice, PushKernelArg};

pub(super) const SOURCE: Source = Source {
    name: "factor.cu",
    text: include_str!("factor.cu"),
    constants: &[("BATCH", BATCH as f64)],
};
/// Rows of a tile of `assembled`.
const BATCH: usize = 64;
/// Numbers of a piece of rows in `f64`.
const PIECE: usize = 1 << 24;
/// Blocks of `factored` and `assembled`.
const BLOCKS: usize = 264;

/// Rows of a block that is reflected: enough that its triangle is small beside it.
fn height(p: usize) -> usize {
    (16 * p).max(1024)
}

/// Rows over triangles, a piece of them at a time, column by column.
struct Quotient<'w, T> {
    work: &'w Work<'w, T>,
    triangles: Vec<CudaSlice<f64>>,
    z: CudaSlice<f64>,
    /// Rows of a piece.
    most: usize,
}

impl<'w, T: Real> Quotient<'w, T> {
    fn of(work: &'w Work<'w, T>, triangles: &[&[f64]]) -> Result<Self> {
        let (gpu, p): (&Gpu, _) = (work.gpu, work.raw.width());
        if p == 0 || triangles.iter().any(|r| r.len() != p * p) {
            return Err(Error::Shape("a triangle"));
        }
        let most = (PIECE / p).clamp(1, work.n.max(1));
        Ok(Self {
            work,
            triangles: triangles
                .iter()
                .map(|r| gpu.send(r))
                .collect::<Result<_>>()?,
            z: gpu.empty(most * p, "a piece of a basis")?,
            most,
        })
    }

    /// Calls `look` after each piece with its first row and their number.
    fn each(&self, mut look: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        let gpu = self.work.gpu;
        for first in (0..self.work.n).step_by(self.most) {
            let many = self.most.min(self.work.n - first);
            for (again, r) in self.triangles.iter().enumerate() {
                let (start, count, again) = (whole(first)?, whole(many)?, few(again)?);
                let kernel = gpu.kernel::<T>(SOURCE, "divided")?;
                let mut launch = gpu.stream.launch_builder(&kernel);
                launch.arg(&self.work.raw).arg(&start).arg(&count);
                launch.arg(&again).arg(r).arg(&self.z);
                let how = grid([many.div_ceil(THREADS as usize), 1], THREADS)?;
                // SAFETY: `divided` reads `many` rows from `first` on, which there are, and p × p numbers of `r`
                // (`of` has checked), and writes many × p, no more than `z` was made for.
                unsafe { run(launch, how) }?;
            }
            look(first, many)?;
        }
        Ok(())
    }
}

impl FactorKernels for Cuda {
    fn quotient_gram<T: Real>(&self, rows: &Data<'_, '_, Self, T>, r: &[f64]) -> Result<Vec<f64>> {
        let (work, p) = (Work::on(rows)?, rows.shape().1);
        let mut all = memory::zeros(p * (p + 1) / 2, "products")?;
        let quotient = Quotient::of(&work, &[r])?;
        quotient.each(|_, many| {
            // SAFETY: `divided` has written many × p numbers to `z`, which `quotient` keeps; `fetch` waits before
            // `raw` is gone.
            let raw = unsafe { Raw::<f64>::ours(address(&quotient.z), many, p) }?;
            let shape = (p, Chunks::of(many, tiled(p))?);
            let parts = tiles((work.gpu, &raw), shape, None, true)?;
            let sums = joined::<f64>(work.gpu, shape, &parts, None)?;
            for (all, sum) in all.iter_mut().zip(work.gpu.fetch(&sums, p * (p + 1) / 2)?) {
                *all += sum;
            }
            Ok(())
        })?;
        Ok(all)
    }

    fn quotient<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        triangles: &[&[f64]],
        turn: Option<&[f64]>,
        out: CudaOut<'_, T>,
    ) -> Result<()> {
        let (work, (n, p, _)) = (Work::on(rows)?, rows.shape());
        if turn.is_some_and(|turn| turn.len() != p * p) {
            return Err(Error::Shape("a turn and a basis"));
        }
        let (gpu, out, columns) = (work.gpu, out.checked_address(n * p)?, few(p)?);
        let turn = turn.map(|turn| gpu.send(turn)).transpose()?;
        let quotient = Quotient::of(&work, triangles)?;
        quotient.each(|first, many| {
            let (count, nowhere) = (whole(many)?, 0_u64);
            let to = out + (first * p * size_of::<T>()) as u64;
            let kernel = gpu.kernel::<T>(SOURCE, "turned")?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&count).arg(&columns).arg(&quotient.z);
            match &turn {
                Some(turn) => launch.arg(turn),
                None => launch.arg(&nowhere),
            };
            launch.arg(&to);
            let how = grid([many.div_ceil(THREADS as usize), p], THREADS)?;
            // SAFETY: `turned` reads many × p numbers of `z`, which `each` has written, and of a turn p × p
            // (checked), and writes many × p from row `first` on: `out.buffer` has checked that all n × p fit.
            unsafe { run(launch, how) }
        })?;
        gpu.wait()
    }

    fn reflect<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        out: Option<(CudaOut<'_, T>, usize)>,
    ) -> Result<(Vec<f64>, usize)> {
        let (work, (n, p, _)) = (Work::on(rows)?, rows.shape());
        let (gpu, tall) = (work.gpu, height(p));
        let (out, k) = match out {
            Some((out, k)) => (out.checked_address(n * k)?, k),
            None => (0, 0),
        };
        let s = n / tall * p + (n % tall).min(p);
        let mut stack = memory::zeros(s * p, "triangles")?;
        if s * p == 0 {
            return Ok((stack, s));
        }
        let (blocks, each) = (n.div_ceil(tall), (tall + 1) * p);
        let together = (2 * PIECE / each).clamp(1, BLOCKS).min(blocks);
        let buffer: CudaSlice<f64> = gpu.empty(together * each, "blocks of a basis")?;
        let tops: CudaSlice<f64> = gpu.empty(s * p, "triangles")?;
        let (size, length, columns) = (whole(tall)?, whole(s)?, few(k)?);
        let kernel = gpu.kernel::<T>(SOURCE, "factored")?;
        for first in (0..blocks).step_by(together) {
            let at = whole(first)?;
            let mut launch = gpu.stream.launch_builder(&kernel);
            launch.arg(&work.raw).arg(&size).arg(&at).arg(&buffer);
            launch.arg(&tops).arg(&length).arg(&out).arg(&columns);
            let many = together.min(blocks - first);
            // SAFETY: `factored` reads the rows, and works on (height + 1) p numbers a block in `buffer`, made for
            // `together` blocks; writes of each block as many rows of p numbers as it has, p at most, to `tops`:
            // s rows in all; and where there is an `out` its rows, n × k, as many as `out.buffer` has checked.
            unsafe { run(launch, grid([many, 1], THREADS)?) }?;
        }
        gpu.fetch_into(&tops, &mut stack)?;
        Ok((stack, s))
    }

    fn assemble<T: Real>(
        &self,
        p: usize,
        (parts, s): (&[f64], usize),
        (out, k): (CudaOut<'_, T>, usize),
    ) -> Result<()> {
        let (tall, n, gpu) = (height(p), out.rows(k), &self.0);
        if parts.len() != s * k || s != n / tall * p + (n % tall).min(p) {
            return Err(Error::Shape("parts of a basis"));
        }
        if n * k == 0 {
            return Ok(());
        }
        let _guard = ContextGuard::now()?;
        let (out, parts) = (out.checked_address(n * k)?, gpu.send(parts)?);
        let blocks = n.div_ceil(BATCH).min(BLOCKS);
        let buffer: CudaSlice<f64> = gpu.empty(blocks * BATCH * p, "rows of a basis")?;
        let (rows, size, length) = (whole(n)?, whole(tall)?, whole(s)?);
        let (columns, wide) = (few(p)?, few(k)?);
        let kernel = gpu.kernel::<T>(SOURCE, "assembled")?;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&rows).arg(&size).arg(&columns).arg(&parts);
        launch.arg(&length).arg(&wide).arg(&buffer).arg(&out);
        // SAFETY: `assembled` reads s × k parts (checked), works on BATCH × p numbers a block in `buffer`, and reads
        // and writes n × k numbers of `out`, as many as `out.buffer` has checked.
        unsafe { run(launch, grid([blocks, 1], THREADS)?) }?;
        gpu.wait()
    }
}
