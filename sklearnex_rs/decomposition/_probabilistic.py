"""The Gaussian model of rows around a few directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, copied, here, like, room
from sklearnex_rs._base import Estimator, is_empty
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._products import back, distances, threads, wider
from sklearnex_rs.decomposition._components import Components


class Probabilistic(Estimator):
    """Rows are Gaussian, with one variance in all directions but the components.

    Tipping and Bishop, "Probabilistic Principal Component Analysis" (1999).
    """

    components_: Any
    explained_variance_: Any
    mean_: Any
    noise_variance_: Any
    whiten: bool

    def get_covariance(self) -> Any:
        """Return the covariance of the probabilistic model.

        Returns
        -------
        cov : ndarray of shape (n_features, n_features)
            ``components_.T @ diag(v) @ components_ + noise_variance_ * I``, ``v``
            being what the variances exceed the noise.
        """
        check_is_fitted(self)
        components, excess, noise = self._model()
        cov = (components.T * excess) @ components
        cov.flat[:: len(cov) + 1] += noise
        return self._in_kind(cov)

    def get_precision(self) -> Any:
        """Return the inverse of the covariance of the probabilistic model.

        Returns
        -------
        precision : ndarray of shape (n_features, n_features)
            By the matrix inversion lemma, for components that are orthonormal.

        Raises
        ------
        LinAlgError
            If the covariance is singular.
        """
        check_is_fitted(self)
        return self._in_kind(self._precision())

    def _precision(self) -> Any:
        components, excess, noise = self._model()
        if noise > 0:
            shrunk = excess / (excess + noise) / noise
            precision = (components.T * -shrunk) @ components
            precision.flat[:: len(precision) + 1] += 1 / noise
            return precision
        if len(excess) == components.shape[1] and excess.min(initial=np.inf) > 0:
            return (components.T / excess) @ components
        return np.linalg.inv((components.T * excess) @ components)

    def _model(self) -> tuple[Any, Any, float]:
        """Return components, what their variances exceed the noise, and the noise."""
        double = (copied(self.components_), copied(self.explained_variance_))
        components, variance = (np.asarray(part, np.float64) for part in double)
        noise = float(self.noise_variance_)
        excess = np.maximum(variance - noise, 0.0)
        return components, excess * variance if self.whiten else excess, noise

    def _in_kind(self, matrix: Any) -> Any:
        dtype = np.asarray(copied(self.components_)).dtype
        return like(self.components_)(matrix.astype(dtype))

    def score_samples(self, X: Any) -> Any:
        """Return the log-likelihood of each row under the probabilistic model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ll : ndarray of shape (n_samples,)
            Log-likelihoods, in the library of X.
        """
        check_is_fitted(self)
        dtype = np.asarray(copied(self.components_)).dtype

        def likelihoods(rows: Any) -> Any:
            found = self._likelihoods(rows)
            return found.astype(np.result_type(rows.dtype, dtype))

        return self._answer(X, likelihoods)

    def _likelihoods(self, X: Any) -> Any:
        precision = self._precision()
        sign, volume = np.linalg.slogdet(precision)
        volume = volume if sign > 0 else -np.inf
        mean = np.asarray(copied(self.mean_), np.float64)
        start = volume - len(mean) * np.log(2 * np.pi)
        return 0.5 * (start - distances(X, mean, precision))

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of the rows under the probabilistic model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : Ignored
            For compatibility.

        Returns
        -------
        ll : float
            The mean over the rows.
        """

        def check() -> Rows:
            check_is_fitted(self)
            if call.spread and is_empty(X):
                return self._empty_share(as_host(X), "no_validation", None)
            return Rows.of(self._likelihoods(self._check_more(X)).reshape(-1, 1))

        with Call(self, "score") as call:
            rows = call.agree(check)
            sums = np.array([rows.x.sum(dtype=np.float64), float(len(rows.x))])
            total, count = call.send(_core.Comm.sum, sums)
        return float(total / count)


class Projection(Components, Probabilistic):
    """Centered rows along the components."""

    def transform(self, X: Any) -> Any:
        """Return rows along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Centered rows along each component, in the library of X; divided by the
            deviation if ``whiten=True``.
        """
        check_is_fitted(self)
        return self._answer(X, self._project)

    def _project(self, X: Any) -> Any:
        components = self.components_
        if self.whiten:
            scale = np.sqrt(np.asarray(copied(self.explained_variance_)))
            scale = scale.clip(np.finfo(scale.dtype).eps)[:, None]
            components = np.asarray(copied(components)) / scale
        components, mean = here(X, components), here(X, self.mean_)
        dtype = wider(X, components.dtype)
        X = X.astype(dtype, copy=False)
        mean = mean.astype(np.float64, copy=False).reshape(-1, 1)
        columns, out = (
            components.T.astype(dtype, copy=False),
            room(X, len(components), dtype),
        )
        _core.project(X, mean, columns, out, threads())
        return out

    def inverse_transform(self, X: Any) -> Any:
        """Return the rows that have these places along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows, in the library of X: the nearest to those that were transformed.
        """
        check_is_fitted(self)
        components = self.components_
        if self.whiten:
            variance = np.asarray(copied(self.explained_variance_))
            components = np.sqrt(variance)[:, None] * np.asarray(copied(components))
        return back(X, components, self.mean_, 0 if self._shares else 1)
