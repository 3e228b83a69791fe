"""Least squares in batches."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from sklearnex_rs import _core
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._incremental import IncrementalMixin, OnePass
from sklearnex_rs.linear_model._linear import Linear
from sklearnex_rs.linear_model._ridge import penalties, rounding

RCOND = 1e-6  # as LinearRegression has it


class IncrementalLeastSquares(IncrementalMixin, Linear):
    """Least squares of batches; the state is the R factor of ``[1 X y]``."""

    _kind = "centered_r"

    _on_gpus = True

    _parameter_constraints: dict[str, Any] = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "n_jobs": [Integral, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget all batches, and fit the model to these rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; they become the type of X.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative. A weight of two is two equal rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is empty, has NaN or infinity, or shapes do not fit.
        """
        self._fit("fit", X, y, sample_weight)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        check_input: bool = True,
    ) -> Self:
        """Take in a batch of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, as of `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative.
        check_input : bool, default=True
            Whether input is checked. If not, all must be arrays of float32, or all of
            float64.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            As of `fit`, or if a batch before had other columns or targets; then this
            one is not taken in.
        """
        return self._partial_fit(X, y, sample_weight, check_input)

    def _look(
        self, state: NDArray[np.float64], rows: Rows, threads: int
    ) -> NDArray[np.float64]:
        centered = bool(self.fit_intercept)
        return _core.absorb_centered_r(state, rows.x, rows.y, rows.w, centered, threads)

    def _bytes(self, columns: int) -> int:
        return 40 * (columns + 1) ** 2

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        """Leave a share whole: no part of it is ever copied."""
        return OnePass._batches(self, rows)

    def _finish_stream(
        self,
        call: Call,
        rows: Rows,
        state: NDArray[np.float64],
        tol: float,
        alphas: NDArray[np.float64],
    ) -> tuple[tuple[Any, ...], int]:
        """Return coefficients, intercepts, rank, singular values; and rows seen."""
        shape = (rows.x.shape[1], max(rows.targets - 1, 1))
        centered = bool(self.fit_intercept)
        args = (state, shape, centered, tol, alphas, call.together())
        line, count = call.run(_core.finish_stream, *args, rows=rows)
        return line, int(count)


class IncrementalLinearRegression(IncrementalLeastSquares):
    """Ordinary least squares linear regression, batch by batch.

    The same line as :class:`LinearRegression` finds for all rows at once, and as
    exact: what is kept between batches is the R factor of ``[1 X y]``, of about
    ``(n_features + n_targets)**2`` numbers, which has the condition of the rows and
    not its square.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to calculate the intercept. If False, it is zero, and the data are
        not centered.
    copy_X : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    n_jobs : int, default=None
        Threads to use, as of :class:`LinearRegression`.
    batch_size : int, default=None
        For compatibility: `fit` looks at its rows once, and copies no part of them.
        None: ``5 * n_features``.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of float32 where all batches were.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 if ``fit_intercept=False``.
    rank_ : int
        Rank of the centered, weighted rows, as of :class:`LinearRegression`.
    singular_ : ndarray of shape (min(n_samples, n_features),)
        Singular values of the centered, weighted rows, decreasing.
    n_samples_seen_ : int
        Number of rows so far.
    batch_size_ : int
        The batch size that `fit` was told.
    n_features_in_ : int
        Number of features seen by `fit` or `partial_fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    LinearRegression : The same of all rows at once.
    sklearnex_rs.spmd.IncrementalLinearRegression : The same where each rank has
        batches of its own.

    Notes
    -----
    Demmel, Grigori, Hoemmen and Langou, "Communication-optimal Parallel and Sequential
    QR and LU Factorizations" (2012). Among equal answers it is the one of least norm,
    as of :class:`LinearRegression` with its ``tol=1e-6``. A pickle keeps what was seen,
    so a stream can go on elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import IncrementalLinearRegression
    >>> X = np.array([[1, 1], [1, 2], [2, 2], [2, 3]])
    >>> y = X @ np.array([1, 2]) + 3
    >>> model = IncrementalLinearRegression()
    >>> for rows in ([0, 1], [2, 3]):
    ...     model = model.partial_fit(X[rows], y[rows])
    >>> model.coef_.round(6).tolist(), round(float(model.intercept_), 6)
    ([1.0, 2.0], 3.0)
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        n_jobs: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.n_jobs = n_jobs
        self.batch_size = batch_size

    def _finish(self, call: Call, rows: Rows, state: NDArray[np.float64]) -> int:
        none = np.empty(0)
        line, count = self._finish_stream(call, rows, state, RCOND, none)
        coef, intercept, rank, singular = line
        self._keep(self._like, rows, (coef.T, intercept), flat=False)
        self.rank_ = rank
        self.singular_ = self._like(singular.astype(rows.x.dtype))
        return count


class IncrementalRidge(IncrementalLeastSquares):
    """Linear least squares with an L2 penalty, batch by batch.

    The same line as :class:`Ridge` finds for all rows at once, and as exact: what is
    kept between batches is the R factor of ``[1 X y]``, of about
    ``(n_features + n_targets)**2`` numbers.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to calculate the intercept. If False, it is zero, and the data are
        not centered.
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, none negative; an array has one for each target. It
        may change between batches: what counts is its value at the end.
    copy_X : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    n_jobs : int, default=None
        Threads to use, as of :class:`LinearRegression`.
    batch_size : int, default=None
        For compatibility: `fit` looks at its rows once, and copies no part of them.
        None: ``5 * n_features``.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of float32 where all batches were.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts; 0.0 if ``fit_intercept=False``.
    n_samples_seen_ : int
        Number of rows so far.
    batch_size_ : int
        The batch size that `fit` was told.
    n_features_in_ : int
        Number of features seen by `fit` or `partial_fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    Ridge : The same of all rows at once.
    sklearnex_rs.spmd.IncrementalRidge : The same where each rank has batches of its
        own.

    Notes
    -----
    As of :class:`IncrementalLinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import IncrementalRidge
    >>> model = IncrementalRidge(alpha=2.0)
    >>> for value in (0.0, 1.0, 2.0):
    ...     model = model.partial_fit(np.array([[value]]), [value])
    >>> model.coef_.round(6), round(float(model.intercept_), 6)
    (array([0.5]), 0.5)
    """

    _fit_dtype = FLOATS

    _parameter_constraints: dict[str, Any] = {
        **IncrementalLeastSquares._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
    }

    def __init__(
        self,
        fit_intercept: bool = True,
        alpha: Any = 1.0,
        copy_X: bool = True,
        n_jobs: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.alpha = alpha
        self.copy_X = copy_X
        self.n_jobs = n_jobs
        self.batch_size = batch_size

    def _finish(self, call: Call, rows: Rows, state: NDArray[np.float64]) -> int:
        targets = max(rows.targets - 1, 1)
        alphas = call.alike(lambda: penalties(self.alpha, targets))
        line, count = self._finish_stream(call, rows, state, rounding(rows), alphas)
        self._keep(self._like, rows, (line[0].T, line[1]), flat=True)
        return count
