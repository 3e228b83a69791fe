//! Where my rows live, and the primitives that touch them.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod data;
mod factor;
mod link;
mod moments;
mod nearest;
mod product;

pub use cpu::{Cpu, CpuRows, LabelState, simd, threads_for};
pub use data::{Data, Device};
pub use factor::FactorKernels;
pub use link::{LinkKernels, Linked, Scores, free};
pub use moments::{ColumnMoments, MomentKernels, MomentOptions};
pub use nearest::{Assigned, Far, NearestKernels, PIECE};
pub use product::ProductKernels;

/// Every primitive: what an algorithm may ask of a device.
pub trait Kernels:
    FactorKernels + LinkKernels + MomentKernels + NearestKernels + ProductKernels
{
}
impl<D: FactorKernels + LinkKernels + MomentKernels + NearestKernels + ProductKernels> Kernels
    for D
{
}

/// Rows of either type in either place, with targets and weights: what the binding layer hands in.
pub enum Input<'a> {
    /// Host, single precision.
    CpuF32(Cpu, [Option<CpuRows<'a, f32>>; 3]),
    /// Host, double precision.
    CpuF64(Cpu, [Option<CpuRows<'a, f64>>; 3]),
    /// A GPU, single precision.
    #[cfg(feature = "cuda")]
    CudaF32(cuda::Cuda, [Option<cuda::CudaRows<'a, f32>>; 3]),
    /// A GPU, double precision.
    #[cfg(feature = "cuda")]
    CudaF64(cuda::Cuda, [Option<cuda::CudaRows<'a, f64>>; 3]),
}

/// Runs one generic expression on whatever the input is: the only `match` on a device.
#[macro_export]
macro_rules! dispatch {
    ($input:expr, |$device:ident, $rows:ident| $body:expr) => {
        match $input {
            $crate::device::Input::CpuF32($device, $rows) => $body,
            $crate::device::Input::CpuF64($device, $rows) => $body,
            #[cfg(feature = "cuda")]
            $crate::device::Input::CudaF32($device, $rows) => $body,
            #[cfg(feature = "cuda")]
            $crate::device::Input::CudaF64($device, $rows) => $body,
        }
    };
}
