"""Classes by scores that are linear in the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, copied, is_on_gpu, like, to_device_of, to_gpu
from sklearnex_rs._base import Estimator, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._compat import check_sample_weight
from sklearnex_rs._products import linear


class LinearClassifier(ClassifierMixin, SparseCoefMixin, Estimator):
    """What follows from coefficients, intercepts and classes."""

    coef_: Any
    intercept_: Any
    classes_: Any
    n_features_in_: int
    n_jobs: int | None

    def _scores(self, X: Any) -> Any:
        """Return scores of checked rows, always in columns."""
        coef = to_device_of(X, dense(self.coef_))
        return linear(X, coef.T, self.intercept_, self.n_jobs)

    def _known(self, X: Any) -> Any:
        """Return scores of any rows, where these are looked at."""
        check_is_fitted(self)
        return self._found(X, self._scores)

    def decision_function(self, X: Any) -> Any:
        """Return the scores of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column for two classes: above 0 the second is predicted. In the
            library of X.
        """
        scores = self._known(X)
        return like(X)(scores.ravel() if scores.shape[1] == 1 else scores)

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels; where they are numbers, in the library of X.
        """
        scores = self._known(X)
        numbers = self.classes_.dtype.kind in "biuf"
        labels = best(scores, self.classes_, there=numbers and is_on_gpu(X))
        return like(X)(labels) if numbers else labels

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            By class, in the order of ``classes_``; in the library of X.
        """
        return like(X)(probabilities(self._known(X)))

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of probabilities, exact for small ones as well.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a share of an SPMD class may be empty.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
            By class, in the order of ``classes_``; in the library of X.
        """
        return like(X)(logarithms(self._known(X)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the part of labels that are predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            The accuracy, by weight.
        """
        sums = np.zeros(2)

        def check() -> Rows:
            check_is_fitted(self)
            if call.distributed and is_empty(X):
                return self._empty_share(as_host(X), y, sample_weight)
            guess, truth, weights = map(copied, (self.predict(X), y, sample_weight))
            none = np.empty((len(guess), self.n_features_in_))
            if weights is not None:
                weights = check_sample_weight(weights, none)
            sums[1] = len(guess) if weights is None else weights.sum()
            if sums[1]:
                options = {"normalize": False, "sample_weight": weights}
                sums[0] = accuracy_score(truth, guess, **options)
            return Rows.of(none, None, weights)

        with Call(self, "score") as call:
            rows = call.agree(check)
            call.weigh(rows)
            hits, total = call.run(_core.Comm.sum, sums, rows=rows)
        return float(hits / total) if total > 0 else float("nan")


def dense(coef: Any) -> Any:
    """Return coefficients that ``sparsify`` may have thinned out."""
    return coef.toarray() if issparse(coef) else coef


def best(scores: Any, classes: Any, *, there: bool) -> Any:
    """Return the class of the highest score; of one column, the second above zero.

    Of scores on a GPU the classes, or if not ``there`` their numbers, leave it.
    """
    if isinstance(scores, _core.GpuArray):
        if there:
            return _core.best_on_gpu(scores, to_gpu(classes, scores.ordinal))
        return classes.take(_core.best_on_gpu(scores).host())
    binary = scores.shape[1] == 1
    return classes.take(
        np.intp(scores.ravel() > 0) if binary else scores.argmax(axis=1)
    )


def probabilities(scores: Any) -> Any:
    """Return the softmax; of one column, that of the second of two classes."""
    if isinstance(scores, _core.GpuArray):
        return _core.probabilities_on_gpu(scores, logarithms=False)
    if scores.shape[1] == 1:
        return np.hstack([expit(-scores), expit(scores)])
    return softmax(scores, axis=1) if len(scores) else scores


def logarithms(scores: Any) -> Any:
    """Return the logarithms of the same."""
    if isinstance(scores, _core.GpuArray):
        return _core.probabilities_on_gpu(scores, logarithms=True)
    if scores.shape[1] == 1:
        return np.hstack([log_expit(-scores), log_expit(scores)])
    return log_softmax(scores, axis=1) if len(scores) else scores
