"""Factorisations of rows distributed over ranks: QR and singular values."""

from __future__ import annotations

from typing import Any

from sklearnex_rs.linalg import Linalg as _Linalg
from sklearnex_rs.spmd._mixin import SPMDMixin

__all__ = ["qr", "svd"]


class Linalg(SPMDMixin, _Linalg):
    """A call of a function of this module, with its parameters."""

    def __init__(
        self,
        *,
        n_jobs: int | None = None,
        mode: str = "reduced",
        full_matrices: bool = False,
        compute_uv: bool = True,
        comm: Any = None,
    ) -> None:
        super().__init__(
            n_jobs=n_jobs,
            mode=mode,
            full_matrices=full_matrices,
            compute_uv=compute_uv,
        )
        self.comm = comm


def qr(
    a: Any, mode: str = "reduced", *, n_jobs: int | None = None, comm: Any = None
) -> Any:
    """Factor the rows of all ranks into orthonormal columns and an R factor.

    Collective: every rank of `comm` calls it, with its rows, none or any number, also
    fewer than columns. Rows are never gathered.

    Parameters
    ----------
    a : array-like of shape (n_samples, n_features)
        This rank's rows, as of :func:`sklearnex_rs.linalg.qr`.
    mode : {'reduced', 'r'}, default='reduced'
        'reduced': ``Q`` and ``R``. 'r': ``R`` alone.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    Q : ndarray of shape (n_samples, k)
        This rank's rows of the factor that :func:`sklearnex_rs.linalg.qr` finds of the
        rows of all ranks, one after the other; ``k`` is the smaller of the number of
        all rows and of columns.
    R : ndarray of shape (k, n_features)
        The R factor, the same on all ranks.

    Raises
    ------
    ValueError
        If all ranks have no rows, or any has NaN or infinity: on all ranks.
    NotImplementedError
        If `mode` is 'complete' or 'raw'.

    See Also
    --------
    sklearnex_rs.linalg.qr : The same for the rows of one process.

    Notes
    -----
    A header, the number of rows, the products of columns (two messages), and the
    R factor; again both where the condition of columns asks; above 1e6, or with fewer
    rows than columns, ``log2(size)`` exchanges of R factors, and their factors.

    Examples
    --------
    >>> from sklearnex_rs.spmd.linalg import qr
    >>> # Q, R = qr(my_rows) on every rank
    """
    return Linalg(n_jobs=n_jobs, mode=mode, comm=comm).qr(a)


def svd(
    a: Any,
    full_matrices: bool = False,
    compute_uv: bool = True,
    *,
    n_jobs: int | None = None,
    comm: Any = None,
) -> Any:
    """Find the singular values and vectors of the rows of all ranks.

    Collective, as :func:`qr`.

    Parameters
    ----------
    a : array-like of shape (n_samples, n_features)
        This rank's rows, as of :func:`sklearnex_rs.linalg.qr`.
    full_matrices : bool, default=False
        As of :func:`sklearnex_rs.linalg.svd`.
    compute_uv : bool, default=True
        Whether to find vectors; else the values alone are returned.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    U : ndarray of shape (n_samples, k)
        This rank's rows of the left singular vectors.
    S : ndarray of shape (k,)
        Singular values, decreasing, the same on all ranks.
    Vh : ndarray of shape (k, n_features)
        Right singular vectors, the same on all ranks.

    Raises
    ------
    ValueError
        If all ranks have no rows, or any has NaN or infinity: on all ranks.
    NotImplementedError
        If `full_matrices` is True.

    See Also
    --------
    sklearnex_rs.linalg.svd : The same for the rows of one process.

    Notes
    -----
    The messages of :func:`qr`, and the vectors.

    Examples
    --------
    >>> from sklearnex_rs.spmd.linalg import svd
    >>> # U, S, Vh = svd(my_rows) on every rank
    """
    return Linalg(
        n_jobs=n_jobs, full_matrices=full_matrices, compute_uv=compute_uv, comm=comm
    ).svd(a)
