"""What one run of k-means brings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearnex_rs._call import Call


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
        """Print the rounds as scikit-learn does."""
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
    both = np.stack([one.labels, other.labels], axis=1).astype(np.int64)
    pairs = np.unique(both, axis=0)
    if call.spread:
        blocks = call.comm.gather(pairs.tobytes())
        pairs = np.concatenate(
            [np.frombuffer(block, np.int64).reshape(-1, 2) for block in blocks]
        )
        pairs = np.unique(pairs, axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0]))
