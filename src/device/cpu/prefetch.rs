//! Memory that is read soon, asked for while there is still work in the cache.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined
#![allow(unsafe_code)] // the standard library has no safe name for the instruction

use std::ops::Range;

/// Asks for these numbers, as far as there are any.
#[inline(always)]
pub(super) fn prefetch<T>(memory: &[T], numbers: Range<usize>) {
    let numbers = numbers.start.min(memory.len())..numbers.end.min(memory.len());
    for line in memory[numbers].chunks(64 / size_of::<T>()) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: the target has SSE, as every x86-64 does (`cfg` above); a prefetch is a hint that
            // reads nothing and faults at no address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
