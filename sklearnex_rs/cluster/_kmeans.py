"""K-means."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearnex_rs import _core
from sklearnex_rs._array import double, empty, like, to_device_of
from sklearnex_rs._base import FLOATS, Estimator
from sklearnex_rs._call import TOO_LARGE, Call, Rows
from sklearnex_rs._callbacks import Attributes, FitTasks
from sklearnex_rs._compat import CallbackSupportMixin, with_callbacks
from sklearnex_rs._products import threads, wider
from sklearnex_rs.cluster._draws import Draws, widened
from sklearnex_rs.cluster._partition import Partition, same
from sklearnex_rs.cluster._starts import number_of_runs, starts


class KMeans(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    Estimator,
):
    """K-means clustering.

    Minimises ``sum_i w_i ||X_i - center[label_i]||**2`` by Lloyd's iterations. Rows and
    centers are put around the mean of all rows, so differences are exact far from the
    origin; where float32 cannot tell two centers apart, float64 does. No matrix of
    distances is stored.

    Draws are scikit-learn's own, in its order: for one ``random_state`` the same rows
    are drawn, and the same centers, labels and number of iterations come out, ties
    aside.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {'k-means++', 'k-means||', 'random'}, callable or array-like of shape \
            (n_clusters, n_features), default='k-means++'
        Where centers begin: greedy k-means++; k-means||, for many clusters, which
        reads the rows 7 times and not once for each center (scikit-learn has it
        not); rows drawn by weight; what
        ``init(X, n_clusters, random_state=...)`` returns; or these.
    n_init : 'auto' or int, default='auto'
        Runs, of which the one of least inertia is kept. 'auto': 10 for 'random' and
        callables, else 1.
    max_iter : int, default=300
        Iterations of a run at most.
    tol : float, default=1e-4
        A run is over when centers move by no more than ``tol`` times the mean
        variance of the features, squares summed.
    verbose : int, default=0
        Whether to print, as scikit-learn does.
    random_state : int, RandomState instance or None, default=None
        For draws.
    copy_x : bool, default=True
        For compatibility: X is never overwritten, and never copied as a whole but
        for a callable `init`.
    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Both are the same path to the same iterations: distances are compared in the
        processor's registers, and rows that a bound shows to keep their center are
        not read again (Hamerly's, four bytes a row; not where rows are shorter than
        128 bytes or have weights).
    n_jobs : int, default=None
        Number of threads, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centers; of float32 where X is. Of the library of X where that is a DLPack
        array.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each row, int32.
    inertia_ : float
        Sum of squared distances of rows to their centers, by weight.
    n_iter_ : int
        Iterations of the run that was kept.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.KMeans : The same, with rows distributed over ranks.
    sklearn.cluster.KMeans : Whose results these are.

    Notes
    -----
    Lloyd, "Least squares quantization in PCM" (1982); Arthur and Vassilvitskii,
    "k-means++: The Advantages of Careful Seeding" (2007); Bahmani, Moseley, Vattani,
    Kumar and Vassilvitskii, "Scalable K-Means++" (2012); Hamerly, "Making k-means even
    faster" (2010).

    A cluster that has no rows takes the row farthest from its center, as in
    scikit-learn. Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.cluster import KMeans
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> KMeans(n_clusters=2, random_state=0).fit(X).labels_.tolist()
    [1, 1, 1, 0, 0, 0]
    """

    _on_gpus = True
    _fit_dtype = _dtype = FLOATS

    _parameter_constraints: dict[str, list[Any]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [
            StrOptions({"k-means++", "k-means||", "random"}),
            callable,
            "array-like",
        ],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "n_jobs": [None, Integral],
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
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : Ignored
            For compatibility.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative. They have no part in `init` by array or callable.

        Returns
        -------
        self : KMeans
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, has NaN or infinity or fewer rows than clusters, shapes do
            not fit, or squared distances overflow float64 (where scikit-learn puts
            all rows into one cluster, of infinite inertia).
        """

        def check() -> Rows:
            self._check_params()
            return self._check_rows(call, X, "no_validation", sample_weight, reset=True)

        with Call(self, "fit") as call:
            rows = call.agree(check)
            self._know(rows)
            place, (mean, total) = self._look(call, rows)
            tolerance = mean * self.tol
            draws = Draws(call, widened(rows, mean, total), place, self.random_state)
            begin, told = starts(self, call, rows, draws), self._want_inertia(call)
            runs = number_of_runs(self, call)
            most = runs * (int(self.max_iter) + 1)
            tasks = FitTasks(self, call, (X, y, sample_weight), most)
            centers = partial(self._centers, like(X), rows.x.dtype, place)
            how = (place, tolerance, told, centers)
            best = None
            for _ in range(runs):
                found = self._run(tasks, rows, how, begin())
                if best is None or (
                    found.inertia < best.inertia and not same(call, found, best)
                ):
                    best = found
            assert best is not None
            if call.first:
                best.warn(stacklevel=3)
            self.__dict__.update(centers(best.centers), inertia_=best.inertia)
            self.labels_ = like(X)(best.labels)
            self.n_iter_ = len(best.history)
            tasks.end()
        return self

    def _centers(
        self, kind: Any, dtype: Any, place: Any, centers: Any
    ) -> dict[str, Any]:
        """Return the fitted attributes that follow from centers around a place."""
        centers = (centers.reshape(-1, len(place)) + place).astype(dtype)
        return {
            "cluster_centers_": kind(centers),
            "_n_features_out": self.n_clusters,
        }

    def _look(self, call: Call, rows: Rows) -> tuple[Any, tuple[float, float]]:
        """Return the means of columns, their mean variance and the sum of squares."""
        count, mean, squares = call.run(
            _core.variances, rows.x, call.threads(), rows=rows
        )
        if count < self.n_clusters:
            msg = f"n_samples={int(count)} should be >= n_clusters={self.n_clusters}."
            call.refuse(ValueError(msg))
        # Well below the end of float64: on the way to an inertia sums are larger.
        if not squares.max() < np.finfo(np.float64).max / 2**20 / len(squares):
            call.refuse(ValueError(TOO_LARGE))
        call.weigh(rows)
        return mean, (float(np.mean(squares / count)), float(squares.sum()))

    def _want_inertia(self, call: Call) -> bool:
        """Say whether the first rank reports inertia, so that all compute it."""
        mine = bytes([bool(self.verbose)])
        return any(call.send(_core.Comm.broadcast, mine) if call.distributed else mine)

    def _run(
        self,
        tasks: FitTasks,
        rows: Rows,
        how: tuple[Any, float, bool, Attributes],
        start: Any,
    ) -> Partition:
        place, tolerance, told, centers = how
        speak = told and tasks.call.first
        if speak:
            print("Initialization complete")
        found = Partition(
            *tasks.run(
                _core.kmeans,
                rows.x,
                rows.w,
                place,
                start,
                tolerance,
                int(self.max_iter),
                told,
                tasks.call.threads(),
                rows=rows,
                iteration="lloyd-iter",
                attributes=centers,
                start=start,
            )
        )
        if speak:
            found.tell(tolerance)
        return found

    def predict(self, X: Any) -> Any:
        """Return the nearest center of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Number of the center, int32, in the library of X.
        """
        check_is_fitted(self)
        return self._answer(
            X,
            lambda x: _core.nearest(
                x, double(x, self.cluster_centers_), threads(self.n_jobs)
            ),
        )

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Find clusters, and return the cluster of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            For compatibility.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            As ``labels_``.
        """
        return self.fit(X, y, sample_weight).labels_

    def transform(self, X: Any) -> Any:
        """Return the distances of rows to centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            Distances, not squared, in the library of X; exact far from the origin,
            where scikit-learn's have lost their digits.
        """
        check_is_fitted(self)
        return self._answer(X, self._distances)

    def _distances(self, X: Any) -> Any:
        centers = to_device_of(X, self.cluster_centers_)
        X = X.astype(wider(X, centers.dtype), copy=False)
        out = empty(X, len(centers), X.dtype)
        _core.distances(
            X, centers.astype(X.dtype, copy=False), out, threads(self.n_jobs)
        )
        return out

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Find clusters, and return the distances of rows to centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            For compatibility.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            As of `transform`.
        """
        return self.fit(X, y, sample_weight).transform(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:  # noqa: ARG002
        """Return the negative sum of squared distances of rows to their centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            For compatibility.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            The negative inertia; near zero is best.
        """
        centers = None

        def check() -> Rows:
            nonlocal centers
            check_is_fitted(self)
            rows = self._check_rows(
                call, X, "no_validation", sample_weight, reset=False
            )
            centers = double(rows.x, self.cluster_centers_)
            return rows

        with Call(self, "score") as call:
            rows = call.agree(check)
            args = (rows.x, rows.w, centers, call.threads())
            return -float(call.run(_core.inertia, *args, rows=rows))
