"""Rows that stay on a GPU: the checks that need no look at them."""

from __future__ import annotations

from dataclasses import replace
from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_n_features

from sklearnex_rs import _core, _cuda
from sklearnex_rs._array import falls_back, is_on_gpu, no_kernel, on_gpu, to_device_of
from sklearnex_rs._call import Rows
from sklearnex_rs._config import settings


def moved(estimator: Any, rows: Rows) -> Rows:
    """Return checked rows of the host where `config_context` puts them."""
    device = settings().device
    if device in (None, "cpu") or not len(rows.x):
        return rows
    if not estimator._on_gpus and falls_back():
        return rows
    _cuda.ready()
    if not estimator._on_gpus:
        raise NotImplementedError(no_kernel(type(estimator).__name__))
    if estimator._decomposes:
        _cuda.solver(rows.x.shape[1])
    ordinal = int(device.partition(":")[2] or 0)
    x, y, w = (
        None if part is None else _core.to_gpu(np.ascontiguousarray(part), ordinal)
        for part in (rows.x, rows.y, rows.w)
    )
    return replace(rows, x=x, y=y, w=w)


def beside(rows: Rows) -> Rows:
    """Put targets of the host where rows are."""
    if not is_on_gpu(rows.x) or is_on_gpu(rows.y):
        return rows
    return replace(rows, y=_core.to_gpu(rows.y, rows.x.ordinal))


def gpu_rows(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    reset: bool,
    least: int = 1,
) -> Rows:
    """Check rows, targets and weights, all on one GPU; `least` columns."""
    _cuda.ready()  # first of all, whether there are GPUs
    y = None if isinstance(y, str) else y  # "no_validation"
    if isinstance(sample_weight, Number) and is_on_gpu(X):
        kind = on_gpu(X)
        each = np.full(len(kind), sample_weight, kind.dtype)
        sample_weight = _core.to_gpu(each, kind.ordinal)
    named = {"X": X, "y": y, "sample_weight": sample_weight}
    parts = {name: part for name, part in named.items() if part is not None}
    elsewhere = [name for name, part in parts.items() if not is_on_gpu(part)]
    if elsewhere:
        msg = f"X, y and sample_weight must be on one GPU; {elsewhere[0]} is not"
        raise ValueError(msg)
    gpus = {name: part.__dlpack_device__()[1] for name, part in parts.items()}
    if len(set(gpus.values())) > 1:
        msg = f"X, y and sample_weight must be on one GPU, got {gpus}"
        raise ValueError(msg)
    lent = {name: on_gpu(part) for name, part in parts.items()}
    x = lent["X"]
    if x.ndim != 2:
        msg = f"Expected 2D array, got {x.ndim}D array instead"
        raise ValueError(msg)
    for axis, what in enumerate(("sample", "feature")):
        few = least if axis else 1 - estimator._shares
        if x.shape[axis] < few:
            msg = (
                f"Found array with {x.shape[axis]} {what}(s) (shape={x.shape}) while a "
                f"minimum of {few} is required by {type(estimator).__name__}."
            )
            raise ValueError(msg)
    if estimator._decomposes:
        _cuda.solver(x.shape[1])
    _check_n_features(estimator, x, reset=reset)
    check_consistent_length(*lent.values())
    for name, most in (("y", 2), ("sample_weight", 1)):
        part = lent.get(name)
        if part is None:
            continue
        if not 1 <= part.ndim <= most:
            msg = f"{name} has {part.ndim} dimensions, at most {most} are possible"
            raise ValueError(msg)
        lent[name] = part.astype(x.dtype)
    return Rows.of(x, lent.get("y"), lent.get("sample_weight"))


def gpu_residual(x: Any, y: Any, coef: Any, intercept: Any) -> Any:
    """Return ``y - X @ coef.T - intercept`` on the GPU."""
    coef, intercept = (
        to_device_of(x, part).astype(x.dtype) for part in (coef, intercept)
    )
    return _core.residual_on_gpu(x, y, coef.T, intercept)
