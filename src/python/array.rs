//! Rows in and answers out, zero copy: NumPy's arrays and those on GPUs.

use super::gpu::{GpuArray, Held as OnGpu, Typed, beside};
use crate::device::cuda::{Cuda, CudaLabels, CudaOut, CudaRows};
use crate::device::{Cpu, Data, Device, Input, Kernels, NearestKernels};
use crate::{Result, real::Real};
use ndarray::ArrayView2;
use numpy::{
    Element, IntoPyArray, PyArrayMethods, PyReadonlyArray2, PyReadwriteArray2,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Rows, targets and weights, borrowed from NumPy, or by DLPack, while a call runs.
pub(super) enum Held<'py> {
    /// Single precision.
    F32([Option<PyReadonlyArray2<'py, f32>>; 3]),
    /// Double precision.
    F64([Option<PyReadonlyArray2<'py, f64>>; 3]),
    /// On a GPU.
    Gpu(OnGpu<'py>),
}

impl<'py> Held<'py> {
    /// Two-dimensional arrays, all `float64` or all `float32`, all on the host or on one GPU.
    pub(super) fn of(arrays: [Option<&Bound<'py, PyAny>>; 3]) -> PyResult<Self> {
        let first = arrays.iter().flatten().next();
        if first.is_some_and(|x| x.is_instance_of::<GpuArray>()) {
            return Ok(Self::Gpu(OnGpu::of(arrays)?));
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
            Self::Gpu(held) => held.input(),
            Self::F64(arrays) => {
                Input::CpuF64(cpu, arrays.each_ref().map(|array| view(array.as_ref())))
            }
        }
    }
}

/// Whole numbers for Python, where rows are.
pub(super) enum LabelArray {
    /// On the host.
    Host(Vec<i32>),
    /// On a GPU.
    Gpu(GpuArray),
}

impl LabelArray {
    /// As an array.
    pub(super) fn array(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Host(numbers) => Ok(numbers.into_pyarray(py).into_any()),
            Self::Gpu(numbers) => Ok(Bound::new(py, numbers)?.into_any()),
        }
    }
}

/// A device that Python has room on for answers.
pub(super) trait Answers: Kernels {
    /// An array of Python's, held.
    type Output<'py, T: Real + Element>;

    /// Holds an array that is written row by row.
    fn output<'py, T: Real + Element>(
        &self,
        out: &Bound<'py, PyAny>,
    ) -> PyResult<Self::Output<'py, T>>;

    /// Numbers where rows are, held.
    type Numbers<'py, T: Real + Element>;

    /// Holds an array of two dimensions, or on a GPU a column of one.
    fn numbers<'py, T: Real + Element>(
        &self,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<Self::Numbers<'py, T>>;

    /// Where they are.
    fn borrowed<'o, T: Real + Element>(numbers: &'o Self::Numbers<'_, T>) -> Self::Rows<'o, T>;

    /// The centres of rows, for Python.
    fn label_array(&self, labels: Self::Labels) -> Result<LabelArray>;

    /// Where it is.
    fn out<'o, T: Real + Element>(
        output: &'o mut Self::Output<'_, T>,
    ) -> PyResult<Self::Out<'o, T>>;
}

impl Answers for Cpu {
    type Output<'py, T: Real + Element> = PyReadwriteArray2<'py, T>;

    fn output<'py, T: Real + Element>(
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

    fn borrowed<'o, T: Real + Element>(numbers: &'o PyReadonlyArray2<'_, T>) -> ArrayView2<'o, T> {
        numbers.as_array()
    }

    fn label_array(&self, labels: Self::Labels) -> Result<LabelArray> {
        Ok(LabelArray::Host(self.labels_to_host(labels)?))
    }

    fn out<'o, T: Real + Element>(
        output: &'o mut PyReadwriteArray2<'_, T>,
    ) -> PyResult<&'o mut [T]> {
        Ok(output.as_slice_mut()?)
    }
}

impl Answers for Cuda {
    type Output<'py, T: Real + Element> = Typed<'py, T>;

    fn output<'py, T: Real + Element>(&self, out: &Bound<'py, PyAny>) -> PyResult<Typed<'py, T>> {
        beside(self, out)
    }

    type Numbers<'py, T: Real + Element> = Typed<'py, T>;

    fn numbers<'py, T: Real + Element>(&self, of: &Bound<'py, PyAny>) -> PyResult<Typed<'py, T>> {
        beside(self, of)
    }

    fn borrowed<'o, T: Real + Element>(numbers: &'o Typed<'_, T>) -> CudaRows<'o, T> {
        numbers.rows()
    }

    fn label_array(&self, labels: CudaLabels) -> Result<LabelArray> {
        Ok(LabelArray::Gpu(GpuArray::of_labels(&self.0, labels)))
    }

    fn out<'o, T: Real + Element>(output: &'o mut Typed<'_, T>) -> PyResult<CudaOut<'o, T>> {
        Ok(output.out())
    }
}

/// Rows as a device has them, with targets and weights.
pub(super) fn data<'a, 'm, D: Device, T: Real>(
    device: &'a D,
    rows: &'a [Option<D::Rows<'m, T>>; 3],
) -> Result<Data<'a, 'm, D, T>> {
    Data::of(device, rows)
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
