//! What `NearestKernels` asks of host memory, and which file has it.

use super::assign::{self, LabelState};
use super::centers::Centers;
use super::{Cpu, CpuRows, distances};
use crate::device::{Assigned, Data, Far, NearestKernels};
use crate::{Result, memory, real::Real};
use ndarray::Axis;
use std::ops::Range;

impl NearestKernels for Cpu {
    type Labels = LabelState;
    type Column<T: Real> = Vec<T>;
    type Centers<'c, T: Real> = Centers<'c, T>;

    fn centers<'c, T: Real>(&self, place: &'c [f64], centers: &'c [f64]) -> Result<Centers<'c, T>> {
        Centers::of(place.into(), centers.into())
    }

    fn pack_centers<T: Real>(&self, centers: &CpuRows<'_, f64>) -> Result<Centers<'static, T>> {
        let (k, p) = centers.dim();
        let (mut place, mut exact) = (
            memory::zeros(p, "centers")?,
            memory::zeros(k * p, "centers")?,
        );
        for (place, column) in place.iter_mut().zip(centers.columns()) {
            *place = column.sum() / k as f64;
        }
        for (center, exact) in centers
            .rows()
            .into_iter()
            .zip(exact.chunks_exact_mut(p.max(1)))
        {
            for ((to, from), place) in exact.iter_mut().zip(center).zip(&place) {
                *to = from - place;
            }
        }
        Centers::of(place.into(), exact.into())
    }

    fn labels<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<LabelState> {
        LabelState::of(rows.shape().0)
    }

    fn labels_to_host(&self, labels: LabelState) -> Result<Vec<i32>> {
        Ok(labels.labels)
    }

    fn column<T: Real>(&self, rows: &Data<'_, '_, Self, T>, value: f64) -> Result<Vec<T>> {
        let mut column = memory::zeros(rows.shape().0, "distances")?;
        column.fill(T::of(value));
        Ok(column)
    }

    fn clear<T: Real>(&self, column: &mut Vec<T>, rows: &[usize]) -> Result<()> {
        for row in rows {
            column[*row] = T::of(0.0);
        }
        Ok(())
    }

    fn label<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<'_, T>,
        labels: &mut LabelState,
    ) -> Result<()> {
        rows.check()?;
        assign::label(*self, rows, centers, labels)
    }

    fn assign<'l, T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<'_, T>,
        labels: &'l mut LabelState,
    ) -> Result<&'l Assigned> {
        rows.check()?;
        assign::assign(*self, rows, centers, labels)
    }

    fn held<'l>(&self, labels: &'l LabelState) -> &'l Assigned {
        &labels.has
    }

    fn inertia<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<'_, T>,
        labels: &LabelState,
    ) -> Result<f64> {
        rows.check()?;
        assign::inertia(*self, rows, centers, labels)
    }

    fn farthest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Centers<'_, T>,
        labels: &LabelState,
        count: usize,
    ) -> Result<Vec<Far>> {
        distances::farthest(*self, rows, centers, &labels.labels, count)
    }

    fn update_min_distance<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &mut Vec<T>,
        newest: &[f64],
        candidates: &[f64],
    ) -> Result<Vec<f64>> {
        rows.check()?;
        distances::update_min_distance(*self, rows, nearest, [newest, candidates])
    }

    fn potentials<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &Vec<T>,
        newest: &[f64],
        some: Range<usize>,
    ) -> Result<Vec<f64>> {
        distances::potentials(rows, nearest, newest, &some)
    }

    fn distances<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        points: &CpuRows<'_, T>,
        out: &mut [T],
    ) -> Result<()> {
        rows.check()?;
        let mut exact = memory::zeros(points.len(), "points")?;
        for (to, from) in exact.iter_mut().zip(points) {
            *to = (*from).into();
        }
        distances::distances(*self, rows, &exact, out)
    }

    fn row<T: Real>(&self, rows: &Data<'_, '_, Self, T>, row: usize) -> Result<Vec<f64>> {
        let mut x = memory::zeros(rows.shape().1, "a row")?;
        for (to, x) in x.iter_mut().zip(rows.x.index_axis(Axis(0), row)) {
            *to = (*x).into();
        }
        Ok(x)
    }
}
