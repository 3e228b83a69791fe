//! The door: functions in, plain arrays out.

mod array;
mod card;
mod cluster;
mod comm;
mod decomposition;
mod dlpack;
mod error;
mod linalg;
mod linear_model;
mod logistic_regression;
mod observer;
mod stream;
mod system;

/// Everything exported, in one list.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use super::card::CardArray;
    #[pymodule_export]
    use super::card::classes::{best_on_card, shares_on_card};
    #[pymodule_export]
    use super::card::lend::{lend, rest_on_card, scaled_on_card, to_card};
    #[pymodule_export]
    use super::cluster::{
        distances, drawn, inertia, kmeans, nearest, oversample, plus_plus, spread,
    };
    #[pymodule_export]
    use super::comm::{Comm, Seat, mpi, seats, solo};
    #[pymodule_export]
    use super::decomposition::{form, pca, project, truncated_svd};
    #[pymodule_export]
    use super::dlpack::host;
    #[pymodule_export]
    use super::error::{
        CallsDifferError, CudaError, CudaUnavailableError, InternalError, NotFiniteError,
        RankLeftError, RanksDifferError,
    };
    #[pymodule_export]
    use super::linalg::factor;
    #[pymodule_export]
    use super::linear_model::{
        absorb_line, conjugates, elastic_net, least_squares, linear, r2, settle,
    };
    #[pymodule_export]
    use super::logistic_regression::logistic;
    #[pymodule_export]
    use super::stream::{
        absorb_columns, absorb_moments, absorb_span, basic_statistics, components, covariance,
        inverse, union,
    };
    #[pymodule_export]
    use super::system::{cards, cuda, cusolver_columns, simd, threads};
}
