//! What has no kernel for cards yet, and says so.

use super::missing;
use super::rows::{Cuda, CudaOut};
use crate::device::{Data, FactorKernels, LinkKernels, Linked, Scores};
use crate::{Result, real::Real};

const FACTORS: &str = "an orthonormal basis";

impl FactorKernels for Cuda {
    fn quotient_gram<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: &[f64]) -> Result<Vec<f64>> {
        Err(missing(FACTORS))
    }

    fn quotient<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[&[f64]],
        _: Option<&[f64]>,
        _: CudaOut<'_, T>,
    ) -> Result<()> {
        Err(missing(FACTORS))
    }

    fn reflect<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: Option<(CudaOut<'_, T>, usize)>,
    ) -> Result<(Vec<f64>, usize)> {
        Err(missing(FACTORS))
    }

    fn assemble<T: Real>(
        &self,
        _: usize,
        _: (&[f64], usize),
        _: (CudaOut<'_, T>, usize),
    ) -> Result<()> {
        Err(missing(FACTORS))
    }
}

impl LinkKernels for Cuda {
    fn link<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: Scores<'_>, _: bool) -> Result<Linked> {
        Err(missing("a logistic loss"))
    }
}
