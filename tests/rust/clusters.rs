//! Clusters: kernels against loops, summaries by their laws, k-means on any number of ranks.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // bits are compared

use ndarray::{Array2, ArrayView2, ShapeBuilder, s};
use sklearnex_rs::{
    algo::{Draws, KMeans},
    comm::{Communicator, Solo, Threads},
    device::{Cpu, Data, Far, LabelState, NearestKernels, PIECE},
    real::Real,
    summary::{Clusters, Farthest, Summary},
};

/// Numbers around `offset`, exact in `f32`.
fn noise(n: usize, p: usize, offset: f64) -> Array2<f64> {
    let mut state = (3 + n * 31 + p) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 45) as f64 / 2_f64.powi(18) - 1.0 + offset
    })
}

fn beside<'c, T: Real>(
    place: &'c [f64],
    centers: &'c [f64],
) -> <Cpu as NearestKernels>::Centers<'c, T> {
    Cpu { threads: 1 }.centers(place, centers).unwrap()
}

fn data<'a, 'm, T: Real>(
    device: &'a Cpu,
    x: &'a ArrayView2<'m, T>,
    w: Option<&'a ArrayView2<'m, T>>,
) -> Data<'a, 'm, Cpu, T> {
    Data {
        device,
        x,
        y: None,
        w,
    }
}

fn square(z: &[f64], c: &[f64]) -> f64 {
    z.iter().zip(c).map(|(z, c)| (z - c) * (z - c)).sum()
}

/// `body` on `a` by rows, by columns, and with gaps.
fn laid<T: Real>(a: &Array2<f64>, layout: usize, body: impl FnOnce(ArrayView2<'_, T>)) {
    let (n, p) = a.dim();
    let steps = if layout == 2 { 2 } else { 1 };
    let mut room = Array2::from_elem((n * steps, p * steps).set_f(layout == 1), T::of(7e9));
    let mut view = room.slice_mut(s![..;steps, ..;steps]);
    view.zip_mut_with(a, |to, from| *to = T::of(*from));
    body(view.view());
}

#[test]
fn every_row_finds_its_nearest_center() {
    for (n, p, k) in [
        (0, 3, 2),
        (1, 1, 1),
        (37, 5, 3),
        (700, 17, 9),
        (300, 33, 70),
        (20_000, 2, 5),
    ] {
        let (x, w, place) = (noise(n, p, 4.0), noise(n, 1, 1.0), vec![4.0; p]);
        let centers: Vec<f64> = noise(k, p, 0.0).iter().copied().collect();
        for layout in 0..3 {
            laid::<f64>(&x, layout, |x| assigned(&x, &w, &place, &centers, 1e-12));
            laid::<f32>(&x, layout, |x| assigned(&x, &w, &place, &centers, 1e-5));
        }
    }
}

fn assigned<T: Real>(
    x: &ArrayView2<'_, T>,
    w: &Array2<f64>,
    place: &[f64],
    centers: &[f64],
    within: f64,
) {
    let (device, (n, p)) = (Cpu { threads: 2 }, x.dim());
    let other: Vec<f64> = centers.iter().map(|c| 0.7 - c * c).collect();
    let [at, other] = [centers, &other].map(|centers| beside(place, centers));
    let body = |rows: Data<'_, '_, Cpu, T>| {
        let mut kept = device.labels(&rows).unwrap();
        device.assign(&rows, &other, &mut kept).unwrap(); // so that rows change their centres
        device.assign(&rows, &at, &mut kept).unwrap();
        let found = device.held(&kept);
        let labels = labels(device, &rows, [place, centers]);
        let k = centers.len() / p;
        let (mut sums, mut weights, mut inertia) = (vec![0.0; k * p], vec![0.0; k], 0.0);
        for (i, label) in labels.iter().enumerate() {
            let z = around(device, &rows, place, i);
            let far = |c: usize| square(&z, &centers[c * p..][..p]);
            let label = usize::try_from(*label).unwrap();
            assert!((0..k).all(|c| far(label) <= far(c) * (1.0 + 1e-14)));
            let weight: f64 = rows.w.map_or(1.0, |w| w[[i, 0]].into());
            weights[label] += weight;
            inertia += weight * far(label);
            for (sum, z) in sums[label * p..][..p].iter_mut().zip(&z) {
                *sum += weight * z;
            }
        }
        let near = |a: &[f64], b: &[f64]| {
            let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
            apart.fold(0.0, f64::max) <= within * (n + 1) as f64
        };
        assert!(near(&found.sums, &sums) && near(&found.weights, &weights));
        assert_eq!(found.counts.iter().sum::<f64>(), n as f64);
        let all = device.inertia(&rows, &at, &kept).unwrap();
        assert!(near(&[all], &[inertia]));
        let again = device.assign(&rows, &at, &mut kept).unwrap();
        assert_eq!(again.changed, 0.0);
        farthest(device, &rows, [place, centers], &kept, &labels);
    };
    body(data(&device, x, None));
    laid::<T>(w, 0, |w| body(data(&device, x, Some(&w))));
}

#[test]
fn rows_that_are_not_read_again_have_their_nearest_center() {
    for (n, p, k) in [(700, 33, 9), (20_000, 40, 3), (300, 64, 70), (50, 32, 1)] {
        let centers = noise(k, p, 0.0);
        let mut x = noise(n, p, 4.0);
        for (i, mut row) in x.rows_mut().into_iter().enumerate() {
            row += &centers.row(i * i % k); // clusters, so that some rows stay where they are
        }
        for layout in 0..3 {
            laid::<f64>(&x, layout, |x| walked(&x, &centers));
            laid::<f32>(&x, layout, |x| walked(&x, &centers));
        }
    }
}

/// Looks at centres on a walk: strides of many sizes, a jump, and two that are the same.
fn walked<T: Real>(x: &ArrayView2<'_, T>, start: &Array2<f64>) {
    let (device, place, k) = (Cpu { threads: 2 }, vec![4.0; x.ncols()], start.nrows());
    let (rows, mut centers) = (data(&device, x, None), start.clone());
    let mut kept = device.labels(&rows).unwrap();
    for round in 0..14 {
        let step = if round == 9 { 2.0 } else { 0.5_f64.powi(round) };
        for c in 0..k {
            centers.row_mut(c).scaled_add(step, &start.row((c + 1) % k));
        }
        if round % 5 > 2 {
            let first = &centers.row(0) + f64::from(round % 5 - 3) * 1e-9; // the same, or almost
            centers.row_mut(k - 1).assign(&first);
        }
        let centers = centers.as_slice().unwrap();
        let mut new = device.labels(&rows).unwrap();
        let at = beside(&place, centers);
        device.assign(&rows, &at, &mut new).unwrap();
        device.assign(&rows, &at, &mut kept).unwrap();
        assert_eq!(device.held(&kept).counts, device.held(&new).counts);
        let inertia = |kept: &LabelState| device.inertia(&rows, &at, kept).unwrap();
        assert_eq!(inertia(&kept), inertia(&new));
        let (fresh, known) = (device.held(&new).sums.iter(), &device.held(&kept).sums);
        assert!(fresh.zip(known).all(|(a, b)| (a - b).abs() < 1e-9));
    }
    let end = labels(device, &rows, [&place, centers.as_slice().unwrap()]);
    assert_eq!(device.labels_to_host(kept).unwrap(), end);
}

#[test]
fn rows_far_from_other_centers_are_not_read_again() {
    let (device, place, p) = (Cpu { threads: 1 }, [0.0; 40], 40);
    let mut x = noise(1000, p, 0.0);
    for mut row in x.rows_mut().into_iter().step_by(2) {
        row += 50.0;
    }
    let unread = Array2::from_elem(x.dim(), f64::NAN);
    let (x, unread) = (x.view(), unread.view());
    let (rows, unread) = (data(&device, &x, None), data(&device, &unread, None));
    let mut kept = device.labels(&rows).unwrap();
    let centers = |step: f64| [vec![step; p], vec![50.0 - step; p]].concat();
    for step in [0.0, 0.1, 0.2] {
        let now = centers(step);
        device
            .assign(&rows, &beside(&place, &now), &mut kept)
            .unwrap();
    }
    for step in [0.5, 5.0, 9.0] {
        let has = device
            .assign(&unread, &beside(&place, &centers(step)), &mut kept)
            .unwrap();
        assert_eq!(
            (has.changed, has.counts[0], has.counts[1]),
            (0.0, 500.0, 500.0)
        );
    }
    assert!(
        device
            .assign(&unread, &beside(&place, &centers(30.0)), &mut kept)
            .is_err()
    );
}

/// `z` of one row.
fn around<T: Real>(device: Cpu, rows: &Data<'_, '_, Cpu, T>, place: &[f64], i: usize) -> Vec<f64> {
    let row = device.row(rows, i).unwrap();
    row.iter().zip(place).map(|(x, place)| x - place).collect()
}

/// The label of each row.
fn labels<T: Real>(
    device: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    [place, centers]: [&[f64]; 2],
) -> Vec<i32> {
    let mut kept = device.labels(rows).unwrap();
    device
        .label(rows, &beside(place, centers), &mut kept)
        .unwrap();
    device.labels_to_host(kept).unwrap()
}

fn farthest<T: Real>(
    device: Cpu,
    rows: &Data<'_, '_, Cpu, T>,
    [place, centers]: [&[f64]; 2],
    kept: &LabelState,
    labels: &[i32],
) {
    let far = device
        .farthest(rows, &beside(place, centers), kept, 3)
        .unwrap();
    let p = place.len();
    let distance = |i: usize| {
        let label = usize::try_from(labels[i]).unwrap();
        square(&around(device, rows, place, i), &centers[label * p..][..p])
    };
    let mut wanted: Vec<f64> = (0..labels.len()).map(distance).collect();
    wanted.sort_by(|a, b| b.total_cmp(a));
    wanted.truncate(3);
    let got: Vec<f64> = far.iter().map(|far: &Far| far.distance).collect();
    assert_eq!(got, wanted);
}

#[test]
fn potentials_are_those_of_loops() {
    let (n, p) = (2 * PIECE + 77, 13);
    let (x, device) = (noise(n, p, 1.0), Cpu { threads: 2 });
    let points: Vec<f64> = noise(6, p, 1.0).iter().copied().collect();
    let (newest, candidates) = points.split_at(p);
    let rows = &x.view();
    let rows = data(&device, rows, None);
    let mut nearest = device.column(&rows, 0.9 * p as f64).unwrap();
    let before = nearest.clone();
    let found = device
        .update_min_distance(&rows, &mut nearest, newest, candidates)
        .unwrap();
    let z = |i: usize| device.row(&rows, i).unwrap();
    for piece in 0..3 {
        let own = piece * PIECE..n.min((piece + 1) * PIECE);
        for (c, point) in candidates.chunks_exact(p).enumerate() {
            let least = |i: usize| {
                before[i]
                    .min(square(&z(i), newest))
                    .min(square(&z(i), point))
            };
            let wanted = own.clone().map(least).sum::<f64>();
            assert!((found[piece * 5 + c] / wanted - 1.0).abs() < 1e-12);
        }
        let each = device
            .potentials(&rows, &before, newest, own.clone())
            .unwrap();
        let same = |(a, i): (&f64, usize)| (a - nearest[i]).abs() <= 1e-12 * a;
        assert!(each.len() == own.len() && each.iter().zip(own).all(same));
    }
}

#[test]
fn clusters_and_farthest_rows_merge() {
    let merged = |size: usize| {
        Threads::run(size, |comm| {
            let rank = comm.rank() as f64;
            let sums = [rank, 2.0, 3.0, 4.0];
            let parts: [&[f64]; 3] = [&sums, &[1.0, rank], &[1.0, 2.0]];
            let mut clusters = Clusters::of(parts, [rank, 1.0]).unwrap();
            clusters.reduce(comm).unwrap();
            let mut far = Farthest::empty(3, 1).unwrap();
            far.put(0, [10.0 - rank, 1.0, 0.0], &[rank]);
            far.put(1, [1.0, 1.0, 1.0], &[rank]);
            far.reduce(comm).unwrap();
            let rows: Vec<f64> = far.rows().flat_map(|(head, z)| [head[0], z[0]]).collect();
            (clusters, rows)
        })
    };
    for size in 1..=9 {
        let all = merged(size);
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        let (clusters, rows) = &all[0];
        let total = (size * (size - 1) / 2) as f64;
        assert_eq!(clusters.sums().0[0], total);
        assert_eq!(clusters.inertia(), total);
        assert_eq!(clusters.changed(), size as f64);
        // Of equals the lower rank's is first.
        let wanted: &[f64] = match size {
            1 => &[10.0, 0.0, 1.0, 0.0],
            2 => &[10.0, 0.0, 9.0, 1.0, 1.0, 0.0],
            _ => &[10.0, 0.0, 9.0, 1.0, 8.0, 2.0],
        };
        assert_eq!(rows, wanted);
    }
}

/// Centres and labels from one start of drawn rows, whoever holds which rows.
fn partition(comm: &dyn Communicator, x: &Array2<f64>, draws: &[f64]) -> (Vec<f64>, Vec<i32>) {
    let (n, size) = (x.nrows(), comm.size());
    let bound = |rank: usize| n * rank * rank / (size * size); // small shares, and empty ones
    let mine = x.slice(s![bound(comm.rank())..bound(comm.rank() + 1), ..]);
    let (device, place) = (Cpu { threads: 1 }, vec![1e6; x.ncols()]);
    let rows = &data(&device, &mine, None);
    let place = &place[..];
    let start = Draws { rows, place }.plus_plus(comm, 6, draws).unwrap();
    let (tolerance, limit) = (0.0, 50);
    let task = KMeans {
        rows,
        place,
        tolerance,
        limit,
        want_inertia: true,
        observer: None,
    };
    let found = task.fit(comm, start).unwrap();
    let labels = device.labels_to_host(found.labels).unwrap();
    (found.centers, labels)
}

#[test]
fn any_number_of_ranks_finds_the_same_clusters() {
    let x = noise(200, 3, 1e6);
    let draws: Vec<f64> = noise(1 + 5 * 3, 1, 0.0).iter().map(|u| u.abs()).collect();
    let (centers, labels) = partition(&Solo, &x, &draws);
    for size in 1..=16 {
        let parts = Threads::run(size, |comm| partition(comm, &x, &draws));
        let all: Vec<i32> = parts.iter().flat_map(|part| part.1.clone()).collect();
        assert_eq!(all, labels, "{size}");
        assert!(parts.iter().all(|part| part.0 == parts[0].0));
        let apart = parts[0].0.iter().zip(&centers).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-12, "{size}");
    }
}
