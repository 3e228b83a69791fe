//! Rows that span what others do: their products are those of all rows, or the leading part of them.
//!
//! Two sets of centred rows with weights `a`, `b` and means `x̄ₐ`, `x̄_b` are one above the other, and
//! below them `√(ab / (a + b)) (x̄ₐ − x̄_b)`, centred on the joint mean (Ross, Lim, Lin, Yang 2008,
//! lemma 1). Where there is no room, their triangle takes their place if all `q` rows of that fit, else
//! the leading `h` of `σᵢ vᵢᵀ`. Until then rows are as they are.

use super::{Means, Streaming, Summary, TAIL};
use crate::{
    Error, Result,
    comm::{Reader, Writer},
    memory, solve,
};

/// `n`, `Σw`, `x̄`, squares around it, and up to `h` rows of `q` columns, column by column.
#[derive(Debug, PartialEq)]
pub struct LeadingRows {
    h: usize,
    q: usize,
    /// `n`, `Σw`, how many rows are in use; origin, rest of the means, squares, rows.
    words: Vec<f64>,
}

/// Numbers before the means.
const HEAD: usize = 3;

impl LeadingRows {
    /// No rows of `q` columns, with room for `h`.
    pub fn empty(h: usize, q: usize) -> Result<Self> {
        let words = memory::zeros(HEAD + (3 + h) * q + TAIL, "rows that span others")?;
        Ok(Self { h, q, words })
    }

    /// What a device found: means, squares, and centred rows: column by column, how long their columns
    /// are, and how many are in use.
    pub fn of(
        means: &Means,
        squares: &[f64],
        h: usize,
        (rows, long, used): (&[f64], usize, usize),
    ) -> Result<Self> {
        let q = squares.len();
        let mut new = Self::empty(h, q)?;
        if rows.len() != long * q || used > long {
            return Err(Error::Shape("rows that span others"));
        }
        new.put(means, squares);
        let mut all = memory::zeros(used * q, "rows")?;
        place(&mut all, used, 0, (rows, long, used));
        new.keep(all, used)?;
        Ok(new)
    }

    /// `n`, `Σw`, `x̄`.
    pub fn means(&self) -> Result<Means> {
        let (origin, rest) = (self.part(0), self.part(1));
        Means::of([self.words[0], self.words[1]], origin, rest)
    }

    /// `Σᵢ wᵢ (xᵢ − x̄)²` of each column.
    pub fn squares(&self) -> &[f64] {
        self.part(2)
    }

    /// The rows in use, column by column, and how many.
    pub fn rows(&self) -> Result<(Vec<f64>, usize)> {
        let used = self.used();
        let mut rows = memory::zeros(used * self.q, "rows")?;
        let all = &self.words[HEAD + 3 * self.q..][..self.h * self.q];
        place(&mut rows, used, 0, (all, self.h, used));
        Ok((rows, used))
    }

    fn part(&self, at: usize) -> &[f64] {
        &self.words[HEAD + at * self.q..][..self.q]
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn used(&self) -> usize {
        self.words[2] as usize
    }

    fn put(&mut self, means: &Means, squares: &[f64]) {
        let q = self.q;
        self.words[..2].copy_from_slice(&[means.rows(), means.weight()]);
        let [origin, rest] = means.parts();
        for (at, part) in [origin, rest, squares].into_iter().enumerate() {
            self.words[HEAD + at * q..][..q].copy_from_slice(part);
        }
    }

    /// Keeps these rows, or what is left of them in `h`.
    fn keep(&mut self, mut rows: Vec<f64>, mut used: usize) -> Result<()> {
        let (h, q) = (self.h, self.q);
        let mut long = used;
        if used > h && h >= q {
            solve::r_factor(used, q, &mut rows)?;
            used = q;
        } else if used > h {
            let spectrum = solve::right([used, q], &rows, 1)?;
            rows = memory::zeros(h * q, "rows")?;
            let vectors = spectrum.vectors.chunks_exact(q).zip(&spectrum.values);
            for (i, (vector, value)) in vectors.take(h).enumerate() {
                for (column, v) in rows.chunks_exact_mut(h).zip(vector) {
                    column[i] = value * v;
                }
            }
            (long, used) = (h, h.min(spectrum.values.len()));
        }
        self.words[2] = used as f64;
        let to = &mut self.words[HEAD + 3 * q..][..h * q];
        to.fill(0.0);
        place(to, h, 0, (&rows, long, used));
        Ok(())
    }
}

/// Writes rows, below `start` others, into columns of `height`.
fn place(to: &mut [f64], height: usize, start: usize, (rows, long, used): (&[f64], usize, usize)) {
    if used == 0 {
        return;
    }
    for (to, from) in to.chunks_exact_mut(height).zip(rows.chunks_exact(long)) {
        to[start..start + used].copy_from_slice(&from[..used]);
    }
}

impl Summary for LeadingRows {
    fn merge(&mut self, other: &Self) -> Result<()> {
        let (mut means, theirs) = (self.means()?, other.means()?);
        let [a, b] = [&means, &theirs].map(Means::weight);
        let root = if a > 0.0 && b > 0.0 {
            (a / (a + b) * b).sqrt()
        } else {
            0.0
        };
        let mut step = means.from(theirs.mean())?;
        for (step, from) in step.iter_mut().zip(theirs.from(theirs.mean())?) {
            *step = root * (*step - from);
        }
        let ((mine, m), (rows, k)) = (self.rows()?, other.rows()?);
        let extra = usize::from(root > 0.0);
        let used = m + k + extra;
        let mut all = memory::zeros(used * self.q, "rows")?;
        place(&mut all, used, 0, (&mine, m, m));
        place(&mut all, used, m, (&rows, k, k));
        place(&mut all, used, m + k, (&step, 1, extra));
        let mut squares = memory::copy(self.squares(), "squares")?;
        for ((square, more), step) in squares.iter_mut().zip(other.squares()).zip(step) {
            *square += more + step * step;
        }
        means.merge(&theirs)?;
        self.put(&means, &squares);
        self.keep(all, used)
    }

    fn neutral(&self) -> Result<Self> {
        Self::empty(self.h, self.q)
    }

    fn words(&mut self) -> &mut Vec<f64> {
        &mut self.words
    }
}

impl Streaming for LeadingRows {
    fn pack(mut self) -> Result<Vec<f64>> {
        self.words.truncate(self.words.len() - TAIL);
        let writer = Writer::after(self.words, TAIL, "rows that span others")?;
        Ok(writer.count(self.h)?.count(self.q)?.finish())
    }

    fn unpack(numbers: &[f64]) -> Result<Self> {
        let mut reader = Reader::new(numbers, "rows that span others");
        let mut shape = reader.last(2)?;
        let (h, q) = (shape.count()?, shape.count()?);
        let rows = h.saturating_add(3).saturating_mul(q);
        let known = reader.take(rows.saturating_add(HEAD))?;
        reader.finish()?;
        let mut new = Self::empty(h, q)?;
        new.words[..known.len()].copy_from_slice(known);
        Ok(new)
    }

    fn shape(&self) -> [usize; 2] {
        [self.q, self.h]
    }
}
