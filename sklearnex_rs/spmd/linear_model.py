"""Linear models over rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.linear_model import LinearRegression as _LinearRegression
from sklearnex_rs.linear_model import LogisticRegression as _LogisticRegression
from sklearnex_rs.linear_model import Ridge as _Ridge
from sklearnex_rs.spmd._elastic_net import ElasticNet, Lasso, enet_path, lasso_path
from sklearnex_rs.spmd._incremental_linear import (
    IncrementalLinearRegression,
    IncrementalRidge,
)
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = [
    "ElasticNet",
    "IncrementalLinearRegression",
    "IncrementalRidge",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "Ridge",
    "enet_path",
    "lasso_path",
]


class LinearRegression(SPMDMixin, _LinearRegression):
    """Ordinary least squares linear regression over the rows of all ranks.

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


class LogisticRegression(SPMDMixin, _LogisticRegression):
    """Logistic regression classifier over the rows of all ranks.

    Every rank brings its own rows, none or any number, of all classes or some, and
    ends with the same model: bit by bit the same on all ranks, and to the rounding
    of the optimum the one that a single machine fits on the concatenated rows.

    Parameters
    ----------
    penalty, C, l1_ratio, dual, tol, fit_intercept, intercept_scaling, class_weight, \
random_state, solver, max_iter, verbose, warm_start, n_jobs
        As of :class:`sklearnex_rs.linear_model.LogisticRegression`; the same on all
        ranks, but for `verbose` and `n_jobs`. 'balanced' goes by the rows of all.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    classes_, coef_, intercept_, n_iter_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.linear_model.LogisticRegression`, of all rows:
        classes are those of all ranks. To read them never communicates.

    See Also
    --------
    sklearnex_rs.linear_model.LogisticRegression : The same for the rows of one
        process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows. The first
    rank warns where it did not converge.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``predict_proba`` : local. As `predict`.

    ``predict_log_proba`` : local. As `predict`.

    ``decision_function`` : local. As `predict`.

    ``sparsify`` : local. It makes ``coef_`` sparse.

    ``densify`` : local. It undoes that.

    ``set_callbacks`` : local. `fit` calls them on the first rank, with its rows; they
    must call nothing that is collective.

    A rank without rows may pass an empty array, and has no say in types, names or
    classes. If any rank fails, all ranks raise its error, with the rank in front,
    and `comm` and the estimator can be used again.

    A fit sends a header, the classes, the means and variances or the co-moments,
    and for each step the first rank's coefficients and the sums of all ranks: of
    ``n_classes * n_features`` numbers, where second derivatives are read of
    ``(n_classes * n_features)**2 / 4``.

    Examples
    --------
    >>> from sklearnex_rs.spmd import LogisticRegression
    >>> model = LogisticRegression()  # model.fit(my_rows, my_labels) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_LogisticRegression._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: dict[Any, float] | str | None = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            penalty,
            C=C,
            l1_ratio=l1_ratio,
            dual=dual,
            tol=tol,
            fit_intercept=fit_intercept,
            intercept_scaling=intercept_scaling,
            class_weight=class_weight,
            random_state=random_state,
            solver=solver,
            max_iter=max_iter,
            verbose=verbose,
            warm_start=warm_start,
            n_jobs=n_jobs,
        )
        self.comm = comm


class Ridge(SPMDMixin, _Ridge):
    """Linear least squares with an L2 penalty, over the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same model:
    bit by bit the same on all ranks, and to rounding (1e-9 relative in float64, 1e-4
    in float32) the one that a single machine fits on the concatenated rows.

    Parameters
    ----------
    alpha, fit_intercept, copy_X, max_iter, tol, solver, positive, random_state, n_jobs
        As of :class:`sklearnex_rs.linear_model.Ridge`; the same on all ranks, but
        for `copy_X` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    coef_, intercept_, n_iter_, solver_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.linear_model.Ridge`, of all rows. To read them
        never communicates.

    See Also
    --------
    sklearnex_rs.linear_model.Ridge : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    A fit sends a header, the means, the co-moments and the model: four messages, of
    ``(n_features + n_targets)**2 / 2`` numbers at most; iteratively where a node has
    too little memory for these, as :class:`LinearRegression`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import Ridge
    >>> model = Ridge(alpha=0.1)  # model.fit(my_rows, my_targets) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_Ridge._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            solver=solver,
            positive=positive,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        self.comm = comm
