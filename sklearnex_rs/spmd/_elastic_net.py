"""Elastic net and Lasso over rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.linear_model import ElasticNet as _ElasticNet
from sklearnex_rs.linear_model import Lasso as _Lasso
from sklearnex_rs.linear_model._path import ElasticNetPath as _ElasticNetPath
from sklearnex_rs.linear_model._path import follow, points
from sklearnex_rs.spmd._mixin import SPMDMixin


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,  # noqa: ARG001
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,  # noqa: ARG001
    **params: Any,
) -> tuple[Any, ...]:
    """Compute elastic nets along a path of penalties, over the rows of all ranks.

    Collective: every rank calls it with its rows, and gets the same answer.

    Parameters
    ----------
    X, y, l1_ratio, eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, \
verbose, return_n_iter, positive, check_input
        As of :func:`sklearnex_rs.linear_model.enet_path`; the same on all ranks, but
        for the rows.
    **params
        As there; and ``comm``, the ranks: None is ``MPI.COMM_WORLD``.

    Returns
    -------
    alphas, coefs, dual_gaps, n_iters
        As of :func:`sklearnex_rs.linear_model.enet_path`.
    """
    return follow(
        _Path,
        "enet_path",
        (X, y),
        params,
        l1_ratio=l1_ratio,
        eps=eps,
        alphas=points(alphas, n_alphas),
        precompute=precompute,
        Xy=Xy,
        coef_init=coef_init,
        positive=positive,
        verbose=verbose,
        return_n_iter=return_n_iter,
        comm=params.pop("comm", None),
    )


def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,  # noqa: ARG001
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Compute Lassos along a path: :func:`enet_path` with l1_ratio=1. Collective.

    Parameters
    ----------
    X, y, eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, \
return_n_iter, positive, **params
        As of :func:`enet_path`.

    Returns
    -------
    alphas, coefs, dual_gaps, n_iters
        As of :func:`enet_path`.
    """
    return follow(
        _Path,
        "lasso_path",
        (X, y),
        params,
        l1_ratio=1.0,
        eps=eps,
        alphas=points(alphas, n_alphas),
        precompute=precompute,
        Xy=Xy,
        coef_init=coef_init,
        positive=positive,
        verbose=verbose,
        return_n_iter=return_n_iter,
        comm=params.pop("comm", None),
    )


class _Path(SPMDMixin, _ElasticNetPath):
    _parameter_constraints: dict[str, Any] = {
        **_ElasticNetPath._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        *,
        l1_ratio: float = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        precompute: Any = "auto",
        Xy: Any = None,
        coef_init: Any = None,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        random_state: Any = None,
        selection: str = "cyclic",
        do_screening: bool = True,
        unknown: tuple[str, ...] = (),
        comm: Any = None,
    ) -> None:
        super().__init__(
            l1_ratio=l1_ratio,
            eps=eps,
            alphas=alphas,
            precompute=precompute,
            Xy=Xy,
            coef_init=coef_init,
            positive=positive,
            tol=tol,
            max_iter=max_iter,
            random_state=random_state,
            selection=selection,
            do_screening=do_screening,
            unknown=unknown,
        )
        self.comm = comm


class ElasticNet(SPMDMixin, _ElasticNet):
    """Linear regression with combined L1 and L2 penalties, over all ranks.

    Every rank brings its own rows, none or any number, and ends with the same model:
    bit by bit the same on all ranks, and to rounding the one that a single machine
    fits on the concatenated rows.

    Parameters
    ----------
    alpha, l1_ratio, fit_intercept, precompute, max_iter, copy_X, tol, warm_start, \
positive, random_state, selection, n_jobs
        As of :class:`sklearnex_rs.linear_model.ElasticNet`; the same on all ranks,
        but for `copy_X` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, n_iter_, dual_gap_, n_features_in_, \
feature_names_in_
        As of :class:`sklearnex_rs.linear_model.ElasticNet`, of all rows. To read
        them never communicates.

    See Also
    --------
    sklearnex_rs.linear_model.ElasticNet : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``path`` : collective; see :func:`enet_path`.

    A fit sends a header, the means, the co-moments and the model: four messages, of
    ``(n_features + n_targets)**2 / 2`` numbers at most. The descent is the first
    rank's: its `random_state` and its ``coef_`` to begin at count.

    Examples
    --------
    >>> from sklearnex_rs.spmd import ElasticNet
    >>> model = ElasticNet(alpha=0.1)  # model.fit(my_rows, my_targets) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_ElasticNet._parameter_constraints,
        "comm": "no_validation",
    }

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=l1_ratio,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            n_jobs=n_jobs,
        )
        self.comm = comm


class Lasso(SPMDMixin, _Lasso):
    """Linear regression with an L1 penalty (the Lasso), over all ranks.

    It is :class:`ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha, fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, \
random_state, selection, n_jobs
        As of :class:`sklearnex_rs.linear_model.Lasso`; the same on all ranks, but
        for `copy_X` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, n_iter_, dual_gap_, n_features_in_, \
feature_names_in_
        As of :class:`sklearnex_rs.linear_model.Lasso`, of all rows. To read them
        never communicates.

    See Also
    --------
    sklearnex_rs.linear_model.Lasso : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``path`` : collective; see :func:`enet_path`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import Lasso
    >>> model = Lasso(alpha=0.1)  # model.fit(my_rows, my_targets) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_Lasso._parameter_constraints,
        "comm": "no_validation",
    }

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            n_jobs=n_jobs,
        )
        self.comm = comm
