"""Matrix decompositions of rows distributed over ranks."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.decomposition import PCA as _PCA
from sklearnex_rs.decomposition import IncrementalPCA as _IncrementalPCA
from sklearnex_rs.decomposition import TruncatedSVD as _TruncatedSVD
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["PCA", "IncrementalPCA", "TruncatedSVD"]


class PCA(SPMDMixin, _PCA):
    """Principal component analysis (PCA) of the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same model:
    bit by bit the same on all ranks, and to rounding (1e-9 relative in float64, 1e-4
    in float32) the one that a single machine fits on the concatenated rows.

    Parameters
    ----------
    n_components, copy, whiten, svd_solver, tol, iterated_power, n_oversamples, \
power_iteration_normalizer, random_state, n_jobs
        As of :class:`sklearnex_rs.decomposition.PCA`, where ``n_samples`` are the rows
        of all ranks; the same on all ranks, but for `copy` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    components_, explained_variance_, explained_variance_ratio_, singular_values_, \
mean_, n_components_, n_samples_, noise_variance_, n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.decomposition.PCA`, of all rows. To read them never
        communicates.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``fit_transform`` : collective. Returns this rank's rows along the components.

    ``score`` : collective. The mean over the rows of all ranks.

    ``transform`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``inverse_transform`` : local.

    ``score_samples`` : local. For the rows at hand.

    ``get_covariance`` : local.

    ``get_precision`` : local.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again.

    A fit sends a header, the number of rows, the means, the covariance or the R factor
    (of ``min(n_samples, n_features)`` rows), and the components: of
    ``n_features**2`` numbers at most. The first rank decomposes. From about 1,000
    features the ranks also agree on whether the memory of all nodes will do; where
    it will not, each round of a range finder sends ``n_features * n_components``
    numbers and back, or all ranks raise the same MemoryError.

    Examples
    --------
    >>> from sklearnex_rs.spmd import PCA
    >>> model = PCA(n_components=2)  # model.fit(my_rows) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_PCA._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        n_components: int | float | str | None = None,
        *,
        copy: bool = True,
        whiten: bool = False,
        svd_solver: str = "auto",
        tol: float = 0.0,
        iterated_power: int | str = "auto",
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            n_components=n_components,
            copy=copy,
            whiten=whiten,
            svd_solver=svd_solver,
            tol=tol,
            iterated_power=iterated_power,
            n_oversamples=n_oversamples,
            power_iteration_normalizer=power_iteration_normalizer,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        self.comm = comm


class TruncatedSVD(SPMDMixin, _TruncatedSVD):
    """Dimensionality reduction using truncated SVD over the rows of all ranks.

    Every rank brings its own rows, none or any number, and ends with the same model:
    bit by bit the same on all ranks, and to rounding (1e-9 relative in float64, 1e-4
    in float32) the one that a single machine fits on the concatenated rows.

    Parameters
    ----------
    n_components, algorithm, n_iter, n_oversamples, power_iteration_normalizer, \
random_state, tol, n_jobs
        As of :class:`sklearnex_rs.decomposition.TruncatedSVD`, where ``n_samples`` are
        the rows of all ranks; the same on all ranks, but for `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    components_, explained_variance_, explained_variance_ratio_, singular_values_, \
n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.decomposition.TruncatedSVD`, of all rows. To read
        them never communicates.

    See Also
    --------
    sklearnex_rs.decomposition.TruncatedSVD : The same for the rows of one process.

    Notes
    -----
    ``fit`` : collective. Every rank of `comm` calls it, with its rows.

    ``fit_transform`` : collective. Returns this rank's rows along the components.

    ``transform`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``inverse_transform`` : local.

    A rank without rows may pass an empty array, and has no say in types or names.
    If any rank fails, all ranks raise its error, with the rank in front, and `comm`
    and the estimator can be used again.

    A fit sends a header, the number of rows, the means, the products of columns and
    the components; where the largest singular value exceeds the last 100 times, also
    the R factor, and the variances. Memory is agreed on as by
    :class:`sklearnex_rs.spmd.PCA`.

    Examples
    --------
    >>> from sklearnex_rs.spmd import TruncatedSVD
    >>> model = TruncatedSVD(n_components=2)  # model.fit(my_rows) on every rank
    """

    _parameter_constraints: dict[str, Any] = {
        **_TruncatedSVD._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        algorithm: str = "randomized",
        n_iter: int = 5,
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
        tol: float = 0.0,
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            n_components=n_components,
            algorithm=algorithm,
            n_iter=n_iter,
            n_oversamples=n_oversamples,
            power_iteration_normalizer=power_iteration_normalizer,
            random_state=random_state,
            tol=tol,
            n_jobs=n_jobs,
        )
        self.comm = comm


class IncrementalPCA(SPMDMixin, _IncrementalPCA):
    """Incremental principal component analysis of the batches of all ranks.

    Parameters
    ----------
    n_components, whiten, copy, batch_size, svd_solver, n_jobs
        As of :class:`sklearnex_rs.decomposition.IncrementalPCA`, where ``n_samples``
        are the rows of all ranks; the same on all ranks, but for `copy` and `n_jobs`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``, looked up at the first collective call.

    Attributes
    ----------
    components_, explained_variance_, explained_variance_ratio_, singular_values_, \
mean_, var_, noise_variance_, n_components_, n_samples_seen_, batch_size_, \
n_features_in_, feature_names_in_
        As of :class:`sklearnex_rs.decomposition.IncrementalPCA`, of the batches of all
        ranks. To read them never communicates; after `partial_fit` they raise
        NotFittedError until all ranks have called `finalize`.

    Notes
    -----
    ``partial_fit`` : local. It never communicates, and its errors are this rank's. Any
    number of calls, none included; on one rank it finalizes.

    ``merge`` : local. On one rank it finalizes.

    ``finalize`` : collective. Every rank of `comm` calls it, also one that had no
    batch. What went wrong in `partial_fit` on any rank since the last call, all ranks
    raise; another call does without that batch.

    ``fit`` : collective. It forgets, takes in this rank's rows, and finalizes.

    ``fit_transform`` : collective. Returns this rank's rows along the components.

    ``score`` : collective. The mean over the rows of all ranks.

    ``transform`` : local. For the rows at hand; needs neither MPI nor mpi4py.

    ``inverse_transform`` : local.

    ``score_samples`` : local. For the rows at hand.

    ``get_covariance`` : local.

    ``get_precision`` : local.

    A `finalize` sends a header, the means, half the covariance, and the components;
    with ``svd_solver='full'``, or above 5,000 columns, a header, the rows that span
    those seen, once for each doubling of the number of ranks, and the components.

    Examples
    --------
    >>> from sklearnex_rs.spmd import IncrementalPCA
    >>> model = IncrementalPCA(n_components=2)
    >>> # on every rank: model.partial_fit(batch) for its batches; model.finalize()
    """

    _parameter_constraints: dict[str, Any] = {
        **_IncrementalPCA._parameter_constraints,
        "comm": "no_validation",
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        whiten: bool = False,
        copy: bool = True,
        batch_size: int | None = None,
        svd_solver: str = "covariance_eigh",
        n_jobs: int | None = None,
        comm: Any = None,
    ) -> None:
        super().__init__(
            n_components=n_components,
            whiten=whiten,
            copy=copy,
            batch_size=batch_size,
            svd_solver=svd_solver,
            n_jobs=n_jobs,
        )
        self.comm = comm
