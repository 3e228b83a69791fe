//! Classical machine learning whose rows are spread over ranks.
//!
//! Rows are `f32` or `f64`, many, and live on some device. What is *known* of them is small, `f64`,
//! on the host, and the same on every rank. Every estimator is *look* (my rows → summary), *reduce*
//! (all ranks' summaries → one), *finish* (summary → model).
//!
//! | room      | question it answers            | may name                                      |
//! |-----------|--------------------------------|-----------------------------------------------|
//! | `error`   | what can go wrong              | nothing; all may name it                      |
//! | `memory`  | what has no room               | nothing; all may name it                      |
//! | `real`    | which numbers                  | nothing                                       |
//! | `block`   | which bytes travel             | nothing                                       |
//! | `comm`    | who else holds rows            | `block`                                       |
//! | `solve`   | which model follows            | nothing                                       |
//! | `device`  | where my rows live             | `real`, `block`, `solve`                      |
//! | `summary` | what is known of rows seen     | `comm`, `solve`                               |
//! | `algo`    | the estimators                 | all of the above                              |
//! | `python`  | the door                       | `algo`, and `comm`, `device` to build them    |
//!
//! Symbols used everywhere: `n` rows, `p` columns, `m` targets, `q = p + m`, `k` groups,
//! `x y w` data and weights, `S` co-moments, `r` rank.
//!
//! Caches, all keyed by value and by process: one thread pool per thread count
//! (`device::cpu::pool`), the table of MPI's functions (`mpi-sys`), how many GPUs there are, and
//! those in use with their kernels and cuSOLVER's handles (`device::cuda`); and on disk, compiled kernels
//! by source, type, compiler and architecture.

pub mod algo;
pub mod block;
pub mod comm;
pub mod device;
pub mod error;
pub mod memory;
#[cfg(feature = "python")]
mod python;
pub mod real;
pub mod solve;
pub mod summary;

pub use error::{Error, Result};
