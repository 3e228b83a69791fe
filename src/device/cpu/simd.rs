//! Loops that touch every entry, compiled for several processors and chosen at run time.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use super::part::Part;
use crate::real::Real;
use ndarray::{ArrayView2, Axis};
use pulp::{Arch, NullaryFnOnce};

/// Adds the rows of a part, each by its weight, to `sums`.
struct AddRows<'p, 's, T> {
    part: Part<'p, T>,
    weights: &'s [f64],
    origin: &'s [f64],
    sums: &'s mut [f64],
}

impl<T: Real> NullaryFnOnce for AddRows<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (n, width) = (self.part.view.nrows(), self.part.width);
        let row = |i| self.part.row(i).unwrap_or_default();
        let (origin, sums) = (&self.origin[..width], &mut self.sums[..width]);
        for (i, w) in self.weights.iter().enumerate() {
            let row = &row(i)[..width];
            for j in 0..width {
                sums[j] += w * (row[j].into() - origin[j]);
            }
        }
        if !self.weights.is_empty() {
            return;
        }
        for i in (0..n / 4 * 4).step_by(4) {
            let [a, b, c, d] = [row(i), row(i + 1), row(i + 2), row(i + 3)];
            let [a, b, c, d] = [&a[..width], &b[..width], &c[..width], &d[..width]];
            for j in 0..width {
                let o = origin[j];
                let first = (a[j].into() - o) + (b[j].into() - o);
                sums[j] += first + ((c[j].into() - o) + (d[j].into() - o));
            }
        }
        for i in n / 4 * 4..n {
            let row = &row(i)[..width];
            for j in 0..width {
                sums[j] += row[j].into() - origin[j];
            }
        }
    }
}

/// Adds the squares of the rows of a part less their place, each by its weight, to `sums`.
struct AddSquares<'p, 's, T> {
    part: Part<'p, T>,
    weights: &'s [f64],
    place: [&'s [f64]; 2],
    sums: &'s mut [f64],
}

impl<T: Real> NullaryFnOnce for AddSquares<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.part.width;
        let [origin, mean] = self.place.map(|place| &place[..width]);
        let sums = &mut self.sums[..width];
        for i in 0..self.part.view.nrows() {
            let row = &self.part.row(i).unwrap_or_default()[..width];
            let w = self.weights.get(i).copied().unwrap_or(1.0);
            for j in 0..width {
                let z = (row[j].into() - origin[j]) - mean[j];
                sums[j] += w * z * z;
            }
        }
    }
}

/// Raises `least` to the largest `−x` and `largest` to the largest `x` of the rows of a part, but of
/// those without weight.
struct ReachRows<'p, 's, T> {
    part: Part<'p, T>,
    weights: &'s [f64],
    most: [&'s mut [T]; 2],
}

impl<T: Real> NullaryFnOnce for ReachRows<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (width, zero) = (self.part.width, T::of(0.0));
        let [least, largest] = self.most;
        let (least, largest) = (&mut least[..width], &mut largest[..width]);
        for i in 0..self.part.view.nrows() {
            if self.weights.get(i).is_some_and(|w| *w <= 0.0) {
                continue;
            }
            let row = &self.part.row(i).unwrap_or_default()[..width];
            for j in 0..width {
                let (x, negative) = (row[j], zero - row[j]);
                least[j] = if negative > least[j] {
                    negative
                } else {
                    least[j]
                };
                largest[j] = if x > largest[j] { x } else { largest[j] };
            }
        }
    }
}

/// Eight sums side by side: a fixed order that the processor can follow.
struct Sum<'a, T>(&'a [T], f64);

impl<T: Real> NullaryFnOnce for Sum<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let (eights, rest) = self.0.as_chunks::<8>();
        let mut sums = [0.0; 8];
        for eight in eights {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += (*x).into() - self.1;
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|x| (*x).into() - self.1).sum::<f64>()
    }
}

/// `z = ((x − origin) − shift) root` for the rows of a part, into columns `at..` of rows of `stride`.
pub(super) struct CenterRows<'p, 'z, A, T> {
    pub(super) part: Part<'p, T>,
    pub(super) place: [&'z [A]; 2],
    pub(super) roots: &'z [A],
    pub(super) z: &'z mut [A],
    pub(super) stride: usize,
    pub(super) at: usize,
}

impl<A: Real, T: Real> NullaryFnOnce for CenterRows<'_, '_, A, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (n, width) = (self.part.view.nrows(), self.part.width);
        let [origin, shift] = self.place.map(|place| &place[..width]);
        if self.part.by_columns() {
            for (j, column) in self.part.view.columns().into_iter().enumerate() {
                let z = self.z[self.at + j..].iter_mut().step_by(self.stride);
                for (z, x) in z.zip(column) {
                    *z = (A::of((*x).into()) - origin[j]) - shift[j];
                }
            }
        }
        for i in 0..n {
            let z = &mut self.z[i * self.stride + self.at..][..width];
            if let Some(row) = self.part.row(i) {
                let row = &row[..width];
                for j in 0..width {
                    z[j] = (A::of(row[j].into()) - origin[j]) - shift[j];
                }
            }
            if let Some(root) = self.roots.get(i) {
                for z in z {
                    *z *= *root;
                }
            }
        }
    }
}

/// `z = (x − origin) − shift` for some rows, which lie anywhere, into rows of `stride`.
pub(super) struct PickRows<'a, 'z, A, T> {
    pub(super) x: ArrayView2<'a, T>,
    pub(super) some: &'z [usize],
    pub(super) place: [&'z [A]; 2],
    pub(super) z: &'z mut [A],
    pub(super) stride: usize,
}

impl<A: Real, T: Real> NullaryFnOnce for PickRows<'_, '_, A, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let p = self.x.ncols();
        let [origin, shift] = self.place.map(|place| &place[..p]);
        if p > 1 && self.x.strides()[1] != 1 {
            for (j, column) in self.x.columns().into_iter().enumerate() {
                for (i, row) in self.some.iter().enumerate() {
                    let x = A::of(column[*row].into());
                    self.z[i * self.stride + j] = (x - origin[j]) - shift[j];
                }
            }
            return;
        }
        for (i, row) in self.some.iter().enumerate() {
            let row = self.x.index_axis_move(Axis(0), *row);
            let row = &row.to_slice().unwrap_or_default()[..p];
            let z = &mut self.z[i * self.stride..][..p];
            for j in 0..p {
                z[j] = (A::of(row[j].into()) - origin[j]) - shift[j];
            }
        }
    }
}

/// `z = (x − origin) − shift`: one of each for all.
struct CenterColumn<'a, A, T> {
    column: &'a [T],
    place: [A; 2],
    z: &'a mut [A],
}

impl<A: Real, T: Real> NullaryFnOnce for CenterColumn<'_, A, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (z, x) in self.z.iter_mut().zip(self.column) {
            *z = (A::of((*x).into()) - self.place[0]) - self.place[1];
        }
    }
}

/// The sum of eight numbers, in pairs.
#[inline(always)]
pub(super) fn total<T: Real>(a: [T; 8]) -> T {
    ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

/// Sums of the columns of a part less their origin, by weight.
pub(super) fn add_columns<T: Real>(
    part: Part<'_, T>,
    weights: &[f64],
    origin: &[f64],
    sums: &mut [f64],
) {
    let arch = Arch::new();
    if part.width > 1 && part.view.strides()[1] == 1 {
        return arch.dispatch(AddRows {
            part,
            weights,
            origin,
            sums,
        });
    }
    for ((sum, column), o) in sums.iter_mut().zip(part.view.columns()).zip(origin) {
        *sum = match column.to_slice() {
            Some(column) if weights.is_empty() => arch.dispatch(Sum(column, *o)),
            _ => {
                let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
                let weighed = column
                    .iter()
                    .zip(weights)
                    .map(|(x, w)| w * ((*x).into() - o));
                weighed.sum()
            }
        };
    }
}

/// Sums of the squares of the columns of a part less their place, by weight.
pub(super) fn add_squares<T: Real>(
    part: Part<'_, T>,
    weights: &[f64],
    place: [&[f64]; 2],
    sums: &mut [f64],
) {
    if !part.by_columns() {
        return Arch::new().dispatch(AddSquares {
            part,
            weights,
            place,
            sums,
        });
    }
    for (j, (sum, column)) in sums.iter_mut().zip(part.view.columns()).enumerate() {
        let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
        for (x, w) in column.iter().zip(weights) {
            let z = ((*x).into() - place[0][j]) - place[1][j];
            *sum += w * z * z;
        }
    }
}

/// Raises the largest `−x` and `x` of the columns to those of a part, but of rows without weight.
pub(super) fn reach<T: Real>(part: Part<'_, T>, weights: &[f64], most: [&mut [T]; 2]) {
    if !part.by_columns() {
        return Arch::new().dispatch(ReachRows {
            part,
            weights,
            most,
        });
    }
    let [least, largest] = most;
    for ((least, largest), column) in least.iter_mut().zip(largest).zip(part.view.columns()) {
        let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
        for (x, _) in column.iter().zip(weights).filter(|(_, w)| *w > 0.0) {
            let negative = T::of(0.0) - *x;
            *least = if negative > *least { negative } else { *least };
            *largest = if *x > *largest { *x } else { *largest };
        }
    }
}

/// Centres the columns of a part, each into its own stretch.
pub(super) fn center_columns<A: Real, T: Real>(
    part: ArrayView2<'_, T>,
    [origin, shift]: [&[A]; 2],
    roots: &[A],
    z: &mut [A],
) {
    let (n, arch) = (part.nrows(), Arch::new());
    let columns = part.columns().into_iter().zip(z.chunks_exact_mut(n));
    for (j, (column, z)) in columns.enumerate() {
        let place = [origin[j], shift[j]];
        if let Some(column) = column.to_slice() {
            arch.dispatch(CenterColumn { column, place, z });
        } else {
            for (z, x) in z.iter_mut().zip(column) {
                *z = (A::of((*x).into()) - place[0]) - place[1];
            }
        }
        for (z, root) in z.iter_mut().zip(roots) {
            *z *= *root;
        }
    }
}
