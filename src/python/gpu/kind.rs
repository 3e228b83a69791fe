//! Types of numbers on GPUs, as DLPack and NumPy have them.

use crate::real::Real;
use dlpark::ffi::{DLDataType, DLDataTypeCode};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;

/// DLPack's code of a type, and the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    code: DLDataTypeCode,
    bytes: u8,
}

impl Kind {
    /// What numbers of classes and clusters are.
    pub(super) const LABEL: Self = Self {
        code: DLDataTypeCode::INT,
        bytes: 4,
    };

    /// That of rows.
    pub(super) fn of<T: Real>() -> Self {
        Self {
            code: DLDataTypeCode::FLOAT,
            bytes: if size_of::<T>() == 8 { 8 } else { 4 },
        }
    }

    pub(super) fn of_dlpack(dtype: DLDataType) -> Option<Self> {
        let (code, bytes) = (dtype.code, dtype.bits / 8);
        let known = match code {
            DLDataTypeCode::INT | DLDataTypeCode::UINT => bytes <= 8 && bytes.is_power_of_two(),
            DLDataTypeCode::FLOAT => [2, 4, 8].contains(&bytes),
            DLDataTypeCode::BFLOAT => bytes == 2,
            DLDataTypeCode::BOOL => bytes == 1,
            _ => false,
        };
        let plain = dtype.lanes == 1 && dtype.bits.is_multiple_of(8);
        (known && plain).then_some(Self { code, bytes })
    }

    pub(super) fn of_numpy(dtype: &Bound<'_, PyArrayDescr>) -> Option<Self> {
        let code = match dtype.kind() {
            b'i' => DLDataTypeCode::INT,
            b'u' => DLDataTypeCode::UINT,
            b'f' => DLDataTypeCode::FLOAT,
            b'b' => DLDataTypeCode::BOOL,
            _ => return None,
        };
        let bytes = u8::try_from(dtype.itemsize()).ok().filter(|n| *n <= 8)?;
        (dtype.is_native_byteorder() != Some(false)).then_some(Self { code, bytes })
    }

    pub(super) fn dlpack(self) -> DLDataType {
        DLDataType {
            code: self.code,
            bits: 8 * self.bytes,
            lanes: 1,
        }
    }

    /// NumPy has no bfloat16: of that, its bits.
    pub(super) fn numpy(self, py: Python<'_>) -> PyResult<Bound<'_, PyArrayDescr>> {
        let letter = match self.code {
            DLDataTypeCode::INT => 'i',
            DLDataTypeCode::FLOAT => 'f',
            DLDataTypeCode::BOOL => 'b',
            _ => 'u',
        };
        PyArrayDescr::new(py, format!("{letter}{}", self.bytes))
    }

    /// As `Foreign` has it.
    pub(super) fn foreign(self) -> (i32, i32) {
        let code = if self.code == DLDataTypeCode::BOOL {
            DLDataTypeCode::UINT
        } else {
            self.code
        };
        (code.0.into(), self.bytes.into())
    }

    /// The bytes of a number.
    pub(super) fn size(self) -> usize {
        self.bytes.into()
    }

    pub(super) fn is_bfloat(self) -> bool {
        self.code == DLDataTypeCode::BFLOAT
    }

    /// Whether rows may be of it: `float32`, `float64`.
    pub(super) fn is_real(self) -> bool {
        self.code == DLDataTypeCode::FLOAT && self.bytes >= 4
    }

    /// Whether it is wider than `float32`: whole numbers and truth, too.
    pub(super) fn is_double(self) -> bool {
        self.bytes == 8 || !(self.code == DLDataTypeCode::FLOAT || self.is_bfloat())
    }
}
