//! NumPy and DLPack arrays in, zero copy.
#![allow(unsafe_code)] // borrowed memory

use super::card::{CardArray, Held as OnCard};
use crate::device::{Cpu, Data, Device, Input, Kernels, NearestKernels};
use crate::{Error, Result, real::Real};
use dlpark::ffi::{DLDataType, DLDataTypeCode, DLDeviceType};
use dlpark::python::{ImportRequest, ImportedDlpack};
use ndarray::{ArrayView2, ArrayViewD, Axis, IxDyn, ShapeBuilder};
use numpy::{
    Element, IntoPyArray, PyArray, PyArrayMethods, PyReadonlyArray2, PyReadwriteArray2,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Rows, targets and weights, borrowed from NumPy, or by DLPack, while a call runs.
pub(super) enum Held<'py> {
    /// Single precision.
    F32([Option<PyReadonlyArray2<'py, f32>>; 3]),
    /// Double precision.
    F64([Option<PyReadonlyArray2<'py, f64>>; 3]),
    /// On a card.
    Card(OnCard<'py>),
}

impl<'py> Held<'py> {
    /// Two-dimensional arrays, all `float64` or all `float32`, all on the host or on one card.
    pub(super) fn of(arrays: [Option<&Bound<'py, PyAny>>; 3]) -> PyResult<Self> {
        let first = arrays.iter().flatten().next();
        if first.is_some_and(|x| x.is_instance_of::<CardArray>()) {
            return Ok(Self::Card(OnCard::of(arrays)?));
        }
        let double = first.map(|x| x.extract::<PyReadonlyArray2<'py, f64>>());
        if matches!(double, Some(Ok(_))) {
            return Ok(Self::F64(each(arrays)?));
        }
        Ok(Self::F32(each(arrays)?))
    }

    /// The same for a device.
    pub(super) fn input(&self, threads: usize) -> Input<'_> {
        let cpu = Cpu { threads };
        match self {
            Self::F32(arrays) => {
                Input::CpuF32(cpu, arrays.each_ref().map(|array| view(array.as_ref())))
            }
            Self::Card(held) => held.input(),
            Self::F64(arrays) => {
                Input::CpuF64(cpu, arrays.each_ref().map(|array| view(array.as_ref())))
            }
        }
    }
}

/// Whole numbers for Python, where rows are.
pub(super) enum Told {
    /// On the host.
    Host(Vec<i32>),
    /// On a card.
    Card(CardArray),
}

impl Told {
    /// As an array.
    pub(super) fn array(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Host(numbers) => Ok(numbers.into_pyarray(py).into_any()),
            Self::Card(numbers) => Ok(Bound::new(py, numbers)?.into_any()),
        }
    }
}

/// A device that Python has room on for answers.
pub(super) trait Answers: Kernels {
    /// An array of Python's, held.
    type Room<'py, T: Real + Element>;

    /// Holds an array that is written row by row.
    fn room<'py, T: Real + Element>(&self, out: &Bound<'py, PyAny>)
    -> PyResult<Self::Room<'py, T>>;

    /// Numbers where rows are, held.
    type Numbers<'py, T: Real + Element>;

    /// Holds an array of two dimensions, or on a card a column of one.
    fn numbers<'py, T: Real + Element>(
        &self,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<Self::Numbers<'py, T>>;

    /// Where they are.
    fn lent<'o, T: Real + Element>(numbers: &'o Self::Numbers<'_, T>) -> Self::Rows<'o, T>;

    /// The centres of rows, for Python.
    fn told(&self, labels: Self::Labels) -> Result<Told>;

    /// Where it is.
    fn out<'o, T: Real + Element>(room: &'o mut Self::Room<'_, T>) -> PyResult<Self::Out<'o, T>>;
}

impl Answers for Cpu {
    type Room<'py, T: Real + Element> = PyReadwriteArray2<'py, T>;

    fn room<'py, T: Real + Element>(
        &self,
        out: &Bound<'py, PyAny>,
    ) -> PyResult<PyReadwriteArray2<'py, T>> {
        out.extract()
    }

    type Numbers<'py, T: Real + Element> = PyReadonlyArray2<'py, T>;

    fn numbers<'py, T: Real + Element>(
        &self,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<PyReadonlyArray2<'py, T>> {
        let [held, ..] = each([Some(of), None, None])?;
        held.ok_or_else(|| PyValueError::new_err("there are no numbers"))
    }

    fn lent<'o, T: Real + Element>(numbers: &'o PyReadonlyArray2<'_, T>) -> ArrayView2<'o, T> {
        numbers.as_array()
    }

    fn told(&self, labels: Self::Labels) -> Result<Told> {
        Ok(Told::Host(self.labels_to_host(labels)?))
    }

    fn out<'o, T: Real + Element>(room: &'o mut PyReadwriteArray2<'_, T>) -> PyResult<&'o mut [T]> {
        Ok(room.as_slice_mut()?)
    }
}

/// Rows as a device has them, with targets and weights.
pub(super) fn data<'a, 'm, D: Device, T: Real>(
    device: &'a D,
    rows: &'a [Option<D::Rows<'m, T>>; 3],
) -> Result<Data<'a, 'm, D, T>> {
    let [Some(x), y, w] = rows else {
        return Err(Error::Shape("there are no rows"));
    };
    Ok(Data {
        device,
        x,
        y: y.as_ref(),
        w: w.as_ref(),
    })
}

fn each<'py, T: Element>(
    arrays: [Option<&Bound<'py, PyAny>>; 3],
) -> PyResult<[Option<PyReadonlyArray2<'py, T>>; 3]> {
    let mut held: [Option<PyReadonlyArray2<'py, T>>; 3] = [None, None, None];
    for (held, array) in held.iter_mut().zip(arrays) {
        *held = array.map(PyAnyMethods::extract).transpose()?;
        // `numpy` counts steps in whole numbers, and borrows as aligned.
        let whole = held.as_ref().is_none_or(|array| {
            let steps = array
                .strides()
                .iter()
                .all(|step| step % size_of::<T>().cast_signed() == 0);
            steps && array.data().cast::<T>().is_aligned()
        });
        if !whole {
            return Err(PyValueError::new_err("an array is not aligned"));
        }
    }
    Ok(held)
}

fn view<'a, T: Element>(array: Option<&'a PyReadonlyArray2<'_, T>>) -> Option<ArrayView2<'a, T>> {
    array.map(|array| array.as_array())
}

/// Keeps what a DLPack producer lent; NumPy's view of it points here.
#[pyclass(frozen, module = "sklearnex_rs._core")]
struct Lent(ImportedDlpack);

// SAFETY: the memory is only read, and the producer's deleter takes the GIL itself.
unsafe impl Sync for Lent {}

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
    let lent = Bound::new(array.py(), Lent(imported))?;
    macro_rules! first_match {
        ($($t:ty: $as:expr),* $(,)?) => {
            $(if dtype.matches($as) { return view_of::<$t>(&lent, $as); })*
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
            let bits = view_of::<u16>(&lent, dtype)?;
            bits.call_method1("view", ("f2",))?
                .call_method1("astype", ("f4",))
        }
        DLDataTypeCode::BFLOAT if short => upper(&view_of::<u16>(&lent, dtype)?),
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
    lent: &Bound<'py, Lent>,
    dtype: DLDataType,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: NumPy's array holds `lent`, which holds the memory.
    let array = unsafe {
        let view = strided::<T>(&lent.get().0, dtype)?;
        PyArray::borrow_from_array(&view, lent.clone().into_any())
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
        // SAFETY: nothing is read.
        return Ok(unsafe { ArrayViewD::from_shape_ptr(IxDyn(&shape), nowhere) });
    }
    let strides = facts.strides_or_compact().map_err(broken)?.into_owned();
    let start = usize::try_from(facts.byte_offset()).map_err(broken)?;
    // SAFETY: the producer's offset is inside of its memory.
    let mut first = unsafe { facts.data_ptr().cast::<u8>().add(start) }.cast::<T>();
    let mut positive = Vec::new();
    let mut flipped = Vec::new();
    for (axis, (&n, &stride)) in shape.iter().zip(&strides).enumerate() {
        if stride < 0 {
            #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)]
            let back = (n as isize - 1) * stride as isize;
            // SAFETY: the first element in memory, by the producer's shape and strides.
            first = unsafe { first.offset(back) };
            flipped.push(axis);
        }
        positive.push(usize::try_from(stride.unsigned_abs()).map_err(broken)?);
    }
    if !(first as usize).is_multiple_of(align_of::<T>()) {
        return Err(PyValueError::new_err("the array is not aligned"));
    }
    let shape = IxDyn(&shape).strides(IxDyn(&positive));
    // SAFETY: the producer's shape and strides describe its memory, which the caller keeps.
    let mut view = unsafe { ArrayViewD::from_shape_ptr(shape, first) };
    for axis in flipped {
        view.invert_axis(Axis(axis));
    }
    Ok(view)
}
