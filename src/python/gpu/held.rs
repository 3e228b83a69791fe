//! Arrays on GPUs while a call runs: rows in, room for answers.

use super::kind::Kind;
use super::{GpuArray, Memory};
use crate::device::Input;
use crate::device::cuda::{Cuda, CudaOut, CudaRows};
use crate::real::Real;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::marker::PhantomData;
use std::sync::Arc;

/// Rows, targets and weights on one GPU, while a call runs.
pub(in super::super) struct Held<'py> {
    arrays: [Option<Bound<'py, GpuArray>>; 3],
    pub(super) device: Cuda,
    pub(super) double: bool,
}

impl<'py> Held<'py> {
    pub(in super::super) fn of(arrays: [Option<&Bound<'py, PyAny>>; 3]) -> PyResult<Self> {
        let mut held = [None, None, None];
        for (held, array) in held.iter_mut().zip(arrays) {
            *held = array
                .map(|array| array.cast::<GpuArray>().cloned())
                .transpose()?;
        }
        let Some(first) = held.iter().flatten().next().map(Bound::get) else {
            return Err(PyValueError::new_err("there are no rows"));
        };
        let alike =
            |other: &GpuArray| other.kind == first.kind && other.gpu.ordinal == first.gpu.ordinal;
        if !held.iter().flatten().all(|other| alike(other.get())) {
            return Err(PyValueError::new_err(
                "arrays are not of one type, or not on one GPU",
            ));
        }
        if !first.kind.is_real() {
            return Err(PyValueError::new_err(
                "rows on a GPU are float32 or float64",
            ));
        }
        if !held.iter().flatten().all(|array| array.get().is_aligned()) {
            return Err(PyValueError::new_err("an array on a GPU is not aligned"));
        }
        let (device, double) = (Cuda(Arc::clone(&first.gpu)), first.kind.is_double());
        Ok(Self {
            arrays: held,
            device,
            double,
        })
    }

    pub(in super::super) fn input(&self) -> Input<'_> {
        if self.double {
            Input::CudaF64(self.device.clone(), self.rows())
        } else {
            Input::CudaF32(self.device.clone(), self.rows())
        }
    }

    /// Those that are of `T`: all, or none.
    pub(super) fn rows<T: Real>(&self) -> [Option<CudaRows<'_, T>>; 3] {
        self.arrays
            .each_ref()
            .map(|array| array.as_ref().and_then(|array| array.get().rows()))
    }
}

impl GpuArray {
    /// Rows and columns, and from one to the next; of one dimension, a column.
    pub(super) fn matrix(&self) -> ((usize, usize), (i64, i64)) {
        let at = |axis: usize| self.shape.get(axis).copied().unwrap_or(1);
        let step = |axis: usize| self.steps.get(axis).copied().unwrap_or(1);
        ((at(0), at(1)), (step(0), step(1)))
    }

    /// Whether kernels may read its numbers: they want them at multiples of their size.
    pub(super) fn is_aligned(&self) -> bool {
        self.first.is_multiple_of(self.kind.size() as u64)
    }

    /// Its rows, if they are of `T`.
    pub(super) fn rows<T: Real>(&self) -> Option<CudaRows<'_, T>> {
        let fits = self.kind == Kind::of::<T>() && self.is_aligned();
        // SAFETY: it is of `T`, and aligned.
        fits.then(|| unsafe { self.rows_unchecked() })
    }

    /// The same, of a type that was checked.
    ///
    /// # Safety
    /// It must be of `T`, and aligned.
    pub(super) unsafe fn rows_unchecked<T>(&self) -> CudaRows<'_, T> {
        let (shape, steps) = self.matrix();
        // SAFETY: the owner of the memory gave shape and steps, and `self` keeps it; that nobody writes meanwhile is up
        // to the caller of the estimator, as for NumPy. The type is the caller's.
        unsafe { CudaRows::new(self.first, shape, steps) }
    }

    /// The bytes of its numbers, which lie one by one.
    pub(super) fn bytes(&self) -> PyResult<CudaRows<'_, u8>> {
        if !self.is_plain() {
            return Err(PyValueError::new_err("numbers do not lie one by one"));
        }
        let bytes = self.shape.iter().product::<usize>() * self.kind.size();
        // SAFETY: as many numbers as the shape has lie one by one from `first` on (checked), and `self` keeps their
        // owner; bytes are always aligned.
        Ok(unsafe { CudaRows::new(self.first, (bytes, 1), (1, 1)) })
    }

    /// Where answers of ours go; no room if it is not of `T`, or has memory of another library.
    pub(super) fn out<T: Real>(&self) -> CudaOut<'_, T> {
        let own = matches!(self.owner.memory, Memory::Own(_)) && self.is_plain();
        let count = if own && self.rows::<T>().is_some() {
            self.shape.iter().product()
        } else {
            0
        };
        // SAFETY: `own` made room for as many `T`, which lie one by one (checked), on the GPU that `beside` compares with
        // the rows', or that it was made for. Nobody else reads or writes them: those who ask for an `out` have just
        // made the array, or were handed one by Python code of this package that did.
        unsafe { CudaOut::new(self.first, count) }
    }
}

/// An array of `T`, aligned: only `beside` makes one.
pub(in super::super) struct Typed<'py, T> {
    array: Bound<'py, GpuArray>,
    of: PhantomData<T>,
}

impl<T: Real> Typed<'_, T> {
    pub(in super::super) fn rows(&self) -> CudaRows<'_, T> {
        // SAFETY: `beside` has checked type and place.
        unsafe { self.array.get().rows_unchecked() }
    }

    pub(in super::super) fn out(&mut self) -> CudaOut<'_, T> {
        self.array.get().out()
    }
}

/// An array of that type, on the GPU of the rows.
pub(in super::super) fn beside<'py, T: Real>(
    rows: &Cuda,
    array: &Bound<'py, PyAny>,
) -> PyResult<Typed<'py, T>> {
    let array = array.cast::<GpuArray>()?;
    let held = array.get();
    if held.rows::<T>().is_none() || held.gpu.ordinal != rows.0.ordinal {
        return Err(PyValueError::new_err(
            "an array is of another type than the rows, or on another GPU",
        ));
    }
    Ok(Typed {
        array: array.clone(),
        of: PhantomData,
    })
}
