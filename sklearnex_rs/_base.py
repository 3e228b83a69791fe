"""What estimators share: checking of rows, and their form on one process."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn import get_config as get_sklearn_config
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, is_foreign
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import check_sample_weight

FLOATS = [np.float64, np.float32]


class Estimator(BaseEstimator):
    """An estimator on one process."""

    def _join(self, method: str) -> tuple[_core.Comm, BaseException | None]:  # noqa: ARG002
        """Return the ranks of one call, and why it may not go on."""
        return _core.solo(), None

    def _check_params(self) -> None:
        if not get_sklearn_config()["skip_parameter_validation"]:
            self._validate_params()

    def _check_rows(
        self,
        call: Call,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        reset: bool,
        **options: Any,
    ) -> Rows:
        """Check a share. NaN in X is left to the look at the rows: that is one pass."""
        X, y, sample_weight = map(as_host, (X, y, sample_weight))
        if call.spread and is_empty(X):
            return Rows.of(np.empty((0, 0)))
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=FLOATS,
            ensure_all_finite=False,
            multi_output=True,
            y_numeric=True,
            **options,
        )
        y = y.astype(X.dtype, copy=False)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return Rows.of(X, y, sample_weight, names)

    def _check_columns(self, call: Call, X: Any, *, reset: bool, finite: bool) -> Rows:
        """Check a share without targets; where not ``finite`` the look finds NaN."""
        X = as_host(X)
        if call.spread and is_empty(X):
            return Rows.of(np.empty((0, 0)))
        X = validate_data(self, X, reset=reset, dtype=FLOATS, ensure_all_finite=finite)
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        return Rows.of(X, names=names)

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
                state[name] = np.array(as_host(value))
        return state


def is_empty(X: Any) -> bool:
    """Say whether X is array-like and has no rows."""
    if isinstance(X, numbers.Number | str) or X is None:
        return False
    shape = getattr(X, "shape", None)
    if shape is not None:
        return len(shape) > 0 and shape[0] == 0
    return hasattr(X, "__len__") and len(X) == 0
