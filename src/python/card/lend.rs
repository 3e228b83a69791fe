//! Arrays of other libraries lent, of the host sent, and products made on a card.

use super::super::dlpack::broken;
use super::super::error::raise;
use super::kind::Kind;
use super::{CardArray, Held, Memory, Owner, beside};
use crate::algo::guarded;
use crate::device::Data;
use crate::device::cuda::{self, Card, Cuda, Kept, Room};
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
struct Ours<'c>(&'c Card);

// SAFETY: the stream is that of `Card`, which is never dropped (`cuda::card` keeps it for the process), so it is
// there for whatever the producer enqueues; it is of the device that DLPack is asked about (`borrow` looked).
unsafe impl DlpackStream for Ours<'_> {
    fn as_python_arg(&self, _: Python<'_>, _: DLDevice) -> PyResult<StreamArg> {
        Ok(stream::cuda(self.0.stream()))
    }
}

/// An array of any library, where it lies on a card, of its own type.
#[pyfunction]
pub(in super::super) fn lend(array: &Bound<'_, PyAny>) -> PyResult<CardArray> {
    let py = array.py();
    let request = ImportRequest::new(array.as_borrowed())?;
    let device = request.device()?;
    if ![DLDeviceType::CUDA, DLDeviceType::CUDAMANAGED].contains(&device.device_type) {
        return Err(PyBufferError::new_err(
            "the array is not on a card of NVIDIA",
        ));
    }
    let ordinal = usize::try_from(device.device_id).map_err(broken)?;
    let card = guarded(|| cuda::card(ordinal)).map_err(|error| raise(py, &error))?;
    // Libraries lend what is on the current card, and make streams of that wait.
    let ours = guarded(|| Kept::now().and_then(|kept| card.bind().map(|()| kept)));
    let _kept = ours.map_err(|error| raise(py, &error))?;
    let imported = match request.import(Some(&Ours(&card)), None) {
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            let options = PyDict::new(py);
            options.set_item("stream", card.stream() as usize)?;
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
            "arrays of {dtype:?} on a card are not supported; convert to float32 or float64"
        )));
    };
    Ok(CardArray {
        owner: Owner::of(&card, Memory::Lent(imported)),
        card,
        first,
        shape,
        steps,
        kind,
    })
}

/// NumPy's array, copied to a card.
#[pyfunction]
pub(in super::super) fn to_card(
    array: &Bound<'_, PyUntypedArray>,
    ordinal: usize,
) -> PyResult<CardArray> {
    let (py, dtype) = (array.py(), array.dtype());
    let Some(kind) = Kind::of_numpy(&dtype) else {
        return Err(PyTypeError::new_err(format!(
            "arrays of {dtype} cannot be on a card"
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
        let card = cuda::card(ordinal)?;
        let room = Room::of(&card, bytes)?;
        Ok((card, room))
    });
    let (card, room) = sent.map_err(|error| raise(py, &error))?;
    Ok(CardArray::own(&card, room, array.shape().to_vec(), kind))
}

/// `y - X coef - intercept`; all of the type of `X`, and on its card.
#[pyfunction]
#[pyo3(signature = (x, y, coef, intercept))]
pub(in super::super) fn rest_on_card<'py>(
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    coef: &Bound<'py, PyAny>,
    intercept: &Bound<'py, PyAny>,
) -> PyResult<CardArray> {
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
) -> PyResult<CardArray> {
    let (py, rows, device) = (coef.py(), held.rows::<T>(), &held.device);
    let (coef, intercept) = (beside(device, coef)?, beside(device, intercept)?);
    let (coef, intercept) = (coef.rows(), intercept.rows());
    let n = rows[0].as_ref().map_or(0, |x| x.shape().0);
    let found = CardArray::bare::<T>(py, &device.0, vec![n, coef.shape().1])?; // two numbers
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
/// on one card.
#[pyfunction]
#[pyo3(signature = (rows, variances, least=None))]
pub(in super::super) fn scaled_on_card(
    rows: &Bound<'_, PyAny>,
    variances: &Bound<'_, PyAny>,
    least: Option<f64>,
) -> PyResult<CardArray> {
    let (py, held) = (rows.py(), Held::of([Some(rows), Some(variances), None])?);
    if held.double {
        scaled::<f64>(py, &held, least)
    } else {
        scaled::<f32>(py, &held, least)
    }
}

fn scaled<T: Real>(py: Python<'_>, held: &Held<'_>, least: Option<f64>) -> PyResult<CardArray> {
    let [Some(rows), Some(variances), _] = held.rows::<T>() else {
        return Err(PyValueError::new_err("there are no rows"));
    };
    let (n, p) = rows.shape();
    let found = CardArray::bare::<T>(py, &held.device.0, vec![n, p])?; // two numbers
    let device = &held.device;
    let run = || guarded(|| device.scaled(&rows, &variances, least, &found.out()));
    py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(found)
}
