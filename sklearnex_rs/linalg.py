"""Factorisations of rows: QR and singular values."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

from sklearnex_rs import _core
from sklearnex_rs._array import empty, like
from sklearnex_rs._base import Estimator
from sklearnex_rs._call import Call, Rows

__all__ = ["qr", "svd"]


class QRResult(NamedTuple):
    """What :func:`qr` returns, named as NumPy's."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What :func:`svd` returns, named as NumPy's."""

    U: Any
    S: Any
    Vh: Any


def qr(a: Any, mode: str = "reduced", *, n_jobs: int | None = None) -> Any:
    """Factor rows into orthonormal columns and an R factor.

    Parameters
    ----------
    a : array-like of shape (n_samples, n_features)
        Rows, float32 or float64 (others become float64); of NumPy, pandas, or any
        library with DLPack, on the host or on an NVIDIA GPU.
    mode : {'reduced', 'r'}, default='reduced'
        'reduced': ``Q`` and ``R``. 'r': ``R`` alone.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.

    Returns
    -------
    Q : ndarray of shape (n_samples, k)
        Orthonormal columns, to 1e-13 in float64, whatever the condition of `a`; with
        ``k = min(n_samples, n_features)``. Where columns of `a` depend on each other,
        those of Q are completed, as by :func:`numpy.linalg.qr`. In the library of `a`
        where that is a DLPack array, as all that is returned.
    R : ndarray of shape (k, n_features)
        Upper triangular, ``Q @ R = a``. Its diagonal is not negative, so that Q and R
        are unique where columns are independent; NumPy's are those but for signs.

    Raises
    ------
    ValueError
        If `a` is empty, or has NaN or infinity.
    NotImplementedError
        If `mode` is 'complete' or 'raw'.

    See Also
    --------
    sklearnex_rs.spmd.linalg.qr : The same, with rows distributed over ranks.
    numpy.linalg.qr : The same on one machine.

    Notes
    -----
    By Cholesky's factorisation of the products of columns, twice (Yamamoto,
    Nakatsukasa, Yanagisawa and Fukaya, "Roundoff Error Analysis of the CholeskyQR2
    Algorithm", 2015); by reflections where the condition of the columns, scaled to
    length one, exceeds about 1e6 (Demmel, Grigori, Hoemmen and Langou,
    "Communication-optimal Parallel and Sequential QR and LU Factorizations", 2012).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linalg import qr
    >>> Q, R = qr(np.array([[3.0, 5.0], [4.0, 0.0]]))
    >>> R.round(6).tolist()
    [[5.0, 3.0], [0.0, 4.0]]
    """
    return Linalg(n_jobs=n_jobs, mode=mode).qr(a)


def svd(
    a: Any,
    full_matrices: bool = False,
    compute_uv: bool = True,
    *,
    n_jobs: int | None = None,
) -> Any:
    """Find the singular values and vectors of rows.

    Parameters
    ----------
    a : array-like of shape (n_samples, n_features)
        Rows, as of :func:`qr`.
    full_matrices : bool, default=False
        False, unlike NumPy's default: ``k = min(n_samples, n_features)`` vectors.
    compute_uv : bool, default=True
        Whether to find vectors; else the values alone are returned.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.

    Returns
    -------
    U : ndarray of shape (n_samples, k)
        Left singular vectors, orthonormal as the Q of :func:`qr`.
    S : ndarray of shape (k,)
        Singular values, decreasing; to 1e-15 of the largest or so.
    Vh : ndarray of shape (k, n_features)
        Right singular vectors, each with its largest entry positive, as
        scikit-learn's; ``(U * S) @ Vh = a``.

    Raises
    ------
    ValueError
        If `a` is empty, or has NaN or infinity.
    NotImplementedError
        If `full_matrices` is True.

    See Also
    --------
    sklearnex_rs.spmd.linalg.svd : The same, with rows distributed over ranks.
    sklearnex_rs.decomposition.TruncatedSVD : The leading ones.

    Notes
    -----
    By the R factor of :func:`qr`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linalg import svd
    >>> svd(np.array([[3.0, 0.0], [4.0, 0.0], [0.0, 2.0]])).S.round(6).tolist()
    [5.0, 2.0]
    """
    return Linalg(
        n_jobs=n_jobs, full_matrices=full_matrices, compute_uv=compute_uv
    ).svd(a)


class Linalg(Estimator):
    """A call of a function of this module, with its parameters."""

    _on_gpus = True

    _parameter_constraints: dict[str, Any] = {
        "n_jobs": [None, Integral],
        "full_matrices": ["boolean"],
        "compute_uv": ["boolean"],
    }

    def __init__(
        self,
        *,
        n_jobs: int | None = None,
        mode: str = "reduced",
        full_matrices: bool = False,
        compute_uv: bool = True,
    ) -> None:
        self.n_jobs = n_jobs
        self.mode = mode
        self.full_matrices = full_matrices
        self.compute_uv = compute_uv

    def qr(self, a: Any) -> Any:
        """Return what :func:`qr` does."""
        basis, _, r = self._factor(a, "qr", self.mode != "r")
        return r if basis is None else QRResult(basis, r)

    def svd(self, a: Any) -> Any:
        """Return what :func:`svd` does."""
        basis, values, vectors = self._factor(a, "svd", bool(self.compute_uv))
        return values if basis is None else SVDResult(basis, values, vectors)

    def _check_params(self) -> None:
        super()._check_params()
        if self.mode in ("complete", "raw"):
            msg = f"mode={self.mode!r} is not supported: use mode='reduced' or mode='r'"
            raise NotImplementedError(msg)
        if self.mode not in ("reduced", "r"):
            msg = f"mode must be 'reduced' or 'r', got {self.mode!r}"
            raise ValueError(msg)
        if self.full_matrices:
            msg = (
                "full_matrices=True is not supported: it takes n_samples**2 numbers; "
                "use full_matrices=False"
            )
            raise NotImplementedError(msg)

    def _factor(self, a: Any, method: str, wants_basis: bool) -> tuple[Any, Any, Any]:
        def check() -> Rows:
            self._check_params()
            return self._check_rows(call, a, "no_validation", None, reset=True)

        self._called = method
        with Call(self, method) as call:
            rows = call.agree(check)
            samples, p = call.total(rows), rows.x.shape[1]
            k = min(samples, p)
            short = call.shortage(48 * k * p, 32 * k * p)
            if short is not None:
                call.refuse(_out_of_memory(method, p, short))
            basis = empty(rows.x, k, rows.x.dtype) if wants_basis else None
            args = (rows.x, samples, method == "svd", basis)
            threads = (call.threads(), call.together())
            values, matrix = call.run(_core.factor, *args, *threads, rows=rows)
        kind, dtype = like(a), rows.x.dtype
        values, matrix = (kind(part.astype(dtype)) for part in (values, matrix))
        return (None if basis is None else kind(basis)), values, matrix


def _out_of_memory(method: str, p: int, short: tuple[int, int, int]) -> MemoryError:
    needed, left, ranks = short
    return MemoryError(
        f"{method} of {p} columns needs {needed:,} bytes for the {ranks} rank(s) on a "
        f"node, of which {left:,} are free; start fewer ranks on a node, use fewer "
        "columns, or look for the leading components alone (decomposition.TruncatedSVD)"
    )
