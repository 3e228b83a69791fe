"""Rows that stay on a card: the checks that need no look at them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_n_features

from sklearnex_rs import _core, _cuda
from sklearnex_rs._array import is_on_card, on_card
from sklearnex_rs._call import Rows, finite_on_card


def card_rows(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool
) -> Rows:
    """Check rows, targets and weights, all on one card."""
    _cuda.ready()  # first of all, whether there are cards
    named = {"X": X, "y": y, "sample_weight": sample_weight}
    parts = {name: part for name, part in named.items() if part is not None}
    elsewhere = [name for name, part in parts.items() if not is_on_card(part)]
    if elsewhere:
        msg = f"X, y and sample_weight must be on one card; {elsewhere[0]} is not"
        raise ValueError(msg)
    cards = {name: part.__dlpack_device__()[1] for name, part in parts.items()}
    if len(set(cards.values())) > 1:
        msg = f"X, y and sample_weight must be on one card, got {cards}"
        raise ValueError(msg)
    lent = {name: on_card(part) for name, part in parts.items()}
    x = lent["X"]
    if x.ndim != 2:
        msg = f"Expected 2D array, got {x.ndim}D array instead"
        raise ValueError(msg)
    for axis, what in enumerate(("sample", "feature")):
        if not x.shape[axis] and not (axis == 0 and estimator._shares):
            msg = (
                f"Found array with 0 {what}(s) (shape={x.shape}) while a minimum of 1 "
                f"is required by {type(estimator).__name__}."
            )
            raise ValueError(msg)
    _check_n_features(estimator, x, reset=reset)
    check_consistent_length(*lent.values())
    for name, most in (("y", 2), ("sample_weight", 1)):
        part = lent.get(name)
        if part is None:
            continue
        if not 1 <= part.ndim <= most:
            msg = f"{name} has {part.ndim} dimensions, at most {most} are possible"
            raise ValueError(msg)
        if part.dtype != x.dtype:
            msg = (
                f"{name} is of {part.dtype}, X of {x.dtype}; on a card they must be "
                "of one type: convert one of them"
            )
            raise TypeError(msg)
    return Rows.of(x, lent.get("y"), lent.get("sample_weight"))


def card_answer(x: Any, coef: Any, intercept: Any, y: Any = None) -> Any:
    """Return ``X @ coef.T + intercept`` on the card, or what y is more than that."""
    columns = np.ascontiguousarray(coef.reshape(-1, x.shape[1]).T)
    offset = np.empty(columns.shape[1], columns.dtype)
    offset[:] = intercept
    found = _core.linear_on_card(x, y, columns.ravel(), offset)
    if not found.finite():
        finite_on_card(x, "X")
    return found.ravel() if coef.ndim == 1 else found
