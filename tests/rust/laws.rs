//! Batch = streaming = any number of ranks; and what happens when ranks do not fit together.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // bits are compared

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use sklearnex_rs::{
    Error, Result,
    algo::{
        self, Components, Count, LeastSquares, LeastSquaresModel, LeastSquaresParams, Model, Pca,
        Rounds, Way, collective, lead, one_pass, r2, rounds,
    },
    block::Block,
    comm::{Agreed, Communicator, Facts, Faulty, Solo, Threads},
    device::{Cpu, Data, MomentKernels, MomentOptions},
    real::Real,
    summary::{Columns, Extremes, LeadingRows, Means, Moments, RFactor, Streaming, Summary, Sums},
};
use std::{fmt::Debug, thread, time::Duration};

fn noise(n: usize, p: usize, offset: f64) -> Array2<f64> {
    let mut state = 7_u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) as f64 / 2_f64.powi(30) - 1.0 + offset
    })
}

fn alike<T: PartialEq>(answers: &[T]) -> bool {
    answers.windows(2).all(|pair| pair[0] == pair[1])
}

fn close(a: &[f64], b: &[f64], within: f64) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= within * (1.0 + b.abs());
    a.len() == b.len() && a.iter().zip(b).all(near)
}

/// All rows and targets there are, and how a rank fits its share of them.
#[derive(Clone)]
struct Problem<T> {
    x: Array2<T>,
    y: Array2<T>,
    w: Option<Array2<T>>,
    threads: usize,
    positive: bool,
    /// Whether the last rank has all rows.
    heap: bool,
    /// Penalties of the targets.
    alphas: Vec<f64>,
}

impl Problem<f64> {
    fn new(x: Array2<f64>, coef: &Array2<f64>, blur: f64) -> Self {
        let y = x.dot(coef) + noise(x.nrows(), coef.ncols(), 0.0) * blur + 3.0;
        let (w, threads, positive, heap) = (None, 1, false, false);
        Self {
            x,
            y,
            w,
            threads,
            positive,
            heap,
            alphas: Vec::new(),
        }
    }

    /// Two columns nearly alike, apart by `2^-k`: whole numbers, so `[3, -2]` is the exact answer.
    fn steep(n: usize, k: i32, offset: f64) -> Self {
        let x = Array2::from_shape_fn((n, 2), |(i, j)| {
            let (a, d) = ((i * 37 % 64) as f64 - 31.5, (i * 11 % 61) as f64 - 30.0);
            offset + a + if j == 1 { d * 2_f64.powi(-k) } else { 0.0 }
        });
        Self::new(x, &ndarray::array![[3.0], [-2.0]], 0.0)
    }

    fn single(&self) -> Problem<f32> {
        let narrow = |a: &Array2<f64>| a.mapv(f32::of);
        let (x, y, w) = (
            narrow(&self.x),
            narrow(&self.y),
            self.w.as_ref().map(narrow),
        );
        let Self {
            threads,
            positive,
            heap,
            ..
        } = *self;
        Problem {
            x,
            y,
            w,
            threads,
            positive,
            heap,
            alphas: self.alphas.clone(),
        }
    }
}

impl<T: Real> Problem<T> {
    fn mine<'a>(&self, all: &'a Array2<T>, comm: &dyn Communicator) -> ArrayView2<'a, T> {
        let cut = |rank| match (self.heap, rank == comm.size()) {
            (true, last) => usize::from(last) * all.nrows(),
            (false, _) => rank * all.nrows() / comm.size(),
        };
        all.slice(s![cut(comm.rank())..cut(comm.rank() + 1), ..])
    }

    fn fit(&self, comm: &dyn Communicator) -> Result<LeastSquaresModel> {
        let (x, y) = (self.mine(&self.x, comm), self.mine(&self.y, comm));
        let w = self.w.as_ref().map(|w| self.mine(w, comm));
        let device = &Cpu {
            threads: self.threads,
        };
        let rows = &Data {
            device,
            x: &x,
            y: Some(&y),
            w: w.as_ref(),
        };
        collective(comm, |comm| {
            let (rows_of_mine, columns) = x.dim();
            let facts = Facts {
                rows: rows_of_mine,
                columns,
                ..Facts::default()
            };
            let most = comm.agree(&facts, Ok(()))?.most;
            let params = LeastSquaresParams {
                intercept: true,
                tol: 1e-13,
                positive: self.positive,
                alphas: &self.alphas,
            };
            let threads = self.threads;
            let fit = LeastSquares {
                rows,
                params,
                most,
                threads,
            };
            fit.fit(comm)
        })
    }

    /// Any number of ranks, however rows are spread, brings what one brings, up to rounding.
    fn ranks_equal_batch(&self, within: f64) -> LeastSquaresModel {
        let batch = self.fit(&Solo).unwrap();
        let condition = batch.singular[0] / batch.singular[batch.singular.len() - 1];
        let squared = 1e-15 * 1e4_f64.min(condition).powi(2); // what `Moments` alone may lose
        for size in 1..=16 {
            for (threads, heap) in [(1, false), (2, size % 2 == 0)] {
                let problem = Self {
                    threads,
                    heap,
                    ..self.clone()
                };
                let lines = Threads::run(size, |comm| problem.fit(comm).unwrap());
                assert!(alike(&lines), "ranks differ in bits");
                let line = &lines[0];
                assert!(
                    close(&line.coef, &batch.coef, within),
                    "{size}: {line:?} {batch:?}"
                );
                assert!(
                    close(&line.singular, &batch.singular, within + squared),
                    "{line:?} {batch:?}"
                );
                assert_eq!(line.rank, batch.rank);
            }
        }
        batch
    }
}

fn looked(x: ArrayView2<'_, f64>, w: Option<&ArrayView2<'_, f64>>, centered: bool) -> Moments {
    let rows = Data {
        device: &Cpu { threads: 1 },
        x: &x,
        y: None,
        w,
    };
    let found = rows
        .device
        .moments(
            &rows,
            MomentOptions {
                centered,
                exact: true,
            },
        )
        .unwrap();
    let means = Means::of(found.counts, &found.origin, &found.mean).unwrap();
    Moments::of(means, found.comoment, centered).unwrap()
}

/// The laws of a summary; `of` brings that of a rank's rows, `view` what it says of them.
fn laws<S: Summary + Sync + PartialEq + Debug>(
    of: impl Fn(usize) -> S + Sync,
    view: impl Fn(&S) -> Vec<f64>,
) {
    let merged = |mut a: S, b: &S| a.merge(b).map(|()| a).unwrap();
    for rank in 0..9 {
        let neutral = of(rank).neutral().unwrap();
        for same in [merged(of(rank), &neutral), merged(neutral, &of(rank))] {
            assert!(close(&view(&same), &view(&of(rank)), 1e-15), "{same:?}");
        }
        let left = merged(merged(of(rank), &of(rank + 1)), &of(rank + 2));
        let right = merged(of(rank), &merged(of(rank + 1), &of(rank + 2)));
        assert!(
            close(&view(&left), &view(&right), 1e-9),
            "{left:?} {right:?}"
        );
    }
    for size in 1..=9 {
        let whole = (1..size).fold(of(0), |whole, rank| merged(whole, &of(rank)));
        let (mut all, messages) = Threads::count(size, |comm| {
            let mut mine = of(comm.rank());
            mine.tail()
                .copy_from_slice(&[1.0, f64::from(u8::from(comm.rank() == 0))]);
            mine.reduce(comm).map(|()| mine).unwrap()
        });
        assert!(alike(&all), "ranks differ in bits");
        assert!(
            close(&view(&all[0]), &view(&whole), 1e-9),
            "{size}: {all:?} {whole:?}"
        );
        assert_eq!(all[0].tail(), [size as f64, 1.0]);
        assert!(messages <= 3 + size.ilog2() as usize);
    }
}

/// Means, squares and products of the rows that a span stands for.
fn spanned(seen: &LeadingRows) -> Vec<f64> {
    let (rows, used) = seen.rows().unwrap();
    let q = seen.squares().len();
    let r = ArrayView2::from_shape((q, used), &rows).unwrap();
    let products: Vec<f64> = r.dot(&r.t()).iter().copied().collect();
    let found = seen.means().unwrap();
    let counts = [found.rows(), found.weight()];
    [&counts, found.mean(), seen.squares(), &products].concat()
}

#[test]
#[allow(clippy::too_many_lines)] // one law, every summary
fn every_summary_obeys_the_laws() {
    let (x, w) = (noise(120, 4, 1e3), noise(120, 1, 1.0));
    let start = |rank: usize| rank * (rank + 1) / 2;
    let weights = |rank: usize| {
        let mut mine = w.slice(s![start(rank)..start(rank + 1), ..]).to_owned();
        mine.slice_mut(s![..;3, ..]).fill(0.0); // the first rank's only row weighs nothing
        mine
    };
    let rows = |rank: usize| {
        let end = if rank % 4 == 3 {
            start(rank)
        } else {
            start(rank + 1)
        };
        x.slice(s![start(rank)..end, ..])
    };
    let moments = |rank, centered| {
        let (x, w) = (rows(rank), weights(rank));
        looked(x, Some(&w.slice(s![..x.nrows(), ..])), centered)
    };
    let means = |seen: &Means| [&[seen.rows(), seen.weight()], seen.mean()].concat();
    let all = |seen: &Moments| {
        let pairs = (0..4).flat_map(|i| (0..4).map(move |j| (i, j)));
        let entries: Vec<f64> = pairs.map(|(i, j)| seen.comoment(i, j)).collect();
        [means(seen.means()), entries].concat()
    };
    let bare = |rank| {
        let seen = moments(rank, true);
        Means::of(
            [seen.means().rows(), seen.means().weight()],
            seen.means().mean(),
            &vec![0.0; seen.means().mean().len()],
        )
        .unwrap()
    };
    laws(bare, means);
    for centered in [true, false] {
        laws(|rank| moments(rank, centered), all);
    }
    let columns = |rank| {
        let (x, w) = (rows(rank), weights(rank));
        let (device, w) = (&Cpu { threads: 1 }, w.slice(s![..x.nrows(), ..]));
        algo::columns(&Data {
            device,
            x: &x,
            y: None,
            w: Some(&w),
        })
        .unwrap()
    };
    let extremes = |found: &[f64]| found.iter().map(|x| x.max(-1e9)).collect::<Vec<_>>();
    laws(columns, |seen: &Columns| {
        let bounds = extremes(seen.extremes());
        [means(seen.means()), seen.squares().to_vec(), bounds].concat()
    });
    laws(
        |rank| Extremes::of(columns(rank).extremes().to_vec()),
        |seen| extremes(seen.largest()),
    );
    let span = |rank| {
        let (x, w) = (rows(rank), weights(rank));
        let (device, w) = (&Cpu { threads: 1 }, w.slice(s![..x.nrows(), ..]));
        let data = Data {
            device,
            x: &x,
            y: None,
            w: Some(&w),
        };
        algo::leading_rows(&data, 4).unwrap()
    };
    laws(span, spanned);
    let slope = |rank| Sums::of(rows(rank).sum_axis(Axis(0)).to_vec());
    laws(slope, |seen| seen.values().to_vec());
    for centered in [true, false] {
        let border = |rank| {
            let (x, w) = (rows(rank), weights(rank));
            let w = w.slice(s![..x.nrows(), ..]);
            let data = Data {
                device: &Cpu { threads: 1 },
                x: &x,
                y: None,
                w: Some(&w),
            };
            algo::centered_r(&data, centered).unwrap()
        };
        laws(border, |seen| {
            let r = ArrayView2::from_shape((4, 4), seen.r_factor().columns()).unwrap();
            let products = r.dot(&r.t()).iter().copied().collect();
            [means(seen.means()), products].concat()
        });
    }
    for h in [4, 7] {
        let r_factor = |rank| {
            let (device, x, mean) = (&Cpu { threads: 1 }, rows(rank), [1e3; 4]);
            let data = Data {
                device,
                x: &x,
                y: None,
                w: None,
            };
            let (found, used) = device.r_factor(&data, &mean, h).unwrap();
            RFactor::of(h, 4, &found, used).unwrap()
        };
        laws(r_factor, |seen| {
            let r = ArrayView2::from_shape((4, h), seen.columns()).unwrap();
            r.dot(&r.t()).iter().copied().collect()
        });
    }
}

/// `of` brings what is known of some of 90 rows, `view` what that says of them.
fn kept<S: Streaming + PartialEq + Debug>(
    of: impl Fn(std::ops::Range<usize>) -> S,
    view: impl Fn(&S) -> Vec<f64>,
) {
    let packed = of(0..90).pack().unwrap();
    assert_eq!(S::unpack(&packed).unwrap(), of(0..90));
    let none = of(0..0).pack().unwrap();
    for edges in [
        [0, 1, 2, 90],
        [0, 30, 60, 90],
        [0, 0, 89, 90],
        [0, 90, 90, 90],
    ] {
        for order in [[0, 1, 2], [2, 0, 1]] {
            let absorbed = order.iter().fold(Vec::new(), |known, part| {
                algo::absorb(&known, || Ok(of(edges[*part]..edges[part + 1]))).unwrap()
            });
            let joined = algo::union::<S>(&none, &absorbed).unwrap();
            for found in [absorbed, joined] {
                let (found, all) = (S::unpack(&found).unwrap(), of(0..90));
                assert!(
                    close(&view(&found), &view(&all), 1e-10),
                    "{found:?} {all:?}"
                );
            }
        }
    }
}

/// What is known of the columns of rows.
fn columns(x: ArrayView2<'_, f64>) -> Columns {
    let data = Data {
        device: &Cpu { threads: 1 },
        x: &x,
        y: None,
        w: None,
    };
    algo::columns(&data).unwrap()
}

/// What is kept between batches is what was seen, and batches in any order are all rows at once.
#[test]
fn streams_are_kept_and_joined() {
    let x = noise(90, 3, 1e4);
    let part = |rows: std::ops::Range<usize>| x.slice(s![rows, ..]);
    kept(
        |rows| columns(part(rows)),
        |seen| {
            let extremes = seen.extremes().iter().map(|x| x.max(-1e9)).collect();
            [
                seen.means().mean().to_vec(),
                seen.squares().to_vec(),
                extremes,
            ]
            .concat()
        },
    );
    for centered in [true, false] {
        kept(
            |rows| looked(part(rows), None, centered),
            |seen| [seen.means().mean().to_vec(), seen.products(3).unwrap()].concat(),
        );
    }
    for h in [3, 5] {
        let span = |rows| {
            let data = Data {
                device: &Cpu { threads: 1 },
                x: &part(rows),
                y: None,
                w: None,
            };
            algo::leading_rows(&data, h).unwrap()
        };
        kept(span, spanned);
    }
}

#[test]
fn streams_of_another_kind_are_not_joined() {
    let x = noise(9, 3, 1e4);
    let known = columns(x.view()).pack().unwrap();
    for broken in [
        &known[..1],
        &known[..9],
        &columns(x.view()).pack().unwrap()[2..],
    ] {
        let joined = algo::union::<Columns>(&known, broken);
        assert!(joined.is_err(), "{joined:?}");
    }
    let open = looked(x.view(), None, false).pack().unwrap();
    let closed = looked(x.view(), None, true).pack().unwrap();
    assert!(matches!(
        algo::union::<Moments>(&open, &closed),
        Err(Error::Unfit(_))
    ));
}

/// An affine map: its composition is associative, but not commutative.
#[derive(Clone, Debug, PartialEq)]
struct Affine(Vec<f64>);

impl Summary for Affine {
    fn merge(&mut self, other: &Self) -> Result<()> {
        self.0[1] += self.0[0] * other.0[1];
        self.0[0] *= other.0[0];
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Ok(Self(vec![1.0, 0.0, 0.0, 0.0]))
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.0
    }
}

#[test]
fn any_merge_reduces_in_rank_order() {
    laws(
        |rank| Affine(vec![2.0, rank as f64 + 1.0, 0.0, 0.0]),
        |seen| seen.0[..2].to_vec(),
    );
}

#[test]
fn ranks_equal_batch_and_each_other_however_rows_are_spread() {
    let coef = noise(4, 2, 0.5);
    for (n, offset, within) in [(7, 0.0, 1e-9), (101, 1e6, 1e-7), (101, 1e8, 1e-5)] {
        let flat = Problem::new(noise(n, 4, offset), &coef, 0.1);
        flat.ranks_equal_batch(within);
        Problem {
            alphas: vec![0.5, 1e-3],
            ..flat.clone()
        }
        .ranks_equal_batch(within);
        Problem {
            positive: true,
            ..flat
        }
        .ranks_equal_batch(within);
    }
    let mut odd = Problem::new(noise(90, 4, 1.0), &coef, 0.1);
    let narrow = odd.single().ranks_equal_batch(1e-4);
    assert!(
        close(&narrow.coef, &odd.fit(&Solo).unwrap().coef, 1e-4),
        "f32: {narrow:?}"
    );
    odd.w = Some(Array2::from_shape_fn((90, 1), |(i, _)| (i % 3) as f64));
    let weighed = odd.ranks_equal_batch(1e-9);
    let times = |a: &Array2<f64>| {
        let ones = a.select(Axis(0), &(0..90).filter(|i| i % 3 > 0).collect::<Vec<_>>());
        let twos = a.select(Axis(0), &(0..90).filter(|i| i % 3 > 1).collect::<Vec<_>>());
        concatenate![Axis(0), ones, twos]
    };
    let repeated = Problem {
        x: times(&odd.x),
        y: times(&odd.y),
        w: None,
        ..odd
    };
    let repeated = repeated.fit(&Solo).unwrap();
    assert!(
        close(&weighed.coef, &repeated.coef, 1e-9),
        "{weighed:?} {repeated:?}"
    );
    assert!(
        close(&weighed.intercept, &repeated.intercept, 1e-9),
        "{weighed:?} {repeated:?}"
    );
}

#[test]
fn singular_values_are_as_many_as_rows_also_where_there_are_more_ranks() {
    let coef = noise(4, 2, 0.5);
    Problem::new(noise(1, 4, 0.0), &coef, 0.1).ranks_equal_batch(1e-9);
    Problem::new(Array2::ones((3, 4)), &coef, 0.1).ranks_equal_batch(1e-9);
}

#[test]
fn wide_rows_are_met_exactly_by_coefficients_of_least_norm() {
    let wide = Problem::new(noise(6, 11, 10.0), &noise(11, 2, 0.5), 0.1);
    let line = wide.ranks_equal_batch(1e-9);
    let coef = ArrayView2::from_shape((11, 2), &line.coef).unwrap();
    let fitted = wide.x.dot(&coef) + ndarray::arr1(&line.intercept);
    assert!(
        close(fitted.as_slice().unwrap(), wide.y.as_slice().unwrap(), 1e-9),
        "{line:?}"
    );
    assert_eq!((line.rank, line.singular.len()), (5, 6));
    // Of least norm: a sum of centred rows, so orthogonal to what those leave out.
    let centred = &wide.x - &wide.x.mean_axis(Axis(0)).unwrap();
    let found = sklearnex_rs::solve::singular([11, 6], centred.as_slice().unwrap(), 1)
        .unwrap()
        .0;
    let span = ArrayView2::from_shape((6, 11), &found).unwrap();
    let span = span.slice(s![..5, ..]);
    let again = span.t().dot(&span.dot(&coef));
    assert!(close(
        again.as_standard_layout().as_slice().unwrap(),
        &line.coef,
        1e-9
    ));
    wide.single().ranks_equal_batch(1e-3);
}

#[test]
fn steep_problems_find_the_exact_answer() {
    for (k, offset) in [3, 6, 10, 13, 16, 20, 23]
        .map(|k| (k, 0.0))
        .into_iter()
        .chain([(3, 1e6), (10, 1e6), (16, 1e6), (3, 1e8), (10, 1e8)])
    {
        let condition = 2_f64.powi(k);
        let within = (1e-13 + 1e-16 * offset) * condition + (offset * condition * 1e-15).powi(2);
        let steep = Problem::steep(200, k, offset);
        for positive in [false, k < 17] {
            let problem = Problem {
                positive,
                ..steep.clone()
            };
            let line = problem.ranks_equal_batch(within);
            if !positive {
                assert!(
                    close(&line.coef, &[3.0, -2.0], within),
                    "{k} {offset}: {line:?}"
                );
            }
        }
    }
}

#[test]
fn answers_do_not_depend_on_threads_bit_by_bit() {
    for (k, heap) in [(1, false), (9, true), (18, false)] {
        let lines: Vec<LeastSquaresModel> = [1, 2, 3]
            .into_iter()
            .flat_map(|threads| {
                let problem = Problem {
                    threads,
                    heap,
                    ..Problem::steep(50_000, k, 5.0)
                };
                Threads::run(2, |comm| problem.fit(comm).unwrap())
            })
            .collect();
        assert!(alike(&lines), "{lines:?}");
        let lines = [1, 2, 3].map(|threads| {
            let problem = Problem {
                threads,
                ..Problem::steep(50_000, k.min(9), 5.0)
            };
            problem.single().fit(&Solo).unwrap()
        });
        assert!(alike(&lines), "{lines:?}");
    }
}

#[test]
fn scores_are_the_same_on_any_number_of_ranks() {
    let (y, rest) = (noise(50, 2, 1e6), noise(50, 2, 0.0));
    let squares = |comm: &dyn Communicator| {
        let cut = |rank| rank * 50 / comm.size();
        let mine = s![cut(comm.rank())..cut(comm.rank() + 1), ..];
        let (x, y) = (y.slice(mine), rest.slice(mine));
        r2(
            &Data {
                device: &Cpu { threads: 1 },
                x: &x,
                y: Some(&y),
                w: None,
            },
            comm,
        )
        .unwrap()
    };
    for size in 1..=16 {
        let all = Threads::run(size, squares);
        assert!(alike(&all) && close(&all[0], &squares(&Solo), 1e-9));
    }
}

#[test]
fn messages_are_few() {
    let problem = Problem::new(noise(60, 3, 0.0), &noise(3, 1, 0.0), 0.1);
    for size in 2..=5 {
        let header = Threads::count(size, |comm| comm.agree(&Facts::default(), Ok(())).unwrap());
        let fit = Threads::count(size, |comm| problem.fit(comm).unwrap());
        assert_eq!(
            (header.1, fit.1),
            (1, 4),
            "header; means, co-moments, model"
        );
    }
}

/// Gradient descent; one rank computes one unit in the last place beside the others.
struct Descent {
    x: Array2<f64>,
    beside: bool,
    round: usize,
}

#[derive(Debug, PartialEq)]
struct Coef(Vec<f64>);

impl Model for Coef {
    fn words(&self) -> Result<Vec<f64>> {
        Ok(self.0.clone())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        Ok(Self(words))
    }
}

impl Rounds for Descent {
    type Summary = Sums;
    type Model = Coef;

    fn neutral(&self, model: &Coef) -> Result<Sums> {
        Sums::empty(model.0.len())
    }

    fn look(&mut self, model: &Coef) -> Result<Sums> {
        let rest = 1.0 - self.x.dot(&ndarray::arr1(&model.0));
        Ok(Sums::of(self.x.t().dot(&rest).to_vec()))
    }

    fn improve(&mut self, mut model: Coef, seen: &mut Sums) -> Result<(Coef, bool)> {
        for (c, g) in model.0.iter_mut().zip(seen.values()) {
            *c += 0.01 * g;
            *c = if self.beside { c.next_up() } else { *c };
        }
        self.round += 1;
        Ok((model, self.round > 5 && !self.beside)) // so this rank alone would never stop
    }
}

#[test]
fn one_unit_in_the_last_place_does_not_part_the_ranks() {
    let descend = |odd: usize| {
        Threads::count(3, move |comm| {
            let (x, beside) = (noise(10 + comm.rank(), 2, 0.0), comm.rank() == odd);
            let mut algo = Descent {
                x,
                beside,
                round: 0,
            };
            rounds(&mut algo, comm, Coef(vec![0.0; 2]), 50).unwrap()
        })
    };
    let (plain, messages) = descend(9);
    assert_eq!(
        messages,
        6 + 1 + 1,
        "six rounds, one that says to stop, the model"
    );
    for odd in [1, 2] {
        let (models, as_many) = descend(odd);
        assert!(alike(&models) && as_many == messages, "{models:?}");
        assert!(close(&models[0].0, &plain[0].0, 1e-12));
    }
}

fn facts() -> Facts {
    let (method, parameters) = ("LinearRegression.fit".to_owned(), "a=1\nb=2".to_owned());
    Facts {
        rows: 3,
        method,
        parameters,
        columns: 4,
        dtype: 1,
        targets: 1,
        ..Facts::default()
    }
}

fn rank_error(rank: usize, kind: &str, text: &str) -> Error {
    Error::Rank {
        rank,
        kind: kind.to_owned(),
        text: text.to_owned(),
    }
}

/// What the ranks agree on where rank 2 of 4 comes with `change`d facts; a good call follows.
fn agreed(change: impl Fn(&mut Facts) + Sync) -> Result<Agreed> {
    let all = Threads::run(4, |comm| {
        let mut mine = facts();
        if comm.rank() == 2 {
            change(&mut mine);
        }
        let first = comm.agree(&mine, Ok(()));
        assert!(comm.agree(&facts(), Ok(())).is_ok());
        first
    });
    assert!(alike(&all), "{all:?}");
    all[0].clone()
}

type Change = fn(&mut Facts);

#[test]
fn facts_that_differ_are_named_with_both_sides() {
    let said = |change: Change| agreed(change).unwrap_err().to_string();
    let cases: [(Change, &str); 6] = [
        (
            |f| f.method = "Ridge.fit".into(),
            "rank 2 called Ridge.fit, rank 0 LinearRegression.fit",
        ),
        (
            |f| f.parameters = "a=1\nb=3".into(),
            "the 'b' parameter differs: rank 0 has 2, rank 2 has 3",
        ),
        (
            |f| f.columns = 5,
            "X has 5 features on rank 2, but 4 features on rank 0",
        ),
        (
            |f| f.targets = 3,
            "rank 0 has a one-dimensional y, rank 2 has a y with 2 column(s)",
        ),
        (
            |f| f.weighted = true,
            "rank 0 has no sample_weight, rank 2 has",
        ),
        (
            |f| f.names = r#"["a", "b"]"#.into(),
            r#"feature names differ: rank 0 has none, rank 2 has ["a", "b"]"#,
        ),
    ];
    for (change, text) in cases {
        assert_eq!(said(change), text);
    }
}

#[test]
fn a_rank_without_rows_abstains_and_types_promote() {
    let all = agreed(|f| f.rows = 9).unwrap();
    assert_eq!(
        (all.most, all.least, all.columns, all.dtype, all.targets),
        (9, 3, 4, 1, 1)
    );
    assert_eq!(agreed(|f| f.dtype = 2).unwrap().dtype, 2);
    let empty = agreed(|f| {
        (f.rows, f.columns, f.dtype, f.targets) = (0, 7, 9, 5);
        (f.weighted, f.names) = (true, "z".into());
    })
    .unwrap();
    assert_eq!(
        empty,
        Agreed {
            most: 3,
            least: 0,
            ..agreed(|_| {}).unwrap()
        }
    );
    assert!(agreed(|f| (f.rows, f.method) = (0, "Ridge.fit".into())).is_err());
    let none = Facts { rows: 0, ..facts() };
    assert!(
        Threads::run(3, |comm| comm.agree(&none, Ok(())))
            .iter()
            .all(Result::is_ok)
    );
    let solo: &dyn Communicator = &Solo;
    assert_eq!(solo.agree(&facts(), Ok(())), agreed(|_| {}));
}

#[test]
fn a_failing_rank_is_the_same_error_on_every_rank_and_the_lowest_wins() {
    let answers = Threads::run(4, |comm| {
        let bad = ["", "first", "", "second"][comm.rank()];
        let mine = if bad.is_empty() {
            Ok(())
        } else {
            Err(Error::Shape(bad))
        };
        let failed = comm.agree(
            &Facts {
                columns: comm.rank(),
                ..facts()
            },
            mine,
        );
        assert!(comm.agree(&facts(), Ok(())).is_ok());
        failed.unwrap_err()
    });
    assert_eq!(
        answers,
        vec![rank_error(1, "ValueError", "shapes do not fit: first"); 4]
    );
}

#[test]
fn a_call_left_out_is_named_on_all_and_the_next_call_works() {
    let answers = Threads::run(3, |comm| {
        if comm.rank() == 1 {
            comm.call();
        }
        let first = comm.agree(&facts(), Ok(())).unwrap_err().to_string();
        assert!(comm.agree(&facts(), Ok(())).is_ok() && comm.agree(&facts(), Ok(())).is_ok());
        first
    });
    assert!(
        alike(&answers) && answers[0].ends_with("a rank left out a call"),
        "{answers:?}"
    );
}

#[test]
fn a_rank_that_abandons_a_call_ends_it_for_all_and_the_next_call_works() {
    for (size, rank) in [(2, 0), (2, 1), (5, 3)] {
        let answers = Threads::run(size, |comm| {
            let first = collective(comm, |comm| {
                comm.agree(&facts(), Ok(()))?;
                if comm.rank() == rank {
                    return Err(Error::NotFinite);
                }
                comm.sum(&mut vec![1.0])
                    .and_then(|()| comm.sum(&mut vec![1.0]))
            });
            for _ in 0..3 {
                let mut one = vec![1.0];
                comm.agree(&facts(), Ok(()))
                    .and_then(|_| comm.sum(&mut one))
                    .unwrap();
                assert_eq!(one, [size as f64]);
            }
            first.unwrap_err()
        });
        let text = "input contains NaN or infinity";
        assert_eq!(
            answers,
            vec![rank_error(rank, "sklearnex_rs._core.NotFiniteError", text); size]
        );
    }
}

#[test]
fn a_panic_in_a_look_or_in_the_lead_is_the_same_error_on_every_rank() {
    let answers = Threads::run(3, |comm| {
        let falls = |rank| assert!(comm.rank() != rank, "rank {rank} falls");
        let pass = one_pass(
            comm,
            || Sums::empty(2),
            || {
                falls(1);
                Ok(Sums::of(vec![1.0; 2]))
            },
        );
        let led = lead(comm, || {
            falls(0);
            Ok(Coef(Vec::new()))
        });
        let good = one_pass(comm, || Sums::empty(2), || Ok(Sums::of(vec![1.0; 2])));
        assert_eq!(good.unwrap().values(), [3.0; 2]);
        let late = collective(comm, |comm| {
            falls(2);
            comm.sum(&mut vec![0.0])
        });
        [pass.unwrap_err(), led.unwrap_err(), late.unwrap_err()]
    });
    let fallen = |rank| {
        rank_error(
            rank,
            "sklearnex_rs._core.InternalError",
            &format!("internal error, please report: rank {rank} falls"),
        )
    };
    assert_eq!(answers, vec![[1, 0, 2].map(fallen); 3]);
}

/// Runs `body` with ranks it owns.
fn own<R: Send>(size: usize, body: impl Fn(Threads) -> R + Sync) -> Vec<R> {
    let body = &body;
    thread::scope(|scope| {
        let ranks = Threads::world(size)
            .into_iter()
            .map(|me| scope.spawn(move || body(me)));
        let ranks: Vec<_> = ranks.collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

#[test]
fn a_fault_at_any_step_is_the_same_error_on_every_rank_and_the_next_fit_works() {
    let problem = Problem::new(noise(30, 3, 0.0), &noise(3, 1, 0.0), 0.1);
    let steps = [
        "the header",
        "the look at the moments",
        "the means",
        "the co-moments",
        "the model",
    ];
    for step in steps {
        let kinds = [
            ("panic", "sklearnex_rs._core.InternalError"),
            ("error", "ValueError"),
            ("memory", "MemoryError"),
        ];
        for ((fault, kind), who) in kinds.into_iter().zip([1, 0, 2]) {
            let answers = own(3, |me| {
                let me = std::sync::Arc::new(me);
                let fault = format!("{fault}:{step}:{who}");
                let faulty = Faulty::wrap(Box::new(me.within("fit", None)), &fault);
                let first = problem.fit(&*faulty).unwrap_err();
                assert!(problem.fit(&*me).is_ok(), "{step} {fault}");
                first
            });
            assert!(alike(&answers), "{step} {fault}: {answers:?}");
            assert!(matches!(answers[0], Error::Rank { rank, .. } if rank == who));
            assert_eq!(answers[0].kind(), kind, "{step} {fault}");
        }
    }
    let plain = own(2, |me| {
        problem
            .fit(&*Faulty::wrap(Box::new(me), "panic:the model"))
            .is_ok()
    });
    assert_eq!(plain, [true; 2], "a text of another form is no fault");
}

#[test]
fn a_deadline_names_the_ranks_that_are_missing() {
    for (late, names) in [(1, "rank 3"), (2, "ranks 2, 3")] {
        let answers = own(4, |me| {
            let calls = me.within("LinearRegression.fit", Some(Duration::from_millis(200)));
            calls.step("the co-moments").unwrap();
            if calls.rank() >= 4 - late {
                thread::sleep(Duration::from_millis(700));
            }
            let first = (&calls as &dyn Communicator).sum(&mut vec![1.0]);
            let mut one = vec![1.0];
            (&me as &dyn Communicator).sum(&mut one).unwrap();
            assert_eq!(one, [4.0]);
            first.unwrap_err()
        });
        let text = format!(
            "LinearRegression.fit: {names} did not come to the co-moments within 0.2 s (spmd_timeout)"
        );
        assert_eq!(answers, vec![Error::Timeout(text); 4]);
    }
}

#[test]
fn different_calls_fail_on_every_rank_and_a_rank_that_left_is_gone() {
    let lengths = Threads::run(3, |comm| comm.sum(&mut vec![0.0; 1 + comm.rank() / 2]));
    assert!(alike(&lengths) && matches!(lengths[0], Err(Error::Calls { rank: 2, .. })));
    let kinds = Threads::run(3, |comm| match comm.rank() {
        1 => comm.max(&mut vec![0.0]),
        _ => comm.sum(&mut vec![0.0]),
    });
    assert!(alike(&kinds) && matches!(kinds[0], Err(Error::Calls { rank: 1, .. })));
    let roots = Threads::run(3, |comm| comm.broadcast(Block::default(), comm.rank() / 2));
    assert!(alike(&roots) && matches!(roots[0], Err(Error::Calls { rank: 2, .. })));
    let astray = Threads::run(3, |comm| comm.exchange(0, 1, [1.0].as_slice().into()));
    assert!(alike(&astray) && matches!(astray[0], Err(Error::Calls { .. })));
    let early = Threads::run(3, |comm| match comm.rank() {
        1 => [Ok(()), Ok(())],
        _ => [comm.sum(&mut vec![1.0]), comm.sum(&mut vec![1.0])],
    });
    let gone = || {
        Err(Error::Gone {
            rank: 1,
            before: "this call".to_owned(),
        })
    };
    assert_eq!([&early[0], &early[2]], [&[gone(), gone()]; 2]);
}

#[test]
fn blocks_travel_as_defined() {
    let block = |from: usize, to: usize| Block(format!("{from}>{to}").repeat(from).into_bytes());
    let all = |comm: &dyn Communicator| {
        let (rank, size) = (comm.rank(), comm.size());
        let to_all = comm
            .all_to_all((0..size).map(|to| block(rank, to)).collect())
            .unwrap();
        assert_eq!(
            to_all,
            (0..size).map(|from| block(from, rank)).collect::<Vec<_>>()
        );
        let gathered = comm.gather(block(rank, 0)).unwrap();
        assert_eq!(
            gathered,
            (0..size).map(|from| block(from, 0)).collect::<Vec<_>>()
        );
        for step in 0..size {
            assert_eq!(
                comm.broadcast(block(rank, 9), step).unwrap(),
                block(step, 9)
            );
            let (to, from) = ((rank + step) % size, (rank + size - step) % size);
            assert_eq!(
                comm.exchange(to, from, block(rank, to)).unwrap(),
                block(from, rank)
            );
        }
        let (mut sum, mut max) = (vec![rank as f64, 1.0], vec![rank as f64, -(rank as f64)]);
        comm.sum(&mut sum)
            .and_then(|()| comm.max(&mut max))
            .unwrap();
        assert_eq!(sum, [(size * (size - 1) / 2) as f64, size as f64]);
        assert_eq!(max, [size as f64 - 1.0, 0.0]);
    };
    all(&Solo);
    for size in 1..=6 {
        Threads::run(size, all);
    }
}

/// The ways of components, on wide, square and tall rows.
fn components<T: Real>(
    x: &Array2<T>,
    (count, way): (Count, Way),
    (threads, heap): (usize, bool),
    comm: &dyn Communicator,
) -> Result<Components> {
    let cut = |rank| match (heap, rank == comm.size()) {
        (true, last) => usize::from(last) * x.nrows(),
        (false, _) => rank * x.nrows() / comm.size(),
    };
    let mine = x.slice(s![cut(comm.rank())..cut(comm.rank() + 1), ..]);
    let rows = &Data {
        device: &Cpu { threads },
        x: &mine,
        y: None,
        w: None,
    };
    let all = x.nrows();
    collective(comm, |comm| {
        comm.agree(&facts(), Ok(()))?;
        let fit = Pca {
            rows,
            all,
            count,
            way,
            threads,
        };
        fit.fit(comm)
    })
}

const WAYS: [Way; 2] = [Way::RFactor, Way::Moments];

#[test]
fn components_are_the_same_on_any_number_of_ranks() {
    for (n, p) in [(200, 5), (9, 9), (6, 20), (90, 40)] {
        let scales = Array2::from_shape_fn((1, p), |(_, j)| 1.2_f64.powf(-(j as f64)));
        let x = noise(n, p, 0.0) * scales + 1e3;
        for what in WAYS.map(|way| (Count::Of(4), way)) {
            let one = components(&x, what, (1, false), &Solo).unwrap();
            for size in 1..=16 {
                let how = (1 + size % 2, size % 3 == 2);
                let all = Threads::run(size, |comm| components(&x, what, how, comm).unwrap());
                assert!(alike(&all), "ranks differ in bits");
                let found = &all[0];
                assert_eq!(found.n, n as f64);
                assert!(
                    close(&found.singular, &one.singular, 1e-11),
                    "{what:?} {size}"
                );
                assert!(close(&found.vectors, &one.vectors, 1e-9), "{what:?} {size}");
                let rest = |found: &Components| [found.total, found.noise];
                assert!(close(&rest(found), &rest(&one), 1e-11));
                assert!(close(&found.mean, &one.mean, 1e-15));
            }
        }
    }
}

#[test]
fn components_found_in_rounds_are_those_of_the_triangle() {
    for (n, p) in [(300, 120), (70, 120)] {
        let x = noise(n, p, 2.0);
        let what = |way| (Count::Of(4), way);
        let exact = components(&x, what(Way::RFactor), (1, false), &Solo).unwrap();
        for size in [1, 2, 5] {
            let all = Threads::run(size, |comm| {
                components(&x, what(Way::Range), (1, size == 5), comm).unwrap()
            });
            assert!(alike(&all), "ranks differ in bits");
            assert!(close(&all[0].singular, &exact.singular, 1e-11));
            assert!(close(&all[0].vectors, &exact.vectors, 1e-9));
            let rest = |found: &Components| [found.total, found.noise, found.n];
            assert!(close(&rest(&all[0]), &rest(&exact), 1e-11));
        }
    }
}

#[test]
fn components_are_orthonormal_turned_and_bring_the_rows_back() {
    for (n, p, within) in [(70, 6, 1e-12), (6, 15, 1e-12)] {
        let x = noise(n, p, 3.0);
        for way in WAYS {
            let found = components(&x, (Count::Of(n.min(p)), way), (1, false), &Solo).unwrap();
            let v = Array2::from_shape_vec((n.min(p), p), found.vectors.clone()).unwrap();
            assert!(close(
                v.dot(&v.t()).as_slice().unwrap(),
                Array2::eye(n.min(p)).as_slice().unwrap(),
                within
            ));
            for vector in v.rows() {
                let largest = vector
                    .iter()
                    .fold(0.0, |a: f64, b| if b.abs() > a.abs() { *b } else { a });
                assert!(largest > 0.0);
            }
            let z = &x - &x.mean_axis(Axis(0)).unwrap();
            let back = z.dot(&v.t()).dot(&v);
            assert!(close(
                back.as_slice().unwrap(),
                z.as_slice().unwrap(),
                within
            ));
            let along: Vec<f64> = z
                .dot(&v.t())
                .columns()
                .into_iter()
                .map(|c| c.dot(&c).sqrt())
                .collect();
            assert!(close(&along, &found.singular, 1e-7), "{along:?} {found:?}");
            assert!(found.noise == 0.0 && found.total > 0.0);
        }
    }
}

#[test]
fn counts_follow_from_all_rows() {
    // Variances 16, 4, 1 and a little, along the axes.
    let x = Array2::from_shape_fn((80, 6), |(i, j)| {
        let sign = f64::from(u8::from(i >> j & 1 == 1)) * 2.0 - 1.0;
        sign * [4.0, 2.0, 1.0].get(j).unwrap_or(&0.01)
    });
    for (count, kept) in [
        (Count::Of(0), 0),
        (Count::Share(0.7), 1),
        (Count::Share(0.9), 2),
        (Count::Share(0.999), 3),
        (Count::Likeliest, 3),
    ] {
        for size in [1, 4] {
            for way in [Way::RFactor, Way::Moments] {
                let how = (1, false);
                let all = Threads::run(size, |comm| {
                    components(&x, (count, way), how, comm).unwrap()
                });
                assert!(alike(&all));
                assert_eq!(all[0].singular.len(), kept, "{count:?}");
            }
        }
    }
}

#[test]
fn messages_of_components_are_few_and_single_precision_looks_again_only_where_it_must() {
    let scales = Array2::from_shape_fn((1, 3), |(_, j)| 0.5_f64.powf(j as f64));
    let wide_gaps = (noise(60, 3, 0.0) * scales).mapv(f32::of);
    let narrow = Array2::from_shape_fn((64, 3), |(i, j)| f32::of((i >> j & 1) as f64));
    let count = |x: &Array2<f32>, way| {
        let what = (Count::Of(2), way);
        Threads::count(3, |comm| components(x, what, (1, false), comm).unwrap()).1
    };
    assert_eq!(
        count(&wide_gaps, Way::Moments),
        4,
        "header; means, co-moments, model"
    );
    assert_eq!(count(&narrow, Way::Moments), 7, "all again in double");
    let many = Array2::from_shape_fn((4096, 12), |(i, j)| {
        f32::of((i >> j & 1) as f64 * (1.0 - 4e-4 * j as f64))
    });
    assert_eq!(
        count(&many, Way::Moments),
        6,
        "a polish: its products and the model"
    );
    let tree = 2; // steps of a butterfly of three ranks, and its end
    assert!(
        count(&wide_gaps, Way::RFactor) <= 4 + tree,
        "header; means, triangle, model"
    );
    let double = wide_gaps.mapv(f64::from);
    let what = (Count::Of(2), Way::RFactor);
    let exact = components(&double, what, (1, false), &Solo).unwrap();
    let found = components(&wide_gaps, what, (1, false), &Solo).unwrap();
    assert!(close(&found.vectors, &exact.vectors, 1e-12));
}

#[test]
fn a_fault_in_components_is_the_same_error_on_every_rank_and_the_next_fit_works() {
    let x = noise(40, 4, 0.0);
    for way in WAYS {
        let mut bad = x.clone();
        bad[(39, 2)] = f64::NAN;
        let what = (Count::Of(2), way);
        let answers = Threads::run(4, |comm| {
            let failed = components(&bad, what, (1, false), comm).unwrap_err();
            (failed, components(&x, what, (1, false), comm).unwrap())
        });
        assert!(alike(&answers));
        assert_eq!(
            answers[0].0,
            rank_error(
                3,
                "sklearnex_rs._core.NotFiniteError",
                "input contains NaN or infinity"
            )
        );
    }
}
