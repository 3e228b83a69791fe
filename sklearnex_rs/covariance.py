"""Covariance of columns."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import metadata_routing
from sklearn.utils._param_validation import Interval

from sklearnex_rs import _core
from sklearnex_rs._array import copied, like
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._gaussian import Gaussian, quadratic_form
from sklearnex_rs._incremental import IncrementalMixin, OnePass

__all__ = ["EmpiricalCovariance", "IncrementalEmpiricalCovariance"]


class EmpiricalCovariance(Gaussian, OnePass):
    """Maximum likelihood covariance estimator.

    The rows are read once, around their mean from the start, so the covariance is
    exact far from the origin.

    Parameters
    ----------
    store_precision : bool, default=True
        Whether the pseudo-inverse of the covariance is kept.
    assume_centered : bool, default=False
        Whether the mean is known to be zero, and nothing is centered.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.

    Attributes
    ----------
    location_ : ndarray of shape (n_features,)
        The mean, of the type of X; zeros if ``assume_centered=True``.
    covariance_ : ndarray of shape (n_features, n_features)
        The covariance, with ``n_samples`` degrees of freedom; as scikit-learn's it is
        float64 where X is float32, too.
    precision_ : ndarray of shape (n_features, n_features)
        Its pseudo-inverse; None if ``store_precision=False``.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.

    See Also
    --------
    IncrementalEmpiricalCovariance : The same, batch by batch.
    sklearnex_rs.spmd.EmpiricalCovariance : The same, with rows distributed over
        ranks.
    sklearn.covariance.EmpiricalCovariance : Whose results these are, to 1e-9 relative
        in float64, to 1e-4 in float32.

    Notes
    -----
    Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance" (1983).
    Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.covariance import EmpiricalCovariance
    >>> model = EmpiricalCovariance().fit(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> model.covariance_.tolist(), model.location_.tolist()
    ([[1.0, 1.0], [1.0, 1.0]], [2.0, 3.0])
    """

    # X_test is X
    __metadata_request__score = {"X_test": metadata_routing.UNUSED}

    _kind = "moments"
    _on_gpus = True
    _decomposes = True

    _parameter_constraints: dict[str, list[Any]] = {
        "store_precision": ["boolean"],
        "assume_centered": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        *,
        store_precision: bool = True,
        assume_centered: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.store_precision = store_precision
        self.assume_centered = assume_centered
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Compute the covariance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : Ignored
            For compatibility.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, or has NaN or infinity.
        MemoryError
            If a node has too little memory for the covariance, ``n_features**2``
            numbers.
        """
        self._fit("fit", X)
        return self

    def _bytes(self, columns: int) -> int:
        return 24 * columns**2

    def _look(
        self, state: NDArray[np.float64], rows: Rows, threads: int
    ) -> NDArray[np.float64]:
        centered = not self.assume_centered
        return _core.absorb_moments(state, rows.x, centered, threads)

    def _finish(self, call: Call, rows: Rows, state: NDArray[np.float64]) -> int:
        p, precise = rows.x.shape[1], bool(self.store_precision)
        place = (call.together(), self._gpu)
        args = (state, p, not self.assume_centered, precise, place)
        found = call.run(_core.covariance, *args, rows=rows)
        count = int(found[0])
        if count == 1 and call.first:
            msg = "Only one sample available. You may want to reshape your data array"
            warnings.warn(msg, stacklevel=4)
        self.location_ = self._like(found[1 : 1 + p].astype(rows.x.dtype))
        matrices = found[1 + p :].reshape(-1, p, p)
        self.covariance_ = self._like(matrices[0].copy())
        self.precision_ = self._like(matrices[1].copy()) if precise else None
        return count

    def get_precision(self) -> Any:
        """Return the pseudo-inverse of the covariance.

        Returns
        -------
        precision_ : ndarray of shape (n_features, n_features)
            As it is kept, or computed from `covariance_`.
        """
        self._check_is_fitted()
        if self.store_precision:
            return self.precision_
        return like(self.covariance_)(self._precision())

    def _precision(self) -> Any:
        if self.store_precision:
            return np.asarray(copied(self.precision_), np.float64)
        matrix = np.asarray(copied(self.covariance_), np.float64)
        return _core.inverse(matrix.ravel(), len(matrix)).reshape(matrix.shape)

    def score(self, X_test: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of rows under the Gaussian model.

        Parameters
        ----------
        X_test : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            For compatibility.

        Returns
        -------
        res : float
            The mean over the rows.
        """
        return self._likelihood(X_test, "location_")

    def mahalanobis(self, X: Any) -> Any:
        """Return the squared Mahalanobis distance of each row from the mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        dist : ndarray of shape (n_samples,)
            ``(x - location_) @ precision @ (x - location_)``, float64, in the library
            of X.
        """
        self._check_is_fitted()
        return self._answer(X, self._distances)

    def _distances(self, rows: Any) -> Any:
        precision = self.precision_ if self.store_precision else self._precision()
        return quadratic_form(rows, self.location_, precision)

    def error_norm(
        self,
        comp_cov: Any,
        norm: str = "frobenius",
        scaling: bool = True,
        squared: bool = True,
    ) -> float:
        """Return how far the covariance is from another one.

        Parameters
        ----------
        comp_cov : array-like of shape (n_features, n_features)
            The other one.
        norm : {'frobenius', 'spectral'}, default='frobenius'
            Root of the sum of the squares of the difference, or its largest singular
            value.
        scaling : bool, default=True
            Whether the square is divided by ``n_features``.
        squared : bool, default=True
            Whether the square is returned.

        Returns
        -------
        result : float
            The norm, or its square.
        """
        self._check_is_fitted()
        if norm not in ("frobenius", "spectral"):
            msg = "Only spectral and frobenius norms are implemented"
            raise NotImplementedError(msg)
        error = np.asarray(copied(comp_cov)) - np.asarray(copied(self.covariance_))
        size = np.linalg.norm(error, 2 if norm == "spectral" else "fro")
        square = size * size / (len(error) if scaling else 1)
        return float(square if squared else np.sqrt(square))


class IncrementalEmpiricalCovariance(IncrementalMixin, EmpiricalCovariance):
    """Incremental maximum likelihood covariance estimator.

    The same as :class:`EmpiricalCovariance` finds of all rows at once, to rounding:
    what is kept between batches is ``n_features**2 / 2`` numbers.

    Parameters
    ----------
    store_precision : bool, default=False
        As of :class:`EmpiricalCovariance`. (False, as in scikit-learn-intelex, since
        every batch would cost an inverse.)
    assume_centered : bool, default=False
        As of :class:`EmpiricalCovariance`; it must not change between batches.
    batch_size : int, default=None
        How many rows `fit` looks at before the next ones; the covariance does not
        depend on it. None: ``5 * n_features``.
    copy : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    n_jobs : int, default=None
        As of :class:`EmpiricalCovariance`.

    Attributes
    ----------
    location_, covariance_, precision_, n_features_in_, feature_names_in_
        As of :class:`EmpiricalCovariance`, of all batches so far.
    n_samples_seen_ : int
        Number of rows so far.
    batch_size_ : int
        The batch size that `fit` took.

    See Also
    --------
    EmpiricalCovariance : The same of all rows at once.
    sklearnex_rs.spmd.IncrementalEmpiricalCovariance : The same where each rank has
        batches of its own.

    Notes
    -----
    As of :class:`EmpiricalCovariance`. A pickle keeps what was seen, so a stream can
    go on elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.covariance import IncrementalEmpiricalCovariance
    >>> model = IncrementalEmpiricalCovariance()
    >>> for row in np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]):
    ...     model = model.partial_fit(np.vstack([row, row]))
    >>> model.covariance_.round(6).tolist(), model.n_samples_seen_
    ([[2.666667, 4.666667], [4.666667, 8.666667]], 6)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **EmpiricalCovariance._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "copy": ["boolean"],
    }

    def __init__(
        self,
        *,
        store_precision: bool = False,
        assume_centered: bool = False,
        batch_size: int | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            store_precision=store_precision,
            assume_centered=assume_centered,
            n_jobs=n_jobs,
        )
        self.batch_size = batch_size
        self.copy = copy

    def partial_fit(self, X: Any, y: Any = None, check_input: bool = True) -> Self:  # noqa: ARG002
        """Take in a batch of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.
        y : Ignored
            For compatibility.
        check_input : bool, default=True
            Whether X is checked. If not, it must be an array of float32 or float64.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            As of `fit`; then the batch is not taken in.
        """
        return self._partial_fit(X, "no_validation", None, check_input)
