"""What linear models share: predictions and their score."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, check_consistent_length

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, copied, stays, to_device_of
from sklearnex_rs._base import Estimator, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import check_sample_weight
from sklearnex_rs._gpu import gpu_residual, gpu_rows
from sklearnex_rs._products import linear


class Linear(MultiOutputMixin, RegressorMixin, Estimator):
    """A linear model: ``coef_`` and ``intercept_``."""

    coef_: Any
    intercept_: Any
    fit_intercept: bool

    def _keep(
        self,
        kind: Callable[[Any], Any],
        rows: Rows,
        line: tuple[Any, Any],
        *,
        flat: bool,
    ) -> None:
        """Take over coefficients, targets by columns, and intercepts.

        One target in two dimensions has coefficients of one where they are ``flat``.
        """
        coef, intercept = line
        coef, intercept = coef.astype(rows.x.dtype), intercept.astype(rows.x.dtype)
        if rows.targets == 1:
            intercept = intercept[0]
        if rows.targets == 1 or (flat and len(coef) == 1):
            coef = coef[0]
        self.coef_ = kind(np.ascontiguousarray(coef))
        self.intercept_ = kind(intercept) if self.fit_intercept else 0.0

    def predict(self, X: Any) -> Any:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions, in the library of X.
        """
        self._check_is_fitted()
        return self._answer(X, self._predict)

    def _predict(self, X: Any) -> Any:
        coef = to_device_of(X, self.coef_)
        columns = coef.reshape(-1, 1) if coef.ndim == 1 else coef.T
        out = linear(X, columns, self.intercept_, getattr(self, "n_jobs", None))
        return out.reshape(-1) if coef.ndim == 1 else out

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R squared, of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            The mean over targets; 1.0 is best. NaN with fewer than two rows.
        """

        def check() -> Rows:
            self._check_is_fitted()
            return self._residuals(call, X, y, sample_weight)

        with Call(self, "score") as call:
            rows = call.agree(check)
            call.weigh(rows)
            args = (rows.x, rows.y, rows.w, call.threads())
            count, *sums = call.run(_core.r2, *args, rows=rows)
        if count < 2:
            if call.first:
                msg = "R^2 score is not well-defined with less than two samples."
                warnings.warn(msg, UndefinedMetricWarning, stacklevel=2)
            return float("nan")
        residual, total = np.array(sums[0::2]), np.array(sums[1::2])
        scores = np.where(residual == 0, 1.0, 0.0)
        np.divide(residual, total, out=residual, where=total != 0)
        scores = np.where(total != 0, 1.0 - residual, scores)
        return float(scores.mean())

    def _residuals(self, call: Call, X: Any, y: Any, sample_weight: Any) -> Rows:
        """Check a share, and return its targets beside their residuals."""
        if self._on_gpus and stays(X, y, sample_weight) and not is_empty(X):
            rows = gpu_rows(self, X, y, sample_weight, reset=False)
            rest = gpu_residual(rows.x, rows.y, self.coef_, self.intercept_)
            return Rows.of(rows.y, rest, rows.w)
        X, y, sample_weight = map(as_host, (X, y, sample_weight))
        if call.distributed and is_empty(X):
            return self._empty_share(X, y, sample_weight)
        X = self._check_more(X)
        y = check_array(y, ensure_2d=False, dtype="numeric")
        check_consistent_length(y, X, sample_weight)
        predicted = copied(self._predict(X)).reshape(len(X), -1)
        y = y.reshape(len(X), -1).astype(np.float64, copy=False)
        if y.shape != predicted.shape:
            msg = (
                "y_true and y_pred have different number of output "
                f"({y.shape[1]}!={predicted.shape[1]})"
            )
            raise ValueError(msg)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, y)
        return Rows.of(y, y - predicted, sample_weight)
