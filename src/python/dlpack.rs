//! Arrays of any library on the host, by DLPack: NumPy's view of them, without a copy.
#![allow(unsafe_code)] // borrowed memory

use dlpark::ffi::{DLDataType, DLDataTypeCode, DLDeviceType};
use dlpark::python::{ImportRequest, ImportedDlpack};
use ndarray::{ArrayViewD, Axis, IxDyn, ShapeBuilder};
use numpy::{Element, PyArray};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Keeps what a DLPack producer lent; NumPy's view of it points here.
#[pyclass(frozen, module = "sklearnex_rs._core")]
struct Borrowed(ImportedDlpack);

// SAFETY: DLPack's contract with the producer keeps the memory until the deleter runs, which takes the GIL
// itself; all that this type hands out is the read-only view of `view_of`.
unsafe impl Sync for Borrowed {}

/// NumPy's read-only view of any library's array on the host; floats of 16 bits as `float32`.
#[pyfunction]
pub(super) fn host<'py>(array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let imported = import(array)?;
    let facts = imported.validate().map_err(broken)?;
    let place = facts.device().device_type;
    if place != DLDeviceType::CPU && place != DLDeviceType::CUDAHOST {
        return Err(PyBufferError::new_err(format!(
            "the array is not in host memory (DLPack device type {}); move it to the host first",
            place.0
        )));
    }
    let dtype = facts.dtype();
    let borrowed = Bound::new(array.py(), Borrowed(imported))?;
    macro_rules! first_match {
        ($($t:ty: $as:expr),* $(,)?) => {
            $(if dtype.matches($as) { return view_of::<$t>(&borrowed, $as); })*
        };
    }
    first_match!(
        f64: DLDataType::F64, f32: DLDataType::F32, i64: DLDataType::I64, i32: DLDataType::I32,
        i16: DLDataType::I16, i8: DLDataType::I8, u64: DLDataType::U64, u32: DLDataType::U32,
        u16: DLDataType::U16, u8: DLDataType::U8, bool: DLDataType::BOOL,
    );
    let short = dtype.bits == 16 && dtype.lanes == 1;
    match dtype.code {
        DLDataTypeCode::FLOAT if short => {
            let bits = view_of::<u16>(&borrowed, dtype)?;
            bits.call_method1("view", ("f2",))?
                .call_method1("astype", ("f4",))
        }
        DLDataTypeCode::BFLOAT if short => upper(&view_of::<u16>(&borrowed, dtype)?),
        _ => Err(PyTypeError::new_err(format!(
            "arrays of {dtype:?} are not supported"
        ))),
    }
}

/// `bfloat16`, of which these are the bits, as `float32`: they are its upper half.
pub(super) fn upper<'py>(bits: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let wide = bits.call_method1("astype", ("u4",))?;
    let wide = wide.call_method1("__lshift__", (16,))?;
    wide.call_method1("view", ("f4",))
}

pub(super) fn broken(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// By the protocol; producers that do not know `max_version` are asked in the old way.
fn import(array: &Bound<'_, PyAny>) -> PyResult<ImportedDlpack> {
    match ImportRequest::new(array.as_borrowed())?.import(None, None) {
        Err(error) if error.is_instance_of::<PyTypeError>(array.py()) => {
            let capsule = array.call_method0("__dlpack__")?;
            ImportRequest::new(capsule.as_borrowed())?.import(None, None)
        }
        other => other,
    }
}

fn view_of<'py, T: Element>(
    borrowed: &Bound<'py, Borrowed>,
    dtype: DLDataType,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the array takes `borrowed` as its base, so the memory outlives it; it is made read-only below,
    // before anybody has it; that others do not write meanwhile is up to the caller of the estimator, as
    // for NumPy.
    let array = unsafe {
        let view = strided::<T>(&borrowed.get().0, dtype)?;
        PyArray::borrow_from_array(&view, borrowed.clone().into_any())
    };
    array.call_method1("setflags", (false,))?;
    Ok(array.into_any())
}

/// A view of any strides, negative ones and empty arrays too, which `dlpark`'s own refuses.
///
/// # Safety
/// `imported` must outlive the view, and nobody may write meanwhile.
unsafe fn strided<T>(imported: &ImportedDlpack, dtype: DLDataType) -> PyResult<ArrayViewD<'_, T>> {
    let facts = imported.validate().map_err(broken)?;
    if !facts.dtype().matches(dtype) {
        return Err(PyTypeError::new_err("the array's type changed"));
    }
    let shape: Vec<usize> = facts
        .shape()
        .iter()
        .map(|n| usize::try_from(n.unsigned_abs()))
        .collect::<std::result::Result<_, _>>()
        .map_err(broken)?;
    if shape.contains(&0) {
        let nowhere = std::ptr::NonNull::<T>::dangling().as_ptr();
        // SAFETY: an axis of the shape is 0 (checked), so no element is ever read, and `dangling` is aligned.
        return Ok(unsafe { ArrayViewD::from_shape_ptr(IxDyn(&shape), nowhere) });
    }
    let strides = facts.strides_or_compact().map_err(broken)?.into_owned();
    let start = usize::try_from(facts.byte_offset()).map_err(broken)?;
    // SAFETY: DLPack has the producer keep `byte_offset` inside of the memory at `data`; the array is not
    // empty.
    let mut first = unsafe { facts.data_ptr().cast::<u8>().add(start) }.cast::<T>();
    let mut positive = Vec::new();
    let mut flipped = Vec::new();
    for (axis, (&n, &stride)) in shape.iter().zip(&strides).enumerate() {
        if stride < 0 {
            #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)]
            let back = (n as isize - 1) * stride as isize;
            // SAFETY: `back` leads to element n − 1 of this axis, which DLPack has the producer's shape and
            // strides keep inside of the memory.
            first = unsafe { first.offset(back) };
            flipped.push(axis);
        }
        positive.push(usize::try_from(stride.unsigned_abs()).map_err(broken)?);
    }
    if !(first as usize).is_multiple_of(align_of::<T>()) {
        return Err(PyValueError::new_err("the array is not aligned"));
    }
    let shape = IxDyn(&shape).strides(IxDyn(&positive));
    // SAFETY: `first` is the element of lowest address and is aligned (checked); by DLPack's contract all
    // others that shape and strides lead to are the producer's, which `imported` keeps as long as the view
    // is borrowed.
    let mut view = unsafe { ArrayViewD::from_shape_ptr(shape, first) };
    for axis in flipped {
        view.invert_axis(Axis(axis));
    }
    Ok(view)
}
