"""Statistics of columns of rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.basic_statistics import BasicStatistics as _BasicStatistics
from sklearnex_rs.basic_statistics import (
    IncrementalBasicStatistics as _IncrementalBasicStatistics,
)
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["BasicStatistics", "IncrementalBasicStatistics"]


class BasicStatistics(SPMDMixin, _BasicStatistics):
    """Compute basic statistics of each feature over the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same
    statistics, bit by bit: those of the concatenated rows, to rounding (1e-9 relative
    in float64, 1e-4 in float32).

    Parameters
    ----------
    result_options, n_jobs
        As of :class:`sklearnex_rs.basic_statistics.BasicStatistics`; the same on all
        ranks, but for `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    min_, max_, sum_, mean_, variance_, variation_, sum_squares_, \
sum_squares_centered_, standard_deviation_, second_order_raw_moment_, \
n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.basic_statistics.BasicStatistics`, of all rows. To
        read them never communicates.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again. The weights of a rank may all be zero, if
    those of another are not.

    A fit sends five messages: a header, the means, the squares around them, the
    extremes, and the statistics.

    Examples
    --------
    >>> from sklearnex_rs.spmd import BasicStatistics
    >>> model = BasicStatistics("mean")  # model.fit(my_rows) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_BasicStatistics._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        result_options: str | list[str] = "all",
        *,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(result_options, n_jobs=n_jobs)
        self.comm = comm


class IncrementalBasicStatistics(SPMDMixin, _IncrementalBasicStatistics):
    """Compute basic statistics incrementally over the batches of all ranks.

    Parameters
    ----------
    result_options, batch_size, n_jobs
        As of :class:`sklearnex_rs.basic_statistics.IncrementalBasicStatistics`; the
        same on all ranks, but for `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    min_, max_, sum_, mean_, variance_, variation_, sum_squares_, \
sum_squares_centered_, standard_deviation_, second_order_raw_moment_, \
n_samples_seen_, batch_size_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.basic_statistics.IncrementalBasicStatistics`, of the
        batches of all ranks. To read them never communicates; after `partial_fit` they
        raise NotFittedError until all ranks have called `finalize`.

    Notes
    -----
    ``partial_fit`` : local. It never communicates, and its errors are this rank's. Any
    number of calls, none included; on one rank it finalizes.

    ``merge`` : local. On one rank it finalizes.

    ``finalize`` : collective. Every rank of `comm` calls it, also one that had no
    batch. What went wrong in `partial_fit` on any rank since the last call, all ranks
    raise; another call does without that batch.

    ``fit`` : collective. It forgets, takes in this rank's rows, and finalizes.

    A `finalize` sends five messages, as a fit of
    :class:`sklearnex_rs.spmd.BasicStatistics`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import IncrementalBasicStatistics
    >>> model = IncrementalBasicStatistics()
    >>> # on every rank: model.partial_fit(batch) for its batches; model.finalize()
    """

    _parameter_constraints: dict[str, Any] = {
        **_IncrementalBasicStatistics._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        result_options: str | list[str] = "all",
        batch_size: int | None = None,
        *,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(result_options, batch_size, n_jobs=n_jobs)
        self.comm = comm
