//! `exp` and `log` that compile to vectors in plain loops; right to `1e-15`.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// `1.5 2⁵²`: added, it leaves a whole number in the lowest bits.
const WHOLE: f64 = 6_755_399_441_055_744.0;
/// `2⁵²`, and its bits.
const TWO_52: f64 = 4_503_599_627_370_496.0;
const BITS_52: u64 = 0x4330_0000_0000_0000;
/// The bits of `√½`.
const HALF_ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
/// Below it `exp` is no full number.
const LEAST: f64 = -708.0;

/// `1 / k!`, from the highest down to `1 / 2!`: Taylor's series where `|r| ≤ ½ log 2`.
const POWERS: [f64; 12] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
];

/// `exp x` of `x ≤ 700`; below -708 what it is there.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let x = if x < LEAST { LEAST } else { x }; // NaN stays
    let shifted = x.mul_add(std::f64::consts::LOG2_E, WHOLE);
    let k = shifted - WHOLE;
    let r = k.mul_add(-LN2[1], k.mul_add(-LN2[0], x));
    let mut sum = POWERS[0];
    for power in &POWERS[1..] {
        sum = sum.mul_add(r, *power);
    }
    let sum = (sum * r).mul_add(r, r) + 1.0;
    sum * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52))
}

/// `log (a + b)` of `a + b ≥ 1`; what the sum has no room for counts where `a ≥ b`.
#[inline(always)]
pub(super) fn log_sum(a: f64, b: f64) -> f64 {
    let s = a + b;
    let rest = if a >= b { (b - (s - a)) / s } else { 0.0 };
    let bits = s.to_bits();
    let power = bits.wrapping_sub(HALF_ROOT) >> 52;
    let f = f64::from_bits(bits.wrapping_sub(power << 52));
    let power = f64::from_bits(power | BITS_52) - TWO_52;
    // log f = 2 artanh t, |t| < 0.172.
    let t = (f - 1.0) / (f + 1.0);
    let square = t * t;
    let mut sum = 2.0 / 21.0;
    for k in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        sum = square.mul_add(sum, 2.0 / k);
    }
    let small = (square * t).mul_add(sum, rest);
    power.mul_add(LN2[0], power.mul_add(LN2[1], small) + 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::{exp, log_sum};

    #[test]
    fn exponentials_and_logarithms_are_right_to_rounding() {
        for i in 0..200_000 {
            let x = -700.0 + f64::from(i) * 0.007_003;
            let wanted = x.exp();
            assert!((exp(x) - wanted).abs() <= 8e-16 * wanted, "exp {x}");
            let (a, b) = (1.0, exp(-f64::from(i) * 0.003_7));
            let wanted = b.ln_1p();
            assert!((log_sum(a, b) - wanted).abs() <= 8e-16 * wanted, "log {b}");
            let (a, b) = (0.3, f64::from(i) * 0.37 + 0.7);
            let wanted = (a + b).ln();
            assert!((log_sum(a, b) - wanted).abs() <= 4e-16 + 8e-16 * wanted);
        }
        assert!(exp(f64::NAN).is_nan());
        assert!(exp(f64::NEG_INFINITY) < 1e-300);
    }
}
