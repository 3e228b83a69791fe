//! Copies of arrays on GPUs, and their way out by DLPack.

use super::super::dlpack::broken;
use super::super::error::raise;
use super::kind::Kind;
use super::{GpuArray, Memory};
use crate::algo::guarded;
use crate::device::cuda::{Buffer, Foreign};
use crate::memory;
use dlpark::ffi::{DLDevice, DLManagedTensor, DLManagedTensorVersioned};
use dlpark::python::{DlpackExporter, ExportRequest};
use dlpark::{DlpackFlags, Managed, ManagedTensorBase, metadata::Dynamic};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyTuple};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes that come to the host at a time where most are of nobody's.
const PIECE: usize = 1 << 26;

impl GpuArray {
    /// The same numbers in memory of ours, as `float64` or `float32`.
    pub(super) fn cast(&self, py: Python<'_>, double: bool) -> PyResult<Self> {
        let (shape, steps) = self.matrix();
        let (kind, bytes) = self.kind.foreign();
        let of = Foreign {
            first: self.first,
            shape,
            steps,
            kind,
            bytes,
        };
        if self.shape.len() > 2 {
            return Err(PyValueError::new_err(
                "an array on a GPU has three dimensions",
            ));
        }
        let run = || {
            // SAFETY: shape, steps and kind are those that the owner of the memory gave (`borrow` took them from DLPack,
            // `own` made them), with two axes at most (checked); `self` keeps the owner until this returns.
            guarded(|| unsafe {
                if double {
                    of.cast::<f64>(&self.gpu)
                } else {
                    of.cast::<f32>(&self.gpu)
                }
            })
        };
        let buffer = py.detach(run).map_err(|error| raise(py, &error))?;
        let kind = if double {
            Kind::of::<f64>()
        } else {
            Kind::of::<f32>()
        };
        Ok(Self::own(&self.gpu, buffer, self.shape.clone(), kind))
    }

    /// A copy of its own.
    pub(super) fn copied(&self, py: Python<'_>) -> PyResult<Self> {
        if !self.is_plain() {
            return self.cast(py, self.kind.is_double());
        }
        let bytes = self.shape.iter().product::<usize>() * self.kind.size();
        // SAFETY: `is_plain` says that as many numbers as the shape has lie one by one from `first` on, of the kind's
        // size; `self` keeps their owner until this returns.
        let copy = || guarded(|| unsafe { Buffer::copy(&self.gpu, self.first, bytes) });
        let buffer = py.detach(copy).map_err(|error| raise(py, &error))?;
        Ok(Self::own(&self.gpu, buffer, self.shape.clone(), self.kind))
    }

    /// Where the first of its numbers in memory is before `first`, and how many there are to the last.
    fn span(&self) -> (usize, usize) {
        let far = |(length, step): (&usize, &i64)| {
            let length = i64::try_from(*length).unwrap_or(i64::MAX);
            step.saturating_mul(length.saturating_sub(1))
        };
        let each = self.shape.iter().zip(&self.steps).map(far);
        let (mut before, mut after) = (0_u64, 0_u64);
        for way in each {
            let to = if way < 0 { &mut before } else { &mut after };
            *to = to.saturating_add(way.unsigned_abs());
        }
        let all = before.saturating_add(after).saturating_add(1);
        let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        (whole(before), whole(all))
    }

    /// Its memory from the first to the last number, as NumPy sees its numbers there.
    fn seen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (size, (before, numbers)) = (self.kind.size(), self.span());
        let (start, bytes) = (before * size, numbers.saturating_mul(size));
        // Eight bytes at a time, so that any numbers are aligned.
        let mut out: Vec<f64> = memory::zeros(bytes.div_ceil(8), "an array of a GPU")
            .map_err(|error| raise(py, &error))?;
        let mut copy = || {
            let to = out.as_mut_ptr().cast();
            // SAFETY: `out` has `bytes` bytes, rounded up to whole `f64`, of which any bits are one; `span` says how
            // far before and after `first` the owner's shape and steps lead, and `self` keeps the owner.
            guarded(|| unsafe {
                let to = std::slice::from_raw_parts_mut(to, bytes);
                self.gpu.copy_from(self.first - start as u64, to)
            })
        };
        py.detach(&mut copy).map_err(|error| raise(py, &error))?;
        let long = |n: usize| i64::try_from(n).map_err(broken);
        let (size, mut steps) = (long(size)?, self.steps.clone());
        for step in &mut steps {
            *step *= size;
        }
        let (shape, steps) = (PyTuple::new(py, &self.shape)?, PyTuple::new(py, steps)?);
        let memory = numpy::PyArray1::from_vec(py, out);
        let class = py.import("numpy")?.getattr("ndarray")?;
        class.call1((shape, self.kind.numpy(py)?, memory, start, steps))
    }

    /// A copy for NumPy; no kernel has a part in it.
    pub(super) fn gathered<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let numbers = self.shape.iter().product::<usize>();
        let shape = PyTuple::new(py, &self.shape)?;
        let empty = || {
            let dtype = self.kind.numpy(py)?;
            py.import("numpy")?.call_method1("empty", (shape, dtype))
        };
        if numbers == 0 {
            return empty();
        }
        let size = self.kind.size();
        if self.span().1 <= numbers.saturating_mul(4).max(PIECE / size) {
            return self.seen(py);
        }
        let long = (0..self.shape.len()).filter(|axis| self.shape[*axis] > 1);
        let axis = long.max_by_key(|axis| self.steps[*axis].unsigned_abs());
        let axis = axis.unwrap_or(0);
        let step = usize::try_from(self.steps[axis].unsigned_abs()).map_err(broken)?;
        let (out, each) = (empty()?, (PIECE / size / step.max(1)).max(1));
        for start in (0..self.shape[axis]).step_by(each) {
            let end = self.shape[axis].min(start + each);
            let (from, to) = (isize::try_from(start), isize::try_from(end));
            let part = PySlice::new(py, from.map_err(broken)?, to.map_err(broken)?, 1);
            let mut at = (0..axis).map(|_| PySlice::full(py)).collect::<Vec<_>>();
            at.push(part);
            let piece = self.part(axis, start..end)?;
            out.set_item(PyTuple::new(py, at)?, piece.seen(py)?)?;
        }
        Ok(out)
    }

    fn managed<M: ManagedTensorBase>(&self) -> PyResult<Managed<M>> {
        let whole = |n: &usize| i64::try_from(*n).map_err(broken);
        let shape = self.shape.iter().map(whole).collect::<PyResult<Vec<_>>>()?;
        let tensor = Dynamic::new(&shape[..], &self.steps[..]);
        let tensor = tensor.prepare_as::<M>().map_err(broken)?;
        self.owner.left.store(true, Ordering::Relaxed);
        let mut tensor = tensor.initialize(Arc::clone(&self.owner));
        tensor.set_data(self.first as *mut std::ffi::c_void);
        tensor.set_dtype(self.kind.dlpack());
        tensor.set_device(self.device());
        tensor.set_flags(self.flags()).map_err(broken)?;
        // SAFETY: `first`, shape, steps and kind describe the memory that `self.owner` keeps, of which the tensor
        // holds a reference until its deleter runs; `Owner::drop` then waits for streams that may still read it.
        Ok(unsafe { tensor.finish() })
    }
}

impl DlpackExporter for GpuArray {
    fn device(&self) -> DLDevice {
        DLDevice::cuda(i32::try_from(self.gpu.ordinal).unwrap_or(i32::MAX))
    }

    fn flags(&self) -> DlpackFlags {
        match &self.owner.memory {
            Memory::Borrowed(of) => of.flags() & DlpackFlags::READ_ONLY,
            Memory::Own(_) => DlpackFlags::empty(),
        }
    }

    /// Answers were waited for when they were made, what was lent is now: every stream may read them.
    fn prepare_export(&self, py: Python<'_>, _: &ExportRequest<'_>) -> PyResult<()> {
        let wait = || match self.owner.memory {
            Memory::Borrowed(_) => guarded(|| self.gpu.synchronize()),
            Memory::Own(_) => Ok(()),
        };
        py.detach(wait).map_err(|error| raise(py, &error))
    }

    fn export_legacy(&self, _: Python<'_>) -> PyResult<Managed<DLManagedTensor>> {
        self.managed()
    }

    fn export_versioned(&self, _: Python<'_>) -> PyResult<Managed<DLManagedTensorVersioned>> {
        self.managed()
    }
}
