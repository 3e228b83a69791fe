//! Copies of arrays on cards, and their way out by DLPack.

use super::super::array::broken;
use super::super::error::raise;
use super::CardArray;
use crate::algo::guarded;
use crate::device::cuda::{Foreign, Room};
use dlpark::ffi::{DLDataType, DLDevice, DLManagedTensor, DLManagedTensorVersioned};
use dlpark::python::{DlpackExporter, ExportRequest};
use dlpark::{DlpackFlags, Managed, ManagedTensorBase, metadata::Dynamic};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

impl CardArray {
    /// The same numbers, of a kind and size as `Foreign` has them, in memory of ours.
    pub(super) fn cast(
        &self,
        py: Python<'_>,
        (kind, bytes): (i32, i32),
        double: bool,
    ) -> PyResult<Self> {
        let rows = self.rows::<u8>();
        let of = Foreign {
            first: self.first,
            shape: rows.shape,
            steps: rows.steps,
            kind,
            bytes,
        };
        if self.shape.len() > 2 {
            return Err(PyValueError::new_err(
                "an array on a card has three dimensions",
            ));
        }
        let run = || {
            // SAFETY: `self` keeps the owner.
            guarded(|| unsafe {
                if double {
                    of.cast::<f64>(&self.card)
                } else {
                    of.cast::<f32>(&self.card)
                }
            })
        };
        let room = py.detach(run).map_err(|error| raise(py, &error))?;
        Ok(Self::own(&self.card, room, self.shape.clone(), double))
    }

    /// As `Foreign` has it.
    pub(super) fn kind(&self) -> (i32, i32) {
        (
            if self.whole { 0 } else { 2 },
            if self.double { 8 } else { 4 },
        )
    }

    /// A copy of its own.
    pub(super) fn copied(&self, py: Python<'_>) -> PyResult<Self> {
        if !self.is_plain() {
            return self.cast(py, self.kind(), self.double);
        }
        let size = if self.double { 8 } else { 4 };
        let bytes = self.shape.iter().product::<usize>() * size;
        // SAFETY: they lie one by one, and `self` keeps the owner.
        let room = unsafe { Room::copy(&self.card, self.first, bytes) };
        let room = room.map_err(|error| raise(py, &error))?;
        let whole = self.whole;
        let copy = Self::own(&self.card, room, self.shape.clone(), self.double);
        Ok(Self { whole, ..copy })
    }

    fn managed<M: ManagedTensorBase>(&self) -> PyResult<Managed<M>> {
        let whole = |n: &usize| i64::try_from(*n).map_err(broken);
        let shape = self.shape.iter().map(whole).collect::<PyResult<Vec<_>>>()?;
        let tensor = Dynamic::new(&shape[..], &self.steps[..]);
        let tensor = tensor.prepare_as::<M>().map_err(broken)?;
        let mut tensor = tensor.initialize(Arc::clone(&self.owner));
        tensor.set_data(self.first as *mut std::ffi::c_void);
        tensor.set_dtype(match (self.whole, self.double) {
            (false, false) => DLDataType::F32,
            (false, true) => DLDataType::F64,
            (true, false) => DLDataType::I32,
            (true, true) => DLDataType::I64,
        });
        tensor.set_device(self.device());
        // SAFETY: shape and steps are of memory that the tensor's owner keeps.
        Ok(unsafe { tensor.finish() })
    }
}

impl DlpackExporter for CardArray {
    fn device(&self) -> DLDevice {
        DLDevice::cuda(i32::try_from(self.card.ordinal).unwrap_or(i32::MAX))
    }

    fn flags(&self) -> DlpackFlags {
        DlpackFlags::empty()
    }

    /// Answers were waited for before they left: every stream may read them.
    fn prepare_export(&self, _: Python<'_>, _: &ExportRequest<'_>) -> PyResult<()> {
        Ok(())
    }

    fn export_legacy(&self, _: Python<'_>) -> PyResult<Managed<DLManagedTensor>> {
        self.managed()
    }

    fn export_versioned(&self, _: Python<'_>) -> PyResult<Managed<DLManagedTensorVersioned>> {
        self.managed()
    }
}
