//! Scores of the rows of a block, and what flows back from them: products with a few columns, in tiles
//! that stay in registers. Vectors lie along the rows' columns; scores lie score by score.
#![allow(clippy::inline_always)] // pulp compiles a body anew only where it is inlined

use pulp::bytemuck::cast_slice_mut;
use pulp::{Simd, WithSimd};

/// `Z = X Cᵀ`: rows and coefficients of one pitch, score by score into stretches of `stride`.
pub(super) struct Forward<'a> {
    pub(super) rows: &'a [f64],
    pub(super) coef: &'a [f64],
    pub(super) pitch: usize,
    pub(super) to: &'a mut [f64],
    pub(super) stride: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.scores::<S, 8, 4>(simd);
        } else {
            self.scores::<S, 4, 2>(simd);
        }
    }
}

impl Forward<'_> {
    /// `FEW` rows at a time for one or two scores, `MANY` for more.
    #[inline(always)]
    fn scores<S: Simd, const FEW: usize, const MANY: usize>(mut self, simd: S) {
        let m = self.coef.len() / self.pitch;
        let mut at = 0;
        while at < m {
            at += match m - at {
                1 => self.some::<S, 1, FEW>(simd, at),
                2 => self.some::<S, 2, FEW>(simd, at),
                3 | 6 => self.some::<S, 3, MANY>(simd, at),
                4 | 7 | 8 => self.some::<S, 4, MANY>(simd, at),
                _ => self.some::<S, 5, MANY>(simd, at),
            };
        }
    }

    /// `M` scores from `at` on, `R` rows at a time, the last ones again; says `M`.
    #[inline(always)]
    fn some<S: Simd, const M: usize, const R: usize>(&mut self, simd: S, at: usize) -> usize {
        let (pitch, n) = (self.pitch, self.rows.len() / self.pitch);
        let coef = |c: usize| S::as_simd_f64s(&self.coef[(at + c) * pitch..][..pitch]).0;
        let long = coef(0).len();
        let coefs: [&[S::f64s]; M] = std::array::from_fn(|c| &coef(c)[..long]);
        for start in (0..n).step_by(R) {
            let row = |r: usize| {
                let from = (start + r).min(n - 1) * pitch;
                &S::as_simd_f64s(&self.rows[from..from + pitch]).0[..long]
            };
            let rows: [&[S::f64s]; R] = std::array::from_fn(row);
            let mut sums = [[simd.splat_f64s(0.0); R]; M];
            for j in 0..long {
                for c in 0..M {
                    let factor = coefs[c][j];
                    for r in 0..R {
                        sums[c][r] = simd.mul_add_e_f64s(rows[r][j], factor, sums[c][r]);
                    }
                }
            }
            for (c, sums) in sums.into_iter().enumerate() {
                let to = &mut self.to[(at + c) * self.stride + start..];
                for (r, sum) in sums.into_iter().enumerate().take(n - start) {
                    to[r] = simd.reduce_sum_f64s(sum);
                }
            }
        }
        M
    }
}

/// `G += Rᵀ X`: rows of a pitch, `R` score by score in stretches of `stride`.
pub(super) struct Backward<'a> {
    pub(super) rows: &'a [f64],
    pub(super) pitch: usize,
    pub(super) rest: &'a [f64],
    pub(super) stride: usize,
    pub(super) to: &'a mut [f64],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.scores::<S, 4>(simd);
        } else {
            self.scores::<S, 2>(simd);
        }
    }
}

impl Backward<'_> {
    /// `V` vectors of columns at a time for many scores.
    #[inline(always)]
    fn scores<S: Simd, const V: usize>(mut self, simd: S) {
        let m = self.to.len() / self.pitch;
        let mut at = 0;
        while at < m {
            at += match m - at {
                1 => self.some::<S, 1, 6>(simd, at),
                2 => self.some::<S, 2, 4>(simd, at),
                3 | 6 => self.some::<S, 3, V>(simd, at),
                4 | 7 | 8 => self.some::<S, 4, V>(simd, at),
                _ => self.some::<S, 5, V>(simd, at),
            };
        }
    }

    /// `M` scores from `at` on; says `M`.
    #[inline(always)]
    fn some<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, at: usize) -> usize {
        let long = self.pitch * size_of::<f64>() / size_of::<S::f64s>();
        let mut j = 0;
        while j < long {
            j += match long - j {
                left if left >= V => self.tile::<S, M, V>(simd, at, j),
                left if left >= 3 => self.tile::<S, M, 3>(simd, at, j),
                2 => self.tile::<S, M, 2>(simd, at, j),
                _ => self.tile::<S, M, 1>(simd, at, j),
            };
        }
        M
    }

    /// `V` vectors of columns from `j` on; says `V`.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        at: usize,
        j: usize,
    ) -> usize {
        let (pitch, n) = (self.pitch, self.rows.len() / self.pitch);
        let rest: [&[f64]; M] = std::array::from_fn(|c| &self.rest[(at + c) * self.stride..][..n]);
        let mut sums = [[simd.splat_f64s(0.0); V]; M];
        for (i, row) in self.rows.chunks_exact(pitch).enumerate() {
            let row = &S::as_simd_f64s(row).0[j..j + V];
            for c in 0..M {
                let factor = simd.splat_f64s(rest[c][i]);
                for v in 0..V {
                    sums[c][v] = simd.mul_add_e_f64s(factor, row[v], sums[c][v]);
                }
            }
        }
        for (c, sums) in sums.into_iter().enumerate() {
            let to: &mut [S::f64s] = cast_slice_mut(&mut self.to[(at + c) * pitch..][..pitch]);
            for (to, sum) in to[j..j + V].iter_mut().zip(sums) {
                *to = simd.add_f64s(*to, sum);
            }
        }
        V
    }
}
