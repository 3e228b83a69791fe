//! Every kernel against loops, in every layout; small matrices against their definitions.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // in helpers too

use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use sklearnex_rs::device::{
    ColumnMoments, Cpu, Data, Device, MomentKernels, MomentOptions, ProductKernels, threads_for,
};
use sklearnex_rs::{real::Real, solve};

/// Numbers around `offset`, exact in `f32`.
fn noise(n: usize, p: usize, offset: f64) -> Array2<f64> {
    let mut state = (1 + n * 31 + p) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 45) as f64 / 2_f64.powi(18) - 1.0 + offset
    })
}

const LAYOUTS: usize = 7;

/// `body` on `a` as it may lie in memory: C, F, strided, negative strides, sliced columns.
fn laid<T: Real, R>(a: &Array2<f64>, layout: usize, body: impl Fn(ArrayView2<'_, T>) -> R) -> R {
    let (n, p) = a.dim();
    let (rows, columns) = [
        (n, p),
        (n, p),
        (2 * n, 3 * p),
        (n, p),
        (n, p),
        (n, p + 3),
        (n + 3, p),
    ][layout];
    let fortran = matches!(layout, 1 | 4 | 6);
    let mut room = Array2::from_elem((rows, columns).set_f(fortran), T::of(7e9));
    let mut view = match layout {
        2 => room.slice_mut(s![..;2, ..;3]),
        3 => room.slice_mut(s![..;-1, ..]),
        4 => room.slice_mut(s![.., ..;-1]),
        5 => room.slice_mut(s![.., 1..=p]),
        6 => room.slice_mut(s![1..=n, ..]),
        _ => room.view_mut(),
    };
    view.zip_mut_with(a, |to, from| *to = T::of(*from));
    body(view.view())
}

/// `Σᵢ wᵢ (zᵢ − mean)(zᵢ − mean)ᵀ`, the lower triangle row by row.
fn comoment(z: &Array2<f64>, w: &Array2<f64>, mean: &[f64]) -> Vec<f64> {
    let centred = z - &ndarray::arr1(mean);
    let products = (&centred * w).t().dot(&centred);
    let row = |i: usize| (0..=i).map(move |j| (i, j));
    (0..mean.len())
        .flat_map(row)
        .map(|at| products[at])
        .collect()
}

fn close(found: &[f64], wanted: &[f64], within: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= within, "{what} [{at}]: {a} is not {b}");
    }
}

struct Case {
    x: Array2<f64>,
    y: Array2<f64>,
    w: Option<Array2<f64>>,
    weight: f64,
    mean: Vec<f64>,
    /// Around the means, and around zero.
    comoments: [Vec<f64>; 2],
    coef: Array2<f64>,
    gradient: Vec<f64>,
    product: Vec<f64>,
}

impl Case {
    fn new(n: usize, p: usize, m: usize, weighted: bool) -> Self {
        let (x, y, coef) = (noise(n, p, 4.0), noise(n, m, -2.0), noise(p, m, 0.0));
        let w = Array2::from_shape_fn(
            (n, 1),
            |(i, _)| if weighted { (i % 3) as f64 * 0.5 } else { 1.0 },
        );
        let z = ndarray::concatenate![ndarray::Axis(1), x, y];
        let weight = w.sum();
        let share = if weight > 0.0 { 1.0 / weight } else { 0.0 };
        let mean: Vec<f64> = (&z * &w)
            .sum_axis(ndarray::Axis(0))
            .iter()
            .map(|sum| sum * share)
            .collect();
        let comoments = [comoment(&z, &w, &mean), comoment(&z, &w, &vec![0.0; p + m])];
        let centred = &z - &ndarray::arr1(&mean);
        let (left, right) = centred.view().split_at(ndarray::Axis(1), p);
        let rest = (&right - &left.dot(&coef)) * &w;
        let gradient = left.t().dot(&rest).iter().copied().collect();
        let product = (x.dot(&coef) + 0.5).iter().copied().collect();
        let w = weighted.then_some(w);
        Self {
            x,
            y,
            w,
            weight,
            mean,
            comoments,
            coef,
            gradient,
            product,
        }
    }

    /// Whether all kernels bring that, in type `T`.
    fn check<T: Real>(&self, layout: usize, device: Cpu) {
        let (none, n) = (Array2::zeros((0, 1)), self.x.nrows());
        laid::<T, _>(&self.x, layout, |x| {
            laid::<T, _>(&self.y, (layout + 2) % LAYOUTS, |y| {
                laid::<T, _>(
                    self.w.as_ref().unwrap_or(&none),
                    (layout + 3) % LAYOUTS,
                    |w| {
                        let w = self.w.as_ref().map(|_| &w);
                        let rows = Data {
                            device: &device,
                            x: &x,
                            y: Some(&y),
                            w,
                        };
                        let what = format!("{n} rows {} layout {layout} {}", x.ncols(), T::NAME);
                        self.check_moments(&rows, &what);
                        self.check_looks(&rows, &what);
                    },
                );
            });
        });
    }

    fn check_moments<T: Real>(&self, rows: &Data<'_, '_, Cpu, T>, what: &str) {
        let found = rows.device.means(rows).unwrap();
        assert!(
            found.counts == [self.x.nrows() as f64, self.weight],
            "{what}"
        );
        close(&whole(&found), &self.mean, 1e-12, what);
        self.check_columns(rows, what);
        for (centered, exact) in [(true, true), (true, false), (false, true), (false, false)] {
            let found = rows
                .device
                .moments(rows, MomentOptions { centered, exact })
                .unwrap();
            let rounding = if exact || T::NAME == f64::NAME {
                1e-13
            } else {
                3e-7
            };
            let scale = (self.weight + 1.0) * if centered { 1.0 } else { 25.0 };
            let what = format!("{what}, co-moments, centered {centered}, exact {exact}");
            assert!(
                found.counts == [self.x.nrows() as f64, self.weight],
                "{what}"
            );
            close(
                &found.comoment,
                &self.comoments[usize::from(!centered)],
                20.0 * rounding * scale,
                &what,
            );
            let zeros = vec![0.0; self.mean.len()];
            close(
                &whole(&found),
                if centered { &self.mean } else { &zeros },
                1e-12_f64.max(rounding),
                &what,
            );
        }
    }

    fn check_columns<T: Real>(&self, rows: &Data<'_, '_, Cpu, T>, what: &str) {
        let (found, extremes) = rows.device.columns(rows).unwrap();
        close(&whole(&found), &self.mean, 1e-12, what);
        let q = self.mean.len();
        let squares: Vec<f64> = (0..q).map(|j| self.comoments[0][j * (j + 3) / 2]).collect();
        let scale = 1e-12 * (self.weight + 1.0);
        close(
            &found.comoment,
            &squares,
            scale,
            &format!("{what}, squares"),
        );
        let z = ndarray::concatenate![ndarray::Axis(1), self.x, self.y];
        let heavy = |i: usize| self.w.as_ref().is_none_or(|w| w[[i, 0]] > 0.0);
        let there = (0..z.nrows()).filter(|i| heavy(*i)).collect::<Vec<_>>();
        let z = z.select(ndarray::Axis(0), &there);
        let most = |sign: f64| {
            z.columns()
                .into_iter()
                .map(|column| column.fold(f64::NEG_INFINITY, |most, x| most.max(sign * x)))
                .collect::<Vec<_>>()
        };
        assert_eq!(extremes, [most(-1.0), most(1.0)].concat(), "{what}");
    }

    fn check_looks<T: Real>(&self, rows: &Data<'_, '_, Cpu, T>, what: &str) {
        let (n, p, m) = rows.shape();
        let coef: Vec<f64> = self.coef.iter().copied().collect();
        let found = rows.device.residual(rows, &self.mean, &coef).unwrap();
        let scale = (p * (n + 1)) as f64;
        close(
            &found,
            &self.gradient,
            1e-13 * scale,
            &format!("{what}, residual"),
        );
        for h in [n.min(p + m), p + m] {
            let (found, used) = rows.device.r_factor(rows, &self.mean, h).unwrap();
            assert!(used <= h && found.len() == h * (p + m), "{what}");
            let r = ArrayView2::from_shape((h, p + m).f(), &found).unwrap();
            let r = r.slice(s![..used, ..]).to_owned();
            let products = comoment(&r, &Array2::ones((used, 1)), &vec![0.0; p + m]);
            let what = format!("{what}, triangle of {h}");
            close(&products, &self.comoments[0], 1e-12 * (n + 1) as f64, &what);
        }
        let coef: Vec<T> = coef.into_iter().map(T::of).collect();
        let coef = Array2::from_shape_vec((p, m), coef).unwrap();
        // By targets, as models keep them, with a shift each; and by columns, with one for all.
        let turned = coef.t().as_standard_layout().into_owned();
        let ways = [(coef.view(), m), (turned.t(), 1)];
        for (coef, shifts) in ways {
            let (mut out, shifts) = (vec![T::of(9.0); n * m], vec![T::of(0.5); shifts]);
            let shifts = ArrayView2::from_shape((shifts.len(), 1), &shifts).unwrap();
            rows.device
                .product(rows.x, &coef, &shifts, &mut out)
                .unwrap();
            let out: Vec<f64> = out.into_iter().map(Into::into).collect();
            let rounding = if T::NAME == f64::NAME { 1e-14 } else { 1e-6 };
            close(
                &out,
                &self.product,
                rounding * 5.0 * (p + 1) as f64,
                &format!("{what}, product"),
            );
            if p > 0 {
                self.check_projections(rows, &coef, what);
            }
        }
    }

    fn check_projections<T: Real>(
        &self,
        rows: &Data<'_, '_, Cpu, T>,
        coef: &ArrayView2<'_, T>,
        what: &str,
    ) {
        let (n, p, m) = rows.shape();
        let mut out = vec![T::of(9.0); n * m];
        let mean = &self.mean[..p];
        let place = ArrayView2::from_shape((p, 1), mean).unwrap();
        rows.device.project(rows, &place, coef, &mut out).unwrap();
        let out: Vec<f64> = out.into_iter().map(Into::into).collect();
        let z = &self.x - &ndarray::arr1(mean);
        let along = z.dot(&self.coef);
        let wanted: Vec<f64> = along.iter().copied().collect();
        let within = if T::NAME == f64::NAME { 1e-14 } else { 1e-6 } * (p + 1) as f64;
        close(&out, &wanted, within, &format!("{what}, projection"));
        let (matrix, mut out) = (self.coef.dot(&self.coef.t()), vec![9.0; n]);
        let by = [&place, &matrix.view()];
        rows.device
            .quadratic_form(rows, by, [2.0, -0.5], &mut out)
            .unwrap();
        let squares = along.outer_iter().map(|row| row.dot(&row));
        let wanted: Vec<f64> = squares.map(|square| 2.0 - 0.5 * square).collect();
        let within = 1e-13 * ((m + 1) * (p + 1)) as f64;
        close(&out, &wanted, within, &format!("{what}, forms"));
        let found = rows.device.scatter(rows, mean, &flat(&self.coef)).unwrap();
        let within = 1e-13 * ((n + 1) * (p + 1)) as f64;
        let heavy = match &self.w {
            Some(w) => &z * w,
            None => z.clone(),
        };
        let mut wanted = flat(&heavy.t().dot(&along));
        wanted.push(heavy.iter().zip(&z).map(|(a, b)| a * b).sum());
        close(&found, &wanted, within, &format!("{what}, scatter"));
    }
}

fn check(sizes: impl Iterator<Item = (usize, usize)>) {
    for (n, p) in sizes {
        for (m, weighted) in [(1, false), (3, true), (1, true), (3, false)] {
            let case = Case::new(n, p, m, weighted);
            for layout in 0..LAYOUTS {
                let device = Cpu {
                    threads: 1 + layout % 2,
                };
                case.check::<f64>(layout, device);
                case.check::<f32>(layout, device);
            }
        }
    }
}

#[test]
fn kernels_equal_loops_for_any_number_of_rows_in_any_layout() {
    check(
        [0, 1, 2, 7, 255, 256, 257, 600, 20_000]
            .into_iter()
            .map(|n| (n, 3)),
    );
}

#[test]
fn kernels_equal_loops_for_any_number_of_columns_in_any_layout() {
    for n in [0, 1, 7, 40] {
        check([1, 2, 15, 16, 17, 101, 300].into_iter().map(|p| (n, p)));
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let (x, y) = (noise(4, 2, 0.0), noise(3, 1, 0.0));
    let (x, y, device) = (x.view(), y.view(), Cpu { threads: 1 });
    let rows = Data {
        device: &device,
        x: &x,
        y: Some(&y),
        w: None,
    };
    assert!(device.means(&rows).is_err() && device.residual(&rows, &[0.0; 3], &[0.0; 2]).is_err());
    assert!(device.r_factor(&rows, &[0.0; 3], 3).is_err());
    assert!(
        device
            .moments(
                &rows,
                MomentOptions {
                    centered: true,
                    exact: true
                }
            )
            .is_err()
    );
    let zeros = |n: usize, m: usize| Array2::<f64>::zeros((n, m));
    for (height, shifts, out) in [(3, 1, 4), (2, 2, 4), (2, 1, 3)] {
        let (coef, shifts, mut out) = (zeros(height, 1), zeros(shifts, 1), vec![0.0; out]);
        let done = device.product(&x, &coef.view(), &shifts.view(), &mut out);
        assert!(done.is_err());
    }
    for (mean, height, out) in [(1, 2, 4), (2, 3, 4), (2, 2, 3)] {
        let (mean, coef, mut out) = (zeros(mean, 1), zeros(height, 1), vec![0.0; out]);
        let done = device.project(&rows, &mean.view(), &coef.view(), &mut out);
        assert!(done.is_err());
    }
    assert!(device.scatter(&rows, &[0.0; 1], &[0.0; 2]).is_err());
    assert!(device.scatter(&rows, &[0.0; 2], &[0.0; 3]).is_err());
}

#[test]
fn threads_share_the_cpus_of_a_node() {
    let own: Vec<Vec<usize>> = (0..32).map(|r| (4 * r..4 * r + 4).collect()).collect();
    let all = |ranks: usize, cpus: usize| vec![(0..cpus).collect::<Vec<_>>(); ranks];
    assert_eq!(threads_for(&own, 31, 0, 128, None), 4);
    assert_eq!(threads_for(&all(32, 128), 5, 0, 128, None), 4);
    assert_eq!(threads_for(&all(4, 2), 3, 0, 2, None), 1);
    assert_eq!(threads_for(&all(1, 128), 0, 0, 128, Some(8.0)), 8);
    assert_eq!(threads_for(&all(1, 128), 0, 0, 128, None), 128);
    assert_eq!(threads_for(&all(4, 128), 0, 0, 128, Some(8.0)), 2);
    assert_eq!(
        threads_for(&all(1, 128), 0, 3, 128, None),
        32,
        "strangers share the whole node"
    );
    assert_eq!(
        threads_for(&own[..1], 0, 3, 128, None),
        4,
        "but not what is bound"
    );
    assert_eq!(
        threads_for(&[vec![0, 1], vec![1, 2]], 0, 0, 4, None),
        1,
        "one and a half"
    );
    assert_eq!(threads_for(&[Vec::new()], 0, 0, 4, Some(0.5)), 1);
}

fn columns(h: usize, p: usize, data: &[f64]) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((h, p).f(), data).unwrap()
}

fn flat(a: &Array2<f64>) -> Vec<f64> {
    a.t().iter().copied().collect()
}

fn same(a: &Array2<f64>, b: &Array2<f64>, what: &str) {
    close(&flat(a), &flat(b), 1e-11, what);
}

#[test]
fn decompositions_bring_back_their_matrix() {
    for (h, p) in [(1, 1), (5, 3), (3, 5), (40, 40), (101, 17), (4, 60)] {
        let a = noise(h, p, 0.3);
        let k = h.min(p);
        let (left, spectrum) = solve::singular([h, p], &flat(&a), 1).unwrap();
        let (u, v) = (columns(h, k, &left), columns(p, k, &spectrum.vectors));
        let values = ndarray::arr1(&spectrum.values);
        same(&(&u * &values).dot(&v.t()), &a, "singular");
        same(&u.t().dot(&u), &Array2::eye(k), "left vectors");
        same(&v.t().dot(&v), &Array2::eye(k), "right vectors");
        assert!(spectrum.values.is_sorted_by(|a, b| a >= b));

        let gram = a.t().dot(&a);
        let lower = Array2::from_shape_fn((p, p), |(i, j)| if i < j { 1e9 } else { gram[(i, j)] });
        let spectrum = solve::eigen(p, &flat(&lower), 1).unwrap();
        let (v, values) = (
            columns(p, p, &spectrum.vectors),
            ndarray::arr1(&spectrum.values),
        );
        same(&(&v * &(&values * &values)).dot(&v.t()), &gram, "eigen");
        same(&v.t().dot(&v), &Array2::eye(p), "vectors");
        assert!(spectrum.values.is_sorted_by(|a, b| a >= b) && spectrum.rank(1e-6) == k);
        let b = gram.dot(&Array2::ones((p, 1)));
        let x = spectrum.solve(k, 0.0, &flat(&b)).unwrap();
        same(
            &gram.dot(&columns(p, 1, &x)),
            &b,
            "the answer of least norm",
        );

        let mut r = flat(&a);
        solve::r_factor(h, p, &mut r).unwrap();
        let r = columns(h, p, &r);
        same(&r.t().dot(&r), &gram, "triangle");
        assert!(r.indexed_iter().all(|((i, j), v)| i <= j || *v == 0.0));
        if h >= p {
            let b = noise(h, 1, 1.0);
            let x = solve::least_squares(h, p, &mut flat(&a), &mut flat(&b)).unwrap();
            let slope = a.t().dot(&(&b - &a.dot(&columns(p, 1, &x))));
            close(&flat(&slope), &vec![0.0; p], 1e-9, "least squares");
        }
    }
}

#[test]
fn non_negative_answers_meet_the_conditions_of_kuhn_and_tucker() {
    for seed in 0..200 {
        let (h, p) = (1 + seed % 13, 1 + seed * 7 % 11);
        let mut a = noise(h + seed, p, [0.0, 0.5][seed % 2]).slice_move(s![seed.., ..]);
        for j in 1..p {
            let (left, mut right) = a.view_mut().split_at(ndarray::Axis(1), j);
            match (seed / 13 + j) % 9 {
                3 => right.column_mut(0).assign(&left.column(0)),
                5 => right.column_mut(0).assign(&(&left.column(0) * -2.0)),
                6 => right
                    .column_mut(0)
                    .assign(&(&left.column(j - 1) + &left.column(0))),
                7 => right.column_mut(0).fill(0.0),
                _ => {}
            }
        }
        let b = noise(h, 1, 0.2) * 10_f64.powi([-3, -2, -1, 0, 1, 2, 3][seed % 7]);
        let scale = b.iter().map(|v| v * v).sum::<f64>().sqrt();
        let x = solve::nonnegative(h, p, &flat(&a), &flat(&b)).unwrap();
        let slope = a.t().dot(&(&b - &a.dot(&columns(p, 1, &x))));
        for (x, g) in x.iter().zip(&slope) {
            assert!(
                *x >= 0.0 && *g <= 1e-9 * scale,
                "{seed}: {h} × {p}, x {x}, slope {g}"
            );
            assert!(
                *x == 0.0 || g.abs() <= 1e-9 * scale,
                "{seed}: {h} × {p}, x {x}, slope {g}"
            );
        }
    }
}

/// The means, which come in two parts.
fn whole(found: &ColumnMoments) -> Vec<f64> {
    found
        .origin
        .iter()
        .zip(&found.mean)
        .map(|(a, b)| a + b)
        .collect()
}

#[test]
fn threads_share_a_decomposition() {
    let (p, device) = (230, Cpu { threads: 1 });
    let (a, b) = (noise(p, p, 0.3), noise(p + 5, p, 0.1));
    let gram = flat(&b.t().dot(&b));
    let pool = |threads: usize| {
        device.host(threads, |many| {
            assert_eq!(many, threads);
            let name = std::thread::current().name().map(str::to_owned);
            let ours = name.is_some_and(|name| name.starts_with("sklearnex_rs"));
            assert_eq!(ours, threads > 1);
            let eigen = solve::eigen(p, &gram, many).unwrap();
            let (_, both) = solve::singular([p, p], &flat(&a), many).unwrap();
            let right = solve::right([p, p], &flat(&a), many).unwrap();
            [eigen.values, both.values, right.values]
        })
    };
    let alone = pool(1);
    for threads in [2, 3] {
        for (ours, theirs) in pool(threads).iter().zip(&alone) {
            close(ours, theirs, 1e-12, "values");
        }
    }
}
