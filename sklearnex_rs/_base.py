"""What estimators share: checking of rows, and their form on one process."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import get_config as get_sklearn_config
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, copied, is_foreign, like, stays
from sklearnex_rs._call import (
    NOT_FINITE,
    TOO_LARGE,
    Call,
    Local,
    Rows,
    finite_on_gpu,
    plain,
)
from sklearnex_rs._compat import check_sample_weight
from sklearnex_rs._gpu import gpu_rows, moved

FLOATS = [np.float64, np.float32]


class Estimator(BaseEstimator):
    """An estimator on one process."""

    #: Whether rows are shares, which may be empty.
    _shares = False
    #: Whether rows on a GPU may stay there.
    _on_gpus = False
    #: Whether products of columns are decomposed.
    _decomposes = False
    #: The function that was called, where it is none of its methods.
    _called: str | None = None

    def _join(self, method: str) -> tuple[_core.Comm, BaseException | None]:  # noqa: ARG002
        """Return the ranks of one call, and why it may not go on."""
        return _core.solo(), None

    def _alone(self) -> bool:
        """Say whether there is no other rank, without asking any."""
        return True

    def _by_itself(self) -> dict[str, Any]:
        """Return the parameters with which a copy is on one process."""
        return {}

    def _check_is_fitted(self) -> None:
        """Raise NotFittedError before a method that needs fitted attributes."""
        check_is_fitted(self)

    def _check_params(self) -> None:
        if not get_sklearn_config()["skip_parameter_validation"]:
            validate_parameter_constraints(
                self._parameter_constraints,
                self.get_params(deep=False),
                caller_name=self._called or type(self).__name__,
            )

    def _check_rows(
        self,
        call: Call | Local,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        reset: bool,
        **options: Any,
    ) -> Rows:
        """Check a share. NaN in X is left to the look at the rows: that is one pass.

        A y of "no_validation" stands for none.
        """
        hollow = call.distributed and is_empty(X)
        if self._on_gpus and stays(X, y, sample_weight) and not hollow:
            least = options.get("ensure_min_features", 1)
            return gpu_rows(self, X, y, sample_weight, reset=reset, least=least)
        X, y, sample_weight = map(as_host, (X, y, sample_weight))
        if hollow or (call.distributed and is_empty(X)):  # some say it only as NumPy's
            return self._empty_share(X, y, sample_weight)
        who = self._called or self
        options = {"reset": reset, "dtype": "numeric", "estimator": who, **options}
        if is_unused(y):
            X, y = validate_data(self, X, ensure_all_finite=False, **options), None
        else:
            options |= {"multi_output": True, "y_numeric": True}
            X, y = validate_data(self, X, y, ensure_all_finite=False, **options)
        X = as_float(X)
        y = None if y is None else y.astype(X.dtype, copy=False)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return moved(self, Rows.of(X, y, sample_weight, names))

    def _check_more(self, X: Any, *, finite: bool = True) -> Any:
        """Check rows for a fitted model; an SPMD class takes none, too."""
        if self._on_gpus and stays(X) and not is_empty(X):
            rows = gpu_rows(self, X, None, None, reset=False).x
            if finite:
                finite_on_gpu(rows, "X")
            return rows
        options = {
            "reset": False,
            "dtype": "numeric",
            "ensure_min_samples": 0 if self._shares else 1,
            "ensure_all_finite": finite,
        }
        rows = plain(as_float(validate_data(self, as_host(X), **options)))
        return moved(self, Rows.of(rows)).x

    def _answer(self, X: Any, answer: Callable[[Any], Any]) -> Any:
        """Return what a fitted model says of rows, in the library of X."""
        return like(X)(self._found(X, answer))

    def _found(self, X: Any, answer: Callable[[Any], Any]) -> Any:
        """Return the same where rows are looked at.

        NaN in X shows in the answer; only then is X looked at for it.
        """
        rows, failure = self._check_more(X, finite=False), None
        try:
            found = answer(rows)
        except ValueError as error:
            found, failure = np.array(np.nan), error
        with np.errstate(all="ignore"):
            whole = found.dtype.kind != "f" or np.isfinite(found.sum())
        if not whole:
            if isinstance(rows, _core.GpuArray):
                finite_on_gpu(rows, "X")
            else:
                name = type(self).__name__
                assert_all_finite(rows, estimator_name=name, input_name="X")
        if failure is not None:
            raise ValueError(TOO_LARGE) if NOT_FINITE in str(failure) else failure
        return found

    def _empty_share(self, X: Any, y: Any, sample_weight: Any) -> Rows:
        """Return no rows; what belongs to them must be empty as well."""
        if is_unused(y):
            y = None
        elif y is None:
            msg = (
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
            raise ValueError(msg)
        check_consistent_length(X, y, sample_weight)
        shape: tuple[int, ...] = getattr(X, "shape", (0,))
        return Rows.of(np.empty((0, shape[1] if len(shape) == 2 else 0)))

    def _know(self, rows: Rows) -> None:
        """Take over from the other ranks what an empty share does not tell."""
        self.n_features_in_ = rows.x.shape[1]
        if rows.names:
            self.feature_names_in_ = np.array(rows.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with all arrays on the host, in NumPy's form."""
        state = dict(super().__getstate__())
        for name, value in state.items():
            if is_foreign(value):
                state[name] = np.array(copied(value))
        return state


def is_unused(y: Any) -> bool:
    """Say whether there is no target, as ``validate_data`` writes it."""
    return isinstance(y, str) and y == "no_validation"


def as_float(X: Any) -> Any:
    """Return float32 and float64 as they are, other numbers as float64."""
    return X if X.dtype in FLOATS else X.astype(np.float64)


def is_empty(X: Any) -> bool:
    """Say whether X is array-like and has no rows."""
    if isinstance(X, numbers.Number | str) or X is None:
        return False
    shape = getattr(X, "shape", None)
    if shape is not None:
        return len(shape) > 0 and shape[0] == 0
    return hasattr(X, "__len__") and len(X) == 0
