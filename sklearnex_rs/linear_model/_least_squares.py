"""Least squares."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearnex_rs import _core
from sklearnex_rs._array import like
from sklearnex_rs._call import Call, Rows
from sklearnex_rs.linear_model._conjugate_gradients import (
    by_conjugate_gradients,
    exceeds_memory,
)
from sklearnex_rs.linear_model._linear import Linear


class LinearRegression(Linear):
    """Ordinary least squares linear regression.

    Minimises ``sum_i w_i ||y_i - X_i coef.T - intercept||**2``; among equal answers
    the one of least norm. The rows are read once for means and co-moments, from
    which the answer follows; where their condition asks for it they are read again,
    for the residual or for the R factor of a QR decomposition, so the answer is as
    exact as scikit-learn's, far from the origin too.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to calculate the intercept. If False, it is zero, and the data are
        not centered.
    copy_X : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    tol : float, default=1e-6
        Singular values of the centered, weighted X at or below ``tol`` times the
        largest count as zero (`cond` of :func:`scipy.linalg.lstsq`); 0, and 1 and
        above, mean the rounding of the type of X, as there.
    n_jobs : int, default=None
        Threads to use. None: ``SKLEARNEX_RS_NUM_THREADS``, else ``OMP_NUM_THREADS``,
        else what affinity, other ranks on the node and quota leave. -1 means all
        cpus. The result does not depend on it, but for its last digits from 1,000
        columns on, where threads share the decomposition.
    positive : bool, default=False
        Whether coefficients are forced to be positive, by non-negative least
        squares on the reduced Gram matrix.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of float32 where X is. Of the library of X where that is a
        DLPack array.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 if ``fit_intercept=False``.
    rank_ : int
        Rank of the centered, weighted X. Not if ``positive=True``, nor where
        coefficients were found iteratively.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centered, weighted X, decreasing. Not where `rank_` is
        not.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.LinearRegression : The same, with rows distributed over
        ranks.
    sklearn.linear_model.LinearRegression : Whose results these are, to 1e-9
        relative in float64, to 1e-4 in float32.

    Notes
    -----
    Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance" (1983),
    for the moments; Higham, "Accuracy and Stability of Numerical Algorithms",
    chapters 12 and 20, for the second look; Demmel, Grigori, Hoemmen and Langou,
    "Communication-optimal Parallel and Sequential QR and LU Factorizations" (2012),
    for the R factor.

    Where a node has too little memory for the co-moments, coefficients are found
    iteratively by conjugate gradients (Hestenes and Stiefel, 1952), each a pass over
    the rows: about twenty times the condition of the columns, scaled to length one.
    Then neither `rank_` nor `singular_` is known, as in scikit-learn for sparse X; and
    where rounding keeps them from converging to 1e-8, a ConvergenceWarning says so.

    Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import LinearRegression
    >>> X = np.array([[1, 1], [1, 2], [2, 2], [2, 3]])
    >>> y = X @ np.array([1, 2]) + 3
    >>> model = LinearRegression().fit(X, y)
    >>> model.coef_.round(6).tolist(), round(float(model.intercept_), 6)
    ([1.0, 2.0], 3.0)
    """

    _on_gpus = True
    _decomposes = True

    _parameter_constraints: dict[str, list[Any]] = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU: then y and
            `sample_weight` are there as well.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; they become the type of X.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative. A weight of two is two equal rows.

        Returns
        -------
        self : LinearRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is empty, has NaN or infinity, or shapes do not fit.
        MemoryError
            If a node has too little memory for the co-moments, ``(n_features +
            n_targets)**2`` numbers, and ``positive=True``, or none for iterations
            either. Found before anything is allocated.
        """

        def check() -> Rows:
            self._check_params()
            return self._check_rows(call, X, y, sample_weight, reset=True)

        with Call(self, "fit") as call:
            rows = call.agree(check)
            self._know(rows)
            aim = (bool(self.fit_intercept), self._rcond(rows.x.dtype))
            positive, known = bool(self.positive), None
            if exceeds_memory(call, rows, positive):
                alphas = np.zeros(max(rows.targets - 1, 1))
                coef, intercept = by_conjugate_gradients(call, rows, (*aim, alphas))
            else:
                args = (rows.x, rows.y, rows.w, *aim, positive, np.empty(0))
                threads = (rows.most, call.threads(), call.together())
                coef, intercept, *known = call.run(
                    _core.least_squares, *args, *threads, rows=rows
                )
        self._keep(like(X), rows, (coef.T, intercept), flat=False)
        if known is None:  # what an earlier fit has left is not of this one
            self.__dict__.pop("rank_", None)
            self.__dict__.pop("singular_", None)
        elif not positive:
            self.rank_, singular = known
            self.singular_ = like(X)(singular.astype(rows.x.dtype))
        return self

    def _rcond(self, dtype: Any) -> float:
        """Return ``tol``, or where LAPACK's gelsd does not take it, the rounding."""
        tol = float(self.tol)
        return tol if 0 < tol < 1 else float(np.finfo(dtype).eps)
