//! Scaling by powers of two, which rounds nothing: decompositions square entries, and squares of numbers
//! near either end of `f64` vanish or overflow.

/// A factor `2^e`, also one that is no number of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scale(i32);

/// Exponents up to which columns are left as they are.
const ORDINARY: i32 = 400;

impl Scale {
    /// What the largest entry is divided by to lie near one; `2^e` with an even `e`.
    pub(super) fn of(a: &[f64]) -> Self {
        let larger = |largest: f64, a: &f64| if a.abs() > largest { a.abs() } else { largest };
        let largest = a.iter().fold(0.0, larger);
        Self(if largest > 0.0 && largest.is_finite() {
            exponent(largest) & !1
        } else {
            0
        })
    }

    /// The same, one for entries of ordinary size.
    pub(super) fn of_extremes(a: &[f64]) -> Self {
        let Self(e) = Self::of(a);
        Self(if e.abs() <= ORDINARY { 0 } else { e })
    }

    /// Whether it is one.
    pub(super) fn is_one(self) -> bool {
        self.0 == 0
    }

    /// Its square root.
    pub(super) fn root(self) -> Self {
        Self(self.0 / 2)
    }

    /// Multiplies entries by it.
    pub(super) fn multiply(self, a: &mut [f64]) {
        let [one, other] = [self.0 / 2, self.0 - self.0 / 2].map(|e| 2.0_f64.powi(e));
        for a in a {
            *a = *a * one * other;
        }
    }

    /// Divides entries by it.
    pub(super) fn divide(self, a: &mut [f64]) {
        Self(-self.0).multiply(a);
    }
}

/// `⌊log₂ x⌋` of a positive number.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // eleven bits
fn exponent(x: f64) -> i32 {
    const LIFT: i32 = 54;
    if x < f64::MIN_POSITIVE {
        return exponent(x * 2.0_f64.powi(LIFT)) - LIFT;
    }
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_there_and_back_rounds_nothing() {
        for largest in [5e-324, 3e-310, 1.1e-308, 1e-160, 0.3, 7.0, 1.7e308] {
            let scale = Scale::of(&[0.0, -largest]);
            let mut a = [largest, -largest];
            scale.divide(&mut a);
            assert!((1.0..4.0).contains(&a[0]), "{largest} became {}", a[0]);
            scale.multiply(&mut a);
            assert_eq!(a.map(f64::to_bits), [largest, -largest].map(f64::to_bits));
        }
        assert!(Scale::of(&[0.0]).is_one() && Scale::of_extremes(&[1e100]).is_one());
    }
}
