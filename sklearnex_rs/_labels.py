"""Labels of classes as numbers, counted over the classes of all ranks."""

from __future__ import annotations

import io
import json
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
_NUMBERS = "biuf"
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
        options = {"ensure_all_finite": False, "dtype": estimator._fit_dtype}
        X, y = validate_data(estimator, X, y, **options)
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
        parts = call.alike(lambda: united([classes for classes, _ in shares]))
        everyone = np.unique(np.concatenate([part for part in parts if len(part)]))
        total = np.zeros(len(everyone))
        for classes, (_, theirs) in zip(parts, shares, strict=True):
            total[np.searchsorted(everyone, classes)] += theirs
        places = np.searchsorted(everyone, parts[call.comm.rank])
        for part in own:  # they are ours
            part[:] = places[part.astype(np.intp)]
        self.classes = everyone
        return beside(rows), total

    def _check_kinds(self, call: Call, shares: list[Any]) -> None:
        kinds = [
            (rank, _kind(classes.dtype))
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


def _kind(dtype: Any) -> str:
    if dtype.kind in _NUMBERS:
        return "numbers"
    return "strings" if dtype.kind in "OU" else str(dtype)


def united(shares: list[Any]) -> list[Any]:
    """Give the classes of all ranks one type, and change none.

    It is the type of concatenated arrays; or, where whole numbers would be rounded in
    that, int64 or uint64.
    """
    known = [share.dtype for share in shares if len(share)]
    if object in known:
        return [share.astype(object) for share in shares]
    common = np.result_type(*known)
    if common.kind not in _NUMBERS:
        return [share.astype(common) for share in shares]
    for dtype in (common, np.dtype(np.int64), np.dtype(np.uint64)):
        with np.errstate(invalid="ignore"):
            parts = [share.astype(dtype) for share in shares]
        # Python compares whole numbers and floats exactly.
        if all(
            part.tolist() == share.tolist()
            for part, share in zip(parts, shares, strict=True)
        ):
            return parts
    types = ", ".join(sorted({str(dtype) for dtype in known}))
    msg = (
        f"the labels of the ranks, of {types}, have no common type that represents "
        "each of them exactly: convert y to one type on all ranks"
    )
    raise ValueError(msg)


def _packed(classes: Any, sums: Any) -> bytes:
    file = io.BytesIO()
    objects = classes.dtype == object
    if objects:  # strings: arrays of fixed width would drop NULs at their ends
        words = json.dumps(classes.tolist()).encode()
        classes = np.frombuffer(words, np.uint8)
    np.savez(file, classes=classes, objects=np.array(objects), sums=sums)
    return file.getvalue()


def _read(word: bytes) -> tuple[Any, Any]:
    with np.load(io.BytesIO(word), allow_pickle=False) as file:
        classes = file["classes"]
        if file["objects"]:
            classes = np.array(json.loads(classes.tobytes()), dtype=object)
        return classes, file["sums"]
