"""Products of rows with small matrices, for methods that need no other rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearnex_rs import _core
from sklearnex_rs._threads import thread_count

BLOCK = 4096  # rows whose distances are computed at a time


def linear(X: Any, coef: Any, intercept: Any) -> Any:
    """Return ``X @ coef + intercept``, all of one type."""
    out = np.empty((len(X), coef.shape[1]), X.dtype)
    coef = np.ascontiguousarray(coef, X.dtype)
    _core.linear(X, coef.ravel(), intercept, out, threads())
    return out


def distances(X: Any, mean: Any, precision: Any) -> Any:
    """Return ``(x - mean) @ precision @ (x - mean)`` of each row, in double."""
    none, found = np.zeros_like(mean), np.empty(len(X))
    for first in range(0, len(X), BLOCK):
        rows = np.subtract(X[first : first + BLOCK], mean, order="C")
        product = linear(rows, precision, none)
        found[first : first + BLOCK] = np.einsum("ij,ij->i", rows, product)
    return found


def threads() -> int:
    """Return how many threads a local method may use."""
    return thread_count(None, [], 0)[0]
