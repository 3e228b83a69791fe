"""Products of rows with small matrices, for methods that need no other rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, here, like, on_card, room, stays
from sklearnex_rs._base import FLOATS
from sklearnex_rs._threads import thread_count

BLOCK = 4096  # rows whose distances are computed at a time
PIECE = 1 << 18  # the same on a card


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


def distances(X: Any, mean: Any, precision: Any) -> Any:
    """Return ``(x - mean) @ precision @ (x - mean)`` of each row, in double."""
    if isinstance(X, _core.CardArray):
        return _lengths(X, mean, precision)
    none, found = np.zeros_like(mean), np.empty(len(X))
    for first in range(0, len(X), BLOCK):
        rows = np.subtract(X[first : first + BLOCK], mean, order="C")
        product = linear(rows, precision, none)
        found[first : first + BLOCK] = np.einsum("ij,ij->i", rows, product)
    return found


def _lengths(X: Any, mean: Any, precision: Any) -> Any:
    """Return the same of rows on a card: lengths, once rows are turned."""
    values, vectors = np.linalg.eigh(precision)
    root = vectors * np.sqrt(values.clip(0))
    origin, found = np.zeros((1, len(root))), np.empty(len(X))
    mean, root, origin = (here(X, part) for part in (mean, root, origin))
    for first in range(0, len(X), PIECE):
        rows = X[first : first + PIECE].astype(np.float64)
        turned, away = rows.room(len(root)), rows.room(1)
        _core.project(rows, mean, root, turned, 1)
        _core.distances(turned, origin, away, 1)
        found[first : first + PIECE] = away.host()[:, 0] ** 2
    return found


def threads(n_jobs: int | None = None) -> int:
    """Return how many threads a local method may use."""
    return thread_count(n_jobs, [], 0)[0]
