//! How models and summaries become numbers, and numbers become them again, checked.

use crate::{Error, Result, memory};

/// `2⁵³`: every whole number below it is an `f64`.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Writes one value after the other.
#[derive(Debug)]
pub struct Writer {
    words: Vec<f64>,
    what: &'static str,
}

impl Writer {
    /// Nothing yet, with room for that many numbers.
    pub fn new(room: usize, what: &'static str) -> Result<Self> {
        Self::after(Vec::new(), room, what)
    }

    /// Takes over numbers, which come first, with room for more.
    pub fn after(mut words: Vec<f64>, room: usize, what: &'static str) -> Result<Self> {
        memory::reserve(&mut words, room, what)?;
        Ok(Self { words, what })
    }

    /// A whole number below `2⁵³`.
    pub fn count(self, n: usize) -> Result<Self> {
        let word = n as f64;
        if word >= WHOLE {
            return Err(Error::Shape(self.what));
        }
        self.number(word)
    }

    /// Yes or no.
    pub fn flag(self, flag: bool) -> Result<Self> {
        self.number(f64::from(u8::from(flag)))
    }

    /// Any number.
    pub fn number(self, number: f64) -> Result<Self> {
        self.put(&[number])
    }

    /// How many numbers, then these.
    pub fn slice(self, numbers: &[f64]) -> Result<Self> {
        self.count(numbers.len())?.put(numbers)
    }

    /// Numbers, of which the reader knows how many they are.
    pub fn put(mut self, numbers: &[f64]) -> Result<Self> {
        memory::reserve(&mut self.words, numbers.len(), self.what)?;
        self.words.extend_from_slice(numbers);
        Ok(self)
    }

    /// All that was written.
    pub fn finish(self) -> Vec<f64> {
        self.words
    }
}

/// Reads what a `Writer` wrote, in the same order.
#[derive(Debug)]
pub struct Reader<'w> {
    words: &'w [f64],
    what: &'static str,
}

impl<'w> Reader<'w> {
    /// From the first number on; an error names `what`.
    pub fn new(words: &'w [f64], what: &'static str) -> Self {
        Self { words, what }
    }

    /// The last `n` numbers, which `self` then lacks.
    pub fn last(&mut self, n: usize) -> Result<Self> {
        let start = self.words.len().checked_sub(n);
        let (words, last) = self.words.split_at(start.ok_or(self.broken())?);
        self.words = words;
        Ok(Self::new(last, self.what))
    }

    /// A whole number below `2⁵³`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked
    pub fn count(&mut self) -> Result<usize> {
        let word = self.number()?;
        if (0.0..WHOLE).contains(&word) && word.fract() == 0.0 {
            Ok(word as usize)
        } else {
            Err(self.broken())
        }
    }

    /// Yes or no.
    pub fn flag(&mut self) -> Result<bool> {
        match self.count()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.broken()),
        }
    }

    /// Any number.
    pub fn number(&mut self) -> Result<f64> {
        Ok(self.take(1)?[0])
    }

    /// What `Writer::slice` wrote.
    pub fn slice(&mut self) -> Result<&'w [f64]> {
        let n = self.count()?;
        self.take(n)
    }

    /// A copy of what `Writer::slice` wrote.
    pub fn vec(&mut self) -> Result<Vec<f64>> {
        memory::copy(self.slice()?, self.what)
    }

    /// The next `n` numbers.
    pub fn take(&mut self, n: usize) -> Result<&'w [f64]> {
        let cut = self.words.split_at_checked(n);
        let (taken, words) = cut.ok_or(self.broken())?;
        self.words = words;
        Ok(taken)
    }

    /// Fails where numbers are left.
    pub fn finish(self) -> Result<()> {
        if self.words.is_empty() {
            return Ok(());
        }
        Err(self.broken())
    }

    fn broken(&self) -> Error {
        Error::Shape(self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<f64> {
        let new = Writer::after(vec![7.0], 0, "a test").unwrap();
        let new = new.count(3).unwrap().flag(true).unwrap();
        let new = new.number(-0.5).unwrap().slice(&[1.0, f64::NAN]).unwrap();
        new.slice(&[])
            .unwrap()
            .put(&[4.0, 5.0])
            .unwrap()
            .count(2)
            .unwrap()
            .finish()
    }

    fn read(words: &[f64]) -> Result<()> {
        let mut reader = Reader::new(words, "a test");
        let mut last = reader.last(1)?;
        let n = last.count()?;
        last.finish()?;
        assert_eq!(reader.number()?.to_bits(), 7.0_f64.to_bits());
        assert_eq!(reader.count()?, 3);
        assert!(reader.flag()?);
        assert_eq!(reader.number()?.to_bits(), (-0.5_f64).to_bits());
        let slice = reader.slice()?;
        assert!(slice.len() == 2 && slice[1].is_nan());
        assert!(reader.vec()?.is_empty());
        assert_eq!(reader.take(n)?, [4.0, 5.0]);
        reader.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        read(&written()).unwrap();
    }

    #[test]
    fn too_few_or_too_many_numbers_are_an_error() {
        let words = written();
        for end in 0..words.len() {
            let mut reader = Reader::new(&words[..end], "a test");
            let all = (|| {
                reader.take(4)?;
                reader.slice()?;
                reader.slice()?;
                reader.take(3)
            })();
            assert_eq!(all, Err(Error::Shape("a test")));
        }
        let mut reader = Reader::new(&words, "a test");
        reader.take(words.len() - 1).unwrap();
        assert_eq!(reader.finish(), Err(Error::Shape("a test")));
        assert!(Reader::new(&words, "a test").last(99).is_err());
    }

    #[test]
    fn what_is_no_count_or_flag_is_an_error() {
        for word in [-1.0, 0.5, WHOLE, f64::NAN, f64::INFINITY] {
            assert!(Reader::new(&[word], "a test").count().is_err());
            assert!(Reader::new(&[word], "a test").slice().is_err());
            assert!(Reader::new(&[word], "a test").flag().is_err());
        }
        assert!(Reader::new(&[2.0], "a test").flag().is_err());
        assert!(Reader::new(&[WHOLE - 1.0], "a test").slice().is_err());
        assert!(Writer::new(0, "a test").unwrap().count(1 << 53).is_err());
    }
}
