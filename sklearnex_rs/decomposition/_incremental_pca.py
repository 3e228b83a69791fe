"""Principal components of rows that come in batches."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._incremental import IncrementalMixin
from sklearnex_rs.decomposition._probabilistic import Projection

MOST = 5_000  # columns of which all products are kept
SPARE = 10  # directions that are kept besides twice the components


class IncrementalPCA(Projection, IncrementalMixin):
    """Incremental principal component analysis (IPCA).

    Up to 5,000 columns the components are exactly those of all rows at once, to
    rounding, however they are cut into batches: what is kept between batches is the
    covariance. scikit-learn's class of this name is approximate where it drops
    components of batches: for ``n_components < n_features``.

    Above 5,000 columns, ``2 * n_components + 10`` directions are kept, to which each
    batch adds, as in scikit-learn: then the components are approximate, the better
    the faster the variances fall. Means and variances are exact always.

    Parameters
    ----------
    n_components : int, default=None
        How many components to keep; None: ``min(n_samples, n_features)`` of the rows
        so far, and exact always.
    whiten : bool, default=False
        Whether `transform` divides by the deviation along each component. What is kept
        between batches is then that of ``svd_solver="full"``: deviations are exact also
        where they are small beside the largest.
    copy : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    batch_size : int, default=None
        How many rows `fit` looks at before the next ones; up to 5,000 columns the
        components do not depend on it. None: ``5 * n_features``.
    svd_solver : {'covariance_eigh', 'full'}, default='covariance_eigh'
        What is kept between batches, up to 5,000 columns.

        "covariance_eigh" :
            The covariance. The squares of singular values have errors of 1e-16 of the
            largest.
        "full" :
            The R factor of a QR decomposition of the centered rows, whose singular
            values are exact to 1e-12 of the largest; twice the work.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Directions of length one, by decreasing variance, each with its largest entry
        positive; of float32 where X is. Of the library of X where that is a DLPack
        array.
    explained_variance_ : ndarray of shape (n_components,)
        Variance along each, with ``n_samples_seen_ - 1`` degrees of freedom.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Its share of the variance of all features.
    singular_values_ : ndarray of shape (n_components,)
        Singular values of the centered rows, decreasing.
    mean_ : ndarray of shape (n_features,)
        Means of the features.
    var_ : ndarray of shape (n_features,)
        Variances of the features, with ``n_samples_seen_`` degrees of freedom.
    noise_variance_ : float
        Mean of the ``min(n_samples_seen_, n_features) - n_components_`` variances that
        are not kept; 0.0 if there are none.
    n_components_ : int
        Number of components that are kept.
    n_samples_seen_ : int
        Number of rows so far.
    batch_size_ : int
        The batch size that `fit` took.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    PCA : The same of all rows at once.
    sklearnex_rs.spmd.IncrementalPCA : The same where each rank has batches of its own.

    Notes
    -----
    Ross, Lim, Lin and Yang, "Incremental Learning for Robust Visual Tracking" (2008);
    Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance" (1983).
    A pickle keeps what was seen, so a stream can go on elsewhere. Sparse X is refused:
    use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.decomposition import IncrementalPCA
    >>> X = np.array([[-1, -1], [-2, -1], [-3, -2], [1, 1], [2, 1], [3, 2]])
    >>> model = IncrementalPCA(n_components=2, batch_size=3).fit(X)
    >>> model.explained_variance_ratio_.round(6).tolist()
    [0.992443, 0.007557]
    """

    _on_gpus = True
    _fit_dtype = _dtype = FLOATS
    _decomposes = True

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "whiten": ["boolean"],
        "copy": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "svd_solver": [StrOptions({"covariance_eigh", "full"})],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.n_components = n_components
        self.whiten = whiten
        self.copy = copy
        self.batch_size = batch_size
        self.svd_solver = svd_solver
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Forget what was seen, and fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : Ignored
            For compatibility.

        Returns
        -------
        self : IncrementalPCA
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, has NaN or infinity, or `n_components` does not fit.
        MemoryError
            If a node has too little memory for what is kept.
        """
        self._fit("fit", X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit the model, and return the rows along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.
        y : Ignored
            For compatibility.
        **fit_params : dict
            None: `fit` takes no others.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            As of `transform`.
        """
        for name in fit_params:
            msg = f"IncrementalPCA.fit got an unexpected keyword argument {name!r}"
            raise TypeError(msg)
        return super().fit_transform(X, y)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the components.

        Parameters
        ----------
        input_features : Ignored
            For compatibility.

        Returns
        -------
        names : ndarray of shape (n_components,)
            ``incrementalpca0`` and so on.

        Raises
        ------
        NotFittedError
            Before `fit`, or `finalize`.
        """
        self._check_is_fitted()
        return super().get_feature_names_out(input_features)

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
        self : IncrementalPCA
            The estimator.

        Raises
        ------
        ValueError
            As of `fit`; then the batch is not taken in.
        """
        return self._partial_fit(X, "no_validation", None, check_input)

    @property
    def _kind(self) -> str:  # type: ignore[override]
        return "leading_rows" if self._height(self.n_features_in_) else "moments"

    def _height(self, columns: int) -> int:
        """Return how many rows of a span are kept; 0 for all products of columns."""
        k = self.n_components
        if columns > MOST and k is not None and 4 * k + 2 * SPARE < columns:
            return 2 * int(k) + SPARE
        return columns if self.svd_solver == "full" or self.whiten else 0

    def _bytes(self, columns: int) -> int:
        return 24 * columns * (self._height(columns) or columns)

    def _look(
        self, state: NDArray[np.float64], rows: Rows, threads: int
    ) -> NDArray[np.float64]:
        p = rows.x.shape[1]
        self._check_count(p)
        height = self._height(p)
        if height == 0:
            return _core.absorb_moments(state, rows.x, True, threads)
        if height == p:
            return _core.absorb_leading_rows(state, rows.x, height, threads)
        for part in gen_batches(len(rows.x), 4 * height):
            state = _core.absorb_leading_rows(state, rows.x[part], height, threads)
        return state

    def _check_count(self, columns: int) -> None:
        """Raise in scikit-learn's words where there are too few columns."""
        if self.n_components is not None and self.n_components > columns:
            msg = (
                f"n_components={self.n_components!r} invalid for n_features={columns}, "
                "need more rows than columns for IncrementalPCA processing"
            )
            raise ValueError(msg)

    def _finish(self, call: Call, rows: Rows, state: NDArray[np.float64]) -> int:
        p, count = rows.x.shape[1], self.n_components
        call.alike(lambda: self._check_count(p))
        wanted = None if count is None else int(count)
        place = (call.together(), self._gpu)
        args = (state, p, self._height(p), wanted, place)
        found = call.run(_core.components, *args, rows=rows)
        (n, k), (total, noise) = map(int, found[:2]), found[2:4]
        if count is not None and k < count:
            which = (
                ", of all batches"
                if call.distributed
                else " for the first partial_fit call"
            )
            msg = (
                f"n_components={count} must be less or equal to the batch number of "
                f"samples {n}{which}."
            )
            call.refuse(ValueError(msg))
        mean, var, singular, components = np.split(
            found[4:], np.cumsum([p, p, k], dtype=int)
        )
        kind, dtype = self._like, rows.x.dtype
        with np.errstate(all="ignore"):  # of one row
            explained = singular * singular / np.float64(n - 1)
            shares = singular * singular / np.float64(total)
        self.mean_, self.var_ = kind(mean.astype(dtype)), kind(var.astype(dtype))
        self.components_ = kind(components.reshape(k, p).astype(dtype))
        self.singular_values_ = kind(singular.astype(dtype))
        self.explained_variance_ = kind(explained.astype(dtype))
        self.explained_variance_ratio_ = kind(shares.astype(dtype))
        self.noise_variance_ = dtype.type(noise)
        self.n_components_ = k
        return n
