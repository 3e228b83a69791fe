"""Where k-means begins: scikit-learn's draws, in its order, the same on all ranks."""

from __future__ import annotations

import numbers
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklearnex_rs import _core
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
        self.alike = not call.spread or isinstance(random_state, numbers.Integral)

    def _numbers(self, count: int) -> Any:
        """Draw from [0, 1)."""
        mine = self.state.random_sample(count)
        if self.alike:
            return mine
        return np.frombuffer(self.call.comm.broadcast(mine.tobytes()), np.float64)

    def plus_plus(self, n_clusters: int) -> Any:
        """Return centers by greedy k-means++."""
        trials = 2 + int(np.log(n_clusters))
        return self.call.run(
            _core.plus_plus,
            self.rows.x,
            self.rows.w,
            self.place,
            int(n_clusters),
            self._numbers(1 + (n_clusters - 1) * trials),
            self.call.threads(),
            rows=self.rows,
        )

    def without_return(self, n_clusters: int) -> Any:
        """Return rows drawn by weight, none twice."""
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

    def first(self, make: Callable[[Any], Any]) -> Any:
        """Return what the first rank makes, on all ranks."""
        if not self.call.spread:
            return make(self.state)
        mine = b""
        if self.call.comm.rank == 0:
            mine = pickle.dumps(make(self.state))
        return pickle.loads(self.call.comm.broadcast(mine))
