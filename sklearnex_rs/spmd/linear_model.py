"""Linear models over rows that are spread over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.linear_model import LinearRegression as _LinearRegression
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["LinearRegression"]


class LinearRegression(SPMDMixin, _LinearRegression):
    """Ordinary least squares over the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same model:
    bit by bit the same on all ranks, and to rounding (1e-9 relative in float64, 1e-4
    in float32) the one that a single machine fits on the concatenated rows.

    Parameters
    ----------
    fit_intercept, copy_X, tol, n_jobs, positive
        As of :class:`sklearnex_rs.linear_model.LinearRegression`; the same on all
        ranks, but for `n_jobs` and `copy_X`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, intercept_, rank_, singular_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.linear_model.LinearRegression`, of all rows. To
        read them never communicates.

    See Also
    --------
    sklearnex_rs.linear_model.LinearRegression : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again.

    A fit sends a header, the means, the co-moments and the model: four messages, of
    ``(n_features + n_targets)**2 / 2`` numbers at most. From about 1,000 features the
    ranks also agree on whether the memory of all nodes will do; where it will not,
    each round of conjugate gradients sends ``n_features * n_targets`` numbers and
    back (once more ``n_features`` where columns are of much unlike length), or all
    ranks raise the same MemoryError.

    Examples
    --------
    >>> from sklearnex_rs.spmd import LinearRegression
    >>> model = LinearRegression()  # model.fit(my_rows, my_targets) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_LinearRegression._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
        comm: Any = None,
    ) -> None:
        super().__init__(
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            tol=tol,
            n_jobs=n_jobs,
            positive=positive,
        )
        self.comm = comm
