"""Labels of classes as numbers, counted over the classes of all ranks."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, copied, stays
from sklearnex_rs._base import Estimator, as_float, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import check_sample_weight
from sklearnex_rs._gpu import beside, gpu_rows, moved

#: Whole numbers in a range up to this are told apart without sorting.
_RANGE = 1 << 20
_LARGEST = float(1 << 52)
BLOCK = 1 << 16  # labels that are looked at together
_KINDS = ("binary", "multiclass")


class Labels:
    """The classes that a share has, then those of all ranks."""

    def __init__(self) -> None:
        self.classes: Any = np.empty(0)
        self._column = False

    def check(
        self, call: Call, estimator: Estimator, X: Any, y: Any, sample_weight: Any
    ) -> Rows:
        """Check a share; its targets are numbers of this share's classes."""
        if estimator._on_gpus and stays(X, sample_weight) and not is_empty(X):
            rows = gpu_rows(estimator, X, None, sample_weight, reset=True)
            y = copied(y)
            self._column = getattr(y, "ndim", 1) == 2 and y.shape[1] == 1
            y = column_or_1d(y)
            check_consistent_length(rows.x, y)
            assert_all_finite(y, input_name="y")
            self.classes, numbers = _checked(y, rows.x.dtype)
            return replace(rows, y=numbers.reshape(-1, 1), targets=1)
        X, y, sample_weight = map(as_host, (X, y, sample_weight))
        if call.distributed and is_empty(X):
            return estimator._empty_share(X, y, sample_weight)
        if (
            call.distributed
            and np.shape(getattr(y, "shape", ())) == (2,)
            and y.shape[1] == 1
        ):
            y, self._column = np.asarray(y).ravel(), True
        X, y = validate_data(estimator, X, y, ensure_all_finite=False, dtype="numeric")
        X = as_float(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        self.classes, numbers = _checked(y, X.dtype)
        names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
        known = moved(estimator, Rows.of(X, None, sample_weight, names))
        return replace(known, y=numbers.reshape(-1, 1), targets=1)

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

        One message. Numbers of classes are put beside rows that are on a GPU.
        """
        sums = np.zeros(len(self.classes))
        own = [] if rows.y is None else _parts(rows.y.ravel())
        weights: list[Any] = [None] * len(own)
        if rows.w is not None:
            weights = _parts(copied(rows.w).ravel())
        for part, weight in zip(own, weights, strict=True):
            sums += np.bincount(part.astype(np.intp), weight, len(sums))
        if not call.distributed:
            return beside(rows), sums
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
        places = np.searchsorted(everyone, self.classes)
        for part in own:  # they are ours
            part[:] = places[part.astype(np.intp)]
        self.classes = everyone
        return beside(rows), total

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


def _checked(y: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the same as `numbered`, or raise and warn as scikit-learn does.

    That sorts a copy of all labels, so it is asked about some at a time; and about
    all where it would not take some of them, or would warn of too many classes.
    """
    some = len(y) > BLOCK
    if not (some and all(type_of_target(part) in _KINDS for part in _parts(y))):
        check_classification_targets(y)
    classes, numbers = numbered(y, dtype)
    if some and len(classes) > len(y) // 2:
        check_classification_targets(y)
    return classes, numbers


def numbered(y: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the classes, in order, and of each label the number of its class."""
    numbers = np.empty(len(y), dtype)
    table = _table(y)
    if table is None:
        classes = y[:0]
        for part in _parts(y):
            classes = np.unique(np.concatenate([classes, np.unique(part)]))
        for part, to in zip(_parts(y), _parts(numbers), strict=True):
            to[:] = np.searchsorted(classes, part)
        return classes, numbers
    least, known = table
    places = np.cumsum(known) - 1
    for part, to in zip(_parts(y), _parts(numbers), strict=True):
        to[:] = places[part.astype(np.int64) - least]
    return (np.flatnonzero(known) + least).astype(y.dtype), numbers


def _table(y: Any) -> tuple[int, Any] | None:
    """Return the least label and which from there on are known, of whole numbers."""
    if y.dtype.kind not in "biuf":
        return None
    least, most = float(y.min()), float(y.max())
    if not (-_LARGEST < least <= most < _LARGEST and most - least < _RANGE):
        return None
    least, most = int(np.floor(least)), int(most)
    known = np.zeros(most - least + 1, bool)
    for part in _parts(y):
        steps = part.astype(np.int64)
        if y.dtype.kind == "f" and (steps != part).any():
            return None
        known[steps - least] = True
    return least, known


def _parts(rows: Any) -> list[Any]:
    """Cut rows, to save memory."""
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


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
