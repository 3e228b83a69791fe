//! Places that hold rows, and rows with what belongs to them.

use crate::{Result, real::Real};

/// A place that holds rows.
pub trait Device: Send + Sync {
    /// Rows in this place.
    type Rows<'a, T: Real>: Sync;
    /// Room in this place for what is said of rows, row by row.
    type Out<'o, T: Real>: Send;

    /// The same room, for a while.
    fn again<'s, T: Real>(out: &'s mut Self::Out<'_, T>) -> Self::Out<'s, T>;

    /// `(rows, columns)`.
    fn shape<T: Real>(x: &Self::Rows<'_, T>) -> (usize, usize);

    /// Work on small matrices, which is done on the host: told how many threads may share it, of as
    /// many as are asked for.
    fn host<R: Send>(&self, threads: usize, work: impl FnOnce(usize) -> R + Send) -> R;

    /// Eigenvalues, rising, and eigenvectors, one by one, of a symmetric `p × p` matrix of the host,
    /// given by its lower half: where this place has a quicker way to them than the host, and it went
    /// well.
    fn eigen(&self, p: usize, s: &[f64]) -> Result<Option<(Vec<f64>, Vec<f64>)>>;
}

/// Rows, what belongs to them, and where they live. `y` and `w` are read where they lie, next to
/// `x`: nothing is stacked or copied.
pub struct Data<'a, 'm, D: Device, T: Real> {
    /// The place.
    pub device: &'a D,
    /// `n × p`.
    pub x: &'a D::Rows<'m, T>,
    /// Targets, `n × m`.
    pub y: Option<&'a D::Rows<'m, T>>,
    /// Weights, `n × 1`, none negative.
    pub w: Option<&'a D::Rows<'m, T>>,
}

impl<'a, 'm, D: Device, T: Real> Data<'a, 'm, D, T> {
    /// Rows, targets and weights. Fails where there are no rows.
    pub fn of(device: &'a D, [x, y, w]: &'a [Option<D::Rows<'m, T>>; 3]) -> Result<Self> {
        let x = x.as_ref().ok_or(crate::Error::Shape("there are no rows"))?;
        let (y, w) = (y.as_ref(), w.as_ref());
        Ok(Self { device, x, y, w })
    }

    /// `(n, p, m)`.
    pub fn shape(&self) -> (usize, usize, usize) {
        let (n, p) = D::shape(self.x);
        (n, p, self.y.map_or(0, |y| D::shape(y).1))
    }

    /// Fails unless `y` and `w` have as many rows as `x`.
    pub fn check(&self) -> Result<()> {
        let n = D::shape(self.x).0;
        if [self.y, self.w]
            .iter()
            .flatten()
            .all(|rows| D::shape(rows).0 == n)
        {
            return Ok(());
        }
        Err(crate::Error::Shape("x, y and w need equally many rows"))
    }
}
