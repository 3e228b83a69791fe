"""Labels of classes as numbers, counted over the classes of all ranks."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearnex_rs import _core
from sklearnex_rs._array import as_host
from sklearnex_rs._base import Estimator, as_float, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import check_sample_weight

#: Whole numbers in a range up to this are told apart without sorting.
_RANGE = 1 << 20


class Labels:
    """The classes that a share has, then those of all ranks."""

    def __init__(self) -> None:
        self.classes: Any = np.empty(0)
        self._column = False

    def check(
        self, call: Call, estimator: Estimator, X: Any, y: Any, sample_weight: Any
    ) -> Rows:
        """Check a share; its targets are numbers of this share's classes."""
        X, y, sample_weight = map(as_host, (X, y, sample_weight))
        if call.spread and is_empty(X):
            return estimator._empty_share(X, y, sample_weight)
        if (
            call.spread
            and np.shape(getattr(y, "shape", ())) == (2,)
            and y.shape[1] == 1
        ):
            y, self._column = np.asarray(y).ravel(), True
        X, y = validate_data(estimator, X, y, ensure_all_finite=False, dtype="numeric")
        check_classification_targets(y)
        X = as_float(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        self.classes, numbers = numbered(y)
        names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
        return Rows.of(X, numbers.astype(X.dtype), sample_weight, names)

    def warn(self) -> None:
        """Warn in scikit-learn's words, no rank in front, of labels in a column."""
        if self._column:
            msg = (
                "A column-vector y was passed when a 1d array was expected. Please "
                "change the shape of y to (n_samples, ), for example using ravel()."
            )
            warnings.warn(msg, DataConversionWarning, stacklevel=3)

    def join(self, call: Call, rows: Rows) -> tuple[Rows, Any]:
        """Count over the classes of all ranks; return what their rows weigh, too.

        One message.
        """
        own = rows.y.ravel().astype(np.intp)
        weights = None if rows.w is None else rows.w.ravel()
        sums = np.bincount(own, weights, minlength=len(self.classes)).astype(float)
        if not call.spread:
            return rows, sums
        mine = _packed(self.classes, sums)
        shares = [_read(word) for word in call.run(_core.Comm.gather, mine, rows=rows)]
        self._check_kinds(call, [classes for classes, _ in shares])
        parts = [classes for classes, _ in shares if len(classes)]
        if any(part.dtype == object for part in parts):
            parts = [part.astype(object) for part in parts]
        everyone = np.unique(np.concatenate(parts))
        total = np.zeros(len(everyone))
        for classes, theirs in shares:
            if len(classes):
                total[np.searchsorted(everyone, classes)] += theirs
        if len(own):
            places = np.searchsorted(everyone, self.classes)
            y = places[own].reshape(-1, 1).astype(rows.x.dtype)
            rows = replace(rows, y=y)
        self.classes = everyone
        return rows, total

    def _check_kinds(self, call: Call, shares: list[Any]) -> None:
        kinds = [
            (rank, "numbers" if classes.dtype.kind in "biuf" else "strings")
            for rank, classes in enumerate(shares)
            if len(classes)
        ]
        for rank, kind in kinds:
            if kind != kinds[0][1]:
                msg = (
                    f"Labels must be of one kind: rank {kinds[0][0]} has "
                    f"{kinds[0][1]}, rank {rank} has {kind}"
                )
                call.refuse(ValueError(msg))


def numbered(y: Any) -> tuple[Any, Any]:
    """Return the classes, in order, and the number of each label's."""
    whole = y
    if y.dtype.kind == "f" and np.abs(y).max() < _RANGE:
        whole = y.astype(np.int64)
        whole = whole if (whole == y).all() else y
    if whole.dtype.kind not in "biu":
        return np.unique(y, return_inverse=True)
    least, most = int(whole.min()), int(whole.max())
    if most - least >= _RANGE or most >= 1 << 62:
        return np.unique(y, return_inverse=True)
    steps = whole.astype(np.int64) - least
    known = np.zeros(most - least + 1, bool)
    known[steps] = True
    classes = np.flatnonzero(known) + least
    return classes.astype(y.dtype), (np.cumsum(known) - 1)[steps]


def _packed(classes: Any, sums: Any) -> bytes:
    file = io.BytesIO()
    objects = classes.dtype == object
    classes = classes.astype(str) if objects else classes
    np.savez(file, classes=classes, objects=np.array(objects), sums=sums)
    return file.getvalue()


def _read(word: bytes) -> tuple[Any, Any]:
    with np.load(io.BytesIO(word), allow_pickle=False) as file:
        classes = file["classes"]
        return classes.astype(object) if file["objects"] else classes, file["sums"]
