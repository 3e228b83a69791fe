//! The kinds of argument, and how each crosses into a library whose handles have type `W`.

use super::*;
use std::marker::PhantomData;
use std::mem::zeroed;

/// A handle as the C library has it: `c_int` or a pointer.
pub trait Word: Copy {
    fn pack(handle: *mut c_void) -> Self;
    fn unpack(self) -> *mut c_void;
}

/// Zero extension, so that equal handles are equal here whatever their sign was.
impl Word for c_int {
    fn pack(handle: *mut c_void) -> Self {
        handle as usize as c_int
    }
    fn unpack(self) -> *mut c_void {
        self as u32 as usize as *mut c_void
    }
}

impl Word for *mut c_void {
    fn pack(handle: *mut c_void) -> Self {
        handle
    }
    fn unpack(self) -> *mut c_void {
        self
    }
}

/// A handle as this crate shows it: always as wide as a pointer.
pub trait Handle: Copy {
    const UNSET: Self;
    fn new(handle: *mut c_void) -> Self;
    fn get(self) -> *mut c_void;
    /// What an output holds if the call fails, so that nothing reads an undefined handle.
    fn null() -> Self;
}

/// One kind of argument: `Rust` is what callers give, `C` what the library gets, `Held` what must
/// stay alive during the call. `n` is the length of the arrays in the call.
///
/// # Safety
/// `C` must have the representation of the C parameter; what `pass` gives must stay valid while
/// `Held` does.
pub unsafe trait Kind<W> {
    type Rust;
    type C;
    type Held;
    unsafe fn hold(arg: Self::Rust, n: usize) -> Self::Held;
    unsafe fn pass(held: &mut Self::Held) -> Self::C;
    /// Brings results back.
    unsafe fn write_back(_held: Self::Held) {}
}

macro_rules! plain {
    ($($t:ty),* $(,)?) => {$(
        // SAFETY: `C` is the type that the MPI standard has for the parameter, handed on as it came; what a
        // pointer leads to is the caller's to keep, as the standard has it.
        unsafe impl<W> Kind<W> for $t {
            type Rust = $t;
            type C = $t;
            type Held = $t;
            unsafe fn hold(arg: $t, _: usize) -> $t { arg }
            unsafe fn pass(held: &mut $t) -> $t { *held }
        }
    )*};
}

pub type Int = c_int;
pub type Aint = MPI_Aint;
pub type Ptr = *const c_void;
pub type MutPtr = *mut c_void;
pub type Ints = *const c_int;
pub type MutInts = *mut c_int;
pub type Aints = *const MPI_Aint;
pub type OutAint = *mut MPI_Aint;
pub type Text = *const c_char;
pub type OutText = *mut c_char;
pub type Texts = *mut *mut c_char;
pub type TextLists = *mut *mut *mut c_char;
plain!(Int, Aint, Ptr, MutPtr, Ints, MutInts, Aints, OutAint, Text, OutText, Texts, TextLists);
pub type UserFn = MPI_User_function;
pub type CopyAttr = MPI_Comm_copy_attr_function;
pub type DeleteAttr = MPI_Comm_delete_attr_function;
plain!(UserFn, CopyAttr, DeleteAttr);

/// The table's short names.
pub use self::{MPI_Comm as Comm, MPI_Datatype as Type, MPI_Errhandler as Errhandler};
pub use self::{MPI_Group as Group, MPI_Info as Info, MPI_Message as Message};
pub use self::{MPI_Op as Op, MPI_Request as Request};

macro_rules! handles {
    ($($t:ident = $null:ident),* $(,)?) => {$(
        #[repr(transparent)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $t(pub *mut c_void);
        // SAFETY: a handle is a number that is never dereferenced here. Which threads may make calls with
        // it is up to `MPI_Init_thread`; `comm::mpi` keeps to one at a time where that says so.
        unsafe impl Send for $t {}
        // SAFETY: the same: a shared handle is only copied.
        unsafe impl Sync for $t {}
        impl Handle for $t {
            const UNSET: Self = Self(std::ptr::null_mut());
            fn new(handle: *mut c_void) -> Self { Self(handle) }
            fn get(self) -> *mut c_void { self.0 }
            // SAFETY: `init` writes the statics before any other item of this crate is used, which is its
            // contract with the caller; from then on they are only read.
            fn null() -> Self { unsafe { $null } }
        }
        // SAFETY: `functions!` chooses `W` by `handle_bytes`, which `init`'s caller vouches for, so it is
        // the library's handle type; it is passed by value.
        unsafe impl<W: Word> Kind<W> for $t {
            type Rust = $t;
            type C = W;
            type Held = W;
            unsafe fn hold(arg: $t, _: usize) -> W { W::pack(arg.0) }
            unsafe fn pass(held: &mut W) -> W { *held }
        }
    )*};
}
handles! {
    MPI_Comm = RSMPI_COMM_NULL, MPI_Datatype = RSMPI_DATATYPE_NULL, MPI_Op = RSMPI_OP_NULL,
    MPI_Request = RSMPI_REQUEST_NULL, MPI_Group = RSMPI_GROUP_NULL, MPI_Info = RSMPI_INFO_NULL,
    MPI_Message = RSMPI_MESSAGE_NULL, MPI_Errhandler = RSMPI_ERRHANDLER_NULL,
}

/// An integer that MPI writes; zero if the call fails (`mpi` passes uninitialised memory).
pub struct OutInt;
/// A handle that MPI writes. It is not read: `mpi` passes uninitialised memory.
pub struct Out<T>(PhantomData<T>);
/// A handle that MPI reads and writes.
pub struct InOut<T>(PhantomData<T>);
/// `n` handles that MPI reads.
pub struct Each<T>(PhantomData<T>);
/// `n` handles that MPI reads and writes.
pub struct EachMut<T>(PhantomData<T>);
/// A status that MPI reads.
pub struct InStatus;
/// A status that MPI writes, or null where none is wanted.
pub struct OutStatus;
/// `n` statuses that MPI writes, or null.
pub struct EachStatus;

// SAFETY: C has `int *`, too; the caller's pointer is passed on, and leads to an `int` that it may write
// (contract of the function).
unsafe impl<W> Kind<W> for OutInt {
    type Rust = *mut c_int;
    type C = *mut c_int;
    type Held = *mut c_int;
    unsafe fn hold(arg: *mut c_int, _: usize) -> *mut c_int {
        arg.write(0);
        arg
    }
    unsafe fn pass(held: &mut *mut c_int) -> *mut c_int {
        *held
    }
}

/// Handles on their way: where they go back to, and the library's form of them.
pub struct Crossing<T, W> {
    to: *mut T,
    words: W,
}

macro_rules! one_handle {
    ($kind:ident, $to:ident => $first:expr) => {
        // SAFETY: the library gets a pointer to `words`, one handle of its own type, inside of `Held`,
        // which `call!` keeps in its place until the call is over; `to` is written once after that.
        unsafe impl<W: Word, T: Handle> Kind<W> for $kind<T> {
            type Rust = *mut T;
            type C = *mut W;
            type Held = Crossing<T, W>;
            unsafe fn hold($to: *mut T, _: usize) -> Crossing<T, W> {
                let first: T = $first;
                Crossing {
                    to: $to,
                    words: W::pack(first.get()),
                }
            }
            unsafe fn pass(held: &mut Crossing<T, W>) -> *mut W {
                &mut held.words
            }
            unsafe fn write_back(held: Crossing<T, W>) {
                held.to.write(T::new(held.words.unpack()));
            }
        }
    };
}
one_handle!(Out, to => T::null());
one_handle!(InOut, to => *to);

// SAFETY: the library gets a pointer to `n` handles of its own type, which the `Vec` in `Held` owns until
// the call is over; `n` is the argument that `functions!` names, by which the caller vouches for as many at
// `to`.
unsafe impl<W: Word, T: Handle> Kind<W> for EachMut<T> {
    type Rust = *mut T;
    type C = *mut W;
    type Held = Crossing<T, Vec<W>>;
    unsafe fn hold(to: *mut T, n: usize) -> Self::Held {
        let words = (0..n).map(|i| W::pack((*to.add(i)).get())).collect();
        Crossing { to, words }
    }
    unsafe fn pass(held: &mut Self::Held) -> *mut W {
        held.words.as_mut_ptr()
    }
    unsafe fn write_back(held: Self::Held) {
        for (i, word) in held.words.into_iter().enumerate() {
            held.to.add(i).write(T::new(word.unpack()));
        }
    }
}

// SAFETY: as of `EachMut`, but the library only reads them.
unsafe impl<W: Word, T: Handle> Kind<W> for Each<T> {
    type Rust = *const T;
    type C = *const W;
    type Held = Vec<W>;
    unsafe fn hold(from: *const T, n: usize) -> Vec<W> {
        (0..n).map(|i| W::pack((*from.add(i)).get())).collect()
    }
    unsafe fn pass(held: &mut Vec<W>) -> *const W {
        held.as_ptr()
    }
}

/// Large enough and aligned for the `MPI_Status` of any library.
type Raw = [u64; 16];

/// The three public fields, which `mpi` reads, and the library's own form behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MPI_Status {
    pub MPI_SOURCE: c_int,
    pub MPI_TAG: c_int,
    pub MPI_ERROR: c_int,
    raw: Raw,
}

impl MPI_Status {
    fn new(raw: Raw) -> Self {
        let int = |at: usize| (raw[at / 2].to_ne_bytes(), at % 2 * 4);
        let [source, tag, error] = library().status_fields.map(|at| {
            let (bytes, low) = int(at);
            c_int::from_ne_bytes([bytes[low], bytes[low + 1], bytes[low + 2], bytes[low + 3]])
        });
        MPI_Status {
            MPI_SOURCE: source,
            MPI_TAG: tag,
            MPI_ERROR: error,
            raw,
        }
    }
}

// SAFETY: `raw` is what the library wrote into this status (see `OutStatus`), 128 bytes, at least its size,
// aligned for it; the caller's pointer is alive for the call (contract of the function).
unsafe impl<W> Kind<W> for InStatus {
    type Rust = *const MPI_Status;
    type C = *const Raw;
    type Held = *const MPI_Status;
    unsafe fn hold(arg: *const MPI_Status, _: usize) -> *const MPI_Status {
        arg
    }
    unsafe fn pass(held: &mut *const MPI_Status) -> *const Raw {
        &(**held).raw
    }
}

// SAFETY: the library gets 128 zeroed bytes inside of `Held`, aligned to 8; `init` asserts that its status
// is no larger. The caller's pointer is written after the call, if it is not null.
unsafe impl<W> Kind<W> for OutStatus {
    type Rust = *mut MPI_Status;
    type C = *mut Raw;
    type Held = Crossing<MPI_Status, Raw>;
    unsafe fn hold(to: *mut MPI_Status, _: usize) -> Self::Held {
        Crossing {
            to,
            words: zeroed(),
        }
    }
    unsafe fn pass(held: &mut Self::Held) -> *mut Raw {
        &mut held.words
    }
    unsafe fn write_back(held: Self::Held) {
        if !held.to.is_null() {
            held.to.write(MPI_Status::new(held.words));
        }
    }
}

// SAFETY: the library gets `n * status_bytes` bytes or more, aligned to 8, which the `Vec` in `Held` owns
// until the call is over; `init` asserts that a status fits `Raw`, to which each is copied before it goes
// back to the caller.
unsafe impl<W> Kind<W> for EachStatus {
    type Rust = *mut MPI_Status;
    type C = *mut u64;
    type Held = Crossing<MPI_Status, (usize, Vec<u64>)>;
    unsafe fn hold(to: *mut MPI_Status, n: usize) -> Self::Held {
        let words = vec![0; (n * library().status_bytes).div_ceil(8) + 1];
        Crossing {
            to,
            words: (n, words),
        }
    }
    unsafe fn pass(held: &mut Self::Held) -> *mut u64 {
        held.words.1.as_mut_ptr()
    }
    unsafe fn write_back(held: Self::Held) {
        let (bytes, (n, words)) = (library().status_bytes, held.words);
        for i in 0..if held.to.is_null() { 0 } else { n } {
            let mut raw: Raw = [0; 16];
            let from = words.as_ptr().cast::<u8>().add(i * bytes);
            from.copy_to_nonoverlapping(raw.as_mut_ptr().cast(), bytes);
            held.to.add(i).write(MPI_Status::new(raw));
        }
    }
}
