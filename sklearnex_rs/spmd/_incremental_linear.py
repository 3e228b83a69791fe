"""Least squares in batches distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.linear_model import (
    IncrementalLinearRegression as _IncrementalLinearRegression,
)
from sklearnex_rs.linear_model import IncrementalRidge as _IncrementalRidge
from sklearnex_rs.spmd._mixin import SPMDMixin


class IncrementalLinearRegression(SPMDMixin, _IncrementalLinearRegression):
    """Ordinary least squares linear regression on the batches of all ranks.

    Parameters
    ----------
    fit_intercept, copy_X, n_jobs, batch_size
        As of :class:`sklearnex_rs.linear_model.IncrementalLinearRegression`; the same
        on all ranks, but for `copy_X` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, intercept_, rank_, singular_, n_samples_seen_, batch_size_, \
n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.linear_model.IncrementalLinearRegression`, of the
        batches of all ranks. To read them never communicates; after `partial_fit` they
        raise NotFittedError until all ranks have called `finalize`.

    See Also
    --------
    sklearnex_rs.linear_model.IncrementalLinearRegression : The same for the batches of
        one process.

    Notes
    -----
    ``partial_fit`` : local. It never communicates, and its errors are this rank's. Any
    number of calls, none included; on one rank it finalizes.

    ``merge`` : local. On one rank it finalizes.

    ``finalize`` : collective. Every rank of `comm` calls it, also one that had no
    batch. What went wrong in `partial_fit` on any rank since the last call, all ranks
    raise; another call does without that batch.

    ``fit`` : collective. It forgets, takes in this rank's rows, and finalizes.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    A `finalize` sends a header, the means, the R factor and the model; the R factor in
    the logarithm of the number of ranks steps, none of which gathers.

    Examples
    --------
    >>> from sklearnex_rs.spmd import IncrementalLinearRegression
    >>> model = IncrementalLinearRegression()
    >>> # on every rank: model.partial_fit(X, y) for its batches; model.finalize()
    """

    _parameter_constraints: dict[str, Any] = {
        **_IncrementalLinearRegression._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        n_jobs: int | None = None,
        batch_size: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            n_jobs=n_jobs,
            batch_size=batch_size,
        )
        self.comm = comm


class IncrementalRidge(SPMDMixin, _IncrementalRidge):
    """Linear least squares with an L2 penalty, on the batches of all ranks.

    Parameters
    ----------
    fit_intercept, alpha, copy_X, n_jobs, batch_size
        As of :class:`sklearnex_rs.linear_model.IncrementalRidge`; the same on all
        ranks, but for `copy_X` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, intercept_, n_samples_seen_, batch_size_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.linear_model.IncrementalRidge`, of the batches of all
        ranks. To read them never communicates; after `partial_fit` they raise
        NotFittedError until all ranks have called `finalize`.

    See Also
    --------
    sklearnex_rs.linear_model.IncrementalRidge : The same for the batches of one
        process.

    Notes
    -----
    ``partial_fit`` : local. It never communicates, and its errors are this rank's. Any
    number of calls, none included; on one rank it finalizes.

    ``merge`` : local. On one rank it finalizes.

    ``finalize`` : collective. Every rank of `comm` calls it, also one that had no
    batch. What went wrong in `partial_fit` on any rank since the last call, all ranks
    raise; another call does without that batch.

    ``fit`` : collective. It forgets, takes in this rank's rows, and finalizes.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    Messages are those of :class:`IncrementalLinearRegression`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import IncrementalRidge
    >>> model = IncrementalRidge(alpha=0.1)
    >>> # on every rank: model.partial_fit(X, y) for its batches; model.finalize()
    """

    _parameter_constraints: dict[str, Any] = {
        **_IncrementalRidge._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        fit_intercept: bool = True,
        alpha: Any = 1.0,
        copy_X: bool = True,
        n_jobs: int | None = None,
        batch_size: int | None = None,
        *,
        comm: Any = None,
    ) -> None:
        super().__init__(fit_intercept, alpha, copy_X, n_jobs, batch_size)
        self.comm = comm
