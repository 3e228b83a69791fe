"""Products of rows with small matrices, for methods that need no other rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_array

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, empty, like, on_gpu, stays, to_device_of
from sklearnex_rs._base import FLOATS
from sklearnex_rs._threads import thread_count


def linear(X: Any, coef: Any, intercept: Any, n_jobs: int | None = None) -> Any:
    """Return ``X @ coef + intercept``, of the wider type of rows and coefficients."""
    coef, intercept = to_device_of(X, coef), to_device_of(X, intercept)
    dtype = wider(X, coef.dtype)
    X, coef, intercept = (
        part.astype(dtype, copy=False) for part in (X, coef, intercept)
    )
    out = empty(X, coef.shape[1], dtype)
    _core.linear(X, coef, intercept.reshape(-1, 1), out, threads(n_jobs))
    return out


def wider(X: Any, dtype: Any) -> Any:
    """Return the wider type of both."""
    return np.result_type(X.dtype, dtype)


def back(X: Any, directions: Callable[[Any], Any], offset: Any, least: int) -> Any:
    """Return ``X @ components + offset`` as X has it, of `least` rows or more.

    ``directions(X)`` are the components, where rows are.
    """
    if stays(X):
        rows = on_gpu(X)
    else:
        options = {"input_name": "X", "dtype": FLOATS, "ensure_min_samples": least}
        rows = check_array(as_host(X), **options)
    components = directions(rows)
    if rows.shape[1] != components.shape[0]:
        msg = f"X has {rows.shape[1]} columns, but {components.shape[0]} are expected"
        raise ValueError(msg)
    return like(X)(linear(rows, components, offset))


def scaled(rows: Any, variances: Any, *, down: bool) -> Any:
    """Return rows times the roots of variances; or by these, at least epsilon."""
    dtype = np.result_type(rows.dtype, variances.dtype)
    dtype = np.result_type(dtype, np.float32)
    rows, variances = (part.astype(dtype, copy=False) for part in (rows, variances))
    least = float(np.finfo(dtype).eps)
    if isinstance(rows, _core.GpuArray):
        return _core.scaled_on_gpu(rows, variances, least if down else None)
    roots = np.sqrt(variances)[:, None]
    return rows / roots.clip(least) if down else rows * roots


def threads(n_jobs: int | None = None) -> int:
    """Return how many threads a local method may use."""
    return thread_count(n_jobs, [], 0)[0]
