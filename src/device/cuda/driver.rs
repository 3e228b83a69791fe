//! The driver of NVIDIA: whether it is there, what went wrong, and whose context is in force.

use crate::{Error, Result};
use cudarc::driver::{CudaContext, DriverError, result, sys};
use std::sync::OnceLock;

/// What to install where the compiler is missing.
pub(super) const EXTRA: &str =
    "pip install 'sklearnex_rs[cuda13]' (for drivers from 580 on; else [cuda12])";

/// How many GPUs there are; or why none can be used.
pub fn gpus() -> Result<usize> {
    static FOUND: OnceLock<(u32, Result<usize>)> = OnceLock::new();
    let (process, found) = FOUND.get_or_init(|| (std::process::id(), look()));
    if found.is_ok() && *process != std::process::id() {
        return Err(Error::NoCuda(
            "the process that this one was forked from has used it; start processes by 'spawn'"
                .to_owned(),
        ));
    }
    found.clone()
}

fn look() -> Result<usize> {
    // SAFETY: `dlopen` runs the initialisers of the library of that name: the driver's, which the system
    // installed.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::NoCuda(format!(
            "the NVIDIA driver (libcuda.so.1) was not found; install it, and what kernels are compiled \
             with: {EXTRA}"
        )));
    }
    match CudaContext::device_count() {
        Ok(0) => Err(Error::NoCuda("the NVIDIA driver has no GPU".to_owned())),
        Ok(count) => usize::try_from(count).map_err(|_| Error::NoCuda("no GPU".to_owned())),
        Err(error) => Err(Error::NoCuda(format!(
            "the NVIDIA driver does not start: {}",
            words(error)
        ))),
    }
}

/// The version of CUDA that the driver is of, as 13000. Only where the driver was found.
pub(super) fn version() -> Result<i32> {
    let mut version = 0;
    // SAFETY: `gpus` found the driver (its callers ask that first), and `version` is a local.
    let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    let asked = asked.result();
    asked.map_err(|error| failed("the driver's version", error))?;
    Ok(version)
}

/// Its name and its architecture, without a context: that takes memory on the GPU.
pub(super) fn name_of(ordinal: usize) -> Result<String> {
    let asked = "the GPU's name";
    let wrong = |error| failed(asked, error);
    let ordinal = i32::try_from(ordinal).unwrap_or(i32::MAX);
    let gpu = result::device::get(ordinal).map_err(wrong)?;
    let name = result::device::get_name(gpu).map_err(wrong)?;
    // SAFETY: `device::get` has just returned it, and a device is there as long as the process.
    let part = |which| unsafe { result::device::get_attribute(gpu, which) }.map_err(wrong);
    let major = part(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = part(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok(format!("{name} (sm_{major}{minor})"))
}

/// The error of a step.
pub(super) fn failed(step: &'static str, error: DriverError) -> Error {
    let text = words(error);
    Error::Cuda { step, text }
}

/// Only where the driver was found.
fn words(error: DriverError) -> String {
    let name = error.error_name().ok();
    let name = name.and_then(|name| name.to_str().ok());
    name.map_or_else(|| format!("{:?}", error.0), str::to_owned)
}

/// The context that the caller has on this thread, which is there again at the end.
pub struct ContextGuard(Option<sys::CUcontext>);

impl ContextGuard {
    /// Only where the driver was found.
    pub fn now() -> Result<Self> {
        let now = result::ctx::get_current();
        Ok(Self(
            now.map_err(|error| failed("the context in force", error))?,
        ))
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        let before = self.0.unwrap_or(std::ptr::null_mut());
        // SAFETY: `now` found it in force on this thread, where `self` stays (it is not `Send`: a context
        // is a pointer); that nobody destroys a context while our call runs is up to its owner, as for any
        // call of the driver.
        let _ = unsafe { result::ctx::set_current(before) };
    }
}
