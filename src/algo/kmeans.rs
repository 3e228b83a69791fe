//! # K-means
//!
//! Minimises `Σᵢ wᵢ ‖zᵢ − c_{l(i)}‖²` over `k` centres `c` and labels `l` by Lloyd's rounds: each row
//! goes to its nearest centre, each centre to the mean of its rows (Lloyd 1982). Centres and rows
//! stand around a `place`, the mean of all rows, so differences are exact far from zero.
//!
//! Kept of the rows: `Clusters`, `k (p + 2)` numbers a round. A centre without rows goes to the row
//! farthest from its own: the rows are looked at again for `Farthest`. It is over when no row changed
//! its centre, when centres moved by no more than the tolerance, or after `limit` rounds. Labels are
//! those of the last centres, rounded to the type of the rows.

use super::{Model, Observer, Rounds, one_pass, rounds};
use crate::{
    Error, Result,
    comm::{Communicator, Reader, Writer},
    device::{Data, Kernels},
    memory,
    real::Real,
    summary::{Clusters, Farthest, Round, Sums},
};

/// Part of a centre that may change without changing labels: ties are wider.
const SAME: f64 = 1e-13;

/// Parameters and my rows.
pub struct KMeans<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, without targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Where rows are put.
    pub place: &'r [f64],
    /// How far centres may move, `Σ ‖c′ − c‖²`, when it is over.
    pub tolerance: f64,
    /// Rounds at most.
    pub limit: usize,
    /// Whether the history tells inertia.
    pub want_inertia: bool,
    /// On the first rank: sees the centres around `place` after each iteration.
    pub observer: Option<Observer<'r>>,
}

/// What follows from a start.
pub struct Partition<L> {
    /// `k × p`, around the place, row by row.
    pub centers: Vec<f64>,
    /// Of my rows.
    pub labels: L,
    /// Of all rows.
    pub inertia: f64,
    /// How many rows of all each centre has.
    pub counts: Vec<f64>,
    /// Of each round its inertia before centres moved, if it is told, and how far they did.
    pub history: Vec<[f64; 2]>,
    /// Whether the last round changed no label.
    pub strict: bool,
}

impl<D: Kernels, T: Real> KMeans<'_, '_, '_, D, T> {
    /// Lloyd's rounds from these centres. A header must have agreed on all but the rows.
    pub fn fit(&self, comm: &dyn Communicator, start: Vec<f64>) -> Result<Partition<D::Labels>> {
        let p = self.place.len();
        let mut lloyd = Lloyd {
            task: self,
            labels: self.rows.device.labels(self.rows)?,
            last: Vec::new(),
            seen: None,
        };
        let start = LloydState {
            k: start.len() / p.max(1),
            centers: start,
            empty: 0,
            strict: false,
            history: Vec::new(),
        };
        // A round with empty clusters takes two looks.
        let mut found = rounds(&mut lloyd, comm, start, 2 * self.limit)?;
        self.round(&mut found.centers);
        let look = || lloyd.clusters(&found, true);
        let last = one_pass(comm, || Clusters::empty(found.k, p), look)?;
        Ok(Partition {
            inertia: last.inertia(),
            counts: memory::copy(last.counts(), "counts of clusters")?,
            labels: lloyd.labels,
            centers: found.centers,
            history: found.history,
            strict: found.strict,
        })
    }
}

impl<D: Kernels, T: Real> KMeans<'_, '_, '_, D, T> {
    /// Rounds centres to the type of the rows, as they are returned: labels are those of these. Where all
    /// roundings are below what distances are told apart by, centres stay, and so do labels.
    fn round(&self, centers: &mut [f64]) {
        let rounded = |c: f64, place: &f64| T::of(c + place).into() - place;
        let places = || self.place.iter().cycle();
        let larger = |largest: f64, size: f64| if size > largest { size } else { largest };
        let pairs = || centers.iter().zip(places());
        let longest = centers.iter().map(|c| c.abs()).fold(0.0, larger);
        let off = pairs().map(|(c, place)| (rounded(*c, place) - c).abs());
        if off.fold(0.0, larger) > SAME * longest {
            for (c, place) in centers.iter_mut().zip(places()) {
                *c = rounded(*c, place);
            }
        }
    }
}

/// My rows' nearest of given centres, which lie where rows do.
pub fn labels<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centers: &D::Rows<'_, f64>,
) -> Result<D::Labels> {
    Ok(found(rows, centers)?.0)
}

fn found<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    centers: &D::Rows<'_, f64>,
) -> Result<(D::Labels, D::Centers<'static, T>)> {
    if D::shape(centers).1 != rows.shape().1 {
        return Err(Error::Shape("centers are not of these rows"));
    }
    let around = rows.device.pack_centers(centers)?;
    let mut labels = rows.device.labels(rows)?;
    rows.device.label(rows, &around, &mut labels)?;
    Ok((labels, around))
}

/// `Σ w d²` of the rows of all ranks and the nearest of given centres. A header must have agreed on all
/// but the rows.
pub fn inertia<D: Kernels, T: Real>(
    rows: &Data<'_, '_, D, T>,
    comm: &dyn Communicator,
    centers: &D::Rows<'_, f64>,
) -> Result<f64> {
    let look = || {
        let (labels, around) = found(rows, centers)?;
        let inertia = rows.device.inertia(rows, &around, &labels)?;
        let finite = inertia
            .is_finite()
            .then_some(inertia)
            .ok_or(Error::NotFinite)?;
        Ok(Sums::of(memory::copy(&[finite], "inertia")?))
    };
    Ok(one_pass(comm, || Sums::empty(1), look)?.values()[0])
}

struct Lloyd<'r, 'k, 'a, 'm, D: Kernels, T: Real> {
    task: &'r KMeans<'k, 'a, 'm, D, T>,
    labels: D::Labels,
    /// The centres that labels belong to.
    last: Vec<f64>,
    /// What all rows said in the last round, while empty clusters wait for rows.
    seen: Option<Clusters>,
}

/// Centres on their way.
struct LloydState {
    k: usize,
    centers: Vec<f64>,
    /// How many clusters wait for rows.
    empty: usize,
    strict: bool,
    history: Vec<[f64; 2]>,
}

impl Model for LloydState {
    fn words(&self) -> Result<Vec<f64>> {
        let room = 4 + self.centers.len() + 2 * self.history.len();
        let writer = Writer::new(room, "centers")?.count(self.k)?;
        let writer = writer.flag(self.strict)?.slice(&self.centers)?;
        Ok(writer.slice(self.history.as_flattened())?.finish())
    }

    fn of(words: Vec<f64>) -> Result<Self> {
        let mut reader = Reader::new(&words, "centers");
        let new = Self {
            k: reader.count()?,
            empty: 0,
            strict: reader.flag()?,
            centers: reader.vec()?,
            history: reader.slice()?.as_chunks().0.to_vec(),
        };
        reader.finish()?;
        Ok(new)
    }
}

impl<D: Kernels, T: Real> Lloyd<'_, '_, '_, '_, D, T> {
    /// What my rows say of these centres; labels follow.
    fn clusters(&mut self, model: &LloydState, want_inertia: bool) -> Result<Clusters> {
        let KMeans { rows, place, .. } = *self.task;
        let centers = &model.centers;
        let known = *centers == self.last;
        if !known {
            self.last = memory::copy(centers, "centers")?;
        }
        let around = rows.device.centers(place, centers)?;
        let found = if known {
            rows.device.held(&self.labels)
        } else {
            rows.device.assign(rows, &around, &mut self.labels)?
        };
        let mut seen = Clusters::of(
            [&found.sums, &found.weights, &found.counts],
            [0.0, if known { 0.0 } else { found.changed }],
        )?;
        if want_inertia {
            seen.tell(rows.device.inertia(rows, &around, &self.labels)?);
        }
        let finite = seen.inertia().is_finite() && seen.sums().0.iter().all(|sum| sum.is_finite());
        finite.then_some(seen).ok_or(Error::NotFinite)
    }

    /// My rows farthest from their centres.
    fn farthest(&self, model: &LloydState) -> Result<Farthest> {
        let (rows, place) = (self.task.rows, self.task.place);
        let around = rows.device.centers(place, &model.centers)?;
        let far = rows
            .device
            .farthest(rows, &around, &self.labels, model.empty)?;
        let mut found = Farthest::empty(model.empty, place.len())?;
        for (at, far) in far.iter().enumerate() {
            let head = [far.distance, far.weight, far.label as f64];
            found.put(at, head, &far.z);
        }
        Ok(found)
    }

    /// The centres that follow from sums and weights, and whether that is the end.
    fn moved(
        &self,
        mut model: LloydState,
        [mut sums, weights]: [Vec<f64>; 2],
        seen: &Clusters,
    ) -> (LloydState, bool) {
        means(&mut sums, &weights, self.task.place.len());
        let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
        let moved = sums.iter().zip(&model.centers).map(square).sum::<f64>();
        model.history.push([seen.inertia(), moved]);
        model.centers = sums;
        model.empty = 0;
        model.strict = seen.changed() == 0.0;
        let over = model.history.len() == self.task.limit;
        let stop = model.strict || moved <= self.task.tolerance || over;
        (model, stop)
    }
}

impl<D: Kernels, T: Real> Lloyd<'_, '_, '_, '_, D, T> {
    /// The same; it also stops where the observer says so.
    fn observed(&self, (model, stop): (LloydState, bool)) -> Result<(LloydState, bool)> {
        let Some(observer) = self.task.observer else {
            return Ok((model, stop));
        };
        let enough = observer(&model.centers)?;
        Ok((model, stop || enough))
    }
}

impl<D: Kernels, T: Real> Rounds for Lloyd<'_, '_, '_, '_, D, T> {
    type Summary = Round;
    type Model = LloydState;

    fn neutral(&self, model: &LloydState) -> Result<Round> {
        let p = self.task.place.len();
        Ok(if model.empty > 0 {
            Round::Farthest(Farthest::empty(model.empty, p)?)
        } else {
            Round::Clusters(Clusters::empty(model.k, p)?)
        })
    }

    fn look(&mut self, model: &LloydState) -> Result<Round> {
        Ok(if model.empty > 0 {
            Round::Farthest(self.farthest(model)?)
        } else {
            Round::Clusters(self.clusters(model, self.task.want_inertia)?)
        })
    }

    fn improve(&mut self, mut model: LloydState, seen: &mut Round) -> Result<(LloydState, bool)> {
        match seen {
            Round::Clusters(seen) => {
                model.empty = seen.sums().1.iter().filter(|w| **w == 0.0).count();
                if model.empty > 0 {
                    self.seen = Some(seen.again()?);
                    return Ok((model, false));
                }
                let parts = copies(seen)?;
                self.observed(self.moved(model, parts, seen))
            }
            Round::Farthest(far) => {
                let seen = self.seen.take().ok_or(Error::Shape("rounds"))?;
                let mut parts = copies(&seen)?;
                relocate(&mut parts, far);
                self.observed(self.moved(model, parts, &seen))
            }
        }
    }
}

fn copies(seen: &Clusters) -> Result<[Vec<f64>; 2]> {
    let (sums, weights) = seen.sums();
    Ok([
        memory::copy(sums, "sums of clusters")?,
        memory::copy(weights, "weights of clusters")?,
    ])
}

/// Gives each empty cluster one of the farthest rows, in their order; none if no row is off its
/// centre.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a centre's number
fn relocate([sums, weights]: &mut [Vec<f64>; 2], far: &Farthest) {
    let p = sums.len() / weights.len();
    if far.rows().all(|([distance, ..], _)| distance == 0.0) {
        return;
    }
    let empty: Vec<usize> = (0..weights.len()).filter(|c| weights[*c] == 0.0).collect();
    for (new, ([_, weight, old], z)) in empty.into_iter().zip(far.rows()) {
        let old = old as usize;
        for (j, z) in z.iter().enumerate() {
            sums[old * p + j] -= z * weight;
            sums[new * p + j] = z * weight;
        }
        weights[new] = weight;
        weights[old] -= weight;
    }
}

/// Sums become means; those of clusters that are still empty what the heaviest cluster's is by then.
fn means(sums: &mut [f64], weights: &[f64], p: usize) {
    let heavier = |best: usize, c: usize| if weights[c] > weights[best] { c } else { best };
    let heaviest = (0..weights.len()).fold(0, heavier);
    for (c, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            for sum in &mut sums[c * p..][..p] {
                *sum /= weight;
            }
        } else {
            sums.copy_within(heaviest * p..(heaviest + 1) * p, c * p);
        }
    }
}
