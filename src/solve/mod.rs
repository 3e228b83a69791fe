//! Small matrices on the host: which model follows from a summary. Matrices lie column by column.

mod definite;
mod descent;
mod dimension;
mod inverse;
mod nonnegative;
mod orthogonal;
mod spectrum;
mod subspace;

pub use definite::root;
pub use descent::{Descent, Ended};
pub use dimension::{by_share, likeliest, variances};
pub use inverse::inverse;
pub use nonnegative::{nonnegative, nonnegative_of};
pub use orthogonal::{least_squares, stack, triangle};
pub use spectrum::{Spectrum, eigen, gap, right, singular};
pub use subspace::Subspace;
