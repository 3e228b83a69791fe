//! Kernels from source to code of one architecture: by NVRTC at their first use, then from disk.
//!
//! To code, not to PTX: a driver refuses PTX that is newer than itself, but runs code that a newer
//! compiler of its own generation made.

use super::driver::EXTRA;
use crate::{Error, Result};
use cudarc::nvrtc::{result, sys};
use std::ffi::{CStr, CString};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

/// What all kernels share.
const COMMON: &str = include_str!("common.cuh");

/// Threads of a block, but where a thread has a number of its own.
pub(super) const THREADS: u32 = 256;

/// A file of kernels.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// What it is compiled with, by name: sizes of tiles and blocks, which launches know as well.
    pub constants: &'static [(&'static str, f64)],
}

impl Source {
    /// What it is compiled with, as definitions of macros: `NAME=value`.
    pub fn definitions(&self) -> Vec<String> {
        let threads = ("THREADS", f64::from(THREADS));
        let all = std::iter::once(&threads).chain(self.constants);
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// With what it includes: NVRTC sees no files.
    fn whole(&self) -> String {
        let text = self.text.replace("#include \"common.cuh\"", "");
        format!("{COMMON}\n#line 1 \"{}\"\n{text}", self.name)
    }
}

/// The version of NVRTC; or what to install.
pub(super) fn compiler() -> Result<(i32, i32)> {
    // SAFETY: `dlopen` runs the initialisers of the library of that name: NVRTC's, which the user installed.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::NoCuda(format!(
            "NVRTC, which compiles kernels, was not found: {EXTRA}"
        )));
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the library was found just above, and both pointers are to locals.
    let done = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    done.result().map_err(failed)?;
    Ok((major, minor))
}

/// Whether NVRTC knows an architecture; or what to install.
fn knows(sm: i32) -> Result<()> {
    let mut count = 0;
    // SAFETY: `cubin_at`, the only caller, asked for `compiler` first, so the library is there; `count` is
    // a local.
    let asked = unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) };
    asked.result().map_err(failed)?;
    let count = usize::try_from(count).unwrap_or(0);
    let mut known: Vec<i32> = crate::memory::zeros(count, "names of architectures")?;
    // SAFETY: `known` has as many numbers as NVRTC has just said that it writes.
    let asked = unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) };
    asked.result().map_err(failed)?;
    if known.contains(&sm) {
        return Ok(());
    }
    let (major, minor) = compiler()?;
    Err(Error::NoCuda(format!(
        "NVRTC {major}.{minor} does not know GPUs of sm_{sm}; a newer one does: {EXTRA}"
    )))
}

/// Code of a file of kernels for rows of `real`, `float` or `double`, on architecture `sm`, as 90.
pub fn cubin(source: &Source, real: &str, sm: i32) -> Result<Vec<u8>> {
    cubin_at(folder().as_deref(), source, real, sm)
}

/// The same, kept in a folder, or nowhere.
pub fn cubin_at(folder: Option<&Path>, source: &Source, real: &str, sm: i32) -> Result<Vec<u8>> {
    let (major, minor) = compiler()?;
    let text = source.whole();
    let arch = format!("--gpu-architecture=sm_{sm}");
    let mut options = Vec::from([arch, format!("-DREAL={real}"), "--std=c++17".to_owned()]);
    options.extend(source.definitions().iter().map(|of| format!("-D{of}")));
    let key = name_of(&[&format!("{major}.{minor}"), &options.join(" "), &text]);
    let path = folder.map(|folder| folder.join(key));
    if let Some(kept) = path.as_deref().and_then(read) {
        return Ok(kept);
    }
    knows(sm)?;
    let code = compile(source.name, &text, &options)?;
    if let Some(path) = path {
        // A home that cannot be written to costs the next process a second; no more.
        let _ = write(&path, &code);
    }
    Ok(code)
}

/// Where code is kept: a folder of the user alone.
fn folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("SKLEARNEX_RS_CACHE") {
        return Some(folder.into());
    }
    let caches = set("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")));
    caches.map(|caches| caches.join("sklearnex_rs"))
}

/// Sixteen bytes that belong to these words.
fn name_of(words: &[&str]) -> String {
    let half = |salt: u8| {
        let mut hash = DefaultHasher::new();
        hash.write_u8(salt);
        for word in words {
            hash.write_usize(word.len());
            hash.write(word.as_bytes());
        }
        hash.finish()
    };
    format!("{:016x}{:016x}.cubin", half(0), half(1))
}

/// A whole file: it was renamed, so nobody sees half of one. Its end says that the disk kept all.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut code = fs::read(path).ok()?;
    let end = code.len().checked_sub(8)?;
    let (body, said) = code.split_at(end);
    let mut hash = DefaultHasher::new();
    hash.write(body);
    if said != hash.finish().to_le_bytes() {
        return None;
    }
    code.truncate(end);
    Some(code)
}

/// Ranks on a node race for one name: each writes a file of its own, then renames it.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let own = path.with_extension(format!("{}-{count}", std::process::id()));
    let mut hash = DefaultHasher::new();
    hash.write(code);
    let whole = [code, &hash.finish().to_le_bytes()].concat();
    let done = fs::write(&own, whole).and_then(|()| fs::rename(&own, path));
    if done.is_err() {
        let _ = fs::remove_file(&own);
    }
    done
}

fn compile(name: &'static str, text: &str, options: &[String]) -> Result<Vec<u8>> {
    let text = CString::new(text).map_err(|_| Error::Shape("a source holds a zero"))?;
    let name = CString::new(name).map_err(|_| Error::Shape("a name holds a zero"))?;
    let program = result::create_program(&text, Some(&name)).map_err(failed)?;
    // SAFETY: `create_program` has just made the program, `built` does not keep it, and it is destroyed
    // once, after that.
    let (code, _) = unsafe { (built(program, options), result::destroy_program(program)) };
    code
}

/// # Safety
/// `program` must be alive.
unsafe fn built(program: sys::nvrtcProgram, options: &[String]) -> Result<Vec<u8>> {
    // SAFETY: the caller's program is alive.
    if let Err(error) = unsafe { result::compile_program(program, options) } {
        // SAFETY: it still is.
        let log = unsafe { result::get_program_log(program).map_err(failed)? };
        // SAFETY: NVRTC ends its log by a zero, inside of `log`, which has the size that it asked for.
        let log = unsafe { CStr::from_ptr(log.as_ptr()) };
        return Err(Error::Cuda {
            step: "a kernel's compilation",
            text: format!("{error:?}\n{}", log.to_string_lossy()),
        });
    }
    let mut bytes = 0;
    // SAFETY: the caller's program is alive, and was compiled; `bytes` is a local.
    let asked = unsafe { sys::nvrtcGetCUBINSize(program, &raw mut bytes) };
    asked.result().map_err(failed)?;
    let mut code: Vec<u8> = crate::memory::zeros(bytes, "a kernel's code")?;
    // SAFETY: the same program; `code` has as many bytes as NVRTC has just said that it writes.
    let copied = unsafe { sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()) };
    copied.result().map_err(failed)?;
    Ok(code)
}

fn failed(error: result::NvrtcError) -> Error {
    Error::Cuda {
        step: "NVRTC",
        text: format!("{error:?}"),
    }
}
