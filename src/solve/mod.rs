//! Small matrices on the host: which model follows from a summary. Matrices lie column by column.

mod cholesky;
mod conjugate;
mod coordinates;
mod descent;
mod dimension;
mod fista;
mod inverse;
mod lbfgs;
mod line_search;
mod newton;
mod nonnegative;
mod orthogonal;
mod penalized;
mod spectrum;
mod subspace;

pub use cholesky::{cholesky, product};
pub use conjugate::{Ask, ConjugateSolver};
pub use descent::{Descent, Ended};
pub use dimension::{by_share, likeliest, variances};
pub use fista::Fista;
pub use inverse::{inverse, inverse_of};
pub use lbfgs::{Memory, Metric};
pub use line_search::{LineSearch, Verdict, moved};
pub use newton::Curvature;
pub use nonnegative::{nonnegative, nonnegative_of};
pub use orthogonal::{least_squares, orthogonal, r_factor, stack};
pub use penalized::Penalized;
pub use spectrum::{Pairs, Spectrum, dot, eigen, eigen_by, gap, pairs, right, singular};
pub use subspace::Subspace;
