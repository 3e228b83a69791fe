//! Everything that can go wrong, by cause.

use std::fmt;

/// The one result type.
pub type Result<T> = std::result::Result<T, Error>;

/// The name of Python's exception for `Error::Gone`.
pub const RANK_LEFT: &str = "sklearnex_rs.spmd.RankLeftError";

/// The one error type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Shapes do not fit together.
    Shape(&'static str),
    /// Rows, all ranks' together, that no model follows from.
    Unfit(&'static str),
    /// Rows hold a NaN or an infinity.
    NotFinite,
    /// A decomposition did not come to an end.
    NoDecomposition(&'static str),
    /// There is no room for something.
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
        /// What for.
        what: &'static str,
    },
    /// CUDA cannot be used here: why, and what would help.
    NoCuda(String),
    /// CUDA itself failed: in what, and its words.
    Cuda {
        /// Which step.
        step: &'static str,
        /// What it said.
        text: String,
    },
    /// Code of ours panicked.
    Panic(String),
    /// An exception of Python's, by the name of its type.
    Python {
        /// The type's name, dotted unless it is a builtin.
        kind: String,
        /// Its words.
        text: String,
    },
    /// A rank failed: the lowest that did, and its words. The same on every rank.
    Rank {
        /// Who failed.
        rank: usize,
        /// The name of Python's type for it.
        kind: String,
        /// What it said there.
        text: String,
    },
    /// Ranks came with different facts: which, and who. The same on every rank.
    Differ(String),
    /// Ranks made different calls on one communicator.
    Calls {
        /// The first rank whose call differs from the first rank's.
        rank: usize,
        /// Both calls.
        text: String,
    },
    /// A rank left while others still call.
    Gone {
        /// Who left.
        rank: usize,
        /// The method that the others are in.
        before: String,
    },
    /// A rank did not come in time.
    Timeout(String),
    /// The messages of a call that is over for some rank: a new duplicate is needed.
    Stale,
    /// MPI was finalized.
    Finalized,
    /// MPI itself failed.
    Transport {
        /// Its code.
        code: i32,
        /// Which function.
        call: &'static str,
    },
}

impl Error {
    /// The name of Python's exception class for it: a builtin where that says it all.
    pub fn kind(&self) -> &str {
        match self {
            Self::Shape(_) | Self::Unfit(_) => "ValueError",
            Self::NotFinite => "sklearnex_rs._core.NotFiniteError",
            Self::Differ(_) => "sklearnex_rs._core.RanksDifferError",
            Self::NoDecomposition(_) => "numpy.linalg.LinAlgError",
            Self::OutOfMemory { .. } => "MemoryError",
            Self::NoCuda(_) => "sklearnex_rs.CudaUnavailableError",
            Self::Cuda { .. } => "sklearnex_rs._core.CudaError",
            Self::Panic(_) => "sklearnex_rs._core.InternalError",
            Self::Calls { .. } => "sklearnex_rs._core.CallsDifferError",
            Self::Gone { .. } => RANK_LEFT,
            Self::Finalized | Self::Stale => "RuntimeError",
            Self::Python { kind, .. } | Self::Rank { kind, .. } => kind,
            Self::Timeout(_) => "TimeoutError",
            Self::Transport { .. } => "mpi4py.MPI.Exception",
        }
    }

    /// Whether the other ranks know of it already.
    pub fn is_agreed(&self) -> bool {
        matches!(
            self,
            Self::Rank { .. }
                | Self::Differ(_)
                | Self::Calls { .. }
                | Self::Gone { .. }
                | Self::Timeout(_)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(what) => write!(out, "shapes do not fit: {what}"),
            Self::Unfit(text) => out.write_str(text),
            Self::NotFinite => write!(out, "input contains NaN or infinity"),
            Self::NoDecomposition(what) => write!(out, "{what} did not converge"),
            Self::OutOfMemory { bytes, what } => write!(
                out,
                "not enough memory for {bytes} bytes of {what}; use fewer columns or more memory"
            ),
            Self::NoCuda(text) => write!(out, "CUDA cannot be used: {text}"),
            Self::Cuda { step, text } => write!(out, "CUDA failed in {step}: {text}"),
            Self::Panic(text) => write!(out, "internal error, please report: {text}"),
            Self::Python { text, .. } | Self::Differ(text) | Self::Timeout(text) => {
                out.write_str(text)
            }
            Self::Rank { rank, text, .. } => write!(out, "rank {rank}: {text}"),
            Self::Calls { rank, text } => write!(out, "rank {rank} made another call: {text}"),
            Self::Gone { rank, before } => {
                write!(out, "rank {rank} has left the program before {before}")
            }
            Self::Finalized => write!(out, "MPI was finalized: no collective call can follow"),
            Self::Stale => write!(out, "the messages of an earlier call"),
            Self::Transport { code, call } => write!(
                out,
                "{call} failed with code {code}; messages may be lost, so the job should end"
            ),
        }
    }
}

impl std::error::Error for Error {}
