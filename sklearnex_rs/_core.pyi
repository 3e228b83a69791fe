"""The extension module: functions in, plain arrays out."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

# fmt: off
__all__ = [
    "CallsDifferError", "Comm", "CudaError", "CudaUnavailableError", "GpuArray",
    "InternalError", "NotFiniteError", "RankLeftError", "RanksDifferError",
    "ThreadRank", "absorb_centered_r", "absorb_columns", "absorb_leading_rows",
    "absorb_moments", "basic_statistics", "best_on_gpu", "borrow", "components",
    "conjugate_gradients", "covariance", "cuda", "cusolver_columns", "distances",
    "drawn", "elastic_net", "factor", "finish_stream", "gpus", "host", "inertia",
    "inverse", "kmeans", "least_squares", "linear", "logistic", "mpi", "nearest",
    "oversample", "pca", "plus_plus", "probabilities_on_gpu", "project",
    "quadratic_form", "r2", "residual_on_gpu", "scaled_on_gpu", "simd", "solo",
    "thread_ranks", "threads", "to_gpu", "truncated_svd", "union", "variances",
]
# fmt: on

_Numbers = NDArray[np.float64]
_Array = NDArray[Any]
_Maybe = _Array | None
_Line = tuple[float, float]

@final
class Comm:
    """The ranks that a call runs on. Made for one call."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def node_info(self) -> list[bytes]: ...
    def agree(
        self,
        method: str,
        parameters: str,
        shape: tuple[int, int],
        dtype: int,
        targets: int,
        weighted: bool,
        names: str,
        failure: tuple[str, str] | None = None,
    ) -> tuple[int, int, int, int, int, bool, bool]:
        """Agree on most and least rows, columns, dtype, targets, weights and names."""

    def abandon(self, kind: str, text: str) -> None:
        """Tell the other ranks that this one leaves the call under way, and why."""

    def sum(self, values: _Numbers, /) -> _Numbers:
        """Sum the numbers of all ranks, one by one."""

    def max(self, values: _Numbers, /) -> _Numbers:
        """Return the largest of the numbers of all ranks, one by one."""

    def gather(self, block: bytes, /) -> list[bytes]:
        """Return every rank's bytes, in rank order."""

    def broadcast(self, block: bytes, root: int = 0) -> bytes:
        """Return the bytes of rank `root`."""

    def exchange(self, block: bytes, dest: int, source: int) -> bytes:
        """Return the bytes of rank `source`, for mine to rank `dest`."""

    def all_to_all(self, blocks: list[bytes], /) -> list[bytes]:
        """Return bytes from each rank, for bytes to each."""

@final
class ThreadRank:
    """A rank of a world of threads."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def messages(self) -> int: ...
    def join(self, method: str, timeout: float | None) -> Comm:
        """Return the ranks for one call."""

    def leave(self) -> None:
        """Make no more calls."""

def absorb_columns(state: _Numbers, x: _Array, w: _Maybe, threads: int) -> _Numbers:
    """Return what is known of the columns of a batch as well; `state` may be empty."""

def absorb_centered_r(
    state: _Numbers, x: _Array, y: _Array, w: _Maybe, centered: bool, threads: int
) -> _Numbers:
    """Return what is known of rows and targets of a batch as well."""

def absorb_moments(
    state: _Numbers, x: _Array, centered: bool, threads: int
) -> _Numbers:
    """Return what is known of the products of columns of a batch as well."""

def absorb_leading_rows(
    state: _Numbers, x: _Array, height: int, threads: int
) -> _Numbers:
    """Return what is known of a batch as well, by rows that span it."""

def basic_statistics(comm: Comm, state: _Numbers, columns: int) -> _Numbers:
    """Return rows and weight; means, squares around them, least, largest."""

def components(
    comm: Comm,
    state: _Numbers,
    columns: int,
    height: int,
    count: int | None,
    place: tuple[int, int | None],
) -> _Numbers:
    """Return four numbers; means, variances, singular values, components."""

def conjugate_gradients(
    comm: Comm,
    x: _Array,
    y: _Array,
    w: _Maybe,
    fit_intercept: bool,
    tol: float,
    alphas: _Numbers,
    threads: int,
) -> tuple[_Numbers, _Numbers, bool]:
    """Return coefficients, columns by targets, intercepts, whether rounds converged."""

def covariance(
    comm: Comm,
    state: _Numbers,
    columns: int,
    centered: bool,
    precise: bool,
    place: tuple[int, int | None],
) -> _Numbers:
    """Return the number of rows, their means, covariance and precision."""

def distances(x: _Array, centers: _Array, out: _Array, threads: int) -> None:
    """Write the distances of rows to centers into `out`, of the rows' type."""

def drawn(
    comm: Comm,
    x: _Array,
    w: _Maybe,
    place: _Numbers,
    draws: _Numbers,
    found: _Numbers,
    threads: int,
) -> tuple[_Numbers, _Numbers]:
    """Draw rows by weight, none of `found`: their numbers, and rows around `place`."""

def factor(
    comm: Comm,
    x: _Array,
    samples: int,
    singular: bool,
    out: _Maybe,
    threads: int,
    together: int,
) -> tuple[_Numbers, _Numbers]:
    """Return nothing and R, or singular values and vectors; write Q or U into `out`."""

def quadratic_form(
    x: _Array, mean: _Array, matrix: _Array, line: _Line, out: _Array, threads: int
) -> None:
    """Write ``b + s (x - mean) @ matrix @ (x - mean)`` into `out`; `line` is (b, s)."""

def elastic_net(
    comm: Comm,
    x: _Array,
    y: _Array,
    w: _Maybe,
    alphas: _Numbers,
    tolerances: list[float],
    switches: list[bool],
    max_iter: int,
    seeds: NDArray[np.uint32],
    gram: _Numbers,
    start: _Numbers,
    threads: int,
) -> tuple[list[_Numbers], float, bool]:
    """Return alphas, lines, gaps, rounds, tolerances; rows; whether `gram` is off."""

def host(array: Any) -> NDArray[Any]: ...
def inertia(
    comm: Comm, x: _Array, w: _Maybe, centers: _Array, threads: int
) -> float: ...
def inverse(matrix: _Numbers, columns: int) -> _Numbers: ...
def kmeans(
    comm: Comm,
    x: _Array,
    w: _Maybe,
    place: _Numbers,
    start: _Numbers,
    tolerance: float,
    limit: int,
    want_inertia: bool,
    threads: int,
    observer: Callable[[_Numbers], bool] | None,
) -> tuple[_Numbers, Any, float, _Numbers, list[tuple[float, float]], bool]:
    """Return centers around `place`, labels, inertia, counts, history, strictness."""

def least_squares(
    comm: Comm,
    x: _Array,
    y: _Array,
    w: _Maybe,
    fit_intercept: bool,
    tol: float,
    positive: bool,
    alphas: _Numbers,
    most: int,
    threads: int,
    together: int,
) -> tuple[_Numbers, _Numbers, int, _Numbers]:
    """Return coefficients, columns by targets, intercepts, rank, singular values."""

def linear(
    x: _Array, coef: _Array, intercept: _Array, out: _Array, threads: int
) -> None:
    """Write ``x coef + intercept`` into `out`, all of one type."""

def logistic(
    comm: Comm,
    x: _Array,
    y: _Array,
    w: _Maybe,
    classes: _Numbers,
    total: float,
    start: _Numbers,
    penalties: list[list[float]],
    intercept: list[bool],
    stop: tuple[list[float], int, int],
    threads: int,
    observer: Callable[[_Numbers], bool] | None,
) -> tuple[_Numbers, int, bool, float, float]:
    """Return coefficients beside intercepts, steps, convergence, value, gradient."""

def mpi(
    comm: Any,
    method: str,
    node_info: bytes,
    timeout: float | None,
    limit: int,
    serialized: bool,
) -> Comm:
    """Join the ranks of mpi4py's `comm` for one call; the first time is collective."""

def nearest(x: _Array, centers: _Array, threads: int) -> Any: ...
def oversample(
    comm: Comm,
    x: _Array,
    w: _Maybe,
    place: _Numbers,
    n_clusters: int,
    draw: float,
    seed: int,
    threads: int,
) -> tuple[_Numbers, _Numbers]:
    """Return rows for k-means|| to begin with, around `place`, and their weights."""

def plus_plus(
    comm: Comm,
    x: _Array,
    w: _Maybe,
    place: _Numbers,
    n_clusters: int,
    draws: _Numbers,
    threads: int,
) -> _Numbers:
    """Return centers around `place` by greedy k-means++."""

def pca(
    comm: Comm,
    x: _Array,
    samples: int,
    solver: str,
    count: int | None,
    share: float | None,
    threads: int,
    together: int,
) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers, _Numbers, float]:
    """Return mean, components, singular values, variances, their shares, noise."""

def project(x: _Array, mean: _Array, coef: _Array, out: _Array, threads: int) -> None:
    """Write ``(x - mean) coef`` into `out`, all but the mean of one type."""

def r2(
    comm: Comm, y: _Array, residual: _Array, w: _Maybe, threads: int
) -> _Numbers: ...
def thread_ranks(size: int) -> list[ThreadRank]: ...
def finish_stream(
    comm: Comm,
    state: _Numbers,
    shape: tuple[int, int],
    fit_intercept: bool,
    tol: float,
    alphas: _Numbers,
    together: int,
) -> tuple[tuple[_Numbers, _Numbers, int, _Numbers], float]:
    """Return what `least_squares` returns, of what all ranks know; and their rows."""

@final
class GpuArray:
    """An array on a GPU: rows are of float32 or float64, labels of any type."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ordinal(self) -> int: ...
    @property
    def T(self) -> GpuArray: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> GpuArray: ...
    def empty(self, columns: int, dtype: Any) -> GpuArray: ...
    def astype(self, dtype: Any, copy: bool = False) -> GpuArray: ...
    def widened(self) -> GpuArray: ...
    def reshape(self, *shape: int) -> GpuArray: ...
    def ravel(self) -> GpuArray: ...
    def finite(self) -> bool: ...
    def largest(self) -> float: ...
    def sum(self, *, dtype: Any = None) -> float: ...
    def host(self) -> _Array: ...
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

def borrow(array: Any) -> GpuArray: ...
def to_gpu(array: _Array, ordinal: int) -> GpuArray: ...
def residual_on_gpu(
    x: GpuArray, y: GpuArray, coef: GpuArray, intercept: GpuArray
) -> GpuArray: ...
def scaled_on_gpu(
    rows: GpuArray, variances: GpuArray, least: float | None = None
) -> GpuArray: ...
def best_on_gpu(scores: GpuArray, classes: GpuArray | None = None) -> GpuArray: ...
def probabilities_on_gpu(scores: GpuArray, logarithms: bool) -> GpuArray: ...

class CudaUnavailableError(RuntimeError):
    """CUDA cannot be used here: the message says why, and what would help."""

class RankLeftError(RuntimeError): ...
class NotFiniteError(ValueError): ...
class RanksDifferError(ValueError): ...
class CallsDifferError(RuntimeError): ...
class CudaError(RuntimeError): ...
class InternalError(RuntimeError): ...

def cusolver_columns() -> int: ...
def gpus() -> int: ...
def cuda() -> list[tuple[str, str]]: ...
def simd() -> str: ...
def solo() -> Comm: ...
def variances(comm: Comm, x: _Array, threads: int) -> tuple[float, _Numbers, _Numbers]:
    """Count rows; return means of columns, and sums of squares around them."""

def threads(
    masks: list[list[int]], rank: int, others: int, node: int, quota: float | None
) -> int:
    """Count the threads that rank `rank` of its node should use."""

def truncated_svd(
    comm: Comm,
    x: _Array,
    samples: int,
    count: int,
    ranged: bool,
    threads: int,
    together: int,
) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
    """Return right vectors, singular values, variances along them, and shares."""

def union(kind: str, one: _Numbers, other: _Numbers) -> _Numbers: ...
