//! Logistic losses: the kernel against loops and differences, its laws, and the fit on any number of
//! ranks.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // bits are compared

use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use sklearnex_rs::{
    Error, Result,
    algo::{LogisticRegression, LogisticState, collective},
    comm::{Communicator, Facts, Faulty, Solo, Threads},
    device::{Cpu, Data, LinkKernels, Linked, Scores, free},
    real::Real,
    solve::{LineSearch, Verdict},
};

/// Numbers around `offset`, exact in `f32`.
fn noise(n: usize, p: usize, offset: f64) -> Array2<f64> {
    let mut state = (5 + n * 31 + p) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 45) as f64 / 2_f64.powi(18) - 1.0 + offset
    })
}

/// Classes that follow the columns, with some blur.
fn classes(x: &Array2<f64>, m: usize, offset: f64) -> Array2<f64> {
    let blur = noise(x.nrows(), 1, 0.0);
    Array2::from_shape_fn((x.nrows(), 1), |(i, _)| {
        let sum = x.row(i).iter().map(|x| x - offset).sum::<f64>();
        ((sum + 2.0 * blur[[i, 0]]) * 1.7)
            .rem_euclid(m as f64)
            .floor()
    })
}

/// `body` on `a` by rows, by columns, and with gaps.
fn laid<T: Real, R>(
    a: &Array2<f64>,
    layout: usize,
    body: impl FnOnce(ArrayView2<'_, T>) -> R,
) -> R {
    let (n, p) = a.dim();
    let steps = if layout == 2 { 2 } else { 1 };
    let mut room = Array2::from_elem((n * steps, p * steps).set_f(layout == 1), T::of(7e9));
    let mut view = room.slice_mut(s![..;steps, ..;steps]);
    view.zip_mut_with(a, |to, from| *to = T::of(*from));
    body(view.view())
}

struct Case {
    x: Array2<f64>,
    y: Array2<f64>,
    w: Option<Array2<f64>>,
    mean: Vec<f64>,
    coef: Array2<f64>,
    weights: Vec<f64>,
}

impl Case {
    /// `m` classes.
    fn new(n: usize, p: usize, m: usize, weighted: bool) -> Self {
        let x = noise(n, p, 4.0);
        let scores = if m == 2 { 1 } else { m };
        Self {
            y: classes(&x, m, 4.0),
            w: weighted.then(|| Array2::from_shape_fn((n, 1), |(i, _)| (i % 3) as f64 * 0.5)),
            mean: vec![4.25; p],
            coef: noise(scores, p + 1, 0.0) * 3.0,
            weights: (0..m).map(|c| 0.5 + c as f64).collect(),
            x,
        }
    }

    fn scores<'s>(&'s self, coef: &'s [f64]) -> Scores<'s> {
        let (mean, weights) = (&self.mean, &self.weights);
        Scores {
            mean,
            coef,
            weights,
        }
    }

    fn look<T: Real>(&self, coef: &[f64], curved: bool, layout: usize, threads: usize) -> Linked {
        let none = Array2::zeros((0, 1));
        laid::<T, _>(&self.x, layout, |x| {
            laid::<T, _>(&self.y, (layout + 1) % 3, |y| {
                laid::<T, _>(self.w.as_ref().unwrap_or(&none), (layout + 2) % 3, |w| {
                    let rows = Data {
                        device: &Cpu { threads },
                        x: &x,
                        y: Some(&y),
                        w: self.w.as_ref().map(|_| &w),
                    };
                    rows.device.link(&rows, self.scores(coef), curved).unwrap()
                })
            })
        })
    }

    /// Loss, gradient and second derivatives by loops.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // classes
    fn wanted(&self) -> Linked {
        let (width, m) = (self.mean.len() + 1, self.coef.nrows());
        let (mut loss, mut gradient) = (0.0, vec![0.0; m * width]);
        let pairs: Vec<_> = (0..free(m))
            .flat_map(|b| (0..=b).map(move |a| (a, b)))
            .collect();
        let triangle = width * (width + 1) / 2;
        let mut curvature = vec![0.0; pairs.len() * triangle];
        for i in 0..self.x.nrows() {
            let label = self.y[[i, 0]] as usize;
            let w = self.w.as_ref().map_or(1.0, |w| w[[i, 0]]) * self.weights[label];
            let mut z: Vec<f64> = (0..width - 1)
                .map(|j| self.x[[i, j]] - self.mean[j])
                .collect();
            z.push(1.0);
            let score = |c: usize| {
                z.iter()
                    .zip(self.coef.row(c))
                    .map(|(z, c)| z * c)
                    .sum::<f64>()
            };
            let mut scores: Vec<f64> = (0..m).map(score).collect();
            if m == 1 {
                scores.insert(0, 0.0);
            }
            let most = scores.iter().copied().fold(f64::MIN, f64::max);
            let sum = scores.iter().map(|s| (s - most).exp()).sum::<f64>();
            loss += w * (sum.ln() + most - scores[label]);
            let first = usize::from(m == 1);
            let part = |c: usize| (scores[c + first] - most).exp() / sum;
            for c in 0..m {
                let own = f64::from(u8::from(c + first == label));
                for j in 0..width {
                    gradient[c * width + j] += w * (part(c) - own) * z[j];
                }
            }
            for (at, (a, b)) in pairs.iter().enumerate() {
                let own = f64::from(u8::from(a == b));
                let bend = w * part(*a) * (own - part(*b));
                for j in 0..width {
                    for k in 0..=j {
                        curvature[at * triangle + j * (j + 1) / 2 + k] += bend * z[j] * z[k];
                    }
                }
            }
        }
        Linked {
            loss,
            gradient,
            curvature,
        }
    }
}

fn close(found: &[f64], wanted: &[f64], within: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= within, "{what} [{at}]: {a} is not {b}");
    }
}

#[test]
fn losses_and_their_derivatives_are_those_of_loops() {
    let shapes = [
        (0, 3, 2),
        (1, 1, 3),
        (37, 5, 2),
        (300, 12, 3),
        (700, 7, 4),
        (259, 33, 5),
        (200, 2, 6),
        (90, 3, 7),
        (64, 4, 11),
        (40_000, 2, 2),
    ];
    for (n, p, m) in shapes {
        for weighted in [false, true] {
            let case = Case::new(n, p, m, weighted);
            let (wanted, coef) = (case.wanted(), case.coef.as_slice().unwrap());
            for layout in 0..3 {
                let what = format!("{n} x {p}, {m} classes, layout {layout}");
                let within = 1e-13 * (n * p * m) as f64;
                let both = [
                    case.look::<f64>(coef, true, layout, 2),
                    case.look::<f32>(coef, true, layout, 1),
                ];
                for found in both {
                    close(&[found.loss], &[wanted.loss], within, &what);
                    close(&found.gradient, &wanted.gradient, within, &what);
                    close(&found.curvature, &wanted.curvature, within, &what);
                }
                let plain = case.look::<f64>(coef, false, layout, 1);
                let curved = case.look::<f64>(coef, true, layout, 1);
                assert_eq!((plain.loss, plain.gradient), (curved.loss, curved.gradient));
                assert!(plain.curvature.is_empty());
            }
        }
    }
}

#[test]
fn losses_do_not_depend_on_threads_bit_by_bit() {
    let case = Case::new(70_000, 3, 3, true);
    let coef = case.coef.as_slice().unwrap();
    let [one, other] = [1, 3].map(|threads| case.look::<f64>(coef, true, 0, threads));
    assert_eq!(one.loss, other.loss);
    assert_eq!(
        (one.gradient, one.curvature),
        (other.gradient, other.curvature)
    );
}

#[test]
fn losses_of_sure_rows_keep_their_digits_and_none_overflows() {
    for m in [2, 3] {
        let mut case = Case::new(1, 1, m, false);
        case.mean = vec![case.x[[0, 0]] - 1.0];
        case.y[[0, 0]] = 1.0;
        case.weights = vec![1.0; m];
        for far in [40.0, 300.0, 1e4, -40.0, -1e4] {
            // One score `far` above the others, all of which are zero.
            let mut coef = vec![0.0; case.coef.len()];
            coef[if m == 2 { 0 } else { 2 }] = far;
            let found = case.look::<f64>(&coef, true, 0, 1);
            let others = (m - 1) as f64;
            let wanted = (others * (-far).exp()).ln_1p();
            let wanted = if far < 0.0 { others.ln() - far } else { wanted };
            assert!(
                (found.loss - wanted).abs() <= 1e-15 * wanted + 1e-300,
                "{far}"
            );
            assert!(found.gradient.iter().all(|g| g.is_finite()));
            assert!(found.curvature.iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let case = Case::new(9, 2, 3, false);
    let view = (case.x.view(), case.y.view());
    let (device, w) = (&Cpu { threads: 1 }, None);
    let bare = Data {
        device,
        x: &view.0,
        y: None,
        w,
    };
    let full = Data {
        y: Some(&view.1),
        ..bare
    };
    let coef = case.coef.as_slice().unwrap();
    assert!(device.link(&full, case.scores(coef), false).is_ok());
    assert!(device.link(&full, case.scores(&coef[1..]), false).is_err());
    assert!(device.link(&full, case.scores(&coef[3..]), false).is_err());
    let bare = Data {
        device,
        x: &view.0,
        y: None,
        w,
    };
    assert!(device.link(&bare, case.scores(coef), false).is_err());
}

#[test]
fn a_search_finds_where_a_curve_has_fallen_enough() {
    // Value and slope of curves that fall from zero.
    let curves: [fn(f64) -> [f64; 2]; 4] = [
        |t| [(t - 3.0).powi(2), 2.0 * (t - 3.0)],
        |t| [(t - 0.01).powi(2), 2.0 * (t - 0.01)],
        |t| {
            [
                (t - 1e3).abs().sqrt(),
                (t - 1e3).signum() / (t - 1e3).abs().sqrt() / 2.0,
            ]
        },
        |t| {
            if t > 5.0 {
                [f64::NAN; 2]
            } else {
                [-(t * 0.1).sin(), -0.1 * (t * 0.1).cos()]
            }
        },
    ];
    for curve in curves {
        let [start, slope] = curve(0.0);
        let (mut line, mut t, mut trials) = (LineSearch::new(start, slope), 1.0, 0);
        loop {
            let [value, steep] = curve(t);
            match line.judge(t, value, Some(steep)) {
                Verdict::Try(next) => t = next,
                other => break assert_eq!(other, Verdict::Accept),
            }
            trials += 1;
            assert!(trials < 20);
        }
        let [value, steep] = curve(t);
        assert!(value < start && steep >= 0.9 * slope, "{t}");
    }
    let mut line = LineSearch::new(1.0, -1.0);
    let mut t = 1.0;
    while let Verdict::Try(next) = line.judge(t, 2.0, None) {
        assert!(next < t);
        t = next;
    }
    assert_eq!(line.judge(t, 2.0, None), Verdict::Over);
}

/// All rows there are, and how they are fitted.
#[derive(Clone)]
struct Problem {
    x: Array2<f64>,
    y: Array2<f64>,
    m: usize,
    /// `W l₁` and `W l₂`.
    powers: [f64; 2],
    room: usize,
    tol: f64,
    centered: bool,
}

impl Problem {
    fn new(n: usize, p: usize, m: usize, offset: f64) -> Self {
        let x = noise(n, p, offset);
        Self {
            y: classes(&x, m, offset),
            x,
            m,
            powers: [0.0, 1.0],
            room: 2000,
            tol: 1e-9,
            centered: true,
        }
    }

    fn fit(&self, comm: &dyn Communicator) -> Result<LogisticState> {
        let cut = |rank: usize| rank * rank * self.x.nrows() / (comm.size() * comm.size());
        let mine = cut(comm.rank())..cut(comm.rank() + 1);
        let x = self.x.slice(s![mine.clone(), ..]);
        let y = self.y.slice(s![mine, ..]);
        let rows = &Data {
            device: &Cpu { threads: 1 },
            x: &x,
            y: Some(&y),
            w: None,
        };
        collective(comm, |comm| {
            let facts = Facts {
                rows: x.nrows(),
                columns: x.ncols(),
                ..Facts::default()
            };
            comm.agree(&facts, Ok(()))?;
            let [first, second] = self.powers;
            let scores = if self.m == 2 { 1 } else { self.m };
            let start = vec![0.0; scores * (x.ncols() + 1)];
            let task = LogisticRegression {
                rows,
                weights: &vec![1.0; self.m],
                total: self.x.nrows() as f64,
                penalties: [[first, 0.0], [second, 0.0]],
                intercept: [true, self.centered],
                tol: [self.tol, 0.02 * self.tol],
                limit: 2000,
                room: self.room,
                observer: None,
            };
            task.fit(comm, &start)
        })
    }
}

fn alike<T: PartialEq>(answers: &[T]) -> bool {
    answers.windows(2).all(|pair| pair[0] == pair[1])
}

#[test]
fn every_way_ends_at_one_optimum_on_any_number_of_ranks() {
    for m in [2, 3] {
        for powers in [[0.0, 1.0], [0.0, 0.0], [2.0, 0.0], [1.0, 1.0]] {
            let problem = Problem {
                powers,
                ..Problem::new(400, 12, m, 0.0)
            };
            let newton = problem.fit(&Solo).unwrap();
            assert!(newton.converged && newton.steepness <= 1e-9, "{newton:?}");
            let gradients = Problem {
                room: 0,
                ..problem.clone()
            }
            .fit(&Solo)
            .unwrap();
            assert!(gradients.converged, "{gradients:?}");
            close(
                &gradients.coef,
                &newton.coef,
                1e-6,
                &format!("{m} {powers:?}"),
            );
            for size in [1, 2, 3, 7, 16] {
                let all = Threads::run(size, |comm| problem.fit(comm).unwrap());
                assert!(alike(&all), "ranks differ in bits");
                close(&all[0].coef, &newton.coef, 1e-9, "ranks");
                assert_eq!(all[0].steps, newton.steps);
            }
        }
    }
}

#[test]
fn offsets_change_the_intercept_alone() {
    for powers in [[0.0, 1.0], [1.0, 0.0]] {
        let near = Problem {
            powers,
            ..Problem::new(300, 4, 3, 0.0)
        };
        let wanted = near.fit(&Solo).unwrap();
        for offset in [1e6, 1e8] {
            let far = Problem {
                x: &near.x + offset,
                ..near.clone()
            };
            let found = Threads::run(3, |comm| far.fit(comm).unwrap());
            for (far, near) in found[0].coef.chunks(5).zip(wanted.coef.chunks(5)) {
                close(&far[..4], &near[..4], 1e-9, "coefficients");
            }
        }
    }
}

#[test]
fn messages_are_few_and_known() {
    let problem = Problem::new(60, 3, 2, 0.0);
    for size in [2, 3, 5] {
        let (odds, messages) = Threads::count(size, |comm| problem.fit(comm).unwrap());
        // Header, means, variances and the start; two for the first look and for each step, one
        // that says to stop, the model, and the model for columns as they are.
        assert_eq!(messages, 4 + 2 * (odds[0].steps + 1) + 3, "{size}");
    }
}

#[test]
fn a_fault_at_any_step_is_the_same_error_on_every_rank_and_the_next_fit_works() {
    let problem = Problem::new(40, 2, 3, 0.0);
    for step in [
        "the header",
        "the look at the means",
        "the model",
        "round 1",
        "round 3",
    ] {
        for (fault, who) in [("panic", 1), ("error", 0), ("memory", 2)] {
            let body = |me: Threads| {
                let me = std::sync::Arc::new(me);
                let fault = format!("{fault}:{step}:{who}");
                let faulty = Faulty::wrap(Box::new(me.within("fit", None)), &fault);
                let first = problem.fit(&*faulty).unwrap_err();
                assert!(problem.fit(&*me).is_ok(), "{step} {fault}");
                first
            };
            let answers = std::thread::scope(|scope| {
                let ranks: Vec<_> = Threads::world(3)
                    .into_iter()
                    .map(|me| scope.spawn(move || body(me)))
                    .collect();
                ranks
                    .into_iter()
                    .map(|rank| rank.join().unwrap())
                    .collect::<Vec<_>>()
            });
            assert!(alike(&answers), "{step} {fault}: {answers:?}");
            assert!(matches!(answers[0], Error::Rank { rank, .. } if rank == who));
        }
    }
}
