//! What has no kernel for cards yet, and says so.

use super::missing;
use super::rows::Cuda;
use crate::device::{
    Assigned, Data, FactorKernels, Far, LinkKernels, Linked, NearestKernels, Scores,
};
use crate::{Result, real::Real};

const FACTORS: &str = "an orthonormal basis";
const NEAREST: &str = "the nearest centre";

/// There is none.
pub enum Never {}

impl FactorKernels for Cuda {
    fn quotient_gram<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: &[f64]) -> Result<Vec<f64>> {
        Err(missing(FACTORS))
    }

    fn quotient<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[&[f64]],
        _: Option<&[f64]>,
        _: &mut [T],
    ) -> Result<()> {
        Err(missing(FACTORS))
    }

    fn reflect<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: Option<(&mut [T], usize)>,
    ) -> Result<(Vec<f64>, usize)> {
        Err(missing(FACTORS))
    }

    fn assemble<T: Real>(&self, _: usize, _: (&[f64], usize), _: (&mut [T], usize)) -> Result<()> {
        Err(missing(FACTORS))
    }
}

impl LinkKernels for Cuda {
    fn link<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: Scores<'_>, _: bool) -> Result<Linked> {
        Err(missing("a logistic loss"))
    }
}

impl NearestKernels for Cuda {
    type Labels = Never;
    type Column<T: Real> = Never;

    fn labels<T: Real>(&self, _: &Data<'_, '_, Self, T>) -> Result<Never> {
        Err(missing(NEAREST))
    }

    fn labels_to_host(&self, labels: Never) -> Result<Vec<i32>> {
        match labels {}
    }

    fn column<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: f64) -> Result<Never> {
        Err(missing(NEAREST))
    }

    fn clear<T: Real>(&self, column: &mut Never, _: &[usize]) -> Result<()> {
        match *column {}
    }

    fn label<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[f64],
        labels: &mut Never,
    ) -> Result<()> {
        match *labels {}
    }

    fn assign<'l, T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[f64],
        labels: &'l mut Never,
    ) -> Result<&'l Assigned> {
        match *labels {}
    }

    fn held<'l>(&self, labels: &'l Never) -> &'l Assigned {
        match *labels {}
    }

    fn inertia<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[f64],
        labels: &Never,
    ) -> Result<f64> {
        match *labels {}
    }

    fn farthest<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        _: &[f64],
        _: &[f64],
        labels: &Never,
        _: usize,
    ) -> Result<Vec<Far>> {
        match *labels {}
    }

    fn closer<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        nearest: &mut Never,
        _: &[f64],
        _: &[f64],
    ) -> Result<Vec<f64>> {
        match *nearest {}
    }

    fn potentials<T: Real>(
        &self,
        _: &Data<'_, '_, Self, T>,
        nearest: &Never,
        _: &[f64],
        _: usize,
    ) -> Result<Vec<f64>> {
        match *nearest {}
    }

    fn distances<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: &[f64], _: &mut [T]) -> Result<()> {
        Err(missing("distances to points"))
    }

    fn row<T: Real>(&self, _: &Data<'_, '_, Self, T>, _: usize) -> Result<Vec<f64>> {
        Err(missing(NEAREST))
    }
}
