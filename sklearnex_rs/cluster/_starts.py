"""Where the runs of K-means start."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from sklearnex_rs._array import copied
from sklearnex_rs._call import Call, Rows
from sklearnex_rs.cluster._draws import Draws, given


def number_of_runs(kmeans: Any, call: Call) -> int:
    """Return the number of runs."""
    many = (isinstance(kmeans.init, str) and kmeans.init == "random") or callable(
        kmeans.init
    )
    runs = (10 if many else 1) if kmeans.n_init == "auto" else int(kmeans.n_init)
    if is_array(kmeans.init) and runs != 1:
        msg = (
            "Explicit initial center position passed: performing only one init in "
            f"{type(kmeans).__name__} instead of n_init={runs}."
        )
        if call.first:
            warnings.warn(msg, RuntimeWarning, stacklevel=3)
        return 1
    if kmeans.algorithm == "elkan" and kmeans.n_clusters == 1 and call.first:
        msg = (
            "algorithm='elkan' doesn't make sense for a single cluster. Using "
            "'lloyd' instead."
        )
        warnings.warn(msg, RuntimeWarning, stacklevel=3)
    return runs


def starts(kmeans: Any, call: Call, rows: Rows, draws: Draws) -> Callable[[], Any]:
    """Return what makes the first centers of a run, around the mean."""
    if isinstance(kmeans.init, str):
        ways = {
            "k-means++": draws.plus_plus,
            "k-means||": draws.oversampled,
            "random": draws.without_return,
        }
        return lambda: ways[kmeans.init](kmeans.n_clusters)
    if is_array(kmeans.init):
        k, centers = kmeans.n_clusters, copied(kmeans.init)
        mine = call.check(lambda: given(centers, k, rows.x), rows)
        return lambda: mine - draws.place
    return lambda: draws.called(kmeans.init, kmeans.n_clusters)


def is_array(init: Any) -> bool:
    """Say whether these are centers."""
    return not isinstance(init, str) and not callable(init)
