//! The door: functions in, plain arrays out.

mod array;
mod cluster;
mod comm;
mod decomposition;
mod dlpack;
mod error;
mod gpu;
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
    use super::cluster::{
        distances, drawn, inertia, kmeans, nearest, oversample, plus_plus, variances,
    };
    #[pymodule_export]
    use super::comm::{Comm, ThreadRank, mpi, solo, thread_ranks};
    #[pymodule_export]
    use super::decomposition::{pca, project, quadratic_form, truncated_svd};
    #[pymodule_export]
    use super::dlpack::host;
    #[pymodule_export]
    use super::error::CudaUnavailableError;
    #[pymodule_export]
    use super::gpu::GpuArray;
    #[pymodule_export]
    use super::gpu::borrow::{borrow, residual_on_gpu, scaled_on_gpu, to_gpu};
    #[pymodule_export]
    use super::gpu::classes::{best_on_gpu, probabilities_on_gpu};
    #[pymodule_export]
    use super::linalg::factor;
    #[pymodule_export]
    use super::linear_model::{
        absorb_centered_r, conjugate_gradients, elastic_net, finish_stream, least_squares, linear,
        r2,
    };
    #[pymodule_export]
    use super::logistic_regression::logistic;
    #[pymodule_export]
    use super::stream::{
        absorb_columns, absorb_leading_rows, absorb_moments, basic_statistics, components,
        covariance, inverse, union,
    };
    #[pymodule_export]
    use super::system::{cuda, cusolver_columns, gpus, simd, threads};
}
