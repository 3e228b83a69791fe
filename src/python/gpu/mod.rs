//! Arrays on GPUs: in and out by DLPack, without a copy.
#![allow(unsafe_code)] // foreign memory

pub(super) mod borrow;
pub(super) mod classes;
mod copies;
mod held;
mod kind;

use super::dlpack::{broken, upper};
use super::error::raise;
use crate::algo::guarded;
use crate::device::cuda::{Buffer, Cuda, CudaLabels, Gpu};
use crate::device::{ColumnMoments, Data, MomentKernels};
use crate::{Result, real::Real};
use dlpark::ffi::DLDeviceType;
use dlpark::python::{DlpackExporter, ExportRequest, ImportedDlpack, export_dlpack};
use pyo3::exceptions::{PyNotImplementedError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice, PyTuple};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) use held::{Held, Typed, beside};
use kind::Kind;

/// Whose memory an array has.
enum Memory {
    Borrowed(ImportedDlpack),
    Own(#[allow(dead_code)] Buffer), // kept alive
}

/// Who owns an array's memory.
struct Owner {
    memory: Memory,
    gpu: Arc<Gpu>,
    /// Whether another library has had it.
    left: AtomicBool,
}

// SAFETY: threads that share it only read: foreign memory is never written to by us, our own only by the call that
// made it, before another thread can have it (see `out`); `left` is atomic. The producer's deleter, which may run on
// any thread, takes the GIL itself, as DLPack's Python protocol wants it.
unsafe impl Sync for Owner {}

impl Owner {
    fn of(gpu: &Arc<Gpu>, memory: Memory) -> Arc<Self> {
        Arc::new(Self {
            memory,
            gpu: Arc::clone(gpu),
            left: AtomicBool::new(false),
        })
    }
}

impl Drop for Owner {
    /// Streams of others may still read what left: that is over first. They may need the GIL for it.
    fn drop(&mut self) {
        if !*self.left.get_mut() || matches!(self.memory, Memory::Borrowed(_)) {
            return;
        }
        let wait = || guarded(|| self.gpu.synchronize_all());
        let _ = Python::try_attach(|py| py.detach(wait));
    }
}

/// An array on a GPU: rows are of `float32` or `float64`, labels of any type.
#[pyclass(frozen, module = "sklearnex_rs._core")]
pub(super) struct GpuArray {
    owner: Arc<Owner>,
    gpu: Arc<Gpu>,
    first: u64,
    shape: Vec<usize>,
    steps: Vec<i64>,
    kind: Kind,
}

impl GpuArray {
    /// The centre of each row.
    pub(super) fn of_labels(gpu: &Arc<Gpu>, labels: CudaLabels) -> Self {
        let shape = vec![labels.rows()]; // one number
        Self::own(gpu, labels.into_room(), shape, Kind::LABEL)
    }

    /// An array of memory of ours, row by row.
    fn own(gpu: &Arc<Gpu>, buffer: Buffer, shape: Vec<usize>, kind: Kind) -> Self {
        let (mut steps, mut step) = (Vec::new(), 1_usize);
        for length in shape.iter().rev() {
            steps.insert(0, i64::try_from(step).unwrap_or(0));
            step = step.saturating_mul((*length).max(1));
        }
        Self {
            first: buffer.first(),
            owner: Owner::of(gpu, Memory::Own(buffer)),
            gpu: Arc::clone(gpu),
            shape,
            steps,
            kind,
        }
    }

    /// Room of that shape.
    fn bare<T: Real>(py: Python<'_>, gpu: &Arc<Gpu>, shape: Vec<usize>) -> PyResult<Self> {
        let bytes = shape
            .iter()
            .product::<usize>()
            .saturating_mul(size_of::<T>());
        let buffer = guarded(|| Buffer::bare(gpu, bytes)).map_err(|error| raise(py, &error))?;
        Ok(Self::own(gpu, buffer, shape, Kind::of::<T>()))
    }

    /// Whether numbers lie one by one, row by row.
    fn is_plain(&self) -> bool {
        let mut step = 1;
        for (length, found) in self.shape.iter().zip(&self.steps).rev() {
            if *length > 1 && *found != step {
                return false;
            }
            step *= i64::try_from(*length).unwrap_or(0);
        }
        true
    }

    /// Some of them along an axis.
    fn part(&self, axis: usize, some: Range<usize>) -> PyResult<Self> {
        let size = i64::try_from(self.kind.size()).map_err(broken)?;
        let start = i64::try_from(some.start).map_err(broken)?;
        let mut shape = self.shape.clone();
        shape[axis] = some.len();
        let part = self.with(&shape, &self.steps);
        Ok(Self {
            first: self
                .first
                .wrapping_add_signed(start * self.steps[axis] * size),
            ..part
        })
    }

    fn column_moments_of<T: Real>(&self, ends: bool) -> Result<(ColumnMoments, Vec<f64>)> {
        let (device, rows) = (Cuda(Arc::clone(&self.gpu)), [self.rows::<T>(), None, None]);
        let rows = Data::of(&device, &rows)?;
        if ends {
            return device.columns(&rows);
        }
        Ok((device.means(&rows)?, Vec::new())) // none
    }

    /// Counts and means of columns, and where asked for their `ends`, by one look; of numbers that are not rows
    /// as they lie, by a look at a copy.
    fn column_moments(&self, py: Python<'_>, ends: bool) -> PyResult<(ColumnMoments, Vec<f64>)> {
        if !self.kind.is_real() || !self.is_aligned() {
            return self
                .cast(py, self.kind.is_double())?
                .column_moments(py, ends);
        }
        let look = || {
            guarded(|| {
                if self.kind.is_double() {
                    self.column_moments_of::<f64>(ends)
                } else {
                    self.column_moments_of::<f32>(ends)
                }
            })
        };
        py.detach(look).map_err(|error| raise(py, &error))
    }
}

/// Whether a type is `float64`; else it must be `float32`.
fn is_double(dtype: &Bound<'_, PyAny>) -> PyResult<bool> {
    let double = numpy::dtype::<f64>(dtype.py()).eq(dtype)?;
    if double || numpy::dtype::<f32>(dtype.py()).eq(dtype)? {
        return Ok(double);
    }
    Err(PyNotImplementedError::new_err(format!(
        "an array on a GPU does not become one of {dtype}; convert it first"
    )))
}

#[pymethods]
impl GpuArray {
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    #[getter]
    fn ndim(&self) -> usize {
        self.shape.len()
    }

    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, numpy::PyArrayDescr>> {
        self.kind.numpy(py)
    }

    /// The same numbers, columns as rows.
    #[getter(T)]
    fn turned(&self) -> Self {
        let back = |all: &[i64]| all.iter().rev().copied().collect::<Vec<_>>();
        let shape: Vec<usize> = self.shape.iter().rev().copied().collect();
        self.with(&shape, &back(&self.steps))
    }

    /// Number of the GPU.
    #[getter]
    fn ordinal(&self) -> usize {
        self.gpu.ordinal
    }

    fn __len__(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Room for answers about these rows, on their GPU, as `float64` or `float32`.
    #[allow(clippy::needless_pass_by_value)]
    fn empty(&self, columns: usize, dtype: Bound<'_, PyAny>) -> PyResult<Self> {
        let shape = vec![self.shape.first().copied().unwrap_or(0), columns]; // two numbers
        let py = dtype.py();
        if is_double(&dtype)? {
            Self::bare::<f64>(py, &self.gpu, shape)
        } else {
            Self::bare::<f32>(py, &self.gpu, shape)
        }
    }

    /// Rows one after the other.
    #[allow(clippy::needless_pass_by_value)]
    fn __getitem__(&self, rows: Bound<'_, PySlice>) -> PyResult<Self> {
        let n = isize::try_from(self.__len__()).map_err(broken)?;
        let part = rows.indices(n)?;
        if part.step != 1 || self.shape.is_empty() {
            return Err(PyNotImplementedError::new_err(
                "of an array on a GPU, rows one after the other can be had",
            ));
        }
        let start = usize::try_from(part.start).map_err(broken)?;
        self.part(0, start..start + part.slicelength)
    }

    /// Itself, if it is of that type; a copy of another.
    #[pyo3(signature = (dtype, copy=false))]
    #[allow(clippy::needless_pass_by_value)]
    fn astype<'py>(
        this: &Bound<'py, Self>,
        dtype: Bound<'py, PyAny>,
        copy: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let (py, array) = (this.py(), this.get());
        if !copy && array.dtype(py)?.eq(&dtype)? {
            return Ok(this.clone());
        }
        Bound::new(py, array.cast(py, is_double(&dtype)?)?)
    }

    /// Itself, if rows may be of its type; else whole numbers and truth as `float64`, short floats as
    /// `float32`. So is what lies askew: kernels read whole numbers of bytes.
    fn widened<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let array = this.get();
        if array.kind.is_real() && array.is_aligned() {
            return Ok(this.clone());
        }
        let wide = array.cast(this.py(), array.kind.is_double())?;
        Bound::new(this.py(), wide)
    }

    /// A column of one dimension, as one of two; or of two, as one.
    #[pyo3(signature = (*shape))]
    #[allow(clippy::needless_pass_by_value)]
    fn reshape<'py>(
        this: &Bound<'py, Self>,
        shape: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, Self>> {
        let array = this.get();
        if shape.len() == 1 {
            return Self::ravel(this);
        }
        if array.shape.len() != 1 {
            return Ok(this.clone());
        }
        Bound::new(
            this.py(),
            array.with(&[array.shape[0], 1], &[array.steps[0], 1]),
        )
    }

    /// A single column of two dimensions, as one of one.
    fn ravel<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let array = this.get();
        if array.shape.len() != 2 || array.shape[1] != 1 {
            return Err(PyValueError::new_err("this is not a column"));
        }
        Bound::new(this.py(), array.with(&array.shape[..1], &array.steps[..1]))
    }

    /// Whether sums of all columns are finite.
    fn finite(&self, py: Python<'_>) -> PyResult<bool> {
        let (found, _) = self.column_moments(py, false)?;
        Ok(found.mean.iter().all(|mean| mean.is_finite()))
    }

    /// The largest of its numbers; not a number where sums of columns are not finite.
    fn largest(&self, py: Python<'_>) -> PyResult<f64> {
        let (found, ends) = self.column_moments(py, true)?;
        if !found.mean.iter().all(|mean| mean.is_finite()) {
            return Ok(f64::NAN);
        }
        let largest = ends.into_iter().skip(found.mean.len());
        Ok(largest.fold(f64::NEG_INFINITY, f64::max))
    }

    /// The sum of all its numbers, in double.
    #[pyo3(signature = (*, dtype=None))]
    #[allow(clippy::needless_pass_by_value)]
    fn sum(&self, py: Python<'_>, dtype: Option<Bound<'_, PyAny>>) -> PyResult<f64> {
        let _ = dtype; // it is as asked for by all who ask
        let (found, _) = self.column_moments(py, false)?;
        let means: f64 = found.mean.iter().chain(&found.origin).sum();
        let sum = means * found.counts[0];
        if sum.is_finite() {
            return Ok(sum);
        }
        self.gathered(py)?.call_method0("sum")?.extract() // there are no means of infinities
    }

    /// A copy for NumPy.
    fn host<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.gathered(py)?;
        if !self.kind.is_bfloat() {
            return Ok(found);
        }
        upper(&found)
    }

    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(u32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Py<PyAny>> {
        if dl_device == Some((DLDeviceType::CPU.0, 0)) {
            let host = self.host(py)?;
            let Some(version) = max_version else {
                return Ok(host.call_method0("__dlpack__")?.unbind());
            };
            let options = PyDict::new(py);
            options.set_item("max_version", version)?;
            return match host.call_method("__dlpack__", (), Some(&options)) {
                Err(error) if error.is_instance_of::<PyTypeError>(py) => {
                    Ok(host.call_method0("__dlpack__")?.unbind()) // NumPy before 2.1
                }
                other => Ok(other?.unbind()),
            };
        }
        let (copied, stream) = (copy == Some(true), stream.as_ref());
        let request = ExportRequest::parse(stream, max_version, dl_device, None)?;
        if copied {
            return export_dlpack(&self.copied(py)?, py, request);
        }
        export_dlpack(self, py, request)
    }

    fn __dlpack_device__(&self) -> (u32, i32) {
        (self.device().device_type.0, self.device().device_id)
    }
}

impl GpuArray {
    fn with(&self, shape: &[usize], steps: &[i64]) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            gpu: Arc::clone(&self.gpu),
            first: self.first,
            shape: shape.to_vec(),
            steps: steps.to_vec(),
            kind: self.kind,
        }
    }
}
