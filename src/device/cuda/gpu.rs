//! One GPU: its primary context, which other libraries use as well, a stream of our own, and kernels.

use super::buffer::{Buffer, address};
use super::compile::{Source, cubin};
use super::driver::{ContextGuard, failed, gpus};
use crate::{Error, Result, memory, real::Real};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DeviceRepr, DriverError,
    LaunchConfig, ValidAsZeroBits, result, sys,
};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A GPU. Every call is on one stream, and over when it returns.
pub struct Gpu {
    /// Which.
    pub ordinal: usize,
    /// Its architecture, as 90.
    pub arch: i32,
    context: Arc<CudaContext>,
    pub(super) stream: Arc<CudaStream>,
    modules: Mutex<HashMap<(&'static str, &'static str), Arc<CudaModule>>>,
    pinned: Mutex<Pinned>,
    pool: Option<Pool>,
}

/// Bytes of memory that stays in its place: summaries come through it.
const PINNED: usize = 1 << 20;

/// As many, once they are wanted.
struct Pinned(*mut u8);

// SAFETY: the pointer stands behind `Gpu::pinned`'s lock, and no copy of it leaves `fetch_into`: whoever
// has the lock has the memory alone. The driver's host memory belongs to no thread.
unsafe impl Send for Pinned {}

/// Where memory comes from: not the GPU's default pool, which is other libraries' as well.
struct Pool(sys::CUmemoryPool);

// SAFETY: the handle is only passed to the driver, which takes calls from any thread; the pool is never
// destroyed.
unsafe impl Send for Pool {}
// SAFETY: the same: a shared handle is only copied.
unsafe impl Sync for Pool {}

/// The GPU of that number.
pub fn gpu(ordinal: usize) -> Result<Arc<Gpu>> {
    static GPUS: OnceLock<Mutex<HashMap<usize, Arc<Gpu>>>> = OnceLock::new();
    let count = gpus()?;
    if ordinal >= count {
        return Err(Error::NoCuda(format!(
            "there is no GPU {ordinal} among the {count} of this process"
        )));
    }
    let gpus = GPUS.get_or_init(Mutex::default);
    let mut gpus = gpus.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(gpu) = gpus.get(&ordinal) {
        return Ok(Arc::clone(gpu));
    }
    let _guard = ContextGuard::now()?;
    let new = Arc::new(Gpu::new(ordinal)?);
    gpus.insert(ordinal, Arc::clone(&new));
    Ok(new)
}

impl Gpu {
    fn new(ordinal: usize) -> Result<Self> {
        let wrong = |error| failed("a GPU's first use", error);
        let context = CudaContext::new(ordinal).map_err(wrong)?;
        // SAFETY: events order work on different streams. Here all is on one: kernels, copies, and
        // allocations, which are freed on it, too; and whatever leaves was waited for (`fetch_into`, and
        // the `wait` at the end of each method).
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(wrong)?;
        let pool = pool(&context).map_err(wrong)?;
        let (major, minor) = context.compute_capability().map_err(wrong)?;
        Ok(Self {
            ordinal,
            arch: 10 * major + minor,
            context,
            stream,
            modules: Mutex::default(),
            pinned: Mutex::new(Pinned(std::ptr::null_mut())),
            pool,
        })
    }

    /// A kernel for rows of `T`, compiled at its first use.
    pub(super) fn kernel<T: Real>(&self, source: Source, name: &str) -> Result<CudaFunction> {
        let real = if T::NAME == f32::NAME {
            "float"
        } else {
            "double"
        };
        let wrong = |error| failed("the loading of a kernel", error);
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = if let Some(module) = modules.get(&(source.name, real)) {
            Arc::clone(module)
        } else {
            let code = Ptx::from_binary(cubin(&source, real, self.arch)?);
            let module = self.context.load_module(code).map_err(wrong)?;
            modules.insert((source.name, real), Arc::clone(&module));
            module
        };
        module
            .load_function(&format!("{name}_{real}"))
            .map_err(wrong)
    }

    /// Room for `n` numbers, whatever is in it.
    pub(super) fn empty<N: DeviceRepr>(
        &self,
        n: usize,
        what: &'static str,
    ) -> Result<CudaSlice<N>> {
        let bytes = n.saturating_mul(size_of::<N>());
        self.taken(n.max(1)).map_err(|error| {
            if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return Error::OutOfMemory { bytes, what };
            }
            failed("an allocation", error)
        })
    }

    fn taken<N: DeviceRepr>(&self, n: usize) -> std::result::Result<CudaSlice<N>, DriverError> {
        let Some(Pool(pool)) = self.pool else {
            // SAFETY: what is in it may be anything, and `DeviceRepr` numbers have no forbidden bits; each
            // caller has a kernel or a copy write it before it is read.
            return unsafe { self.stream.alloc(n) };
        };
        let (mut first, bytes) = (0, n.saturating_mul(size_of::<N>()));
        self.context.bind_to_thread()?;
        // SAFETY: the driver has made `bytes` bytes, so `n` numbers, aligned to 256, of which nobody else
        // knows; the slice frees them on this stream, which is how a pool takes them back. What is in them
        // may be anything, as above.
        unsafe {
            let stream = self.stream.cu_stream();
            sys::cuMemAllocFromPoolAsync(&raw mut first, bytes, pool, stream).result()?;
            Ok(self.stream.upgrade_device_ptr(first, n))
        }
    }

    /// Room for `n` zeros.
    pub(super) fn cleared<N: DeviceRepr + ValidAsZeroBits>(
        &self,
        n: usize,
        what: &'static str,
    ) -> Result<CudaSlice<N>> {
        let mut buffer = self.empty(n, what)?;
        let done = self.stream.memset_zeros(&mut buffer);
        done.map_err(|error| failed("a fill", error))?;
        Ok(buffer)
    }

    /// As many −1, which is all bits.
    pub(super) fn none(&self, n: usize) -> Result<CudaSlice<i32>> {
        let buffer = self.empty(n, "labels")?;
        if n == 0 {
            return Ok(buffer);
        }
        let (first, stream) = (address(&buffer), self.stream.cu_stream());
        self.bind()?;
        // SAFETY: `buffer` has just been made for `n` numbers, the stream and the current context are its
        // GPU's.
        let done = unsafe { result::memset_d8_async(first, 0xff, size_of::<i32>() * n, stream) };
        done.map_err(|error| failed("a fill", error))?;
        Ok(buffer)
    }

    /// Numbers of the host.
    pub(super) fn send<N: DeviceRepr>(&self, values: &[N]) -> Result<CudaSlice<N>> {
        let mut buffer = self.empty(values.len(), "numbers for a kernel")?;
        if !values.is_empty() {
            let done = self.stream.memcpy_htod(values, &mut buffer);
            done.map_err(|error| failed("a copy to the GPU", error))?;
        }
        Ok(buffer)
    }

    /// The first numbers of `buffer`, once all is done.
    pub(super) fn fetch_into<N: DeviceRepr>(
        &self,
        buffer: &CudaSlice<N>,
        out: &mut [N],
    ) -> Result<()> {
        let wrong = |error| failed("a copy to the host", error);
        let bytes = size_of_val(out);
        if buffer.len() < out.len() {
            return Err(Error::Shape("numbers of a GPU"));
        }
        if bytes > PINNED {
            let done = self.stream.memcpy_dtoh(&buffer.slice(..out.len()), out);
            done.map_err(wrong)?;
            return self.wait();
        }
        if bytes == 0 {
            return self.wait();
        }
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        self.context.bind_to_thread().map_err(wrong)?;
        if pinned.0.is_null() {
            // SAFETY: the GPU's context is current (bound above); the memory is never freed, as the GPU
            // is never dropped.
            pinned.0 = unsafe { result::malloc_host(PINNED, 0) }
                .map_err(wrong)?
                .cast();
        }
        let from = address(buffer);
        // SAFETY: `bytes` is at most PINNED (checked above), as much as was allocated, and the lock is ours
        // until the end.
        let through = unsafe { std::slice::from_raw_parts_mut(pinned.0, bytes) };
        // SAFETY: `buffer` has as many numbers as `out` (checked at the start), and is borrowed; `wait` below
        // comes before `through` is read or given back.
        let done =
            unsafe { result::memcpy_dtoh_async(&mut *through, from, self.stream.cu_stream()) };
        done.map_err(wrong)?;
        self.wait()?;
        // SAFETY: `bytes` is the size of `out`, which is no part of the pinned memory; any bits that a
        // kernel wrote to a slice of `N` are an `N`.
        unsafe { std::ptr::copy_nonoverlapping(through.as_ptr(), out.as_mut_ptr().cast(), bytes) };
        Ok(())
    }

    /// The same in memory of its own.
    pub(super) fn fetch(&self, buffer: &CudaSlice<f64>, n: usize) -> Result<Vec<f64>> {
        let mut out = memory::zeros(n, "an answer of the GPU")?;
        self.fetch_into(buffer, &mut out)?;
        Ok(out)
    }

    /// The address of the stream, as DLPack's producers take it.
    pub fn stream(&self) -> *mut std::ffi::c_void {
        self.stream.cu_stream().cast()
    }

    /// Bytes that lie one by one on the GPU.
    ///
    /// # Safety
    /// There must be as many from `first` on, of an owner that is alive.
    pub unsafe fn copy_from(&self, first: u64, out: &mut [u8]) -> Result<()> {
        let _guard = ContextGuard::now()?;
        let wrong = |error| failed("a copy to the host", error);
        self.context.bind_to_thread().map_err(wrong)?;
        if !out.is_empty() {
            let stream = self.stream.cu_stream();
            // SAFETY: the caller has as many bytes from `first` on; `wait` below comes before `out` is
            // given back.
            unsafe { result::memcpy_dtoh_async(out, first, stream) }.map_err(wrong)?;
        }
        self.wait()
    }

    /// Makes its context the current one; `ContextGuard` puts the caller's back.
    pub fn bind(&self) -> Result<()> {
        let done = self.context.bind_to_thread();
        done.map_err(|error| failed("a GPU's context", error))
    }

    /// The same for a thread with a context of its own.
    pub fn synchronize(&self) -> Result<()> {
        let _guard = ContextGuard::now()?;
        self.wait()
    }

    /// Until everybody's work on the GPU is done.
    pub fn synchronize_all(&self) -> Result<()> {
        let _guard = ContextGuard::now()?;
        let done = self.context.synchronize();
        done.map_err(|error| failed("work of others", error))
    }

    /// Until all that was asked for is done.
    pub(super) fn wait(&self) -> Result<()> {
        let done = self.stream.synchronize();
        done.map_err(|error| failed("a kernel", error))
    }
}

impl Buffer {
    /// Bytes of the host.
    pub fn of(gpu: &Arc<Gpu>, bytes: &[u8]) -> Result<Self> {
        let _guard = ContextGuard::now()?;
        let sent = gpu.send(bytes)?;
        gpu.wait()?;
        Ok(Self::of_bytes(sent))
    }

    /// Room for bytes, whatever is in it.
    pub fn bare(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self> {
        let _guard = ContextGuard::now()?;
        let buffer = gpu.empty(bytes, "answers")?;
        gpu.wait()?;
        Ok(Self::of_bytes(buffer))
    }

    /// A copy of bytes of the GPU.
    ///
    /// # Safety
    /// There must be as many from `first` on, of an owner that is alive.
    pub unsafe fn copy(gpu: &Arc<Gpu>, first: u64, bytes: usize) -> Result<Self> {
        let buffer = Self::bare(gpu, bytes)?;
        if bytes > 0 {
            let (_guard, stream) = (ContextGuard::now()?, gpu.stream.cu_stream());
            gpu.bind()?;
            let to = buffer.first();
            // SAFETY: the caller has as many bytes from `first` on until this returns, after `wait`; `buffer`
            // was made for as many, and nobody else knows it yet.
            let done = unsafe { result::memcpy_dtod_async(to, first, bytes, stream) };
            done.map_err(|error| failed("a copy", error))?;
            gpu.wait()?;
        }
        Ok(buffer)
    }
}

/// The first architecture whose tensor cores have TF32 and double.
pub(super) const AMPERE: i32 = 80;

/// Memory that a GPU's pool keeps between calls, in bytes.
const KEPT: u64 = 1 << 30;

/// A pool of our own, where the GPU has such. Without a limit it gives all back each time that work is
/// waited for.
fn pool(context: &CudaContext) -> std::result::Result<Option<Pool>, DriverError> {
    let pools = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
    if context.attribute(pools)? == 0 {
        return Ok(None);
    }
    let how = sys::CUmemPoolProps {
        allocType: sys::CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        handleTypes: sys::CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_NONE,
        location: sys::CUmemLocation {
            type_: sys::CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
            id: context.cu_device(),
        },
        win32SecurityAttributes: std::ptr::null_mut(),
        maxSize: 0,
        usage: 0,
        reserved: [0; 54],
    };
    let (mut pool, mut kept) = (std::ptr::null_mut(), KEPT);
    let what = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pointers are to locals that outlive both calls, `how` is zero wherever the driver wants
    // it to be, the pool is the one just made, and the driver reads this attribute as 64 bits, which `kept`
    // has.
    unsafe {
        sys::cuMemPoolCreate(&raw mut pool, &raw const how).result()?;
        sys::cuMemPoolSetAttribute(pool, what, (&raw mut kept).cast()).result()?;
    }
    Ok(Some(Pool(pool)))
}

/// Blocks of threads.
pub(super) fn grid(blocks: [usize; 2], threads: u32) -> Result<LaunchConfig> {
    let whole = |count: usize| u32::try_from(count.max(1)).ok();
    let (Some(x), Some(y)) = (whole(blocks[0]), whole(blocks[1]).filter(|y| *y < 1 << 16)) else {
        return Err(Error::Shape("too many blocks for a GPU"));
    };
    Ok(LaunchConfig {
        grid_dim: (x, y, 1),
        block_dim: (threads, 1, 1),
        shared_mem_bytes: 0,
    })
}
