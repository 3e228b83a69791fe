//! Small matrices on the host: which model follows from a summary. Matrices lie column by column.

mod nonnegative;
mod orthogonal;
mod spectrum;

pub use nonnegative::{nonnegative, nonnegative_of};
pub use orthogonal::{least_squares, stack, triangle};
pub use spectrum::{Spectrum, eigen, singular};
