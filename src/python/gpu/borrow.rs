//! Arrays of other libraries lent, of the host sent, and products made on a GPU.

use super::super::dlpack::broken;
use super::super::error::raise;
use super::kind::Kind;
use super::{GpuArray, Held, Memory, Owner, beside};
use crate::algo::guarded;
use crate::device::Data;
use crate::device::cuda::{self, Buffer, ContextGuard, Cuda, Gpu};
use crate::real::Real;
use dlpark::ffi::{DLDevice, DLDeviceType};
use dlpark::python::consumer::stream;
use dlpark::python::{DlpackStream, ImportRequest, StreamArg};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ptr::NonNull;

/// Our stream, which the producer makes wait for its own. Never by the C interface: that does not see
/// what torch refuses in Python (gradients, conjugates).
struct OwnStream<'c>(&'c Gpu);

// SAFETY: the stream is that of `Gpu`, which is never dropped (`cuda::gpu` keeps it for the process), so it is
// there for whatever the producer enqueues; it is of the device that DLPack is asked about (`borrow` looked).
unsafe impl DlpackStream for OwnStream<'_> {
    fn as_python_arg(&self, _: Python<'_>, _: DLDevice) -> PyResult<StreamArg> {
        Ok(stream::cuda(self.0.stream()))
    }
}

/// An array of any library, where it lies on a GPU, of its own type.
#[pyfunction]
pub(in super::super) fn borrow(array: &Bound<'_, PyAny>) -> PyResult<GpuArray> {
    let py = array.py();
    let request = ImportRequest::new(array.as_borrowed())?;
    let device = request.device()?;
    if ![DLDeviceType::CUDA, DLDeviceType::CUDAMANAGED].contains(&device.device_type) {
        return Err(PyBufferError::new_err("the array is not on an NVIDIA GPU"));
    }
    let ordinal = usize::try_from(device.device_id).map_err(broken)?;
    let gpu = guarded(|| cuda::gpu(ordinal)).map_err(|error| raise(py, &error))?;
    // Libraries lend what is on the current GPU, and make streams of that wait.
    let ours = guarded(|| ContextGuard::now().and_then(|kept| gpu.bind().map(|()| kept)));
    let _kept = ours.map_err(|error| raise(py, &error))?;
    let imported = match request.import(Some(&OwnStream(&gpu)), None) {
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            let options = PyDict::new(py);
            options.set_item("stream", gpu.stream() as usize)?;
            let capsule = array.call_method("__dlpack__", (), Some(&options))?;
            ImportRequest::new(capsule.as_borrowed())?.import(None, None)?
        }
        other => other?,
    };
    let facts = imported.validate().map_err(broken)?;
    let dtype = facts.dtype();
    let whole = |n: &i64| usize::try_from(*n).map_err(broken);
    let shape = facts
        .shape()
        .iter()
        .map(whole)
        .collect::<PyResult<Vec<_>>>()?;
    let steps = facts.strides_or_compact().map_err(broken)?.into_owned();
    let first = facts.data_ptr() as u64 + facts.byte_offset();
    let Some(kind) = Kind::of_dlpack(dtype) else {
        return Err(PyTypeError::new_err(format!(
            "arrays of {dtype:?} on a GPU are not supported; convert to float32 or float64"
        )));
    };
    Ok(GpuArray {
        owner: Owner::of(&gpu, Memory::Borrowed(imported)),
        gpu,
        first,
        shape,
        steps,
        kind,
    })
}

/// NumPy's array, copied to a GPU.
#[pyfunction]
pub(in super::super) fn to_gpu(
    array: &Bound<'_, PyUntypedArray>,
    ordinal: usize,
) -> PyResult<GpuArray> {
    let (py, dtype) = (array.py(), array.dtype());
    let Some(kind) = Kind::of_numpy(&dtype) else {
        return Err(PyTypeError::new_err(format!(
            "arrays of {dtype} cannot be on a GPU"
        )));
    };
    if !array.is_c_contiguous() {
        return Err(PyValueError::new_err("the array is not in C order"));
    }
    let bytes = array.len() * kind.size();
    // SAFETY: `array` holds the memory until this returns, `is_c_contiguous` says that its `len` numbers lie in one
    // piece, and `Kind::of_numpy` lets only numbers through, which are plain bits without gaps.
    let bytes = unsafe {
        let start = (*array.as_array_ptr()).fields.data.cast::<u8>();
        let start = if bytes == 0 {
            NonNull::dangling().as_ptr()
        } else {
            start
        };
        std::slice::from_raw_parts(start, bytes)
    };
    let sent = guarded(|| {
        let gpu = cuda::gpu(ordinal)?;
        let buffer = Buffer::of(&gpu, bytes)?;
        Ok((gpu, buffer))
    });
    let (gpu, buffer) = sent.map_err(|error| raise(py, &error))?;
    Ok(GpuArray::own(&gpu, buffer, array.shape().to_vec(), kind))
}

/// `y - X coef - intercept`; all of the type of `X`, and on its GPU.
#[pyfunction]
#[pyo3(signature = (x, y, coef, intercept))]
pub(in super::super) fn residual_on_gpu<'py>(
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    coef: &Bound<'py, PyAny>,
    intercept: &Bound<'py, PyAny>,
) -> PyResult<GpuArray> {
    let held = Held::of([Some(x), Some(y), None])?;
    if held.double {
        rest::<f64>(&held, coef, intercept)
    } else {
        rest::<f32>(&held, coef, intercept)
    }
}

fn rest<T: Real>(
    held: &Held<'_>,
    coef: &Bound<'_, PyAny>,
    intercept: &Bound<'_, PyAny>,
) -> PyResult<GpuArray> {
    let (py, rows, device) = (coef.py(), held.rows::<T>(), &held.device);
    let (coef, intercept) = (beside(device, coef)?, beside(device, intercept)?);
    let (coef, intercept) = (coef.rows(), intercept.rows());
    let n = rows[0].as_ref().map_or(0, |x| x.shape().0);
    let found = GpuArray::bare::<T>(py, &device.0, vec![n, coef.shape().1])?; // two numbers
    let run = || {
        guarded(|| {
            let rows: Data<'_, '_, Cuda, T> = Data::of(device, &rows)?;
            device.rest(&rows, &coef, &intercept, &found.out())
        })
    };
    py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(found)
}

/// Rows times the roots of variances, one each; or by these, where they are `least` or more. All of one type
/// on one GPU.
#[pyfunction]
#[pyo3(signature = (rows, variances, least=None))]
pub(in super::super) fn scaled_on_gpu(
    rows: &Bound<'_, PyAny>,
    variances: &Bound<'_, PyAny>,
    least: Option<f64>,
) -> PyResult<GpuArray> {
    let (py, held) = (rows.py(), Held::of([Some(rows), Some(variances), None])?);
    if held.double {
        scaled::<f64>(py, &held, least)
    } else {
        scaled::<f32>(py, &held, least)
    }
}

fn scaled<T: Real>(py: Python<'_>, held: &Held<'_>, least: Option<f64>) -> PyResult<GpuArray> {
    let [Some(rows), Some(variances), _] = held.rows::<T>() else {
        return Err(PyValueError::new_err("there are no rows"));
    };
    let (n, p) = rows.shape();
    let found = GpuArray::bare::<T>(py, &held.device.0, vec![n, p])?; // two numbers
    let device = &held.device;
    let run = || guarded(|| device.scaled(&rows, &variances, least, &found.out()));
    py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(found)
}
