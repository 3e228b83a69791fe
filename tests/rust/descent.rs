//! Coordinate descent against the conditions of its answer.
#![allow(clippy::float_cmp, clippy::unwrap_used)] // zeros are exact

use ndarray::Array2;
use sklearnex_rs::solve::Descent;

fn noise(n: usize, p: usize) -> Array2<f64> {
    let mut state = (n + p) as u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) as f64 / 2_f64.powi(30) - 1.0
    })
}

#[test]
fn descent_ends_where_the_slope_is_met() {
    let p = 23;
    let x = noise(60, p);
    let gram = x.t().dot(&x).as_standard_layout().into_owned();
    let side = x.t().dot(&noise(60, 1)).as_standard_layout().into_owned();
    for (positive, seed) in [
        (false, None),
        (true, None),
        (false, Some(0)),
        (true, Some(9)),
    ] {
        for screening in [false, true] {
            let descent = Descent {
                gram: gram.as_slice().unwrap(),
                side: side.as_slice().unwrap(),
                square: 60.0,
                tol: 1e-14,
                limit: 100_000,
                positive,
                screening,
            };
            let (alpha, beta, mut w) = (2.0, 0.5, vec![0.1; p]);
            let ended = descent.run([alpha, beta], seed, &mut w).unwrap();
            assert!(ended.converged && ended.gap >= -1e-12, "{ended:?}");
            let w = Array2::from_shape_vec((p, 1), w).unwrap();
            let slope = &side - &gram.dot(&w) - &w * beta;
            for (w, slope) in w.iter().zip(&slope) {
                let met = match (positive, *w == 0.0) {
                    (true, true) => *slope <= alpha + 1e-6,
                    (false, true) => slope.abs() <= alpha + 1e-6,
                    (true, false) => *w > 0.0 && (slope - alpha).abs() < 1e-6,
                    (false, false) => (slope - alpha * w.signum()).abs() < 1e-6,
                };
                assert!(met, "{w} {slope}");
            }
        }
    }
}
