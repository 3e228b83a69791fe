//! Small matrices on the host: which model follows from a summary. Matrices lie column by column.

mod conjugate;
mod dimension;
mod nonnegative;
mod orthogonal;
mod root;
mod spectrum;
mod subspace;

pub use conjugate::{Ask, Conjugate};
pub use dimension::{by_share, likeliest, variances};
pub use nonnegative::{nonnegative, nonnegative_of};
pub use orthogonal::{least_squares, orthogonal, stack, triangle};
pub use root::{product, root};
pub use spectrum::{Spectrum, eigen, gap, right, singular};
pub use subspace::Subspace;
