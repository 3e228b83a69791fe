"""The only place that asks for scikit-learn's version."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import sklearn
from scipy.sparse import csr_array, csr_matrix
from sklearn.utils.validation import _check_sample_weight

try:
    from sklearn import callback
except ImportError:  # before 1.9
    callback = None

Method = TypeVar("Method", bound=Callable[..., Any])
_KNOWN = inspect.signature(_check_sample_weight).parameters

#: scikit-learn's, or nothing where it has no callbacks.
CallbackSupportMixin: Any = getattr(
    callback, "CallbackSupportMixin", type("CallbackSupportMixin", (), {})
)


def with_callbacks(method: Method) -> Method:
    """Have scikit-learn's callbacks torn down after `fit`, whatever happens in it."""
    return method if callback is None else callback.with_callbacks(method)


def check_sample_weight(sample_weight: Any, X: Any) -> Any:
    """Check the weights of a share, which may all be zero: others may not be."""
    options = {"dtype": X.dtype, "ensure_non_negative": True}
    if "allow_all_zero_weights" in _KNOWN:  # since 1.9
        options["allow_all_zero_weights"] = True
    return _check_sample_weight(sample_weight, X, **options)


def csr_of(array: Any) -> Any:
    """Return a sparse array of the kind that scikit-learn is set to return."""
    matrix = sklearn.get_config().get("sparse_interface", "spmatrix") == "spmatrix"
    return csr_matrix(array) if matrix else csr_array(array)
