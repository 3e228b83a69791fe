//! How many directions of a falling spectrum of variances are worth keeping.

use crate::{Result, memory};
use std::f64::consts::{LN_2, PI};

/// Variance that counts as none.
const NONE: f64 = 1e-15;

/// Variances of `n` rows with these singular values: `σ² / (n − 1)`.
pub fn variances(values: &[f64], n: f64) -> Result<Vec<f64>> {
    let mut variances = memory::copy(values, "variances")?;
    for variance in &mut variances {
        *variance = *variance * *variance / (n - 1.0);
    }
    Ok(variances)
}

/// Variances over the largest, `σ² / σ₁²`: squares of ratios stay within `f64` where those of values
/// may not.
pub fn relative(values: &[f64]) -> Result<Vec<f64>> {
    let largest = values.first().copied().unwrap_or(0.0);
    let mut variances = memory::copy(values, "variances")?;
    for variance in &mut variances {
        *variance = (*variance / largest).powi(2);
    }
    Ok(variances)
}

/// As few as explain more than `share` of the variance.
pub fn by_share(variances: &[f64], share: f64) -> usize {
    let total: f64 = variances.iter().sum();
    let mut sum = 0.0;
    let below = variances.iter().take_while(|variance| {
        sum += *variance / total;
        sum <= share
    });
    (below.count() + 1).min(variances.len())
}

/// The number of directions for which `n` rows with these variances are likeliest (Minka, *Automatic
/// Choice of Dimensionality for PCA*, 2000, equation 30): the first of the largest, zero if there is
/// none.
pub fn likeliest(variances: &[f64], n: f64) -> Result<usize> {
    let p = variances.len();
    // Of the first `k`, in order: `Σ ln λᵢ`, and over pairs `i < k`, `i < j` the `ln (λᵢ − λⱼ)`.
    let (mut logs, mut volume) = (0.0_f64, 0.0_f64);
    let mut pairs: Vec<f64> = memory::zeros(p + 1, "sums")?;
    for (k, variance) in variances.iter().enumerate() {
        let below = &variances[k + 1..];
        pairs[k + 1] = pairs[k] + below.iter().map(|other| ln(variance - other)).sum::<f64>();
    }
    let rest: f64 = variances.iter().sum();
    let (mut kept, mut inside) = (0.0_f64, 0.0_f64);
    let (mut best, mut most) = (0, f64::NEG_INFINITY);
    for k in 1..p {
        let last = variances[k - 1];
        kept += last;
        logs += ln(last);
        volume += ln_gamma((p - k + 1) as f64 / 2.0) - PI.ln() * (p - k + 1) as f64 / 2.0;
        // Pairs of which both are kept: `1/λⱼ − 1/λᵢ = (λᵢ − λⱼ) / λᵢλⱼ`.
        for other in &variances[..k - 1] {
            inside += ln(other - last) - ln(*other) - ln(last);
        }
        if last < NONE {
            continue;
        }
        let (count, others) = (k as f64, (p - k) as f64);
        let noise = ((rest - kept) / others).max(NONE);
        let across: f64 = variances[..k]
            .iter()
            .map(|variance| ln(1.0 / noise - 1.0 / variance))
            .sum();
        let m = p as f64 * count - count * (count + 1.0) / 2.0;
        let curvature = pairs[k] + inside + others * across + m * n.ln();
        let evidence = volume - count * LN_2 - logs * n / 2.0 - noise.ln() * n * others / 2.0
            + (2.0 * PI).ln() * (m + count) / 2.0
            - curvature / 2.0
            - count * n.ln() / 2.0;
        if evidence > most {
            (best, most) = (k, evidence);
        }
    }
    Ok(best)
}

/// `ln x`, where equal variances differ by the least there is.
fn ln(x: f64) -> f64 {
    x.max(f64::MIN_POSITIVE).ln()
}

/// `ln Γ(x)` of a positive multiple of one half.
fn ln_gamma(x: f64) -> f64 {
    // Upwards from Γ(1) = 1 or Γ(½) = √π.
    let whole = x.fract() == 0.0;
    let (mut at, mut sum) = if whole {
        (1.0, 0.0)
    } else {
        (0.5, PI.ln() / 2.0)
    };
    while at < x {
        sum += f64::ln(at);
        at += 1.0;
    }
    sum
}
