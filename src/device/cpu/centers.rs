//! The nearest of many centres: `argmin_c ‖z − c‖² = argmax_c zᵀc − ½‖c‖²`.
//!
//! The second best is kept as well: where both are nearer to each other than rounding, their
//! differences decide, in `f64`; and where centres are equally far, to the rounding that the order of
//! sums leaves in them, the first of them is the nearest. So ties fall alike however rows are spread.

use super::{CpuRows, blocks::Aligned};
use crate::{Error, Result, memory, real::Real};
use ndarray::Axis;
use std::borrow::Cow;

/// `z` of one row, in `f64`.
pub(super) fn exact<T: Real>(x: &CpuRows<'_, T>, row: usize, place: &[f64], z: &mut [f64]) {
    let row = x.index_axis(Axis(0), row);
    for ((z, x), place) in z.iter_mut().zip(row).zip(place) {
        *z = (*x).into() - place;
    }
}

/// What the order of sums may leave in distances, relative to their terms.
const TIE: f64 = 1e-12;

/// Centres, as the kernel reads them.
pub struct Centers<'c, T> {
    /// Number of columns.
    pub(super) p: usize,
    /// Number of centres.
    pub(super) k: usize,
    /// Around `place`, row by row.
    pub(super) exact: Cow<'c, [f64]>,
    /// Where rows are put; in `f64`, and as two numbers of their own type.
    pub(super) place: Cow<'c, [f64]>,
    pub(super) halves: [Vec<T>; 2],
    /// `−½‖c‖²`; infinitely low beyond the last, up to full vectors. Then `c`, column by column.
    pub(super) packed: Aligned<T>,
    /// Their numbers.
    pub(super) numbers: Aligned<T>,
    /// From one column to the next.
    pub(super) pitch: usize,
    /// The largest `‖c‖`.
    longest: f64,
}

impl<'c, T: Real> Centers<'c, T> {
    pub(super) fn of(place: Cow<'c, [f64]>, exact: Cow<'c, [f64]>) -> Result<Self> {
        let p = place.len();
        if p == 0 || exact.is_empty() || !exact.len().is_multiple_of(p) {
            return Err(Error::Shape("centers"));
        }
        let k = exact.len() / p;
        let pitch = k.next_multiple_of(64 / size_of::<T>());
        let mut packed = Aligned::of(pitch * (p + 1), "centers")?;
        let mut numbers = Aligned::of(pitch, "centers")?;
        packed[..pitch].fill(T::of(f64::NEG_INFINITY));
        let mut longest = 0.0_f64;
        for (c, center) in exact.chunks_exact(p).enumerate() {
            let square = center.iter().map(|x| x * x).sum::<f64>();
            longest = longest.max(square);
            packed[c] = T::of(-0.5 * square);
            numbers[c] = T::of(c as f64);
            for (j, x) in center.iter().enumerate() {
                packed[(j + 1) * pitch + c] = T::of(*x);
            }
        }
        let mut halves = [memory::zeros(p, "means")?, memory::zeros(p, "means")?];
        for (j, place) in place.iter().enumerate() {
            halves[0][j] = T::of(*place);
            halves[1][j] = T::of(place - halves[0][j].into());
        }
        Ok(Self {
            p,
            k,
            exact,
            place,
            halves,
            packed,
            numbers,
            pitch,
            longest: longest.sqrt(),
        })
    }

    /// By how much the gap of two scores of a row of this `‖z‖²` is off at most: each by `p + 4`
    /// roundings of its terms' size, and by what is lost below the smallest numbers; by any amount where
    /// terms may be above the largest.
    #[inline(always)]
    #[allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined
    pub(super) fn doubt(&self, square: T) -> f64 {
        let size = square.into().sqrt() + self.longest;
        let roundings = 2.0 * (self.p + 4) as f64;
        if size * size >= T::MOST {
            return f64::INFINITY;
        }
        (roundings * T::ROUNDING + TIE) * size * size + roundings * T::LEAST
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // k fits
    pub(super) fn nearest_exactly(&self, z: &[f64]) -> Result<i32> {
        let size = z.iter().map(|z| z * z).sum::<f64>().sqrt() + self.longest;
        let mut best = (f64::INFINITY, 0);
        for (c, center) in self.exact.chunks_exact(self.p).enumerate() {
            let square = |(z, c): (&f64, &f64)| (z - c) * (z - c);
            let distance = z.iter().zip(center).map(square).sum::<f64>();
            let near = distance < best.0 + TIE * size * size;
            if near && (best.0.is_infinite() || self.is_nearer(z, size, [c, best.1])) {
                best = (distance, c);
            }
        }
        let number = best.1 as i32;
        best.0.is_finite().then_some(number).ok_or(Error::NotFinite)
    }

    /// Whether the first of two centres is nearer, `Σⱼ (bⱼ − aⱼ)(2 zⱼ − aⱼ − bⱼ) < 0`, by more than what
    /// roundings of this size leave in it.
    fn is_nearer(&self, z: &[f64], size: f64, pair: [usize; 2]) -> bool {
        let [a, b] = pair.map(|c| &self.exact[c * self.p..][..self.p]);
        let (mut less, mut apart) = (0.0, 0.0);
        for ((z, a), b) in z.iter().zip(a).zip(b) {
            less += (b - a) * ((z - a) + (z - b));
            apart += (b - a) * (b - a);
        }
        less < -TIE * apart.sqrt() * size
    }
}
