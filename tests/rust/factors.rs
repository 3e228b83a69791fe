//! Orthonormal bases: kernels against their definitions, and any number of ranks.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // in helpers too

use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use sklearnex_rs::{
    Result,
    algo::{Qr, Truncated, TruncatedSvd, collective},
    comm::{Communicator, Solo, Threads},
    device::{Cpu, Data, FactorKernels},
    real::Real,
    solve,
    summary::{Summary, TsqrBasis},
};

fn noise(n: usize, p: usize, seed: usize) -> Array2<f64> {
    let mut state = (1 + n * 31 + p + seed * 1009) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) as f64 / 2_f64.powi(30) - 1.0
    })
}

/// Rows of which later columns are nearer to the first ones, down to `2^-k`.
fn steep(n: usize, p: usize, k: i32) -> Array2<f64> {
    let mut x = noise(n, p, 1);
    for j in 1..p {
        let (before, mut rest) = x.view_mut().split_at(ndarray::Axis(1), j);
        let apart = 2_f64.powi(-k * i32::try_from(j).unwrap() / i32::try_from(p).unwrap());
        let near = &before.column(j - 1) + &(&rest.column(0) * apart);
        rest.column_mut(0).assign(&near);
    }
    x
}

fn columns(h: usize, p: usize, data: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((h, p).f(), data).unwrap()
}

fn flat(a: &Array2<f64>) -> Vec<f64> {
    a.t().iter().copied().collect()
}

fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).iter().fold(0.0, |most, d| d.abs().max(most))
}

fn orthonormal(q: &Array2<f64>) -> f64 {
    apart(&q.t().dot(q), &Array2::eye(q.ncols()))
}

/// An upper triangle with a diagonal near one.
fn triangle(p: usize, seed: usize) -> Array2<f64> {
    let noise = noise(p, p, seed) / p as f64;
    Array2::from_shape_fn((p, p), |(i, j)| match i.cmp(&j) {
        std::cmp::Ordering::Less => noise[(i, j)],
        std::cmp::Ordering::Equal => 1.0 + 0.5 * noise[(i, j)],
        std::cmp::Ordering::Greater => 0.0,
    })
}

fn quotients<T: Real>(x: &Array2<T>, threads: usize, within: f64) {
    let ((n, p), device) = (x.dim(), &Cpu { threads });
    let exact = x.mapv(Into::into);
    for fortran in [false, true] {
        let mut laid = Array2::from_elem((n, p).set_f(fortran), T::of(0.0));
        laid.assign(x);
        let view = laid.view();
        let (y, w) = (None, None);
        let rows = &Data {
            device,
            x: &view,
            y,
            w,
        };
        let [r, again, turn] = [triangle(p, 2), triangle(p, 3), noise(p, p, 4)];
        let [r1, r2, turned] = [&r, &again, &turn].map(flat);
        let mut out = vec![T::of(7.0); n * p];
        device
            .quotient(rows, &[&r1, &r2], Some(&turned), &mut out)
            .unwrap();
        let found = Array2::from_shape_vec((n, p), out.clone()).unwrap();
        // Q R₂ R₁ = X, where T is a rotation no more than a number.
        let mut whole = vec![T::of(7.0); n * p];
        device
            .quotient(rows, &[&r1, &r2], None, &mut whole)
            .unwrap();
        let basis = Array2::from_shape_vec((n, p), whole)
            .unwrap()
            .mapv(Into::into);
        let size = 1.0 + p as f64;
        assert!(
            apart(&basis.dot(&again).dot(&r), &exact) < within,
            "{n} × {p}"
        );
        let rotated = found.mapv(Into::into);
        assert!(
            apart(&rotated, &basis.dot(&turn)) < within * size,
            "{n} × {p}"
        );
        let gram = device.quotient_gram(rows, &r1).unwrap();
        device.quotient(rows, &[&r1], None, &mut out).unwrap();
        let basis = Array2::from_shape_vec((n, p), out)
            .unwrap()
            .mapv(Into::into);
        let wanted = basis.t().dot(&basis);
        for (i, j) in (0..p).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let error = (gram[i * (i + 1) / 2 + j] - wanted[(i, j)]).abs();
            assert!(error <= within * (1.0 + n as f64), "{n} × {p}: {i} {j}");
        }
    }
}

#[test]
fn rows_over_triangles_times_these_are_the_rows() {
    for (n, p) in (1..40)
        .map(|p| (p % 19 + 3, p))
        .chain([(5000, 9), (700, 70), (1, 1), (0, 3)])
    {
        let x = noise(n, p, 0);
        quotients(&x, 1 + p % 2, 1e-12);
        quotients(&x.mapv(f32::of), 1 + p % 2, 1e-5);
    }
}

#[test]
fn reflections_bring_orthonormal_columns_of_any_matrix() {
    for (n, p) in [
        (1, 1),
        (5, 3),
        (3, 5),
        (40, 40),
        (300, 50),
        (2, 70),
        (33, 17),
        (90, 16),
    ] {
        let mut twice = noise(n, p, 0);
        for j in (1..p).step_by(2) {
            let copy = twice.column(j - 1).to_owned();
            twice.column_mut(j).assign(&copy);
        }
        let all = [
            noise(n, p, 0),
            steep(n, p, 48),
            twice,
            Array2::zeros((n, p)),
            Array2::ones((n, p)),
        ];
        for x in all {
            let (mut a, k) = (flat(&x), n.min(p));
            let q = columns(n, k, &solve::orthogonal(n, p, &mut a).unwrap()).to_owned();
            let r = columns(n, p, &a).slice(s![..k, ..]).to_owned();
            assert!(orthonormal(&q) < 1e-13, "{n} × {p}");
            let size = x.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
            assert!(apart(&q.dot(&r), &x) <= 1e-14 * size, "{n} × {p}");
        }
    }
}

#[test]
fn roots_are_of_their_matrix_and_know_what_they_lose() {
    for p in [1, 2, 9, 40] {
        let x = noise(100, p, 0)
            * &Array2::from_shape_fn((1, p), |(_, j)| 10_f64.powf((j % 7) as f64 * 9.0 - 30.0));
        let s = x.t().dot(&x);
        let (r, loss) = solve::cholesky(p, p, flat(&s)).unwrap().unwrap();
        let loss = loss * loss;
        let r = columns(p, p, &r).to_owned();
        let scale = Array2::from_shape_fn((p, p), |(i, j)| 1.0 / (s[(i, i)] * s[(j, j)]).sqrt());
        assert!(apart(&(r.t().dot(&r) * &scale), &(&s * &scale)) < 1e-14);
        assert!(
            loss >= p as f64 * (1.0 - 1e-12) && loss < 20.0 * p as f64,
            "{loss}"
        );
    }
    let steep = steep(200, 3, 24);
    let (_, loss) = solve::cholesky(3, 3, flat(&steep.t().dot(&steep)))
        .unwrap()
        .unwrap();
    assert!(loss > 1e3, "{loss}");
    for bad in [vec![1.0, 1.0, 1.0, 1.0 - 1e-9], vec![1.0, 2.0, 2.0, 1.0]] {
        assert_eq!(solve::cholesky(2, 2, bad).unwrap(), None);
    }
    let (zero, _) = solve::cholesky(2, 2, vec![0.0; 4]).unwrap().unwrap();
    assert_eq!(zero, [0.0; 4]);
}

#[test]
fn a_tree_joins_in_rank_order_and_tells_each_what_follows() {
    for size in 1..=17 {
        let (found, messages) = Threads::count(size, |comm| {
            let mine = vec![comm.rank() as f64]; // one
            comm.tree(
                mine,
                |lower, upper| Ok(([lower, upper].concat(), lower.len())),
                |all| Ok(all.to_vec()),
                |half, all| Ok([all[..*half].to_vec(), all[*half..].to_vec()]),
            )
            .unwrap()
        });
        let wanted: Vec<Vec<f64>> = (0..size).map(|rank| vec![rank as f64]).collect();
        assert_eq!(found, wanted);
        assert_eq!(messages, 2 * size.next_power_of_two().ilog2() as usize);
    }
}

/// The share of a rank: uneven, of none for some.
fn mine<'a, T>(x: &'a Array2<T>, comm: &dyn Communicator) -> ArrayView2<'a, T> {
    let (n, size) = (x.nrows(), comm.size());
    let cut = |rank: usize| {
        let rank = rank - usize::from(rank % 4 == 3); // every fourth starts where the one before does
        n * rank * rank / (size * size)
    };
    let end = if comm.rank() + 1 == size {
        n
    } else {
        cut(comm.rank() + 1)
    };
    x.slice(s![cut(comm.rank())..end, ..])
}

#[test]
fn branches_lead_to_orthonormal_columns_and_obey_the_laws() {
    for (n, p) in [(40, 4), (9, 4), (3, 4), (70, 1)] {
        let mut x = noise(n, p, 0);
        if p > 2 {
            let copy = x.column(0).to_owned();
            x.column_mut(2).assign(&copy);
        }
        for size in 1..=16 {
            let h = n.min(p);
            let of = |x: ArrayView2<'_, f64>| {
                let (mut a, n) = (flat(&x.to_owned()), x.nrows());
                let q = solve::orthogonal(n, p, &mut a).unwrap();
                (q, TsqrBasis::of(h, p, (&a, n), n.min(p)).unwrap())
            };
            let found = Threads::run(size, |comm| {
                let rows = mine(&x, comm);
                let (q, mut branch) = of(rows);
                branch.tail().copy_from_slice(&[1.0, 0.5]);
                branch.reduce(comm).unwrap();
                assert_eq!(branch.tail(), [size as f64, 0.5 * size as f64]);
                let used = rows.nrows().min(p);
                let part = branch.part().unwrap().to_vec();
                let q = columns(rows.nrows(), used, &q).dot(&columns(used, h, &part));
                (q, branch.columns().to_vec())
            });
            assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].1));
            let parts: Vec<_> = found.iter().map(|(q, _)| q.view()).collect();
            let q = ndarray::concatenate(ndarray::Axis(0), &parts).unwrap();
            let r = columns(h, p, &found[0].1).to_owned();
            assert!(orthonormal(&q) < 1e-13, "{n} × {p}, {size}");
            assert!(apart(&q.dot(&r), &x) < 1e-13, "{n} × {p}, {size}");
            // Streamed, with no rows between.
            let stream = (0..n).fold(TsqrBasis::empty(h, p).unwrap(), |mut seen, row| {
                seen.merge(&of(x.slice(s![row..=row, ..])).1).unwrap();
                seen.merge(&seen.neutral().unwrap()).unwrap();
                seen
            });
            let r = columns(h, p, stream.columns()).to_owned();
            assert!(apart(&r.t().dot(&r), &x.t().dot(&x)) < 1e-12, "{n} × {p}");
        }
    }
}

struct Problem<T> {
    x: Array2<T>,
    threads: usize,
}

impl<T: Real> Problem<T> {
    fn with<R>(
        &self,
        comm: &dyn Communicator,
        body: impl FnOnce(&Data<'_, '_, Cpu, T>, &dyn Communicator) -> Result<R>,
    ) -> R {
        let (x, device) = (
            mine(&self.x, comm),
            &Cpu {
                threads: self.threads,
            },
        );
        let (y, w) = (None, None);
        let rows = &Data {
            device,
            x: &x,
            y,
            w,
        };
        collective(comm, |comm| body(rows, comm)).unwrap()
    }

    /// `Q` and `R`, or `U`, `Σ` and `V`, of one rank.
    fn factors(
        &self,
        comm: &dyn Communicator,
        singular: bool,
    ) -> (Array2<f64>, Vec<f64>, Vec<f64>) {
        let (all, p) = self.x.dim();
        self.with(comm, |rows, comm| {
            let (k, n) = (all.min(p), rows.shape().0);
            let mut out = vec![T::of(0.0); n * k];
            let qr = Qr {
                rows,
                all,
                threads: 1,
            };
            let (values, matrix) = if singular {
                let found = qr.svd(comm, Some(&mut out))?;
                (found.values, found.vectors)
            } else {
                (Vec::new(), qr.qr(comm, Some(&mut out))?)
            };
            let basis = Array2::from_shape_vec((n, k), out)
                .unwrap()
                .mapv(Into::into);
            Ok((basis, values, matrix))
        })
    }

    fn check(&self, within: f64) {
        let ((n, p), exact) = (self.x.dim(), self.x.mapv(Into::into));
        let k = n.min(p);
        let alone = self.factors(&Solo, true).1;
        for size in 1..=16 {
            for singular in [false, true] {
                let found = Threads::run(size, |comm| self.factors(comm, singular));
                let model = |at: usize| (&found[at].1, &found[at].2);
                assert!((1..size).all(|rank| model(rank) == model(0)), "bits");
                let parts: Vec<_> = found.iter().map(|(q, ..)| q.view()).collect();
                let q = ndarray::concatenate(ndarray::Axis(0), &parts).unwrap();
                let what = format!("{n} × {p}, {size} ranks, {singular}");
                assert!(orthonormal(&q) < within, "{what}");
                let right = if singular {
                    let v = columns(p, k, model(0).1).to_owned();
                    assert!(orthonormal(&v) < 1e-13, "{what}");
                    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= within * alone[0];
                    assert!(model(0).0.iter().zip(&alone).all(near), "{what}");
                    let sigma = Array2::from_shape_vec((k, 1), model(0).0.clone()).unwrap();
                    v.t().to_owned() * sigma
                } else {
                    columns(k, p, model(0).1).to_owned()
                };
                assert!(apart(&q.dot(&right), &exact) < within, "{what}");
            }
        }
    }
}

#[test]
fn factors_are_orthonormal_at_any_condition_on_any_number_of_ranks() {
    for (n, p) in [(203, 11), (40, 11), (6, 11), (1, 3), (30, 1)] {
        for (k, threads) in [(0, 1), (12, 2), (27, 1), (43, 2), (90, 1)] {
            let x = if k > 0 {
                steep(n, p, k)
            } else {
                noise(n, p, 0)
            };
            let single = x.mapv(f32::of);
            Problem { x: single, threads }.check(1e-5);
            Problem { x, threads }.check(1e-13);
        }
    }
    let x = Array2::<f64>::zeros((9, 4));
    Problem { x, threads: 1 }.check(1e-13);
}

/// The leading three of `x`, by every rank.
fn leading(x: &Array2<f64>, size: usize, ranged: bool) -> Vec<Truncated> {
    let problem = Problem {
        x: x.clone(),
        threads: 1,
    };
    Threads::run(size, |comm| {
        problem.with(comm, |rows, comm| {
            let (all, k, threads) = (x.nrows(), 3, 1);
            let fit = TruncatedSvd {
                rows,
                all,
                k,
                ranged,
                threads,
            };
            fit.fit(comm)
        })
    })
}

#[test]
fn leading_vectors_are_those_of_all_for_any_number_of_ranks_and_by_any_way() {
    for (n, p, far) in [
        (203, 60, 0.0),
        (203, 60, 30.0),
        (203, 60, 1e4),
        (30, 60, 0.0),
    ] {
        let x = noise(n, p, 0) + far;
        let values = solve::singular([n, p], &flat(&x), 1).unwrap().1.values;
        let spread = x.var_axis(ndarray::Axis(0), 0.0).sum();
        for (size, ranged) in [1, 2, 5, 16]
            .map(|size| (size, false))
            .into_iter()
            .chain([(1, true), (3, true)])
        {
            let all = leading(&x, size, ranged);
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "bits");
            let found = &all[0];
            let what = format!("{n} {far} {size} {ranged}: {found:?} {:?}", &values[..3]);
            let within = if ranged { 1e-6 } else { 1e-12 } * values[0];
            for (mine, value) in found.singular.iter().zip(&values) {
                assert!((mine - value).abs() < within, "{what}");
            }
            let v = columns(p, 3, &found.vectors).to_owned();
            assert!(orthonormal(&v) < 1e-9, "{what}");
            for (share, variance) in found.shares.iter().zip(&found.variances) {
                assert!((share - variance / spread).abs() < 1e-9, "{what}");
            }
            let there = x.dot(&v).var_axis(ndarray::Axis(0), 0.0);
            let within = 1e-9 * spread + 1e-13 * far * far;
            for (mine, there) in found.variances.iter().zip(&there) {
                assert!((mine - there).abs() < within, "{what}");
            }
        }
    }
}
