"""Likelihoods of rows under a mean and a precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, double, empty
from sklearnex_rs._base import Estimator, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._products import threads


class Gaussian(Estimator):
    """A model whose rows are Gaussian."""

    def _precision(self) -> Any:
        """Return the inverse of the covariance, on the host."""
        raise NotImplementedError

    def _volume(self) -> tuple[Any, float]:
        """Return the precision, and twice the log-likelihood of the mean."""
        precision = self._precision()
        sign, volume = np.linalg.slogdet(precision)
        volume = volume if sign > 0 else -np.inf
        return precision, float(volume - len(precision) * np.log(2 * np.pi))

    def _likelihood(self, X: Any, mean: str) -> float:
        """Return the mean log-likelihood of the rows of all ranks."""
        volume = 0.0

        def check() -> Rows:
            nonlocal volume
            self._check_is_fitted()
            none = call.distributed and is_empty(X)
            rows = None if none else self._check_more(X)
            precision, volume = self._volume()
            if none:
                return self._empty_share(as_host(X), "no_validation", None)
            return Rows.of(
                quadratic_form(rows, getattr(self, mean), precision).reshape(-1, 1)
            )

        with Call(self, "score") as call:
            rows = call.agree(check)
            sums = np.array([rows.x.sum(dtype=np.float64), float(len(rows.x))])
            total, count = call.send(_core.Comm.sum, sums)
        return float((volume - total / count) / 2)


def quadratic_form(
    X: Any, mean: Any, matrix: Any, line: tuple[float, float] = (0.0, 1.0)
) -> Any:
    """Return ``b + s * (x - mean) @ matrix @ (x - mean)`` of rows, in double.

    `line` is ``(b, s)``.
    """
    mean, matrix = double(X, mean).reshape(-1, 1), double(X, matrix)
    out = empty(X, 1, np.float64)
    _core.quadratic_form(X, mean, matrix, line, out, threads())
    return out.ravel()
