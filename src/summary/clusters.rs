//! Clusters of rows: what each centre got, and which rows are farthest.

use super::{Summary, TAIL, add};
use crate::{Error, Result, comm::Communicator, memory};

/// Of `k` centres in `p` columns: `Σ w z`, `Σ w` and the number of the rows of each; of all rows
/// `Σ w d²` and how many have another centre than before.
#[derive(Debug, PartialEq)]
pub struct Clusters {
    k: usize,
    p: usize,
    words: Vec<f64>,
}

impl Clusters {
    /// No rows.
    pub fn empty(k: usize, p: usize) -> Result<Self> {
        let words = memory::zeros(k * (p + 2) + 2 + TAIL, "sums of clusters")?;
        Ok(Self { k, p, words })
    }

    /// What a device found: sums, weights, counts; inertia and changes.
    pub fn of(parts: [&[f64]; 3], all: [f64; 2]) -> Result<Self> {
        let k = parts[1].len();
        let mut new = Self::empty(k, parts[0].len() / k.max(1))?;
        let mut at = 0;
        for part in parts.into_iter().chain([&all[..]]) {
            let to = new.words.get_mut(at..at + part.len());
            to.ok_or(Error::Shape("clusters"))?.copy_from_slice(part);
            at += part.len();
        }
        Ok(new)
    }

    /// Takes `Σ w d²` of these rows.
    pub fn tell(&mut self, inertia: f64) {
        self.words[self.k * (self.p + 2)] = inertia;
    }

    /// `Σ w z`, row by row, and `Σ w`.
    pub fn sums(&self) -> (&[f64], &[f64]) {
        let (sums, rest) = self.words.split_at(self.k * self.p);
        (sums, &rest[..self.k])
    }

    /// How many rows each centre has.
    pub fn counts(&self) -> &[f64] {
        &self.words[self.k * (self.p + 1)..][..self.k]
    }

    /// `Σ w d²`.
    pub fn inertia(&self) -> f64 {
        self.words[self.k * (self.p + 2)]
    }

    /// How many rows have another centre than before.
    pub fn changed(&self) -> f64 {
        self.words[self.k * (self.p + 2) + 1]
    }

    /// A copy.
    pub fn again(&self) -> Result<Self> {
        Ok(Self {
            words: memory::copy(&self.words, "sums of clusters")?,
            ..*self
        })
    }
}

impl Summary for Clusters {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let rows = self.words.len() - TAIL;
        add(&mut self.words[..rows], &other.words[..rows]);
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.k, self.p)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        comm.sum(&mut self.words)
    }
}

/// The rows farthest from their centres, falling; of equals those of lower ranks first.
#[derive(Debug, PartialEq)]
pub struct Farthest {
    p: usize,
    words: Vec<f64>,
}

/// Numbers before `z` of a row: its `d²`, weight and centre.
const HEAD: usize = 3;

impl Farthest {
    /// Room for `count` rows of `p` columns; none yet.
    pub fn empty(count: usize, p: usize) -> Result<Self> {
        let mut words = memory::zeros(count * (HEAD + p) + TAIL, "the farthest rows")?;
        for row in words[..count * (HEAD + p)].chunks_exact_mut(HEAD + p) {
            row[0] = -1.0;
        }
        Ok(Self { p, words })
    }

    /// Takes a row, nearer than those before; at most `count` in all.
    pub fn put(&mut self, at: usize, head: [f64; HEAD], z: &[f64]) {
        let row = &mut self.words[at * (HEAD + self.p)..][..HEAD + self.p];
        row[..HEAD].copy_from_slice(&head);
        row[HEAD..].copy_from_slice(z);
    }

    /// `d²`, weight and centre of each row, and `z`.
    pub fn rows(&self) -> impl Iterator<Item = ([f64; HEAD], &[f64])> {
        let rows = &self.words[..self.words.len() - TAIL];
        let rows = rows.chunks_exact(HEAD + self.p).filter(|row| row[0] >= 0.0);
        rows.map(|row| ([row[0], row[1], row[2]], &row[HEAD..]))
    }
}

impl Summary for Farthest {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let count = (self.words.len() - TAIL) / (HEAD + self.p);
        let mut new = Self::empty(count, self.p)?;
        new.tail().copy_from_slice(self.tail());
        let (mut mine, mut theirs) = (self.rows().peekable(), other.rows().peekable());
        for at in 0..count {
            let first = match (mine.peek(), theirs.peek()) {
                (Some(a), Some(b)) => a.0[0] >= b.0[0],
                (a, _) => a.is_some(),
            };
            let next = if first { mine.next() } else { theirs.next() };
            if let Some((head, z)) = next {
                new.put(at, head, z);
            }
        }
        drop((mine, theirs));
        *self = new;
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty((self.words.len() - TAIL) / (HEAD + self.p), self.p)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }
}

/// What a round of k-means looks for: one after the other, never both.
#[derive(Debug, PartialEq)]
pub enum Round {
    /// What each centre got.
    Clusters(Clusters),
    /// Which rows are farthest.
    Farthest(Farthest),
}

impl Summary for Round {
    fn merge(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Clusters(mine), Self::Clusters(theirs)) => mine.merge(theirs),
            (Self::Farthest(mine), Self::Farthest(theirs)) => mine.merge(theirs),
            _ => Err(Error::Shape("rounds")),
        }
    }

    fn neutral(&self) -> Result<Self> {
        Ok(match self {
            Self::Clusters(mine) => Self::Clusters(mine.neutral()?),
            Self::Farthest(mine) => Self::Farthest(mine.neutral()?),
        })
    }

    fn words(&mut self) -> &mut Vec<f64> {
        match self {
            Self::Clusters(mine) => mine.words(),
            Self::Farthest(mine) => mine.words(),
        }
    }

    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        match self {
            Self::Clusters(mine) => mine.reduce(comm),
            Self::Farthest(mine) => mine.reduce(comm),
        }
    }
}
