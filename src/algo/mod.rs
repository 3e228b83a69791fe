//! The estimators, each written once, and the ways they meet rows and ranks.

mod basic_statistics;
mod conjugate;
mod elastic_net;
mod empirical_covariance;
mod incremental;
mod incremental_pca;
mod kmeans;
mod kmeans_init;
mod least_squares;
mod least_squares_model;
mod logistic_regression;
mod logistic_state;
mod looks;
mod pca;
mod qr;
mod r2;
mod range;
mod stream;
mod truncated_svd;
mod variances;

use crate::{
    Error, Result,
    comm::Communicator,
    device::Device,
    memory,
    solve::{self, Spectrum},
    summary::{Summary, TAIL},
};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use least_squares_model::{Next, intercept, put, weighs};
use logistic_state::{Place, Stepped, shift_intercepts};
use looks::{means, moments, r_factor};
use range::range;
use stream::gather;

pub use basic_statistics::{basic_statistics, columns};
pub use conjugate::ConjugateGradients;
pub use elastic_net::{ElasticNet, ElasticNetPath, Grid};
pub use empirical_covariance::{comoments, empirical_covariance};
pub use incremental::{centered_r, finish_stream};
pub use incremental_pca::{components, leading_rows};
pub use kmeans::{KMeans, Partition, inertia, labels};
pub use kmeans_init::Draws;
pub use least_squares::LeastSquares;
pub use least_squares_model::{LeastSquaresModel, LeastSquaresParams};
pub use logistic_regression::LogisticRegression;
pub use logistic_state::LogisticState;
pub use pca::{Components, Count, Pca, Way};
pub use qr::Qr;
pub use r2::r2;
pub use stream::{absorb, union};
pub use truncated_svd::{Truncated, TruncatedSvd};
pub use variances::variances;

/// What is learned; it crosses between ranks as numbers.
pub trait Model: Sized {
    /// All of it.
    fn words(&self) -> Result<Vec<f64>>;

    /// The model of the same shape with these words.
    fn of(words: Vec<f64>) -> Result<Self>;
}

impl Model for Vec<f64> {
    fn words(&self) -> Result<Vec<f64>> {
        memory::copy(self, "a model")
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        Ok(words)
    }
}

/// Sees each row once: my look, then everybody's. Messages: those of `reduce`.
///
/// A failed look rides along in the tail; then all ranks raise the failure of the lowest.
pub fn one_pass<S: Summary>(
    comm: &dyn Communicator,
    neutral: impl FnOnce() -> Result<S>,
    look: impl FnOnce() -> Result<S>,
) -> Result<S> {
    let looked = guarded(look);
    if comm.size() == 1 {
        return looked;
    }
    let (mut seen, looked) = match looked {
        Ok(seen) => (seen, Ok(())),
        Err(error) => (neutral()?, Err(error)),
    };
    seen.tail()[0] = f64::from(u8::from(looked.is_err()));
    seen.reduce(comm)?;
    if seen.tail()[0] > 0.0 {
        return Err(comm.fail(looked));
    }
    Ok(seen)
}

/// What the first rank makes of reduced numbers, on every rank: one broadcast.
pub fn lead<M: Model>(comm: &dyn Communicator, make: impl FnOnce() -> Result<M>) -> Result<M> {
    if comm.size() == 1 {
        return guarded(make);
    }
    comm.step("the model")?;
    let mine = if comm.rank() == 0 {
        guarded(make).and_then(|model| model.words())
    } else {
        Ok(Vec::new())
    };
    M::of(comm.first(0, mine)?)
}

/// Columns from which a decomposition is shared by threads.
const WIDE: usize = 1000;

/// A decomposition for `p` columns, by the first rank alone: the others wait, so it has `threads` of
/// all ranks on its node. Their number may change its last digits; but all ranks take its answer.
fn shared<D: Device, R: Send>(
    device: &D,
    (p, threads): (usize, usize),
    work: impl FnOnce(usize) -> R + Send,
) -> R {
    if p < WIDE {
        return work(1);
    }
    device.host(threads, work)
}

/// The spectrum of `p` columns whose products are `S`: by their device, if it has a way for so many, else
/// on the host with the first rank's `threads`. Either way is exact to rounding.
fn eigen<D: Device>(device: &D, (p, threads): (usize, usize), s: &[f64]) -> Result<Spectrum> {
    solve::eigen_by(p, s, |s| match device.eigen(p, s)? {
        Some(pairs) => Ok(pairs),
        None => shared(device, (p, threads), |threads| solve::pairs(p, s, threads)),
    })
}

/// Sees each iteration's model on the first rank, and says whether to stop.
pub type Observer<'o> = &'o (dyn Fn(&[f64]) -> Result<bool> + Sync);

/// Sees the rows again and again.
pub trait Rounds {
    /// What is kept of the rows in one round.
    type Summary: Summary;
    /// What is learned.
    type Model: Model;

    /// Whether ranks could choose the next model differently, so that the first rank alone does and
    /// sends it round before each look; else all compute it from the same bits.
    const LED: bool = false;

    /// No rows, in the shape that `look` returns.
    fn neutral(&self, model: &Self::Model) -> Result<Self::Summary>;

    /// My share of one round: rows, no ranks.
    fn look(&mut self, model: &Self::Model) -> Result<Self::Summary>;

    /// The better model, and whether to stop: no rows, no ranks.
    fn improve(
        &mut self,
        model: Self::Model,
        seen: &mut Self::Summary,
    ) -> Result<(Self::Model, bool)>;
}

/// One message a round, and the first rank's model at the end.
///
/// In the tail of each message ride the failures of this round and the first rank's decision on the
/// last one. So the other ranks learn to stop one look later, from the same bits; that look is not
/// wasted, its labels belong to the final model. What a rank computes from reduced numbers is not
/// agreed: another processor rounds otherwise.
pub fn rounds<A: Rounds>(
    algo: &mut A,
    comm: &dyn Communicator,
    start: A::Model,
    limit: usize,
) -> Result<A::Model> {
    let mut mine = Ok((start, false));
    for round in 0..limit {
        if comm.size() == 1 && matches!(mine, Ok((_, true))) {
            break;
        }
        comm.step(&format!("round {}", round + 1))?;
        let (model, stop) = mine?;
        let looked = guarded(|| algo.look(&model));
        let (mut seen, looked) = match looked {
            Ok(seen) => (seen, Ok(())),
            Err(error) => (algo.neutral(&model)?, Err(error)),
        };
        let stop = comm.rank() == 0 && stop;
        let tail: [f64; TAIL] = [looked.is_err(), stop].map(|flag| f64::from(u8::from(flag)));
        seen.tail().copy_from_slice(&tail);
        seen.reduce(comm)?;
        if seen.tail()[0] > 0.0 {
            return Err(comm.fail(looked));
        }
        if seen.tail()[1] > 0.0 {
            mine = Ok((model, true));
            break;
        }
        let mut over = false;
        let better = || {
            let (model, stop) = algo.improve(model, &mut seen)?;
            over = stop;
            Ok(model)
        };
        let model = if A::LED {
            lead(comm, better)
        } else {
            guarded(better)
        };
        mine = model.map(|model| (model, over));
    }
    lead(comm, || mine.map(|(model, _)| model))
}

/// Whatever happens, an answer or an error: a panic of ours too.
pub fn guarded<R>(body: impl FnOnce() -> Result<R>) -> Result<R> {
    let said = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic".to_owned())
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Error::Panic(said(panic))))
}

/// A collective call: what fails on one rank only, outside of its looks, ends the call on all.
pub fn collective<R>(
    comm: &dyn Communicator,
    body: impl FnOnce(&dyn Communicator) -> Result<R>,
) -> Result<R> {
    guarded(|| body(comm)).map_err(|error| {
        if comm.size() == 1 || error.is_agreed() {
            return error;
        }
        comm.abandon(&error);
        if matches!(error, Error::Transport { .. }) {
            return error; // the others are told, if MPI still can
        }
        Error::Rank {
            rank: comm.rank(),
            kind: error.kind().to_owned(),
            text: error.to_string(),
        }
    })
}
