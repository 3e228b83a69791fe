//! Rows and the centre that is nearest to each: `lᵢ = argmin_c ‖zᵢ − z_c‖²`, the lowest of equals.
//!
//! Rows are put around a `place` near them, `z = x − place`, and so are centres: differences keep
//! their digits far from zero.

use super::{Data, Device};
use crate::{Result, memory, real::Real};
use std::ops::Range;

/// What one look at the nearest centres brings.
#[derive(Default)]
pub struct Assigned {
    /// `Σ w z` of the rows of each centre, `k × p`, row by row.
    pub sums: Vec<f64>,
    /// `Σ w` of the rows of each centre.
    pub weights: Vec<f64>,
    /// How many rows each centre has.
    pub counts: Vec<f64>,
    /// How many rows have another centre than before.
    pub changed: f64,
}

impl Assigned {
    /// No rows of any of `k` centres.
    pub fn none(k: usize, p: usize) -> Result<Self> {
        Ok(Self {
            sums: memory::zeros(k * p, "sums of clusters")?,
            weights: memory::zeros(k, "weights of clusters")?,
            counts: memory::zeros(k, "counts of clusters")?,
            changed: 0.0,
        })
    }

    /// Takes in what changed.
    pub fn add(&mut self, more: &Self) {
        for (all, part) in [
            (&mut self.sums, &more.sums),
            (&mut self.weights, &more.weights),
            (&mut self.counts, &more.counts),
        ] {
            for (sum, part) in all.iter_mut().zip(part) {
                *sum += part;
            }
        }
        self.changed = more.changed;
    }
}

/// A row that is far from its centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Far {
    /// `d²`.
    pub distance: f64,
    /// Its weight.
    pub weight: f64,
    /// Its centre.
    pub label: usize,
    /// `z`.
    pub z: Vec<f64>,
}

/// Distances between rows and centres.
pub trait NearestKernels: Device {
    /// The centre of each row and what each centre has, kept beside the rows between looks.
    type Labels: Send;
    /// A number for each row, kept beside the rows between looks.
    type Column<T: Real>: Send;
    /// Centres beside rows of `T`, both around a place.
    type Centers<'c, T: Real>;

    /// `k` centres around a `place`, row by row, `k × p`.
    fn centers<'c, T: Real>(
        &self,
        place: &'c [f64],
        centers: &'c [f64],
    ) -> Result<Self::Centers<'c, T>>;

    /// Centres as they are, which lie where rows do; their mean is the place.
    fn pack_centers<T: Real>(
        &self,
        centers: &Self::Rows<'_, f64>,
    ) -> Result<Self::Centers<'static, T>>;

    /// No centre for any row.
    fn labels<T: Real>(&self, rows: &Data<'_, '_, Self, T>) -> Result<Self::Labels>
    where
        Self: Sized;

    /// The centre of each row for the host.
    fn labels_to_host(&self, labels: Self::Labels) -> Result<Vec<i32>>;

    /// That number for every row.
    fn column<T: Real>(&self, rows: &Data<'_, '_, Self, T>, value: f64) -> Result<Self::Column<T>>
    where
        Self: Sized;

    /// Makes the numbers of some rows zero.
    fn clear<T: Real>(&self, column: &mut Self::Column<T>, rows: &[usize]) -> Result<()>;

    /// Finds the nearest of the centres for each row. Where `f32` cannot tell two apart, `f64` does.
    /// Reads each row once: `2 n k p` flops.
    fn label<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Self::Centers<'_, T>,
        labels: &mut Self::Labels,
    ) -> Result<()>
    where
        Self: Sized;

    /// The same, and what each centre has then. All looks have one `place` and the same weights: where
    /// there are none, only rows that have another centre than before are added and taken away, and
    /// rows that can have no other need not be read.
    fn assign<'l, T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Self::Centers<'_, T>,
        labels: &'l mut Self::Labels,
    ) -> Result<&'l Assigned>
    where
        Self: Sized;

    /// What the last `assign` said.
    fn held<'l>(&self, labels: &'l Self::Labels) -> &'l Assigned;

    /// `Σ w d²`, the distances of rows to their own centres. `3 n p` flops.
    fn inertia<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Self::Centers<'_, T>,
        labels: &Self::Labels,
    ) -> Result<f64>
    where
        Self: Sized;

    /// The rows farthest from their centres, at most `count`, falling; of equals the first.
    fn farthest<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        centers: &Self::Centers<'_, T>,
        labels: &Self::Labels,
        count: usize,
    ) -> Result<Vec<Far>>
    where
        Self: Sized;

    /// Takes the `newest` centres into account, `nearest = min(nearest, ‖x − newest‖²)`, and says for
    /// each of the candidates, row by row, `Σ w min(nearest, ‖x − candidate‖²)` of every
    /// `PIECE` rows; without candidates `Σ w nearest`. All of these points are rows: differences in
    /// the rows' own type are exact to their last digit. Reads each row once: `3 n p` flops for each.
    fn update_min_distance<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &mut Self::Column<T>,
        newest: &[f64],
        candidates: &[f64],
    ) -> Result<Vec<f64>>
    where
        Self: Sized;

    /// `w min(nearest, ‖x − newest‖²)` of some rows, one by one, as `closer` sums them.
    fn potentials<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        nearest: &Self::Column<T>,
        newest: &[f64],
        some: Range<usize>,
    ) -> Result<Vec<f64>>
    where
        Self: Sized;

    /// `‖x − point‖` into `out`, row by row. All are as they are, around no place: differences in the
    /// rows' own type are exact far from the origin. `3 n k p` flops.
    fn distances<T: Real>(
        &self,
        rows: &Data<'_, '_, Self, T>,
        points: &Self::Rows<'_, T>,
        out: Self::Out<'_, T>,
    ) -> Result<()>
    where
        Self: Sized;

    /// One row.
    fn row<T: Real>(&self, rows: &Data<'_, '_, Self, T>, row: usize) -> Result<Vec<f64>>
    where
        Self: Sized;
}

/// Rows whose potentials are summed together.
pub const PIECE: usize = 1024;
