//! Cards of NVIDIA.
//!
//! Every library is looked for at run time: nothing of CUDA is needed to build or to import. Where
//! one is missing cudarc panics, so each way in here asks first: `cards`, `compiler` or `solver::version`.
#![allow(unsafe_code)] // NVIDIA's libraries

mod card;
mod cast;
mod centers;
mod classes;
mod compile;
mod draw;
mod factor;
mod link;
mod moments;
mod nearest;
mod product;
mod rows;
mod solver;
mod work;

use crate::{Error, Result};
use cudarc::driver::{CudaContext, DriverError, result, sys};
use std::sync::OnceLock;

pub use card::{Card, Kept, card};
pub use cast::Foreign;
pub use compile::{Source, cubin, cubin_at};
pub use nearest::{CudaColumn, CudaLabels};
pub use product::Room;
pub use rows::{Cuda, CudaOut, CudaRows};
pub use solver::most_columns;

/// What to install where the compiler is missing.
const EXTRA: &str = "pip install 'sklearnex_rs[cuda13]' (for drivers from 580 on; else [cuda12])";

/// How many cards there are; or why none can be used.
pub fn cards() -> Result<usize> {
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
    // SAFETY: this loads the driver's library, and runs nothing but its initialisers.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::NoCuda(format!(
            "the NVIDIA driver (libcuda.so.1) was not found; install it, and what kernels are compiled \
             with: {EXTRA}"
        )));
    }
    match CudaContext::device_count() {
        Ok(0) => Err(Error::NoCuda("the NVIDIA driver has no card".to_owned())),
        Ok(count) => usize::try_from(count).map_err(|_| Error::NoCuda("no card".to_owned())),
        Err(error) => Err(Error::NoCuda(format!(
            "the NVIDIA driver does not start: {}",
            words(error)
        ))),
    }
}

/// The same, and kernels can be compiled.
pub fn ready() -> Result<usize> {
    let count = cards()?;
    let ((major, minor), mut driver) = (compile::compiler()?, 0);
    // SAFETY: the driver is there, and `driver` alive.
    let asked = unsafe { sys::cuDriverGetVersion(&raw mut driver) };
    let asked = asked.result();
    asked.map_err(|error| failed("the driver's version", error))?;
    if major > driver / 1000 {
        return Err(Error::NoCuda(format!(
            "the NVIDIA driver is of CUDA {}.{} and does not run what NVRTC {major}.{minor} compiles: \
             {EXTRA}",
            driver / 1000,
            driver % 1000 / 10
        )));
    }
    Ok(count)
}

/// What was found, for people.
pub fn found() -> Vec<(&'static str, String)> {
    let driver = match cards().and_then(|count| (0..count).map(name_of).collect::<Result<Vec<_>>>())
    {
        Ok(cards) => cards.join(", "),
        Err(Error::NoCuda(why)) => why,
        Err(error) => error.to_string(),
    };
    let compiler = match compile::compiler() {
        Ok((major, minor)) => format!("{major}.{minor}"),
        Err(_) => "not found".to_owned(),
    };
    let solver = solver::version().map_or_else(
        || "not found; the host decomposes matrices".to_owned(),
        |[major, minor, patch]| format!("{major}.{minor}.{patch}"),
    );
    let all = [("CUDA", driver), ("NVRTC", compiler), ("cuSOLVER", solver)];
    all.into()
}

/// Its name and its architecture, without a context: that takes memory on the card.
fn name_of(ordinal: usize) -> Result<String> {
    let asked = "the card's name";
    let wrong = |error| failed(asked, error);
    let ordinal = i32::try_from(ordinal).unwrap_or(i32::MAX);
    let card = result::device::get(ordinal).map_err(wrong)?;
    let name = result::device::get_name(card).map_err(wrong)?;
    // SAFETY: it is one of the driver's.
    let part = |which| unsafe { result::device::get_attribute(card, which) }.map_err(wrong);
    let major = part(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = part(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok(format!("{name} (sm_{major}{minor})"))
}

/// The error of a step.
fn failed(step: &'static str, error: DriverError) -> Error {
    let text = words(error);
    Error::Cuda { step, text }
}

/// Only where the driver was found.
fn words(error: DriverError) -> String {
    let name = error.error_name().ok();
    let name = name.and_then(|name| name.to_str().ok());
    name.map_or_else(|| format!("{:?}", error.0), str::to_owned)
}
