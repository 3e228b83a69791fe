"""Products of rows with small matrices, for methods that need no other rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, here, like, on_card, room, stays, viewed
from sklearnex_rs._base import FLOATS
from sklearnex_rs._threads import thread_count


def linear(X: Any, coef: Any, intercept: Any, n_jobs: int | None = None) -> Any:
    """Return ``X @ coef + intercept``, of the wider type of rows and coefficients."""
    coef, intercept = here(X, coef), here(X, intercept)
    dtype = wider(X, coef.dtype)
    X, coef, intercept = (
        part.astype(dtype, copy=False) for part in (X, coef, intercept)
    )
    out = room(X, coef.shape[1], dtype)
    _core.linear(X, coef, intercept.reshape(-1, 1), out, threads(n_jobs))
    return out


def wider(X: Any, dtype: Any) -> Any:
    """Return the wider type of both."""
    return np.result_type(X.dtype, dtype)


def back(X: Any, components: Any, offset: Any, least: int) -> Any:
    """Return ``X @ components + offset`` as X has it, of `least` rows or more."""
    if stays(X):
        rows = on_card(X)
    else:
        options = {"input_name": "X", "dtype": FLOATS, "ensure_min_samples": least}
        rows = check_array(as_host(X), **options)
    components = here(rows, components)
    if rows.shape[1] != components.shape[0]:
        msg = f"X has {rows.shape[1]} columns, but {components.shape[0]} are expected"
        raise ValueError(msg)
    return like(X)(linear(rows, components, offset))


def form(X: Any, mean: Any, matrix: Any, line: tuple[float, float] = (0.0, 1.0)) -> Any:
    """Return ``b + s * (x - mean) @ matrix @ (x - mean)`` of rows, in double.

    `line` is ``(b, s)``.
    """
    mean, matrix = (
        here(X, part).astype(np.float64, copy=False) for part in (mean, matrix)
    )
    out = room(X, 1, np.float64)
    _core.form(X, mean.reshape(-1, 1), matrix, line, out, threads())
    return out.ravel()


def scaled(rows: Any, variances: Any, least: float | None = None) -> Any:
    """Return rows times the roots of variances; or by these, at `least`."""
    rows = viewed(rows)
    variances = here(rows, variances)
    dtype = np.result_type(rows.dtype, variances.dtype)
    rows, variances = (part.astype(dtype, copy=False) for part in (rows, variances))
    if isinstance(rows, _core.CardArray):
        return _core.scaled_on_card(rows, variances, least)
    roots = np.sqrt(variances)[:, None]
    return rows * roots if least is None else rows / roots.clip(least)


def threads(n_jobs: int | None = None) -> int:
    """Return how many threads a local method may use."""
    return thread_count(n_jobs, [], 0)[0]
