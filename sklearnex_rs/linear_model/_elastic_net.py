"""Elastic net and Lasso."""

from __future__ import annotations

import warnings
from numbers import Integral, Number, Real
from typing import Any, Self

import numpy as np
from sklearn.utils import metadata_routing
from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import copied, like
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import csr_of
from sklearnex_rs.linear_model._linear import Linear
from sklearnex_rs.linear_model._path import (
    NONE,
    check_memory,
    enet_path,
    gram,
    seeds,
    warn,
)


class ElasticNet(Linear):
    """Linear regression with combined L1 and L2 penalties.

    Minimises ``1 / (2 * n_samples) * ||y - X w||**2 + alpha * l1_ratio * ||w||_1
    + 0.5 * alpha * (1 - l1_ratio) * ||w||**2``, each target for itself. The rows are
    read once, for means and co-moments; coordinate descent on their Gram matrix
    follows, in float64 and in scikit-learn's order, and no row is read again.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalties. 0 is least squares, for which
        :class:`LinearRegression` is better.
    l1_ratio : float, default=0.5
        The share of the penalty on sizes, from 0 to 1; with 1 it is the Lasso.
    fit_intercept : bool, default=True
        Whether to calculate the intercept. If False, it is zero, and the data are
        not centered.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        The Gram matrix of the rows, less their means and weighted, where you have
        it. True and False are alike: it is always computed.
    max_iter : int, default=1000
        Iterations over the columns at most; None means 1000.
    copy_X : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    tol : float, default=1e-4
        The descent ends after a round that moves no coefficient by more than `tol`
        times the largest, if then the duality gap is at most `tol` times
        ``||y||**2 / n_samples``.
    warm_start : bool, default=False
        Whether to begin at ``coef_`` of the last fit; on several ranks at that of
        the first.
    positive : bool, default=False
        Whether coefficients are forced to be positive.
    random_state : int, RandomState instance, default=None
        Draws columns where ``selection='random'``; on several ranks that of the
        first.
    selection : {'cyclic', 'random'}, default='cyclic'
        Whether columns take turns or are drawn; those that scikit-learn draws.
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of float32 where X is. Of the library of X where that is a
        DLPack array.
    sparse_coef_ : sparse array of shape (1, n_features) or (n_targets, n_features)
        The same in SciPy's form; a property.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 if ``fit_intercept=False``.
    n_iter_ : int or list of int
        Iterations taken, for each target.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Duality gaps at the end.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.ElasticNet : The same, with rows distributed over ranks.
    sklearn.linear_model.ElasticNet : Whose optimum this is, to `tol`.

    Notes
    -----
    Friedman, Hastie and Tibshirani, "Regularization Paths for Generalized Linear
    Models via Coordinate Descent" (2010); Fercoq, Gramfort and Salmon, "Mind the
    duality gap: safer rules for the Lasso" (2015), for the columns that are left out.

    Where a fit needs more than `max_iter` iterations it warns with a
    ``ConvergenceWarning``, on several ranks the first.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import ElasticNet
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> ElasticNet(alpha=0.1).fit(X, [0.0, 1.0, 2.0]).coef_.round(4)
    array([0.4513, 0.4513])
    """

    # Its default is not for pipelines to pass around.
    __metadata_request__fit = {"check_input": metadata_routing.UNUSED}

    _on_gpus = True
    _fit_dtype = FLOATS

    _parameter_constraints: dict[str, Any] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        check_input: bool = True,  # noqa: ARG002
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; they become the type of X.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights, none negative; their scale does not matter.
        check_input : bool, default=True
            For compatibility: input is always checked, in the pass over the rows.

        Returns
        -------
        self : ElasticNet
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is empty, has NaN or infinity, or shapes do not fit.
        MemoryError
            If a node has too little memory for the co-moments, on each of its ranks
            about ``1.5 * (n_features + n_targets)**2`` numbers. Found before anything
            is allocated.
        """

        def check() -> Rows:
            self._check_params()
            one = isinstance(sample_weight, Number) and not call.distributed
            weight = None if one else sample_weight  # ranks may have others
            return self._check_rows(call, X, y, weight, reset=True)

        with Call(self, "fit") as call:
            rows = call.agree(check)
            self._know(rows)
            targets = max(rows.targets - 1, 1)
            check_memory(call, rows)
            if self.alpha == 0 and call.first:
                msg = (
                    "With alpha=0, this algorithm does not converge well. You are "
                    "advised to use the LinearRegression estimator"
                )
                warnings.warn(msg, UserWarning, stacklevel=2)
            found, samples, anew = call.run(
                _core.elastic_net,
                rows.x,
                rows.y,
                rows.w,
                np.array([self.alpha], np.float64),
                [float(self.l1_ratio), float(self.tol), 0.0],
                [bool(self.fit_intercept), bool(self.positive), True],
                self.max_iter or 1000,
                seeds(self, [self.random_state] * targets),
                call.alike(lambda: gram(self.precompute, rows)),
                self._start(),
                call.threads(),
                rows=rows,
            )
        _, coef, intercept, gaps, rounds, tolerances = found
        self._keep(like(X), rows, (coef.reshape(targets, -1), intercept), flat=True)
        counts = [int(abs(n)) for n in rounds]
        self.n_iter_ = counts if targets > 1 else counts[0]
        gap = (gaps / samples).astype(rows.x.dtype)
        self.dual_gap_ = like(X)(gap if targets > 1 else gap[0])
        if anew and call.first:
            msg = (
                "Gram matrix was provided but X was centered to fit intercept: "
                "recomputing Gram matrix."
            )
            warnings.warn(msg, UserWarning, stacklevel=2)
        if call.first:
            strengths = np.full(targets, self.alpha * self.l1_ratio * samples)
            warn(strengths, gaps, rounds, tolerances)
        return self

    def _start(self) -> Any:
        """Return where to begin, target by target."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return NONE
        coef = np.asarray(copied(self.coef_), np.float64)
        return np.ascontiguousarray(coef).ravel()

    @property
    def sparse_coef_(self) -> Any:
        """The coefficients as a sparse array."""
        return csr_of(np.atleast_2d(np.asarray(copied(self.coef_))))


class Lasso(ElasticNet):
    """Linear regression with an L1 penalty (the Lasso).

    Minimises ``1 / (2 * n_samples) * ||y - X w||**2 + alpha * ||w||_1``: it is
    :class:`ElasticNet` with ``l1_ratio=1``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. 0 is least squares, for which
        :class:`LinearRegression` is better.
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, \
random_state, selection
        As of :class:`ElasticNet`.
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, n_iter_, dual_gap_, n_features_in_, \
feature_names_in_
        As of :class:`ElasticNet`.

    See Also
    --------
    sklearnex_rs.spmd.Lasso : The same, with rows distributed over ranks.
    sklearn.linear_model.Lasso : Whose optimum this is, to `tol`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import Lasso
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> Lasso(alpha=0.1).fit(X, [0.0, 1.0, 2.0]).coef_.round(4)
    array([0.85, 0.  ])
    """

    _parameter_constraints: dict[str, Any] = {
        name: allowed
        for name, allowed in ElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }

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
    ) -> None:
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
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
