//! Arrays on cards while a call runs: rows in, room for answers.

use super::super::array::{Answers, Told};
use super::CardArray;
use super::kind::Kind;
use crate::device::Input;
use crate::device::cuda::{Cuda, CudaLabels, CudaOut, CudaRows, Room};
use crate::{Result, real::Real};
use numpy::Element;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

/// Rows, targets and weights on one card, while a call runs.
pub(in super::super) struct Held<'py> {
    arrays: [Option<Bound<'py, CardArray>>; 3],
    pub(super) device: Cuda,
    pub(super) double: bool,
}

impl<'py> Held<'py> {
    pub(in super::super) fn of(arrays: [Option<&Bound<'py, PyAny>>; 3]) -> PyResult<Self> {
        let mut held = [None, None, None];
        for (held, array) in held.iter_mut().zip(arrays) {
            *held = array
                .map(|array| array.cast::<CardArray>().cloned())
                .transpose()?;
        }
        let Some(first) = held.iter().flatten().next().map(Bound::get) else {
            return Err(PyValueError::new_err("there are no rows"));
        };
        let alike = |other: &CardArray| {
            other.kind == first.kind && other.card.ordinal == first.card.ordinal
        };
        if !held.iter().flatten().all(|other| alike(other.get())) {
            return Err(PyValueError::new_err(
                "arrays are not of one type, or not on one card",
            ));
        }
        if !first.kind.is_real() {
            return Err(PyValueError::new_err(
                "rows on a card are float32 or float64",
            ));
        }
        let (device, double) = (Cuda(Arc::clone(&first.card)), first.kind.is_double());
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

    pub(super) fn rows<T>(&self) -> [Option<CudaRows<'_, T>>; 3] {
        self.arrays
            .each_ref()
            .map(|array| array.as_ref().map(|array| array.get().rows()))
    }
}

/// An array of that type, on the card of the rows.
fn beside<'py, T: Real>(rows: &Cuda, array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, CardArray>> {
    let array = array.cast::<CardArray>()?;
    let held = array.get();
    if held.kind != Kind::of::<T>() || held.card.ordinal != rows.0.ordinal {
        return Err(PyValueError::new_err(
            "an array is of another type than the rows, or on another card",
        ));
    }
    Ok(array.clone())
}

impl Answers for Cuda {
    type Room<'py, T: Real + Element> = Bound<'py, CardArray>;

    fn room<'py, T: Real + Element>(
        &self,
        out: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, CardArray>> {
        beside::<T>(self, out)
    }

    type Numbers<'py, T: Real + Element> = Bound<'py, CardArray>;

    fn numbers<'py, T: Real + Element>(
        &self,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, CardArray>> {
        beside::<T>(self, of)
    }

    fn lent<'o, T: Real + Element>(numbers: &'o Bound<'_, CardArray>) -> CudaRows<'o, T> {
        numbers.get().rows()
    }

    fn told(&self, labels: CudaLabels) -> Result<Told> {
        let n = labels.rows();
        let room = Room::of_labels(labels);
        let shape = vec![n]; // one number
        let numbers = CardArray::own(&self.0, room, shape, Kind::LABEL);
        Ok(Told::Card(numbers))
    }

    fn out<'o, T: Real + Element>(room: &'o mut Bound<'_, CardArray>) -> PyResult<CudaOut<'o, T>> {
        Ok(room.get().out())
    }
}
