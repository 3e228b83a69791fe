//! The constants. Those that differ between MPIs are statics, written once by `init`.

use super::*;
use crate::kinds::{Handle, Word};
use std::ptr::{null, null_mut};

pub const MPI_SUCCESS: u32 = 0;
/// At least that of every library: 64 in Open MPI, 128 in MPICH and in the MPI-5 ABI.
pub const MPI_MAX_OBJECT_NAME: u32 = 256;
/// The same in Open MPI, MPICH and the MPI-5 ABI; `fill` checks it.
pub const MPI_UNDEFINED: c_int = -32766;
/// Null; see `OutStatus`: the library always gets a status, so its own value is never needed.
pub static mut RSMPI_STATUS_IGNORE: *mut MPI_Status = null_mut();

/// Something that `init` receives as a number.
pub(super) trait Constant {
    const UNSET: Self;
    fn read(bits: usize, int_handles: bool) -> Self;
}

impl Constant for c_int {
    const UNSET: Self = 0;
    fn read(bits: usize, _: bool) -> Self {
        bits as c_int
    }
}

impl Constant for *const c_void {
    const UNSET: Self = null();
    fn read(bits: usize, _: bool) -> Self {
        bits as *const c_void
    }
}

impl<T: Handle> Constant for T {
    const UNSET: Self = T::UNSET;
    fn read(bits: usize, int_handles: bool) -> Self {
        T::new(if int_handles {
            (bits as c_int).unpack()
        } else {
            bits as *mut c_void
        })
    }
}

/// One line per type. The caller is asked for each name less its prefix: `DOUBLE`, `COMM_WORLD`.
macro_rules! constants {
    ($($t:ty: $($name:ident),*;)*) => {
        $($(pub static mut $name: $t = <$t as Constant>::UNSET;)*)*

        /// # Safety
        /// Nothing else may use the statics meanwhile.
        pub(super) unsafe fn fill<E>(
            int_handles: bool,
            mut get: impl FnMut(&str) -> Result<usize, E>,
        ) -> Result<(), E> {
            $($(
                let name = stringify!($name).split_once('_').map_or("", |(_, name)| name);
                $name = Constant::read(get(name)?, int_handles);
            )*)*
            assert_eq!(get("UNDEFINED")? as c_int, MPI_UNDEFINED);
            assert!(get("MAX_OBJECT_NAME")? <= MPI_MAX_OBJECT_NAME as usize);
            Ok(())
        }
    };
}

constants! {
    MPI_Comm: RSMPI_COMM_NULL, RSMPI_COMM_SELF, RSMPI_COMM_WORLD;
    MPI_Datatype: RSMPI_DATATYPE_NULL, RSMPI_C_BOOL, RSMPI_FLOAT, RSMPI_DOUBLE, RSMPI_INT8_T,
        RSMPI_INT16_T, RSMPI_INT32_T, RSMPI_INT64_T, RSMPI_UINT8_T, RSMPI_UINT16_T,
        RSMPI_UINT32_T, RSMPI_UINT64_T;
    MPI_Op: RSMPI_OP_NULL, RSMPI_SUM, RSMPI_PROD, RSMPI_MIN, RSMPI_MAX, RSMPI_LAND, RSMPI_LOR,
        RSMPI_LXOR, RSMPI_BAND, RSMPI_BOR, RSMPI_BXOR;
    MPI_Group: RSMPI_GROUP_NULL, RSMPI_GROUP_EMPTY;
    MPI_Info: RSMPI_INFO_NULL;
    MPI_Message: RSMPI_MESSAGE_NULL, RSMPI_MESSAGE_NO_PROC;
    MPI_Request: RSMPI_REQUEST_NULL;
    MPI_Errhandler: RSMPI_ERRHANDLER_NULL, RSMPI_ERRORS_RETURN;
    *const c_void: RSMPI_IN_PLACE;
    c_int: RSMPI_ANY_SOURCE, RSMPI_ANY_TAG, RSMPI_PROC_NULL, RSMPI_UNDEFINED, RSMPI_IDENT,
        RSMPI_CONGRUENT, RSMPI_SIMILAR, RSMPI_UNEQUAL, RSMPI_CART, RSMPI_GRAPH, RSMPI_DIST_GRAPH,
        RSMPI_COMM_TYPE_SHARED, RSMPI_MAX_LIBRARY_VERSION_STRING, RSMPI_MAX_PROCESSOR_NAME,
        RSMPI_THREAD_SINGLE, RSMPI_THREAD_FUNNELED, RSMPI_THREAD_SERIALIZED,
        RSMPI_THREAD_MULTIPLE, MPI_UNIVERSE_SIZE, MPI_APPNUM;
}
