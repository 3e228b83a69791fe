"""Statistics of columns."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._incremental import IncrementalMixin, OnePass

__all__ = ["BasicStatistics", "IncrementalBasicStatistics"]

OPTIONS = (
    "min",
    "max",
    "sum",
    "mean",
    "variance",
    "variation",
    "sum_squares",
    "sum_squares_centered",
    "standard_deviation",
    "second_order_raw_moment",
)


class BasicStatistics(OnePass):
    """Compute basic statistics of each feature: mean, variance, extremes and sums.

    Sums are around the means from the start, so they are exact far from the origin.

    Parameters
    ----------
    result_options : str or list of str, default='all'
        Which statistics become attributes: 'min', 'max', 'sum', 'mean', 'variance',
        'variation', 'sum_squares', 'sum_squares_centered', 'standard_deviation',
        'second_order_raw_moment', several of them, or 'all'.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.

    Attributes
    ----------
    min_, max_ : ndarray of shape (n_features,)
        Least and largest number, of rows whose weight is not zero.
    sum_ : ndarray of shape (n_features,)
        ``sum_i w_i x_i``; weights are 1 unless they are given.
    mean_ : ndarray of shape (n_features,)
        ``sum_ / W``, where ``W`` is the sum of the weights, or the number of rows.
    sum_squares_ : ndarray of shape (n_features,)
        ``sum_i w_i x_i**2``.
    sum_squares_centered_ : ndarray of shape (n_features,)
        ``sum_i w_i (x_i - mean_)**2``.
    variance_ : ndarray of shape (n_features,)
        ``sum_squares_centered_ / (W - 1)``; NaN where ``W`` is at most 1.
    standard_deviation_ : ndarray of shape (n_features,)
        Root of the variance.
    variation_ : ndarray of shape (n_features,)
        ``standard_deviation_ / mean_``.
    second_order_raw_moment_ : ndarray of shape (n_features,)
        ``sum_squares_ / W``.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X has names that are all strings.

    See Also
    --------
    IncrementalBasicStatistics : The same, batch by batch.
    sklearnex_rs.spmd.BasicStatistics : The same, with rows distributed over ranks.

    Notes
    -----
    A weight of two is two equal rows, a weight of zero is none, as everywhere in
    scikit-learn. scikit-learn-intelex's class of this name returns the statistics of
    the products ``w_i x_i`` instead: for those, fit ``X * sample_weight[:, None]``.

    The attributes are float32 where X is, and of the library of X. Chan, Golub and
    LeVeque, "Algorithms for Computing the Sample Variance" (1983). Sparse X is
    refused: use ``.toarray()``; so is X of one dimension: use ``.reshape(-1, 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.basic_statistics import BasicStatistics
    >>> model = BasicStatistics(result_options=["sum", "variance"])
    >>> model = model.fit(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> model.sum_.tolist(), model.variance_.tolist()
    ([4.0, 6.0], [2.0, 2.0])
    """

    _kind = "columns"
    _on_gpus = True

    _parameter_constraints: dict[str, list[Any]] = {
        "result_options": [StrOptions({"all", *OPTIONS}), list, tuple],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self, result_options: str | list[str] = "all", *, n_jobs: int | None = None
    ) -> None:
        self.result_options = result_options
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Compute the statistics.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : Ignored
            For compatibility.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is empty, has NaN or infinity, its squares overflow, or no row has
            weight.
        """
        self._fit("fit", X, sample_weight=sample_weight)
        return self

    def _check_params(self) -> None:
        super()._check_params()
        self._wanted()

    def _wanted(self) -> tuple[str, ...]:
        given = self.result_options
        options = (given,) if isinstance(given, str) else tuple(given)
        for option in options:
            if option not in ("all", *OPTIONS):
                msg = (
                    f"result_options has {option!r}, which is none of 'all', "
                    f"{', '.join(map(repr, OPTIONS))}"
                )
                raise ValueError(msg)
        return OPTIONS if "all" in options else options

    def _look(
        self, state: NDArray[np.float64], rows: Rows, threads: int
    ) -> NDArray[np.float64]:
        return _core.absorb_columns(state, rows.x, rows.w, threads)

    def _finish(self, call: Call, rows: Rows, state: NDArray[np.float64]) -> int:
        p = rows.x.shape[1]
        found = call.run(_core.basic_statistics, state, p, rows=rows)
        for option in OPTIONS:
            self.__dict__.pop(f"{option}_", None)
        values = _statistics(found[1], found[2:].reshape(4, p))
        for option in self._wanted():
            value = values[option].astype(rows.x.dtype)
            setattr(self, f"{option}_", self._like(value))
        return int(found[0])


def _statistics(weight: float, columns: NDArray[np.float64]) -> dict[str, Any]:
    mean, squares, least, largest = columns
    total = squares + weight * mean * mean
    with np.errstate(all="ignore"):  # 0 / 0 is NaN, and 1 / 0 infinite
        spare = np.float64(weight - 1)
        variance = squares / spare if spare > 0 else np.full_like(squares, np.nan)
        deviation = np.sqrt(variance)
        return {
            "min": least,
            "max": largest,
            "sum": weight * mean,
            "mean": mean,
            "variance": variance,
            "variation": deviation / mean,
            "sum_squares": total,
            "sum_squares_centered": squares,
            "standard_deviation": deviation,
            "second_order_raw_moment": total / weight,
        }


class IncrementalBasicStatistics(IncrementalMixin, BasicStatistics):
    """Compute basic statistics of each feature incrementally, batch by batch.

    The same as :class:`BasicStatistics` finds of all rows at once, to rounding: what
    is kept between batches is ``5 * n_features`` numbers.

    Parameters
    ----------
    result_options : str or list of str, default='all'
        As of :class:`BasicStatistics`.
    batch_size : int, default=None
        How many rows `fit` looks at before the next ones; the statistics do not depend
        on it. None: ``5 * n_features``.
    n_jobs : int, default=None
        As of :class:`BasicStatistics`.

    Attributes
    ----------
    min_, max_, sum_, mean_, variance_, variation_, sum_squares_, \
sum_squares_centered_, standard_deviation_, second_order_raw_moment_, \
n_features_in_, feature_names_in_
        As of :class:`BasicStatistics`, of all batches so far.
    n_samples_seen_ : int
        Number of rows so far.
    batch_size_ : int
        The batch size that `fit` took.

    See Also
    --------
    BasicStatistics : The same of all rows at once.
    sklearnex_rs.spmd.IncrementalBasicStatistics : The same where each rank has batches
        of its own.

    Notes
    -----
    As of :class:`BasicStatistics`. A pickle keeps what was seen, so a stream can go on
    elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.basic_statistics import IncrementalBasicStatistics
    >>> model = IncrementalBasicStatistics(result_options="mean")
    >>> for batch in np.arange(8.0).reshape(2, 2, 2):
    ...     model = model.partial_fit(batch)
    >>> model.mean_.tolist(), model.n_samples_seen_
    ([3.0, 4.0], 4)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BasicStatistics._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        result_options: str | list[str] = "all",
        batch_size: int | None = None,
        *,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(result_options, n_jobs=n_jobs)
        self.batch_size = batch_size

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        check_input: bool = True,
    ) -> Self:
        """Take in a batch of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.
        y : Ignored
            For compatibility: labels, which are whole numbers or strings, are ignored
            with a warning. Weights, which scikit-learn-intelex has in this place, are
            passed by name, ``sample_weight=``: other numbers are refused here, so that
            no weights are lost.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative.
        check_input : bool, default=True
            Whether X and weights are checked. If not, they must be arrays of float32
            or float64.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        TypeError
            If `y` may be weights.
        ValueError
            As of `fit`; then the batch is not taken in.
        """
        if y is not None:
            _refuse_weights(type(self).__name__, y)
        return self._partial_fit(X, "no_validation", sample_weight, check_input)


def _refuse_weights(name: str, y: Any) -> None:
    """Raise where weights may stand in the place of `y`; warn of other values."""
    kind = np.asarray(y).dtype.kind if isinstance(y, (list, tuple)) else None
    kind = kind or getattr(getattr(y, "dtype", None), "kind", "f")
    if kind == "f":
        msg = f"{name}.partial_fit takes no y: pass weights as sample_weight="
        raise TypeError(msg)
    msg = f"{name}.partial_fit ignores y; pass weights as sample_weight="
    warnings.warn(msg, UserWarning, stacklevel=3)
