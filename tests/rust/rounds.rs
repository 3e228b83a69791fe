//! Least squares in rounds: any number of ranks find what the triangle of all rows says.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // in helpers too

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use sklearnex_rs::{
    algo::{ConjugateGradients, LeastSquaresParams, collective},
    comm::{Communicator, Threads},
    device::{Cpu, Data},
    solve,
};

fn noise(n: usize, p: usize, seed: usize) -> Array2<f64> {
    let mut state = (1 + n * 31 + p + seed * 1009) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) as f64 / 2_f64.powi(30) - 1.0
    })
}

fn flat(a: &Array2<f64>) -> Vec<f64> {
    a.t().iter().copied().collect()
}

/// The share of a rank, of none for some.
fn mine<'a>(x: &'a Array2<f64>, comm: &dyn Communicator) -> ArrayView2<'a, f64> {
    let (n, size) = (x.nrows(), comm.size());
    let cut = |rank: usize| {
        let rank = rank - usize::from(rank % 4 == 3);
        n * rank * rank / (size * size)
    };
    let end = if comm.rank() + 1 == size {
        n
    } else {
        cut(comm.rank() + 1)
    };
    x.slice(s![cut(comm.rank())..end, ..])
}

struct Problem {
    x: Array2<f64>,
    y: Array2<f64>,
    w: Array2<f64>,
    intercept: bool,
    alphas: Vec<f64>,
}

impl Problem {
    fn new(x: Array2<f64>, alphas: &[f64]) -> Self {
        let (n, p) = x.dim();
        let m = alphas.len();
        let y = x.dot(&noise(p, m, 5)) + noise(n, m, 6) + 3.0;
        Self {
            x,
            y,
            w: Array2::from_shape_fn((n, 1), |(i, _)| (i % 4) as f64 * 0.5),
            intercept: true,
            alphas: alphas.to_vec(),
        }
    }

    fn fit(&self, comm: &dyn Communicator) -> (Vec<f64>, Vec<f64>, bool) {
        let [x, y, w] = [&self.x, &self.y, &self.w].map(|part| mine(part, comm));
        let rows = &Data {
            device: &Cpu { threads: 1 },
            x: &x,
            y: Some(&y),
            w: Some(&w),
        };
        let params = LeastSquaresParams {
            intercept: self.intercept,
            tol: 1e-6,
            positive: false,
            alphas: &self.alphas,
        };
        let fit = ConjugateGradients { rows, params };
        collective(comm, |comm| fit.fit(comm)).unwrap()
    }

    /// By singular values of the weighted, centred rows: coefficients, and how large they are.
    fn exact(&self) -> (Array2<f64>, f64) {
        let ((n, p), m) = (self.x.dim(), self.alphas.len());
        let center = |of: &Array2<f64>| {
            let mean = (of * &self.w).sum_axis(Axis(0)) / self.w.sum();
            let far = if self.intercept { 1.0 } else { 0.0 };
            (of - &(mean * far)) * self.w.mapv(f64::sqrt)
        };
        let (x, y) = (center(&self.x), center(&self.y));
        let (left, spectrum) = solve::singular([n, p], &flat(&x), 1).unwrap();
        let mut coef = Array2::zeros((p, m));
        for (t, alpha) in self.alphas.iter().enumerate() {
            let count = spectrum.rank(if *alpha > 0.0 { 0.0 } else { 1e-6 });
            for (i, value) in spectrum.values.iter().take(count).enumerate() {
                let u = &left[i * n..][..n];
                let along: f64 = u.iter().zip(y.column(t)).map(|(u, y)| u * y).sum();
                for (c, v) in coef
                    .column_mut(t)
                    .iter_mut()
                    .zip(&spectrum.vectors[i * p..])
                {
                    *c += along * value / (value * value + alpha) * v;
                }
            }
        }
        let size = coef.iter().map(|c| c * c).sum::<f64>().sqrt();
        (coef, size)
    }

    fn check(&self, what: &str) {
        let (exact, length) = self.exact();
        for size in [1, 2, 3, 5, 8] {
            let found = Threads::run(size, |comm| self.fit(comm));
            assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "bits");
            let (coef, intercept, converged) = &found[0];
            let apart: f64 = coef.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum();
            assert!(apart.sqrt() <= 1e-9 * length, "{what} on {size}: {apart}");
            assert!(converged, "{what} on {size}");
            let rest = (&self.y - &self.x.dot(&exact)) * &self.w;
            for (b, wanted) in intercept.iter().zip(rest.sum_axis(Axis(0)) / self.w.sum()) {
                let wanted = if self.intercept { wanted } else { 0.0 };
                assert!((b - wanted).abs() <= 1e-8 * (1.0 + wanted.abs()), "{what}");
            }
        }
    }
}

fn sized(x: &Array2<f64>, most: f64) -> Array2<f64> {
    let p = x.ncols() as f64;
    x * &Array2::from_shape_fn((1, x.ncols()), |(_, j)| most.powf(j as f64 / p))
}

#[test]
fn rounds_find_the_line_of_least_norm_on_any_number_of_ranks() {
    let x = noise(203, 12, 0) + 2.0;
    let twice = concatenate![Axis(1), x, x.slice(s![.., ..2]).to_owned() * 30.0];
    let mut constant = x.clone();
    constant.column_mut(3).fill(1e8);
    for (what, x) in [
        ("plain", x.clone()),
        ("of many sizes", sized(&x, 1e5)),
        ("dependent", twice),
        ("a constant", constant),
        ("far", &x + 1e5),
        ("few rows", noise(9, 12, 0)),
        ("one column", noise(20, 1, 0)),
    ] {
        for alphas in [vec![0.0], vec![0.0, 0.0, 0.0]] {
            let mut problem = Problem::new(x.clone(), &alphas);
            problem.check(what);
            problem.intercept = false;
            if what != "far" && what != "a constant" {
                problem.check(&format!("{what}, no intercept"));
            }
        }
    }
}

#[test]
fn rounds_find_penalised_lines_each_with_its_own_strength() {
    let x = noise(203, 12, 0) + 2.0;
    let twice = concatenate![Axis(1), x, x.clone()];
    for (what, x) in [
        ("plain", x.clone()),
        ("of many sizes", sized(&x, 1e4)),
        ("dependent", twice),
        ("few rows", noise(9, 12, 0)),
    ] {
        Problem::new(x.clone(), &[1.0]).check(what);
        Problem::new(x.clone(), &[0.1, 100.0]).check(what);
        Problem::new(x, &[0.0, 1.0]).check(what);
    }
}

#[test]
fn targets_that_are_constant_have_no_slope() {
    let mut problem = Problem::new(noise(50, 4, 0), &[0.0, 1.0]);
    problem.y.fill(7.0);
    let (coef, intercept, converged) = Threads::run(2, |comm| problem.fit(comm)).remove(0);
    assert!(coef.iter().all(|c| c.abs() < 1e-15) && converged);
    assert!(intercept.iter().all(|b| (b - 7.0).abs() < 1e-12));
}
