"""What one run of k-means brings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearnex_rs import _core
from sklearnex_rs._array import copied
from sklearnex_rs._call import Call

BLOCK = 1 << 16  # rows whose labels are compared at a time


@dataclass
class Partition:
    """Centers around the mean of all rows, labels of mine, inertia of all."""

    centers: Any
    labels: Any
    inertia: float
    #: How many rows of all each center has.
    counts: Any
    #: Of each round, the inertia before centers moved, and how far they did.
    history: list[tuple[float, float]]
    #: Whether the last round changed no label.
    strict: bool

    def tell(self, tolerance: float) -> None:
        """Print the iterations as scikit-learn does."""
        for i, (inertia, _) in enumerate(self.history):
            print(f"Iteration {i}, inertia {inertia}.")
        last, shift = len(self.history) - 1, self.history[-1][1]
        if self.strict:
            print(f"Converged at iteration {last}: strict convergence.")
        elif shift <= tolerance:
            print(
                f"Converged at iteration {last}: center shift {shift} within "
                f"tolerance {tolerance}."
            )

    def warn(self, stacklevel: int) -> None:
        """Warn of clusters without rows."""
        distinct = int(np.count_nonzero(self.counts))
        if distinct < len(self.counts):
            msg = (
                f"Number of distinct clusters ({distinct}) found smaller than "
                f"n_clusters ({len(self.counts)}). Possibly due to duplicate points "
                "in X."
            )
            warnings.warn(msg, ConvergenceWarning, stacklevel=stacklevel + 1)


def same(call: Call, one: Partition, other: Partition) -> bool:
    """Say whether clusters are the same on all ranks, but for their numbers."""
    before, after = copied(one.labels), copied(other.labels)
    k, pairs = len(one.counts), np.empty(0, np.int64)
    for start in range(0, len(before), BLOCK):
        rows = slice(start, start + BLOCK)
        mine = before[rows].astype(np.int64) * k + after[rows]
        pairs = np.union1d(pairs, mine)
        if len(pairs) > k:  # some cluster has rows of two
            break
    if call.distributed:
        blocks = call.send(_core.Comm.gather, pairs.tobytes())
        pairs = np.unique(np.frombuffer(b"".join(blocks), np.int64))
    return len(pairs) == len(np.unique(pairs // k))
