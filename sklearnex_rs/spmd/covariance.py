"""Covariance of columns of rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.covariance import EmpiricalCovariance as _EmpiricalCovariance
from sklearnex_rs.covariance import (
    IncrementalEmpiricalCovariance as _IncrementalEmpiricalCovariance,
)
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["EmpiricalCovariance", "IncrementalEmpiricalCovariance"]


class EmpiricalCovariance(SPMDMixin, _EmpiricalCovariance):
    """Maximum likelihood covariance estimator over the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same
    covariance, bit by bit: that of the concatenated rows, to rounding (1e-9 relative
    in float64, 1e-4 in float32).

    Parameters
    ----------
    store_precision, assume_centered, n_jobs
        As of :class:`sklearnex_rs.covariance.EmpiricalCovariance`; the same on all
        ranks, but for `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    location_, covariance_, precision_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.covariance.EmpiricalCovariance`, of all rows. To
        read them never communicates.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``score`` : collective. The mean over the rows of all ranks.

    ``mahalanobis`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``error_norm`` : local.

    ``get_precision`` : local.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again.

    A fit sends four messages: a header, the means, half the covariance, and what the
    first rank makes of it, with the precision.

    Examples
    --------
    >>> from sklearnex_rs.spmd import EmpiricalCovariance
    >>> model = EmpiricalCovariance()  # model.fit(my_rows) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_EmpiricalCovariance._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        *,
        store_precision: bool = True,
        assume_centered: bool = False,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            store_precision=store_precision,
            assume_centered=assume_centered,
            n_jobs=n_jobs,
        )
        self.comm = comm


class IncrementalEmpiricalCovariance(SPMDMixin, _IncrementalEmpiricalCovariance):
    """Incremental covariance estimator over the batches of all ranks.

    Parameters
    ----------
    store_precision, assume_centered, batch_size, copy, n_jobs
        As of :class:`sklearnex_rs.covariance.IncrementalEmpiricalCovariance`; the same
        on all ranks, but for `copy` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    location_, covariance_, precision_, n_samples_seen_, batch_size_, \
n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.covariance.IncrementalEmpiricalCovariance`, of the
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

    ``score`` : collective. The mean over the rows of all ranks.

    ``mahalanobis`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``error_norm`` : local.

    ``get_precision`` : local.

    A `finalize` sends four messages, as a fit of
    :class:`sklearnex_rs.spmd.EmpiricalCovariance`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import IncrementalEmpiricalCovariance
    >>> model = IncrementalEmpiricalCovariance()
    >>> # on every rank: model.partial_fit(batch) for its batches; model.finalize()
    """

    _parameter_constraints: dict[str, Any] = {
        **_IncrementalEmpiricalCovariance._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        *,
        store_precision: bool = False,
        assume_centered: bool = False,
        batch_size: int | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            store_precision=store_precision,
            assume_centered=assume_centered,
            batch_size=batch_size,
            copy=copy,
            n_jobs=n_jobs,
        )
        self.comm = comm
