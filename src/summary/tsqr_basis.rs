//! A triangle, and the way to it: `Rᵣ = Wᵣ R`, where the `Wᵣ` of all ranks have orthonormal columns.
//!
//! Two triangles one above the other have `[A; B] = Q R`, and the rows of `Q` go to those who brought
//! `A` and `B`: so each rank learns its own part of an orthonormal basis of the rows of all, whatever
//! their condition, and nothing is gathered (TSQR: Demmel, Grigori, Hoemmen, Langou 2012, section 4).
//! `Q` turns with every rounding where columns nearly depend on each other, so each is found once.

use super::{Summary, TAIL, add};
use crate::{Error, Result, comm::Communicator, memory, solve};

/// At most `h` rows of `p` columns, column by column.
#[derive(Debug)]
pub struct TsqrBasis {
    h: usize,
    p: usize,
    /// `R`, `h p` entries of which the first rows are in use, and their number.
    words: Vec<f64>,
    /// `W`, column by column, as long as the rows that were brought; none before `reduce`.
    part: Option<Vec<f64>>,
}

impl TsqrBasis {
    /// No rows.
    pub fn empty(h: usize, p: usize) -> Result<Self> {
        Ok(Self {
            h,
            p,
            words: memory::zeros(h * p + 1 + TAIL, "a triangle")?,
            part: None,
        })
    }

    /// The first `used` of rows that lie column by column, `long` to a column.
    pub fn of(h: usize, p: usize, (rows, long): (&[f64], usize), used: usize) -> Result<Self> {
        let mut new = Self::empty(h, p)?;
        if used > h.min(long) || rows.len() != long * p {
            return Err(Error::Shape("a triangle"));
        }
        let to = new.words[..h * p].chunks_exact_mut(h.max(1));
        for (to, from) in to.zip(rows.chunks_exact(long.max(1))) {
            to[..used].copy_from_slice(&from[..used]);
        }
        new.words[h * p] = used as f64;
        Ok(new)
    }

    /// `R`, column by column, each `h` long.
    pub fn columns(&self) -> &[f64] {
        &self.words[..self.h * self.p]
    }

    /// `W`, as many rows as this rank brought, and as many columns as `R` has rows; the unit where nobody
    /// else brought any.
    pub fn part(&self) -> Option<&[f64]> {
        self.part.as_deref()
    }

    /// The words of both, their `Q`, and how many of its rows belong to either.
    fn join(&self, lower: &[f64], upper: &[f64]) -> Result<(Vec<f64>, Joint)> {
        let (h, p) = (self.h, self.p);
        let used = [lower, upper].map(|words| count(words[h * p]));
        let n = used[0] + used[1];
        let mut both = memory::zeros(n * p, "rows to be triangled")?;
        for (j, column) in both.chunks_exact_mut(n.max(1)).enumerate() {
            column[..used[0]].copy_from_slice(&lower[j * h..][..used[0]]);
            column[used[0]..].copy_from_slice(&upper[j * h..][..used[1]]);
        }
        let basis = solve::orthogonal(n, p, &mut both)?;
        let mut new = Self::of(h, p, (&both, n), n.min(p))?;
        for words in [lower, upper] {
            add(new.tail(), &words[h * p + 1..]);
        }
        Ok((new.words, Joint { basis, used }))
    }
}

/// The orthonormal factor of two triangles.
struct Joint {
    basis: Vec<f64>,
    used: [usize; 2],
}

impl Joint {
    /// What follows for either from the `W` of both, behind the same words.
    fn split(&self, down: &[f64], words: usize) -> Result<[Vec<f64>; 2]> {
        let n = self.used[0] + self.used[1];
        let k = self.basis.len() / n.max(1);
        let m = (down.len() - words) / k.max(1);
        let whole = solve::product([n, k, m], &self.basis, &down[words..])?;
        let mut start = 0;
        let mut part = |used: usize| {
            let mut part = memory::copy(&down[..words], "a part of a basis")?;
            part.reserve_exact(used * m);
            for column in whole.chunks_exact(n.max(1)) {
                part.extend(&column[start..start + used]);
            }
            start += used;
            Ok(part)
        };
        Ok([part(self.used[0])?, part(self.used[1])?])
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it was `usize`
fn count(word: f64) -> usize {
    word as usize
}

impl Summary for TsqrBasis {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let rows = self.words.len() - TAIL;
        let (joined, _) = self.join(&self.words, &other.words)?;
        self.words[..rows].copy_from_slice(&joined[..rows]);
        Ok(())
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.h, self.p)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }

    fn reduce(&mut self, comm: &dyn Communicator) -> Result<()> {
        let words = self.words.len();
        let mine = std::mem::take(&mut self.words);
        let mut found = comm.tree(
            mine,
            |lower, upper| self.join(lower, upper),
            |all| {
                let k = count(all[self.h * self.p]);
                let mut unit = memory::zeros(words + k * k, "a basis")?;
                unit[..words].copy_from_slice(all);
                let diagonal = unit[words..].iter_mut().step_by(k + 1);
                diagonal.for_each(|one| *one = 1.0);
                Ok(unit)
            },
            |joint, down| joint.split(down, words),
        )?;
        self.part = Some(found.split_off(words));
        self.words = found;
        Ok(())
    }
}
