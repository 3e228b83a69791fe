"""The only place that asks for scikit-learn's version."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.utils.validation import _check_sample_weight

_KNOWN = inspect.signature(_check_sample_weight).parameters


def check_sample_weight(sample_weight: Any, X: Any) -> Any:
    """Check the weights of a share, which may all be zero: others may not be."""
    options = {"dtype": X.dtype, "ensure_non_negative": True}
    if "allow_all_zero_weights" in _KNOWN:  # since 1.9
        options["allow_all_zero_weights"] = True
    return _check_sample_weight(sample_weight, X, **options)
