//! `Error` as Python's exceptions, and back: the one place.

use crate::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyType;

create_exception!(
    sklearnex_rs,
    CudaUnavailableError,
    PyRuntimeError,
    "CUDA cannot be used here: the message says why, and what would help."
);
create_exception!(
    sklearnex_rs._core,
    NotFiniteError,
    PyValueError,
    "Rows, or sums of them, hold a NaN or an infinity."
);
create_exception!(
    sklearnex_rs._core,
    RanksDifferError,
    PyValueError,
    "Ranks passed different parameters, columns or types."
);
create_exception!(
    sklearnex_rs._core,
    CallsDifferError,
    PyRuntimeError,
    "Ranks made different calls on one communicator."
);
create_exception!(
    sklearnex_rs._core,
    CudaError,
    PyRuntimeError,
    "A call of CUDA failed."
);
create_exception!(
    sklearnex_rs._core,
    InternalError,
    PyRuntimeError,
    "A fault of this library; please report it."
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
    if let Error::Gone { rank, .. } = error {
        let value = RankLeftError::new_err(error.to_string());
        value.value(py).setattr("rank", *rank)?;
        return Ok(value);
    }
    let kind = error.kind();
    let (module, name) = kind.rsplit_once('.').unwrap_or(("builtins", kind));
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
    let kind = error.get_type(py).fully_qualified_name();
    let kind = kind.map_or_else(|_| "RuntimeError".to_owned(), |name| name.to_string());
    let text = error.value(py).to_string();
    let text = if text.is_empty() { kind.clone() } else { text };
    Error::Python { kind, text }
}
