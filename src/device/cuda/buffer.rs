//! Memory of ours on a GPU, and addresses of what lies there.

use super::driver::ContextGuard;
use crate::real::Real;
use cudarc::driver::{CudaSlice, DevicePtr};

/// Memory of ours on a GPU: bytes, or whole numbers of rows.
pub struct Buffer {
    bytes: Option<CudaSlice<u8>>,
    labels: Option<CudaSlice<i32>>,
}

impl Buffer {
    /// Bytes.
    pub(super) fn of_bytes(bytes: CudaSlice<u8>) -> Self {
        Self {
            bytes: Some(bytes),
            labels: None,
        }
    }

    /// The centre of each row.
    pub(super) fn of_labels(labels: Option<CudaSlice<i32>>) -> Self {
        Self {
            bytes: None,
            labels,
        }
    }

    /// Where it is.
    pub fn first(&self) -> u64 {
        let labels = || self.labels.as_ref().map_or(0, address);
        self.bytes.as_ref().map_or_else(labels, address)
    }
}

impl Drop for Buffer {
    /// Memory is freed where its context is the current one.
    fn drop(&mut self) {
        let _guard = ContextGuard::now();
        let stream = self.bytes.as_ref().map(CudaSlice::stream);
        if let Some(stream) = stream.or_else(|| self.labels.as_ref().map(CudaSlice::stream)) {
            let _ = stream.context().bind_to_thread();
        }
        self.bytes.take();
        self.labels.take();
    }
}

/// Where numbers are.
pub(super) fn address<N>(numbers: &CudaSlice<N>) -> u64 {
    numbers.device_ptr(numbers.stream()).0
}

/// The bytes of numbers.
pub(super) fn bytes<T: Real>(values: &[T]) -> &[u8] {
    // SAFETY: `Real` is `f32` or `f64` (its bounds in real.rs leave no other), which are plain bits without
    // gaps; the bytes are as many as `values` has, and are borrowed as long.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}
