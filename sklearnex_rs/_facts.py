"""Parameters in words that are equal where the values are."""

from __future__ import annotations

import hashlib
import numbers
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

#: Parameters that may differ between ranks: they say where and how, not what.
LOCAL = frozenset({"comm", "copy", "copy_X", "copy_x", "n_jobs", "verbose"})


def describe(params: dict[str, Any]) -> str:
    """Write parameters out, one ``name=value`` a line."""
    return "\n".join(
        f"{name}={_words(value)}"
        for name, value in sorted(params.items())
        if name not in LOCAL
    )


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, str | np.str_):
        return repr(str(value))
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        whole = float(value)
        return str(int(whole)) if whole.is_integer() else repr(whole)
    if isinstance(value, dict):
        items = sorted((_words(key), _words(item)) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_words, value)) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_words, value))) + "}"
    return _words_of_object(value)


def _words_of_object(value: Any) -> str:
    if isinstance(value, BaseEstimator):
        lines = describe(value.get_params(deep=False)).replace("\n", ", ")
        return f"{type(value).__qualname__}({lines})"
    if isinstance(value, partial):
        inside = _words([value.func, list(value.args), value.keywords])
        return f"partial {inside}"
    if hasattr(value, "__code__"):
        code = value.__code__
        held = [_held(cell) for cell in value.__closure__ or ()]
        rest = _words([value.__defaults__, value.__kwdefaults__, held])
        words = repr((code.co_names, _constants(code), rest))
        inside = _digest(code.co_code + words.encode())
        return f"{value.__module__}.{value.__qualname__} {inside}"
    if hasattr(value, "__array__") and not callable(value):
        array = np.asarray(value)
        if array.dtype.kind in "biufc":
            array = np.ascontiguousarray(array, dtype=np.complex128)
            return f"an array of shape {array.shape}, {_digest(array.tobytes())}"
        return f"an array {_words(array.tolist())}"
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{getattr(value, '__module__', type(value).__module__)}.{name}"


def _held(cell: Any) -> Any:
    """Return what a closure holds; functions by name: they may hold each other."""
    try:
        value = cell.cell_contents
    except ValueError:  # not set yet
        return None
    return value.__qualname__ if hasattr(value, "__code__") else value


def _constants(code: Any) -> list[str]:
    """Constants in words; of nested functions their names, whose repr has addresses."""
    return [getattr(item, "co_name", None) or repr(item) for item in code.co_consts]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=6).hexdigest()
