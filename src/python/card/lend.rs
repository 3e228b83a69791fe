//! Arrays of other libraries lent, of the host sent, and products made on a card.

use super::super::array::{broken, data};
use super::super::error::raise;
use super::{CardArray, Held, Owner};
use crate::algo::guarded;
use crate::device::Data;
use crate::device::cuda::{self, Card, Cuda, Kept, Room};
use crate::real::Real;
use dlpark::ffi::{DLDataType, DLDevice, DLDeviceType};
use dlpark::python::consumer::stream;
use dlpark::python::{DlpackStream, ImportRequest, StreamArg};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn};
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// Our stream, which the producer makes wait for its own. Never by the C interface: that does not see
/// what torch refuses in Python (gradients, conjugates).
struct Ours<'c>(&'c Card);

// SAFETY: the card, and with it the stream, outlives the call.
unsafe impl DlpackStream for Ours<'_> {
    fn as_python_arg(&self, _: Python<'_>, _: DLDevice) -> PyResult<StreamArg> {
        Ok(stream::cuda(self.0.stream()))
    }
}

/// An array of any library, where it lies on a card.
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
    let card = guarded(|| cuda::ready().and_then(|_| cuda::card(ordinal)));
    let card = card.map_err(|error| raise(py, &error))?;
    let _kept = Kept::now().map_err(|error| raise(py, &error))?;
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
    let double = dtype.matches(DLDataType::F64);
    let lent = CardArray {
        owner: Arc::new(Owner::Lent(imported)),
        card,
        first,
        shape,
        steps,
        double,
        whole: false,
    };
    if double || dtype.matches(DLDataType::F32) {
        return Ok(lent);
    }
    match kind_of(dtype) {
        Some((kind, bytes)) => lent.cast(py, (kind, bytes), kind < 2),
        None => Err(PyTypeError::new_err(format!(
            "arrays of {dtype:?} on a card are not supported; convert to float32 or float64"
        ))),
    }
}

/// What is widened on its way in: whole numbers and truth to `float64`, short floats to `float32`.
fn kind_of(dtype: DLDataType) -> Option<(i32, i32)> {
    let bytes = i32::from(dtype.bits / 8);
    let kind = match dtype.code.0 {
        0 => 0,
        1 | 6 => 1,
        2 | 4 if bytes == 2 => i32::from(dtype.code.0),
        _ => return None,
    };
    (dtype.lanes == 1 && dtype.bits.is_multiple_of(8)).then_some((kind, bytes))
}

/// NumPy's array, copied to a card.
#[pyfunction]
pub(in super::super) fn to_card(array: &Bound<'_, PyAny>, ordinal: usize) -> PyResult<CardArray> {
    fn sent<T: Element + Copy>(
        array: &Bound<'_, PyArrayDyn<T>>,
        card: &Arc<Card>,
        whole: bool,
    ) -> PyResult<CardArray> {
        let held: PyReadonlyArrayDyn<'_, T> = array.readonly();
        let (values, shape) = (held.as_slice()?, held.as_array().shape().to_vec());
        let (start, length) = (values.as_ptr().cast(), size_of_val(values));
        // SAFETY: numbers are plain bits, without gaps.
        let bytes = unsafe { std::slice::from_raw_parts(start, length) };
        let room = Room::of(card, bytes).map_err(|error| raise(array.py(), &error))?;
        let sent = CardArray::own(card, room, shape, size_of::<T>() == 8);
        Ok(CardArray { whole, ..sent })
    }
    let card = cuda::card(ordinal).map_err(|error| raise(array.py(), &error))?;
    if let Ok(array) = array.cast::<PyArrayDyn<f64>>() {
        return sent(array, &card, false);
    }
    if let Ok(array) = array.cast::<PyArrayDyn<i64>>() {
        return sent(array, &card, true);
    }
    if let Ok(array) = array.cast::<PyArrayDyn<i32>>() {
        return sent(array, &card, true);
    }
    sent(array.cast::<PyArrayDyn<f32>>()?, &card, false)
}

/// `y - X coef - intercept`; all of the type of `X`.
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

fn rest<T: Real + Element>(
    held: &Held<'_>,
    coef: &Bound<'_, PyAny>,
    intercept: &Bound<'_, PyAny>,
) -> PyResult<CardArray> {
    let py = coef.py();
    let coef = coef.extract::<PyReadonlyArray1<'_, T>>()?;
    let intercept = intercept.extract::<PyReadonlyArray1<'_, T>>()?;
    let (coef, intercept) = (coef.as_slice()?, intercept.as_slice()?);
    let (rows, device) = (held.rows::<T>(), &held.device);
    let n = rows[0].as_ref().map_or(0, |x| x.shape.0);
    let found = CardArray::bare::<T>(py, &device.0, vec![n, intercept.len()])?; // two numbers
    let run = || {
        guarded(|| {
            let rows: Data<'_, '_, Cuda, T> = data(device, &rows)?;
            device.rest(&rows, coef, intercept, &found.out())
        })
    };
    py.detach(run).map_err(|error| raise(py, &error))?;
    Ok(found)
}
