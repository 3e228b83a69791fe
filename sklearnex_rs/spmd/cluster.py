"""Clusters of rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.cluster import KMeans as _KMeans
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["KMeans"]


class KMeans(SPMDMixin, _KMeans):
    """K-means clustering of the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same
    centers, bit by bit. For one ``random_state`` they are those that a single machine
    finds on the concatenated rows, with as many iterations, whatever the number of
    ranks: the same rows are drawn; ties aside.

    Parameters
    ----------
    n_clusters, init, n_init, max_iter, tol, verbose, random_state, copy_x, algorithm, \
n_jobs
        As of :class:`sklearnex_rs.cluster.KMeans`; the same on all ranks, but for
        `verbose`, `copy_x` and `n_jobs`: the first rank prints. Unless
        `random_state` is a number, the first rank draws; a callable `init` is
        called on the first rank, with its rows.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each row of this rank.
    cluster_centers_, inertia_, n_iter_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.cluster.KMeans`, of all rows. To read them never
        communicates.

    See Also
    --------
    sklearnex_rs.cluster.KMeans : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``fit_predict`` : collective. Returns the clusters of this rank's rows.

    ``fit_transform`` : collective. Returns the distances of this rank's rows.

    ``score`` : collective. Over the rows of all ranks.

    ``predict`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``transform`` : local. Likewise.

    ``set_callbacks`` : local. `fit` calls them on the first rank, with its rows; they
    must call nothing that is collective.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again.

    A round sends one message of ``n_clusters * (n_features + 2)`` numbers, k-means++
    two messages for each center.

    Examples
    --------
    >>> from sklearnex_rs.spmd import KMeans
    >>> model = KMeans(n_clusters=8)  # model.fit(my_rows) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_KMeans._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: Any = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            n_clusters=n_clusters,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            copy_x=copy_x,
            algorithm=algorithm,
            n_jobs=n_jobs,
        )
        self.comm = comm
