//! The header: who failed, who differs.
//!
//! One maximum of a fixed number of words opens every method on every rank, whatever was called.
//! A fact `v` travels as `+v` and `−v`, so that its largest and smallest value come back; a rank
//! without rows has no opinion on the rows. Words are integers below 2⁵³ and infinities: exact, so
//! agreed. Only where something is wrong do texts follow.

use super::Communicator;
use crate::{Error, Result, block::Block};

/// What a rank comes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// My rows: without any, I abstain from what follows the parameters.
    pub rows: usize,
    /// Class and method.
    pub method: String,
    /// Every parameter, one `name=value` a line.
    pub parameters: String,
    /// Number of columns.
    pub columns: usize,
    /// Type of the rows; the largest on any rank is everybody's.
    pub dtype: usize,
    /// Number of targets, and whether `y` is a column or a matrix: `0` none, `1` one-dimensional,
    /// `1 + m` for `m` columns.
    pub targets: usize,
    /// Whether rows have weights.
    pub weighted: bool,
    /// Names of the columns, a list in JSON; empty where they have none.
    pub names: String,
}

/// What all ranks together come with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Rows of the rank that has most.
    pub most: usize,
    /// Rows of the rank that has least.
    pub least: usize,
    /// Number of columns.
    pub columns: usize,
    /// Type of the rows.
    pub dtype: usize,
    /// As in `Facts`.
    pub targets: usize,
    /// Whether rows have weights.
    pub weighted: bool,
    /// Whether columns have names.
    pub named: bool,
}

const FACTS: usize = 8;
const DTYPE: usize = 4;
const ABSENT: f64 = f64::NEG_INFINITY;

impl Facts {
    /// In the order of `sentence`; those about rows only from ranks that have some.
    fn words(&self, call: u64) -> [Option<f64>; FACTS] {
        let rows = |word: f64| (self.rows > 0).then_some(word);
        [
            Some(call as f64),
            Some(hash(&self.method)),
            Some(hash(&self.parameters)),
            rows(self.columns as f64),
            rows(self.dtype as f64),
            rows(self.targets as f64),
            rows(f64::from(u8::from(self.weighted))),
            rows(if self.names.is_empty() {
                0.0
            } else {
                hash(&self.names).max(1.0)
            }),
        ]
    }

    /// What the words stand for, for the message.
    fn texts(&self, call: u64) -> String {
        let weighted = if self.weighted { "has" } else { "has no" };
        [
            &format!("{call}"),
            &self.method,
            &self.parameters,
            &format!("{}", self.columns),
            "",
            targets(self.targets).as_str(),
            weighted,
            &self.names,
        ]
        .join("\u{1f}")
    }
}

fn targets(code: usize) -> String {
    match code {
        0 => "no y".to_owned(),
        1 => "a one-dimensional y".to_owned(),
        more => format!("a y with {} column(s)", more - 1),
    }
}

impl dyn Communicator + '_ {
    /// The facts of all, if no rank failed and no two differ; else the same error on every rank.
    pub fn agree(&self, facts: &Facts, mine: Result<()>) -> Result<Agreed> {
        let call = self.call();
        let words = facts.words(call);
        if self.size() == 1 {
            let words = words.map(|word| word.unwrap_or(0.0));
            return mine.map(|()| read([facts.rows, facts.rows], words));
        }
        let failed = if mine.is_err() {
            -(self.rank() as f64)
        } else {
            ABSENT
        };
        let mut mine_all = vec![failed, facts.rows as f64, -(facts.rows as f64)]; // fixed
        mine_all.extend(
            words
                .iter()
                .flat_map(|v| v.map_or([ABSENT; 2], |v| [v, -v])),
        );
        self.step("the header")?;
        let header = loop {
            let mut header = mine_all.clone();
            match self.max(&mut header) {
                Ok(()) => break header,
                Err(Error::Stale) => self.renew()?,
                Err(error) => return Err(error),
            }
        };
        if let Some(rank) = place(header[0]) {
            return self
                .first(rank, mine.map(|()| Vec::new()))
                .and(Err(unexplained(rank)));
        }
        let pairs: Vec<_> = header[3..]
            .chunks(2)
            .map(|pair| (pair[0], -pair[1]))
            .collect();
        let differs = |(fact, (high, low)): (usize, &(f64, f64))| {
            (fact != DTYPE && *high > *low && *low < f64::INFINITY).then_some(fact)
        };
        if let Some(fact) = pairs.iter().enumerate().find_map(differs) {
            self.recount(count(pairs[0].0) as u64);
            return Err(self.differ(fact, facts.texts(call), facts.rows)?);
        }
        let mut highs = [0.0; FACTS];
        for (high, pair) in highs.iter_mut().zip(&pairs) {
            *high = pair.0.max(0.0);
        }
        Ok(read([count(header[1]), count(-header[2])], highs))
    }

    /// What one rank has, good or bad, on every rank.
    pub fn first(&self, rank: usize, mine: Result<Vec<f64>>) -> Result<Vec<f64>> {
        if self.size() == 1 {
            return mine;
        }
        let block = match &mine {
            _ if self.rank() != rank => Vec::new(),
            Ok(words) => [&[1], Block::from(words.as_slice()).0.as_slice()].concat(),
            Err(error) => [
                &[0],
                error.kind().as_bytes(),
                b"\0",
                error.to_string().as_bytes(),
            ]
            .concat(),
        };
        let block = self.broadcast(Block(block), rank)?.0;
        match block.split_first() {
            Some((&1, words)) => Ok(Block(words.to_vec()).numbers()),
            Some((_, said)) => {
                let said = String::from_utf8_lossy(said);
                let (kind, text) = said.split_once('\0').unwrap_or(("RuntimeError", &said));
                Err(Error::Rank {
                    rank,
                    kind: kind.to_owned(),
                    text: text.to_owned(),
                })
            }
            None => Err(unexplained(rank)),
        }
    }

    /// The failure of the lowest rank that has one, on every rank.
    pub fn fail(&self, mine: Result<()>) -> Error {
        let failed = if mine.is_err() {
            -(self.rank() as f64)
        } else {
            ABSENT
        };
        let mut word = vec![failed]; // one
        let told = self.max(&mut word).and_then(|()| {
            let rank = place(word[0]).unwrap_or_default();
            self.first(rank, mine.map(|()| Vec::new()))
        });
        told.err().unwrap_or_else(|| unexplained(self.rank()))
    }

    /// Names the first rank on either side, and what it has.
    fn differ(&self, fact: usize, mine: String, rows: usize) -> Result<Error> {
        let block = [rows.to_string(), mine].join("\u{1f}").into_bytes();
        let all = self.gather(Block(block))?;
        let texts: Vec<String> = all
            .iter()
            .map(|block| String::from_utf8_lossy(&block.0).into_owned())
            .collect();
        let fields: Vec<Vec<&str>> = texts
            .iter()
            .map(|text| text.split('\u{1f}').collect())
            .collect();
        let has = |rank: &usize| fact < 3 || fields[*rank][0] != "0";
        let voters: Vec<usize> = (0..fields.len()).filter(has).collect();
        let value = |rank: usize| fields[rank][fact + 1];
        let other = voters.iter().find(|r| value(**r) != value(voters[0]));
        let other = other.copied().unwrap_or(voters[0]);
        Ok(Error::Differ(sentence(fact, [voters[0], other], |rank| {
            &fields[rank][1..]
        })))
    }
}

/// The error of a rank that failed and gave no reason.
fn unexplained(rank: usize) -> Error {
    Error::Rank {
        rank,
        kind: "RuntimeError".to_owned(),
        text: "internal error, please report: it failed without a reason".to_owned(),
    }
}

/// What is said of two ranks that differ in a fact.
fn sentence<'a>(fact: usize, [a, b]: [usize; 2], texts: impl Fn(usize) -> &'a [&'a str]) -> String {
    let (x, y) = (texts(a)[fact], texts(b)[fact]);
    match fact {
        0 => format!(
            "rank {b} makes its collective call {y} on this communicator ({}), rank {a} its call \
             {x} ({}): a rank left out a call",
            texts(b)[1],
            texts(a)[1]
        ),
        1 => format!("rank {b} called {y}, rank {a} {x}"),
        2 => {
            let differs = x.lines().zip(y.lines()).find(|(x, y)| x != y);
            let (x, y) = differs.unwrap_or((x, y));
            let (name, x) = x.split_once('=').unwrap_or(("", x));
            let y = y.split_once('=').map_or(y, |(_, y)| y);
            format!("the '{name}' parameter differs: rank {a} has {x}, rank {b} has {y}")
        }
        3 => format!("X has {y} features on rank {b}, but {x} features on rank {a}"),
        5 => format!("rank {a} has {x}, rank {b} has {y}"),
        6 => format!("rank {a} {x} sample_weight, rank {b} {y}"),
        _ => format!(
            "feature names differ: rank {a} has {}, rank {b} has {}",
            names(x),
            names(y)
        ),
    }
}

fn names(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn read([most, least]: [usize; 2], words: [f64; FACTS]) -> Agreed {
    Agreed {
        most,
        least,
        columns: count(words[3]),
        dtype: count(words[DTYPE]),
        targets: count(words[5]),
        weighted: words[6] > 0.0,
        named: words[7] > 0.0,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(word: f64) -> usize {
    word as usize
}

/// The rank that a word names.
fn place(word: f64) -> Option<usize> {
    word.is_finite().then_some(count(-word))
}

/// 48 bits of FNV-1a: exact in `f64`.
fn hash(text: &str) -> f64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    (text.bytes().fold(0xcbf2_9ce4_8422_2325, mix) >> 16) as f64
}
