"""Truncated singular value decomposition."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import like, to_device_of
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._products import back, linear
from sklearnex_rs.decomposition._components import Components
from sklearnex_rs.decomposition._solvers import memory, way_out


class TruncatedSVD(Components):
    """Dimensionality reduction using truncated SVD (aka LSA).

    Exact, by either algorithm, with scikit-learn's signs: those that scikit-learn
    finds with ``algorithm='arpack'``.

    Parameters
    ----------
    n_components : int, default=2
        How many to find: at most ``n_features``; with 'arpack', below the smaller of
        ``n_samples`` and ``n_features``. With fewer samples, as many as those.
    algorithm : {'randomized', 'arpack'}, default='randomized'
        For compatibility: both are the same path to the exact answer, by the products
        of columns; or by the R factor of a QR decomposition, where the largest
        singular value exceeds the last that is wanted 100 times. Where that has no
        room in the memory of a node, by block Lanczos, which reads the rows again and
        again, until residuals are 1e-13 of the largest square.
    n_iter : int, default=5
        For compatibility: the answer is exact to rounding.
    n_oversamples : int, default=10
        For compatibility, as `n_iter`.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        For compatibility, as `n_iter`.
    random_state : int, RandomState instance or None, default=None
        For compatibility: nothing is drawn.
    tol : float, default=0.0
        For compatibility, as `n_iter`.
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Right singular vectors, each with its largest entry positive; of float32 where
        X is. Of the library of X where that is a DLPack array.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of the rows along each, over ``n_samples``. Exact also far from the
        origin, where scikit-learn's subtracts large numbers.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Its share of the variance of all features.
    singular_values_ : ndarray of shape (n_components,)
        Singular values of X, decreasing.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.TruncatedSVD : The same, with rows distributed over ranks.
    sklearnex_rs.linalg.svd : All singular values, with left vectors.
    PCA : The same of rows less their mean.

    Notes
    -----
    Halko, Martinsson and Tropp, "Finding Structure with Randomness" (2011), for what
    is approximated elsewhere; Demmel, Grigori, Hoemmen and Langou,
    "Communication-optimal Parallel and Sequential QR and LU Factorizations" (2012),
    for the R factor; Wu and Simon, "Thick-Restart Lanczos Method" (2000), for the
    range finder.

    Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.decomposition import TruncatedSVD
    >>> X = np.array([[3.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> TruncatedSVD(n_components=2).fit(X).singular_values_.round(6).tolist()
    [5.0, 2.0]
    """

    _on_gpus = True
    _decomposes = True

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "algorithm": [StrOptions({"arpack", "randomized"})],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.n_components = n_components
        self.algorithm = algorithm
        self.n_iter = n_iter
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state
        self.tol = tol
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : Ignored
            For compatibility.

        Returns
        -------
        self : TruncatedSVD
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, has one feature, NaN or infinity, or `n_components` does
            not fit.
        MemoryError
            If a node has too little memory for the products, ``n_features**2`` numbers,
            nor for the blocks of a range finder. Found before anything is allocated.
        """
        self._fit("fit", X)
        return self

    def _fit(self, method: str, X: Any) -> Rows:
        def check() -> Rows:
            self._check_params()
            return self._check_rows(
                call, X, "no_validation", None, reset=True, ensure_min_features=2
            )

        with Call(self, method) as call:
            rows = call.agree(check)
            self._know(rows)
            shape = (call.total(rows), rows.x.shape[1])
            count = call.alike(lambda: self._wanted(shape))
            short, ranged = call.shortage(*memory("leading", shape)), False
            if short is not None:
                what = ("TruncatedSVD", f"algorithm={self.algorithm!r}")
                call.alike(lambda: way_out(what, shape, count, short))
                ranged = True
            args = (rows.x, shape[0], count, ranged)
            threads = (call.threads(), call.together())
            found = call.run(_core.truncated_svd, *args, *threads, rows=rows)
        kind, dtype = like(X), rows.x.dtype
        components, singular, variances, shares = found
        self.components_ = kind(components.astype(dtype))
        self.singular_values_ = kind(singular.astype(dtype))
        self.explained_variance_ = kind(variances.astype(dtype))
        self.explained_variance_ratio_ = kind(shares.astype(dtype))
        return rows

    def _wanted(self, shape: tuple[int, int]) -> int:
        """Return how many to find, or raise in scikit-learn's or SciPy's words."""
        count, (n, p) = int(self.n_components), shape
        if self.algorithm == "arpack" and count >= min(n, p):
            msg = (
                "`k` must be an integer satisfying `0 < k < min(A.shape)`: here "
                f"n_components={count}, n_samples={n}, n_features={p}"
            )
            raise ValueError(msg)
        if count > p:
            msg = f"n_components({count}) must be <= n_features({p})."
            raise ValueError(msg)
        return min(count, n)

    def transform(self, X: Any) -> Any:
        """Return rows along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            ``X @ components_.T``, in the library of X.
        """
        self._check_is_fitted()
        return self._answer(X, self._project)

    def _project(self, X: Any) -> Any:
        return linear(X, to_device_of(X, self.components_).T, 0.0, self.n_jobs)

    def inverse_transform(self, X: Any) -> Any:
        """Return the rows that have these places along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            ``X @ components_``, in the library of X.
        """
        self._check_is_fitted()
        least = 0 if self._shares else 1
        return back(X, lambda x: to_device_of(x, self.components_), 0.0, least)
