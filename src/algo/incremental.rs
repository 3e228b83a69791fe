//! # Least squares in batches
//!
//! As of `least_squares`, where rows cannot be looked at again.
//!
//! Kept of the rows: `Bordered`, the triangle of `[1 X y]`, whose condition is that of the rows, not its
//! square. A look costs `2 n q²` flops for `q = p + m`, and `q² + q` numbers are reduced, in means and a
//! butterfly of triangles.

use super::{Aim, Line, gather, lead};
use crate::{
    Error, Result,
    comm::Communicator,
    device::{Data, Kernels},
    memory,
    real::Real,
    solve,
    summary::{Bordered, Means, Triangle},
};

/// `Bordered` of my rows; around zero where not centred.
pub fn bordered<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centered: bool,
) -> Result<Bordered> {
    let (_, p, m) = rows.shape();
    let q = p + m;
    let found = rows.device.means(rows)?;
    let means = Means::of(found.counts, &found.origin, &found.mean)?;
    let none = memory::zeros(q, "means")?;
    let mean = if centered { means.mean() } else { &none };
    let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
    if !finite(means.mean()) {
        return Err(Error::NotFinite);
    }
    let (columns, used) = rows.device.triangle(rows, mean, q)?;
    if !finite(&columns) {
        return Err(Error::NotFinite);
    }
    let triangle = Triangle::of(q, q, &columns, used)?;
    Ok(Bordered::of(means, triangle, centered))
}

/// The line of the batches of all ranks, of `p` columns and `m` targets, and how many rows they have. A
/// header must have agreed on these.
pub fn settle(
    comm: &dyn Communicator,
    known: &[f64],
    [p, m]: [usize; 2],
    aim: &Aim<'_>,
) -> Result<(Line, f64)> {
    let seen = gather(comm, known, || Bordered::empty(p + m, aim.intercept))?;
    let none = memory::zeros(p + m, "means")?;
    let mean = if aim.intercept {
        seen.means().mean()
    } else {
        &none
    };
    let (triangle, means) = (seen.triangle(), seen.means());
    let line = lead(comm, || {
        let x = &triangle.columns()[..(p + m) * p];
        let found = solve::singular([p + m, p], x, 1)?;
        aim.line(p, triangle, [means.rows(), means.weight()], mean, found)
    })?;
    Ok((line, means.rows()))
}
