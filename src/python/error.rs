//! `Error` as Python's exceptions, and back: the one place.

use crate::Error;
use crate::error::RANK_LEFT;
use pyo3::create_exception;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

create_exception!(
    sklearnex_rs,
    CudaUnavailableError,
    PyRuntimeError,
    "CUDA cannot be used here: the message says why, and what would help."
);

create_exception!(
    sklearnex_rs.spmd,
    RankLeftError,
    PyRuntimeError,
    "Another rank has left the program, so it takes part in no collective call."
);

/// The exception for an error.
pub(super) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    made(py, error).unwrap_or_else(|_| PyRuntimeError::new_err(error.to_string()))
}

fn made(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let (module, name) = match error.kind() {
        "sklearnex_rs.CudaUnavailableError" => {
            return Ok(CudaUnavailableError::new_err(error.to_string()));
        }
        RANK_LEFT => {
            let value = RankLeftError::new_err(error.to_string());
            if let Error::Gone { rank, .. } = error {
                value.value(py).setattr("rank", *rank)?;
            }
            return Ok(value);
        }
        "mpi4py.MPI.Exception" => ("mpi4py.MPI", "Exception"),
        kind => kind.rsplit_once('.').unwrap_or(("builtins", kind)),
    };
    let class = py.import(module)?.getattr(name)?;
    let value = if let Error::Transport { code, .. } = error {
        let value = class.call1((*code,))?;
        value.call_method1("add_note", (error.to_string(),))?;
        value
    } else {
        class.cast::<PyType>()?.call1((error.to_string(),))?
    };
    Ok(PyErr::from_value(value))
}

/// The error for an exception.
pub(super) fn caught(py: Python<'_>, error: &PyErr) -> Error {
    let kind = error.get_type(py).name().map(|name| name.to_string());
    let text = error.value(py).to_string();
    let kind = kind.unwrap_or_else(|_| "RuntimeError".to_owned());
    let text = if text.is_empty() { kind.clone() } else { text };
    Error::Python { kind, text }
}
