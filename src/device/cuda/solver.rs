//! Eigenvalues of large symmetric matrices, by NVIDIA's cuSOLVER where that is found.
//!
//! `S = V Λ Vᵀ` by a tridiagonal form, then divide and conquer: `cusolverDnXsyevd` in `f64`, asked for the
//! same bits each time. `O(p³)` flops; `p²` numbers go to the GPU, and as many come back.
//!
//! It is one of two ways to the same numbers: where the library is not there, is not the driver's, has no
//! room, refuses the size, or did not converge, there is no answer, and the host decomposes.

use super::buffer::address;
use super::driver::ContextGuard;
use super::gpu::Gpu;
use crate::{Error, Result, memory};
use cudarc::cusolver::{result, safe::DnHandle, sys};
use cudarc::driver::CudaSlice;
use std::collections::BTreeMap;
use std::env;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Columns up to which the host decomposes. What a GPU does with few is mostly waiting, so the host is
/// as quick up to about a thousand: an estimate, as no GPU has measured it yet.
const WIDE: usize = 1024;

/// The same, unless `SKLEARNEX_RS_CUSOLVER_COLUMNS` says otherwise.
pub fn most_columns() -> Result<usize> {
    let said = env::var_os("SKLEARNEX_RS_CUSOLVER_COLUMNS").unwrap_or_default();
    if said.is_empty() {
        return Ok(WIDE);
    }
    let columns = said.to_str().and_then(|said| said.parse().ok());
    columns.ok_or(Error::Unfit(
        "SKLEARNEX_RS_CUSOLVER_COLUMNS must be a whole number of columns",
    ))
}

/// What is asked of the library: a symbol that is missing is a panic at its call.
const SYMBOLS: [&str; 8] = [
    "cusolverGetVersion",
    "cusolverDnCreate",
    "cusolverDnDestroy",
    "cusolverDnSetStream",
    "cusolverDnSetDeterministicMode",
    "cusolverDnCreateParams",
    "cusolverDnXsyevd_bufferSize",
    "cusolverDnXsyevd",
];

const REAL: sys::cudaDataType = sys::cudaDataType::CUDA_R_64F;
const LOWER: sys::cublasFillMode_t = sys::cublasFillMode_t::CUBLAS_FILL_MODE_LOWER;
const VECTORS: sys::cusolverEigMode_t = sys::cusolverEigMode_t::CUSOLVER_EIG_MODE_VECTOR;

/// Eigenvalues and eigenvectors.
type Pairs = (Vec<f64>, Vec<f64>);

/// The library's own state on a GPU, which lives as long as the process.
pub(super) struct Solver {
    handle: DnHandle,
    params: sys::cusolverDnParams_t,
}

// SAFETY: `solver` hands it out behind a lock, so one thread at a time has it; cuSOLVER's handles may go
// from thread to thread as long as that is so.
unsafe impl Send for Solver {}

/// The version of the library; none where it, or something that is asked of it, is not there.
pub(super) fn version() -> Option<[i32; 3]> {
    // SAFETY: `dlopen` runs the initialisers of the library of that name: cuSOLVER's, which the user
    // installed.
    if !unsafe { sys::is_culib_present() } {
        return None;
    }
    let has = |name: &&str| {
        // SAFETY: the library was found just above; the symbol is looked up as a function, which all of
        // these are, and is not called.
        unsafe { sys::culib().get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_ok()
    };
    if !SYMBOLS.iter().all(has) {
        return None;
    }
    let mut version = 0;
    // SAFETY: the function is one of SYMBOLS, which were all found; `version` is a local.
    let asked = unsafe { sys::cusolverGetVersion(&raw mut version) };
    asked.result().ok()?;
    Some([version / 1000, version % 1000 / 100, version % 100])
}

/// Eigenvalues, rising, and eigenvectors of the matrix with that lower half; none where the host has to
/// find them.
pub(super) fn eigen(gpu: &Gpu, p: usize, s: &[f64]) -> Result<Option<Pairs>> {
    if p <= most_columns()? || s.len() != p * p || version().is_none() {
        return Ok(None);
    }
    let _guard = ContextGuard::now()?;
    gpu.bind()?;
    let solver = solver(gpu);
    let Some(solver) = &*solver else {
        return Ok(None);
    };
    let solver = solver.lock().unwrap_or_else(PoisonError::into_inner);
    match solver.eigen(gpu, p, s) {
        Err(Error::OutOfMemory { .. }) => Ok(None),
        found => found,
    }
}

/// The library's state on a GPU, started once; none where it does not start.
fn solver(gpu: &Gpu) -> Arc<Option<Mutex<Solver>>> {
    type All = BTreeMap<usize, Arc<Option<Mutex<Solver>>>>;
    static ALL: Mutex<All> = Mutex::new(BTreeMap::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let started = || Arc::new(Solver::new(gpu).map(Mutex::new));
    Arc::clone(all.entry(gpu.ordinal).or_insert_with(started))
}

/// Waits at the end for what was asked of a GPU, whatever happened: it has memory of the host.
struct Over<'c>(&'c Gpu);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

impl Solver {
    /// None where the library does not start, as where it is newer than the driver.
    fn new(gpu: &Gpu) -> Option<Self> {
        let handle = DnHandle::new(Arc::clone(&gpu.stream)).ok()?;
        let mode = sys::cusolverDeterministicMode_t::CUSOLVER_DETERMINISTIC_RESULTS;
        handle.set_deterministic_mode(mode).ok()?;
        let params = result::dn_create_params().ok()?;
        Some(Self { handle, params })
    }

    fn eigen(&self, gpu: &Gpu, p: usize, s: &[f64]) -> Result<Option<Pairs>> {
        let matrix = Matrix {
            n: i64::try_from(p).map_err(|_| Error::Shape("too many columns"))?,
            entries: gpu.send(s)?,
            values: gpu.empty(p, "eigenvalues")?,
            end: gpu.cleared(1, "a decomposition's end")?,
        };
        let Some(size) = self.size(&matrix) else {
            return Ok(None);
        };
        if !self.decompose(gpu, &matrix, size)? {
            return Ok(None);
        }
        let values = gpu.fetch(&matrix.values, p)?;
        Ok(Some((values, gpu.fetch(&matrix.entries, p * p)?)))
    }

    /// Bytes that are wanted on the GPU, and on the host.
    fn size(&self, matrix: &Matrix) -> Option<[usize; 2]> {
        let mut size = [0; 2];
        let [there, here] = &mut size;
        let (a, w) = (first(&matrix.entries), first(&matrix.values));
        // SAFETY: `eigen` asked for `version`, so the library has the function; handle and parameters are
        // `self`'s, `matrix` has `n × n` entries and `n` values on the GPU (`Solver::eigen` made them),
        // and both sizes are locals.
        let asked = unsafe {
            sys::cusolverDnXsyevd_bufferSize(
                self.handle.cu(),
                self.params,
                VECTORS,
                LOWER,
                matrix.n,
                REAL,
                a,
                matrix.n,
                REAL,
                w,
                REAL,
                there,
                here,
            )
        };
        asked.result().ok()?;
        Some(size)
    }

    /// Puts vectors in the place of the matrix; whether that went well.
    fn decompose(&self, gpu: &Gpu, matrix: &Matrix, [there, here]: [usize; 2]) -> Result<bool> {
        let buffer: CudaSlice<u8> = gpu.empty(there, "a decomposition")?;
        let mut host: Vec<u8> = memory::zeros(here, "a decomposition")?;
        let _over = Over(gpu);
        // SAFETY: as of `size`; both rooms are as large as that has asked for this matrix. `host` outlives
        // the work, as `_over` waits before it is freed, and what is on the GPU is freed on the same
        // stream.
        let done = unsafe {
            sys::cusolverDnXsyevd(
                self.handle.cu(),
                self.params,
                VECTORS,
                LOWER,
                matrix.n,
                REAL,
                first(&matrix.entries),
                matrix.n,
                REAL,
                first(&matrix.values),
                REAL,
                first(&buffer),
                there,
                host.as_mut_ptr().cast(),
                here,
                first(&matrix.end).cast(),
            )
        };
        let mut end = [0];
        gpu.fetch_into(&matrix.end, &mut end)?;
        Ok(done.result().is_ok() && end == [0])
    }
}

/// A matrix on a GPU, column by column, and what becomes of it.
struct Matrix {
    n: i64,
    /// Then its vectors.
    entries: CudaSlice<f64>,
    values: CudaSlice<f64>,
    /// Zero if all went well.
    end: CudaSlice<i32>,
}

/// Where it begins, as the library takes it.
fn first<N>(buffer: &CudaSlice<N>) -> *mut c_void {
    address(buffer) as *mut c_void
}
