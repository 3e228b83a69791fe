"""Where k-means begins: scikit-learn's draws, in its order, the same on all ranks."""

from __future__ import annotations

import numbers
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from sklearnex_rs import _core
from sklearnex_rs._array import copied, falls_back, is_on_gpu, no_kernel
from sklearnex_rs._call import Call, Rows


class Draws:
    """Draws of rows, around `place`.

    Parameters
    ----------
    call : Call
        The call under way.
    rows : Rows
        My share.
    place : ndarray of shape (n_features,)
        Where rows are put.
    random_state : int, RandomState instance or None
        The first rank's is used, if it is not a number.
    """

    def __init__(self, call: Call, rows: Rows, place: Any, random_state: Any) -> None:
        self.call = call
        self.rows = rows
        self.place = place
        self.state = check_random_state(random_state)
        self.alike = not call.distributed or isinstance(random_state, numbers.Integral)

    def _numbers(self, count: int) -> Any:
        """Draw from [0, 1)."""
        mine = self.state.random_sample(count)
        if self.alike:
            return mine
        first = self.call.send(_core.Comm.broadcast, mine.tobytes())
        return np.frombuffer(first, np.float64)

    def plus_plus(self, n_clusters: int) -> Any:
        """Return centers by greedy k-means++."""
        return self.call.run(
            _core.plus_plus,
            self.rows.x,
            self.rows.w,
            self.place,
            int(n_clusters),
            self._numbers(1 + (n_clusters - 1) * trials(n_clusters)),
            self.call.threads(),
            rows=self.rows,
        )

    def oversampled(self, n_clusters: int) -> Any:
        """Return centers by k-means||; by k-means++ if it takes too few rows."""
        draw, low, high = self._numbers(3)
        seed = int(low * 2**32) << 32 | int(high * 2**32)
        run, threads = self.call.run, self.call.threads()
        args = (self.rows.x, self.rows.w, self.place, int(n_clusters))
        rows, weights = run(
            _core.oversample, *args, float(draw), seed, threads, rows=self.rows
        )
        if len(rows) < n_clusters:
            return self.plus_plus(n_clusters)
        count = 1 + (n_clusters - 1) * trials(n_clusters)

        def choose(state: Any) -> Any:
            none = np.zeros(len(self.place))
            args = (rows, weights.reshape(-1, 1), none, int(n_clusters))
            return _core.plus_plus(
                _core.solo(), *args, state.random_sample(count), threads
            )

        return self.first(choose)

    def without_return(self, n_clusters: int) -> Any:
        """Return rows drawn by weight, none twice."""
        if self.rows.w is not None:
            mine = np.array([np.count_nonzero(copied(self.rows.w))], float)
            if self.call.send(_core.Comm.sum, mine)[0] < n_clusters:
                msg = "Fewer non-zero entries in p than size"
                self.call.refuse(ValueError(msg))
        numbers, centers = np.empty(0), np.empty((0, len(self.place)))
        while len(numbers) < n_clusters:
            new = self.call.run(
                _core.drawn,
                self.rows.x,
                self.rows.w,
                self.place,
                self._numbers(n_clusters - len(numbers)),
                numbers,
                self.call.threads(),
                rows=self.rows,
            )
            numbers = np.concatenate([numbers, new[0]])
            centers = np.concatenate([centers, new[1]])
        return centers

    def called(self, init: Any, n_clusters: int) -> Any:
        """Return what a callable makes of the first rank's rows around the place."""

        def make(state: Any) -> Any:
            if is_on_gpu(self.rows.x) and not falls_back():
                raise NotImplementedError(no_kernel("init by a callable"))
            rows = copied(self.rows.x)
            place = np.asarray(self.place, rows.dtype)
            around = np.subtract(rows, place, order="C")
            centers = init(around, n_clusters, random_state=state)
            return given(centers, n_clusters, rows)

        return self.first(make)

    def first(self, make: Callable[[Any], Any]) -> Any:
        """Return what the first rank makes, on all ranks."""
        if not self.call.distributed:
            return make(self.state)
        lead = self.call.first
        made = self.call.check(lambda: make(self.state) if lead else None, self.rows)
        return pickle.loads(self.call.send(_core.Comm.broadcast, pickle.dumps(made)))


def trials(n_clusters: int) -> int:
    """Return how many rows k-means++ draws for each center."""
    return 2 + int(np.log(n_clusters))


def given(centers: Any, n_clusters: int, X: Any) -> Any:
    """Check centers that the user gave."""
    centers = check_array(centers, dtype=X.dtype)
    if centers.shape[0] != n_clusters:
        msg = (
            f"The shape of the initial centers {centers.shape} does not match "
            f"the number of clusters {n_clusters}."
        )
        raise ValueError(msg)
    if centers.shape[1] != X.shape[1]:
        msg = (
            f"The shape of the initial centers {centers.shape} does not match "
            f"the number of features of the data {X.shape[1]}."
        )
        raise ValueError(msg)
    return centers.astype(np.float64)
