"""Principal components."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import like
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs.decomposition._probabilistic import Projection
from sklearnex_rs.decomposition._solvers import check_truncated, choice, memory, way_out


class PCA(Projection):
    """Principal component analysis (PCA).

    The directions in which the rows vary most: the leading right singular vectors of
    the centered X, with scikit-learn's signs. Every solver is exact; they differ in
    what is kept of the rows, and so in cost.

    Parameters
    ----------
    n_components : int, float or 'mle', default=None
        How many components to keep. A float between 0 and 1: as few as explain more
        than that share of the variance. 'mle': Minka's estimate. None:
        ``min(n_samples, n_features)``, one less if ``svd_solver='arpack'``. A float
        and 'mle' need the solvers 'full' or 'covariance_eigh'.
    copy : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole.
    whiten : bool, default=False
        Whether `transform` divides by the deviation along each component.
    svd_solver : {'auto', 'full', 'covariance_eigh', 'arpack', 'randomized'}, \
            default='auto'
        What is kept of the rows.

        "auto" :
            scikit-learn's choice by the shape: 'covariance_eigh' if there are at most
            1000 features and ten times as many samples; 'full' if neither exceeds
            500, or for 'mle'; 'randomized' if `n_components` is below 80 % of the
            smaller; else 'full'.
        "full" :
            The R factor of a QR decomposition of the centered rows, then its singular
            values, to 1e-12 of the largest.
        "covariance_eigh" :
            The covariance, around the mean from the start. So it is more exact than
            scikit-learn's far from the origin, where that subtracts large numbers.
            Where the largest singular value exceeds the last that is kept, or the
            root of the noise, 10,000 times, the R factor as well: squares of singular
            values have errors of 1e-16 of the largest.
        "arpack", "randomized" :
            The exact leading components: nothing is random or approximate, so
            ``tol``, ``iterated_power``, ``n_oversamples``,
            ``power_iteration_normalizer`` and ``random_state`` do not change them.
            As by "covariance_eigh".

        With fewer samples than features, all take the R factor of ``n_samples`` rows.
        Where that, or the covariance, exceeds the memory of a node, a few
        components (an int) are found by block Lanczos instead, which reads the rows
        again and again, until residuals are 1e-13 of the largest.
    tol : float, default=0.0
        For compatibility: the answer is exact to rounding.
    iterated_power : int or 'auto', default='auto'
        For compatibility, as `tol`.
    n_oversamples : int, default=10
        For compatibility, as `tol`.
    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        For compatibility, as `tol`.
    random_state : int, RandomState instance or None, default=None
        For compatibility: nothing is drawn.
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Directions of length one, by decreasing variance, each with its largest entry
        positive; of float32 where X is. Of the library of X where that is a DLPack
        array.
    explained_variance_ : ndarray of shape (n_components,)
        Variance along each, with ``n_samples - 1`` degrees of freedom.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Its share of the variance of all features.
    singular_values_ : ndarray of shape (n_components,)
        Singular values of the centered X, decreasing.
    mean_ : ndarray of shape (n_features,)
        Means of the features.
    n_components_ : int
        Number of components that are kept.
    n_samples_ : int
        Number of rows.
    noise_variance_ : float
        Mean of the ``min(n_samples, n_features) - n_components_`` variances that are
        not kept; 0.0 if there are none.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.PCA : The same, with rows distributed over ranks.
    sklearn.decomposition.PCA : Whose results these are (``svd_solver='full'``, on X
        less its mean), to 1e-9 relative in float64, to 1e-4 in float32.

    Notes
    -----
    Tipping and Bishop, "Probabilistic Principal Component Analysis" (1999), for the
    noise and the likelihoods; Minka, "Automatic Choice of Dimensionality for PCA"
    (2000); Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance"
    (1983), for the covariance; Wu and Simon, "Thick-Restart Lanczos Method" (2000),
    for the range finder; Demmel, Grigori, Hoemmen and Langou,
    "Communication-optimal Parallel and Sequential QR and LU Factorizations" (2012),
    for the R factor.

    Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.decomposition import PCA
    >>> X = np.array([[-1, -1], [-2, -1], [-3, -2], [1, 1], [2, 1], [3, 2]])
    >>> model = PCA(n_components=2).fit(X)
    >>> model.explained_variance_ratio_.round(6).tolist()
    [0.992443, 0.007557]
    """

    _on_gpus = True
    _fit_dtype = _dtype = FLOATS
    _decomposes = True

    _parameter_constraints: dict[str, list[Any]] = {
        "n_components": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            StrOptions({"mle"}),
            None,
        ],
        "copy": ["boolean"],
        "whiten": ["boolean"],
        "svd_solver": [
            StrOptions({"auto", "full", "covariance_eigh", "arpack", "randomized"})
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "iterated_power": [
            StrOptions({"auto"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.n_components = n_components
        self.copy = copy
        self.whiten = whiten
        self.svd_solver = svd_solver
        self.tol = tol
        self.iterated_power = iterated_power
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state
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
        self : PCA
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, has NaN or infinity, or `n_components` does not fit.
        MemoryError
            If a node has too little memory for the covariance or the R factor,
            ``n_features**2`` numbers, nor for the blocks of a range finder. Found
            before anything is allocated.
        """
        self._fit("fit", X)
        return self

    def _fit(self, method: str, X: Any) -> Rows:
        def check() -> Rows:
            self._check_params()
            return self._check_rows(call, X, "no_validation", None, reset=True)

        with Call(self, method) as call:
            rows = call.agree(check)
            self._know(rows)
            samples = call.total(rows)
            shape = (samples, rows.x.shape[1])
            solver, wanted = call.alike(lambda: self._wanted(shape))
            short = call.shortage(*memory(solver, shape))
            if short is not None:
                what = ("PCA", f"svd_solver={solver!r}")
                solver = call.alike(lambda: way_out(what, shape, wanted[0], short))
            threads = (call.threads(), call.together())
            found = call.run(
                _core.pca, rows.x, samples, solver, *wanted, *threads, rows=rows
            )
        kind, dtype = like(X), rows.x.dtype
        mean, components, *values, noise = found
        self.mean_ = kind(mean.astype(dtype))
        self.components_ = kind(components.astype(dtype))
        singular, variances, shares = (kind(v.astype(dtype)) for v in values)
        self.singular_values_ = singular
        self.explained_variance_ = variances
        self.explained_variance_ratio_ = shares
        self.noise_variance_ = dtype.type(noise)
        self.n_components_: Any = len(components)
        if not isinstance(self.n_components, Integral | None):
            self.n_components_ = np.int64(self.n_components_)  # as scikit-learn has it
        self.n_samples_ = samples
        return rows

    def _wanted(
        self, shape: tuple[int, int]
    ) -> tuple[str, tuple[int | None, float | None]]:
        """Return the solver, and how many components or which share of variance."""
        smaller, solver = min(shape), self.svd_solver
        count: Any = self.n_components
        if count is None:
            count = smaller - (solver == "arpack")
        if solver == "auto":
            solver = choice(shape, count)
        if solver in ("arpack", "randomized"):
            check_truncated(count, smaller, solver)
        elif count == "mle":
            if shape[0] < shape[1]:
                msg = "n_components='mle' is only supported if n_samples >= n_features"
                raise ValueError(msg)
        elif not 0 <= count <= smaller:
            msg = (
                f"n_components={count} must be between 0 and "
                f"min(n_samples, n_features)={smaller} with svd_solver={solver!r}"
            )
            raise ValueError(msg)
        if count == "mle":
            return solver, (None, None)
        if 0 < count < 1:
            return solver, (None, float(count))
        return solver, (int(count), None)
