//! # Where k-means begins
//!
//! Greedy k-means++ (Arthur and Vassilvitskii 2007): the first centre is a row drawn by weight, each
//! further one the best of some rows drawn by `wᵢ dᵢ²`, where `d` is the distance to the nearest
//! centre so far: the one that leaves the least `Σ w d²`.
//!
//! k-means‖ (Bahmani, Moseley, Vattani, Kumar, Vassilvitskii 2012), for many centres: in a few rounds
//! each row is taken with probability `k wᵢ dᵢ² / Σ w d²`, by a number that belongs to a key, the
//! round and the row; then each row taken weighs what is nearest to it, and among these few k-means++
//! finds the centres.
//!
//! Draws are numbers in `[0, 1)`, the same on all ranks. The row is found by the prefix sum over the
//! rows of all ranks, in rank order: so it is the row that one machine finds.

use crate::{
    Error, Result,
    block::Block,
    comm::Communicator,
    device::{Data, Kernels, PIECE},
    memory,
    real::Real,
    summary::Sums,
};

use super::{guarded, one_pass};

/// My rows, and where they are put.
pub struct Draws<'r, 'a, 'm, D: Kernels, T: Real> {
    /// My rows, without targets.
    pub rows: &'r Data<'a, 'm, D, T>,
    /// Where rows are put.
    pub place: &'r [f64],
}

/// What the order of sums may leave in a potential, relative to it.
const TIE: f64 = 1e-13;

/// Rounds of k-means‖.
const ROUNDS: u64 = 5;
/// Rows that it asks a device about at a time: half a megabyte of answers.
const PIECES: usize = 64 * PIECE;

/// A number in `[0, 1)` that belongs to a key, a round and a row (`splitmix64`).
fn uniform((key, round): (u64, u64), row: f64) -> f64 {
    let mut mixed = key ^ round.rotate_left(56) ^ row.to_bits();
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] {
        mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> shift)).wrapping_mul(factor);
    }
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / 2_f64.powi(53)
}

/// What all ranks found, in rank order; or the failure of the lowest.
fn everyones(comm: &dyn Communicator, mine: Result<Vec<f64>>) -> Result<Vec<f64>> {
    let (mut sent, mine) = match mine {
        Ok(found) => (found, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    sent.push(f64::from(u8::from(mine.is_err())));
    let (mut all, mut failed) = (Vec::new(), false); // what was sent
    for block in comm.gather(Block::from(&sent[..]))? {
        let mut numbers = block.numbers();
        failed |= numbers.pop().is_none_or(|flag| flag > 0.0);
        all.extend(numbers);
    }
    if failed {
        Err(comm.fail(mine))
    } else {
        Ok(all)
    }
}

/// What is drawn from: a potential of each row, by pieces of rows, for some points.
struct Potential {
    /// Mine: of each piece, for each point.
    pieces: Vec<f64>,
    /// Of each rank, for each point; behind them the number of its rows.
    ranks: Vec<Vec<f64>>,
    /// How many points.
    many: usize,
}

impl Potential {
    fn total(&self, point: usize) -> f64 {
        self.ranks.iter().map(|sums| sums[point]).sum()
    }

    /// The point that leaves least; of those that the order of sums cannot tell apart, the first.
    fn least(&self) -> usize {
        let lower = |best, point| {
            if self.total(point) < self.total(best) * (1.0 - TIE) {
                point
            } else {
                best
            }
        };
        (0..self.many).fold(0, lower)
    }

    /// The rank where the prefix sum passes `target`, and what is left of it there; the last with
    /// rows if rounding leaves none, the first where there is nothing to draw from.
    fn owner(&self, point: usize, target: f64) -> (usize, f64) {
        let (mut rest, mut last) = (target, (0, f64::INFINITY));
        for (rank, sums) in self.ranks.iter().enumerate() {
            if sums[self.many] > 0.0 {
                if rest <= sums[point] {
                    return (rank, rest);
                }
                last = (rank, f64::INFINITY);
            }
            rest -= sums[point];
        }
        last
    }
}

impl<D: Kernels, T: Real> Draws<'_, '_, '_, D, T> {
    /// `k` centres, `k × p`, around the place; `draws` are one number, then equally many for each
    /// further centre.
    pub fn plus_plus(&self, comm: &dyn Communicator, k: usize, draws: &[f64]) -> Result<Vec<f64>> {
        let p = self.place.len();
        let (first, rest) = draws.split_first().ok_or(Error::Shape("draws"))?;
        let trials = rest.len() / (k - 1).max(1);
        let mut centers = memory::zeros(k * p, "centers")?;
        let nearest = self.rows.device.column(self.rows, 1.0)?;
        let mut state = (nearest, Vec::new());
        let weights = self.potential(comm, &mut state, &[])?;
        let center = self.draw(comm, &state, (&weights, 0), &[*first])?;
        centers[..p].copy_from_slice(&center);
        state = (self.rows.device.column(self.rows, f64::INFINITY)?, center);
        let mut seen = self.potential(comm, &mut state, &[])?;
        let mut best = 0;
        for (c, draws) in rest.chunks_exact(trials.max(1)).enumerate().take(k - 1) {
            comm.step(&format!("centre {}", c + 2))?;
            let candidates = self.draw(comm, &state, (&seen, best), draws)?;
            seen = self.potential(comm, &mut state, &candidates)?;
            best = seen.least();
            let newest = memory::copy(&candidates[best * p..][..p], "centers")?;
            centers[(c + 1) * p..][..p].copy_from_slice(&newest);
            state.1 = newest;
        }
        Ok(self.around(centers))
    }

    /// Rows, put around the place.
    fn around(&self, mut rows: Vec<f64>) -> Vec<f64> {
        for row in rows.chunks_exact_mut(self.place.len()) {
            for (x, place) in row.iter_mut().zip(self.place) {
                *x -= place;
            }
        }
        rows
    }

    /// Rows taken by k-means‖, `m × p`, around the place, and what is nearest to each weighs.
    pub fn oversample(
        &self,
        comm: &dyn Communicator,
        k: usize,
        first: f64,
        key: u64,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (rows, p) = (self.rows, self.place.len());
        let mut state = (rows.device.column(rows, 1.0)?, Vec::new());
        let weights = self.potential(comm, &mut state, &[])?;
        let mut found = self.draw(comm, &state, (&weights, 0), &[first])?;
        state = (
            rows.device.column(rows, f64::INFINITY)?,
            memory::copy(&found, "centers")?,
        );
        for round in 0..ROUNDS {
            comm.step(&format!("round {} of the start", round + 1))?;
            let seen = self.potential(comm, &mut state, &[])?;
            let scale = k as f64 / seen.total(0);
            let before: f64 = seen.ranks[..comm.rank()].iter().map(|sums| sums[1]).sum();
            let mine = guarded(|| self.taken(&state.0, scale, (key, round), before));
            state.1 = everyones(comm, mine)?;
            found.extend_from_slice(&state.1); // at most about `k` rows a round
        }
        let found = self.around(found);
        let mut labels = rows.device.labels(rows)?;
        let look = || {
            let around = rows.device.centers(self.place, &found)?;
            let seen = rows.device.assign(rows, &around, &mut labels)?;
            Ok(Sums::of(memory::copy(&seen.weights, "weights of centers")?))
        };
        let seen = one_pass(comm, || Sums::empty(found.len() / p), look)?;
        let weights = memory::copy(seen.values(), "weights of centers")?;
        Ok((found, weights))
    }

    /// My rows that this round takes.
    fn taken(
        &self,
        nearest: &D::Column<T>,
        scale: f64,
        keys: (u64, u64),
        before: f64,
    ) -> Result<Vec<f64>> {
        let (rows, mut found) = (self.rows, Vec::new()); // about `k` rows over all ranks
        let n = rows.shape().0;
        for start in (0..n).step_by(PIECES) {
            let some = start..n.min(start + PIECES);
            let each = rows.device.potentials(rows, nearest, &[], some.clone())?;
            for (row, potential) in some.zip(each) {
                if uniform(keys, before + row as f64) < scale * potential {
                    found.extend(rows.device.row(rows, row)?);
                }
            }
        }
        Ok(found)
    }

    /// Rows drawn by weight, none twice and none of `taken`: their numbers among all rows, in the order
    /// of draws, fewer than draws where some fell on the same row; and each, around the place.
    pub fn without_return(
        &self,
        comm: &dyn Communicator,
        draws: &[f64],
        taken: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let p = self.place.len();
        let mut weights = self.rows.device.column(self.rows, 1.0)?;
        let n = self.rows.shape().0 as f64;
        let counts = comm.gather(Block::from(&[n][..]))?;
        let before = counts
            .iter()
            .take(comm.rank())
            .map(|n| n.numbers()[0])
            .sum::<f64>();
        let mine = taken
            .iter()
            .map(|row| row - before)
            .filter(|row| (0.0..n).contains(row));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // numbers of my rows
        let mine: Vec<usize> = mine.map(|row| row as usize).collect(); // at most `taken`
        self.rows.device.clear(&mut weights, &mine)?;
        let mut state = (weights, Vec::new());
        let seen = self.potential(comm, &mut state, &[])?;
        let found = self.draw_rows(comm, &state, (&seen, 0), draws, before)?;
        let (mut numbers, mut rows) = (Vec::new(), Vec::new()); // at most as long as `found`
        for row in found.chunks_exact(p + 1) {
            if !numbers.contains(&row[0]) {
                numbers.push(row[0]);
                rows.extend_from_slice(&row[1..]);
            }
        }
        Ok((numbers, self.around(rows)))
    }

    /// The potentials of some points, once the newest centre is taken into account.
    fn potential(
        &self,
        comm: &dyn Communicator,
        (nearest, newest): &mut (D::Column<T>, Vec<f64>),
        candidates: &[f64],
    ) -> Result<Potential> {
        let (rows, p) = (self.rows, self.place.len());
        let many = (candidates.len() / p.max(1)).max(1);
        let taken = std::mem::take(newest);
        let looked = guarded(|| {
            rows.device
                .update_min_distance(rows, nearest, &taken, candidates)
        });
        let (pieces, looked) = match looked {
            Ok(pieces) => (pieces, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        let mut mine = memory::zeros(many + 2, "potentials")?;
        for piece in pieces.chunks_exact(many) {
            for (sum, piece) in mine.iter_mut().zip(piece) {
                *sum += piece;
            }
        }
        mine[many] = rows.shape().0 as f64;
        mine[many + 1] = f64::from(u8::from(looked.is_err()));
        let blocks = comm.gather(Block::from(&mine[..]))?;
        let ranks: Vec<Vec<f64>> = blocks.iter().map(Block::numbers).collect();
        if ranks.iter().any(|sums| sums[many + 1] > 0.0) {
            return Err(comm.fail(looked));
        }
        Ok(Potential {
            pieces,
            ranks,
            many,
        })
    }

    /// The rows, one after the other, where the prefix sum of a point's potential passes each
    /// draw times the whole.
    fn draw(
        &self,
        comm: &dyn Communicator,
        state: &(D::Column<T>, Vec<f64>),
        seen: (&Potential, usize),
        draws: &[f64],
    ) -> Result<Vec<f64>> {
        let p = self.place.len();
        let found = self.draw_rows(comm, state, seen, draws, 0.0)?;
        Ok(found
            .chunks_exact(p + 1)
            .flat_map(|row| &row[1..])
            .copied()
            .collect())
    }

    /// The same, before each its number, counted from `before` on its rank.
    fn draw_rows(
        &self,
        comm: &dyn Communicator,
        (nearest, newest): &(D::Column<T>, Vec<f64>),
        (seen, point): (&Potential, usize),
        draws: &[f64],
        before: f64,
    ) -> Result<Vec<f64>> {
        let p = self.place.len();
        let total = seen.total(point);
        let mut found = memory::zeros(draws.len() * (p + 1), "candidates")?;
        for (draw, found) in draws.iter().zip(found.chunks_exact_mut(p + 1)) {
            let (rank, rest) = seen.owner(point, draw * total);
            if rank == comm.rank() {
                let row = self.at(nearest, newest, (seen, point), rest)?;
                found[0] = before + row as f64;
                found[1..].copy_from_slice(&self.rows.device.row(self.rows, row)?);
            }
        }
        comm.sum(&mut found)?;
        Ok(found)
    }

    /// My row where the prefix sum reaches `rest`; the first where there is nothing to draw from.
    fn at(
        &self,
        nearest: &D::Column<T>,
        newest: &[f64],
        (seen, point): (&Potential, usize),
        mut rest: f64,
    ) -> Result<usize> {
        let (rows, n) = (self.rows, self.rows.shape().0);
        if seen.total(point) == 0.0 {
            return Ok(0);
        }
        let last = n.div_ceil(PIECE) - 1;
        for (piece, sums) in seen.pieces.chunks_exact(seen.many).enumerate() {
            let sum = sums[point];
            if rest > sum && piece < last {
                rest -= sum;
                continue;
            }
            let some = piece * PIECE..n.min((piece + 1) * PIECE);
            let each = rows
                .device
                .potentials(rows, nearest, newest, some.clone())?;
            for (row, potential) in some.zip(&each) {
                if rest <= *potential && *potential > 0.0 {
                    return Ok(row);
                }
                rest -= potential;
            }
            rest = rest.max(0.0);
        }
        Ok(n - 1)
    }
}
