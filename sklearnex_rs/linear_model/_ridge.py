"""Ridge regression."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import copied, like
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs.linear_model._conjugate_gradients import (
    by_conjugate_gradients,
    exceeds_memory,
)
from sklearnex_rs.linear_model._linear import Linear

SOLVERS = {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}
COUNTED = {"lsqr", "sag", "saga"}  # of which scikit-learn tells iterations


class Ridge(Linear):
    """Linear least squares with an L2 penalty.

    Minimises ``sum_i w_i ||y_i - X_i coef.T - intercept||**2 + sum_j alpha_j
    ||coef_j||**2``. It goes the way of :class:`LinearRegression`: the rows are read
    once for means and co-moments, and again only where the condition, with `alpha`,
    asks for it. So the answer is exact, far from the origin and for small `alpha` too.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, none negative; an array has one for each target.
        With 0 it is least squares: of equal answers the one of least norm, where
        singular values at the rounding of the type of X count as zero.
    fit_intercept : bool, default=True
        Whether to calculate the intercept. If False, it is zero, and the data are
        not centered.
    copy_X : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    max_iter : int, default=None
        For compatibility: the answer does not depend on it.
    tol : float, default=1e-4
        For compatibility: the answer is exact, so it is within any tolerance.
    solver : {'auto', 'svd', 'cholesky', 'lsqr', 'sparse_cg', 'sag', 'saga', 'lbfgs'}, \
default='auto'
        All lead to the same optimum, on one native path: the decomposition of the
        co-moments, or of the R factor of the rows where those are not enough. With
        ``positive=True`` it must be 'auto' or 'lbfgs', else it must not be 'lbfgs'.
    positive : bool, default=False
        Whether coefficients are forced to be positive, by non-negative least
        squares on the reduced, penalised Gram matrix.
    random_state : int, RandomState instance, default=None
        For compatibility: nothing is drawn.
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of float32 where X is. Of the library of X where that is a
        DLPack array.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 if ``fit_intercept=False``.
    n_iter_ : None or ndarray of shape (n_targets,)
        One for each target where `solver` is 'lsqr', 'sag' or 'saga'; else None.
    solver_ : str
        The solver asked for; for 'auto' it is 'cholesky', or 'lbfgs' with
        ``positive=True``.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.Ridge : The same, with rows distributed over ranks.
    sklearn.linear_model.Ridge : Whose results these are, to 1e-9 relative in
        float64, to 1e-4 in float32.

    Notes
    -----
    Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal
    Problems" (1970); for the rest see :class:`LinearRegression`. Where a node has too
    little memory for the co-moments, coefficients are found iteratively, as there.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import Ridge
    >>> model = Ridge(alpha=2.0).fit(np.array([[0.0], [1.0], [2.0]]), [0.0, 1.0, 2.0])
    >>> np.round(model.coef_, 6), np.round(model.intercept_, 6)
    (array([0.5]), np.float64(0.5))
    """

    _on_gpus = True
    _fit_dtype = FLOATS
    _decomposes = True

    _parameter_constraints: dict[str, Any] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(SOLVERS)],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; they become the type of X.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights, none negative. A weight of two is two equal rows.

        Returns
        -------
        self : Ridge
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is empty, has NaN or infinity, or shapes do not fit; if
            `solver` and `positive` do not fit.
        MemoryError
            If a node has too little memory for the co-moments, ``(n_features +
            n_targets)**2`` numbers, and ``positive=True``, or none for iterations
            either. Found before anything is allocated.
        """

        def check() -> Rows:
            self._check_params()
            self._check_solver()
            return self._check_rows(call, X, y, sample_weight, reset=True)

        with Call(self, "fit") as call:
            rows = call.agree(check)
            self._know(rows)
            targets = max(rows.targets - 1, 1)
            alphas = call.alike(lambda: penalties(self.alpha, targets))
            aim = (bool(self.fit_intercept), rounding(rows))
            positive = bool(self.positive)
            if exceeds_memory(call, rows, positive):
                coef, intercept = by_conjugate_gradients(call, rows, (*aim, alphas))
            else:
                args = (rows.x, rows.y, rows.w, *aim, positive, alphas, rows.most)
                threads = (call.threads(), call.together())
                coef, intercept, *_ = call.run(
                    _core.least_squares, *args, *threads, rows=rows
                )
        self._keep(like(X), rows, (coef.T, intercept), flat=True)
        auto = "lbfgs" if self.positive else "cholesky"
        self.solver_ = auto if self.solver == "auto" else self.solver
        self.n_iter_ = np.ones(targets, np.int32) if self.solver in COUNTED else None
        return self

    def _check_solver(self) -> None:
        if self.solver == "lbfgs" and not self.positive:
            msg = (
                "'lbfgs' solver can be used only when positive=True. Please use "
                "another solver."
            )
            raise ValueError(msg)
        if self.positive and self.solver not in ("auto", "lbfgs"):
            msg = (
                f"solver='{self.solver}' does not support positive fitting. Please set "
                "the solver to 'auto' or 'lbfgs', or set `positive=False`"
            )
            raise ValueError(msg)


def rounding(rows: Rows) -> float:
    """Return below which share of the largest a singular value counts as zero."""
    return min(0.1, float(np.finfo(rows.x.dtype).eps) * rows.x.shape[1])


def penalties(alpha: Any, targets: int) -> Any:
    """Return the penalty of each target."""
    alphas = np.ravel(np.asarray(copied(alpha), np.float64))
    if len(alphas) not in (1, targets):
        msg = (
            "Number of targets and number of penalties do not correspond: "
            f"{len(alphas)} != {targets}"
        )
        raise ValueError(msg)
    if not (np.isfinite(alphas) & (alphas >= 0)).all():
        msg = f"alpha must have no entry that is negative or not finite, got {alpha!r}"
        raise ValueError(msg)
    return np.ascontiguousarray(np.broadcast_to(alphas, targets))
