"""The Gaussian model of rows around a few directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearnex_rs import _core
from sklearnex_rs._array import copied, dtype_of, empty, like, to_device_of
from sklearnex_rs._gaussian import Gaussian, quadratic_form
from sklearnex_rs._products import back, scaled, threads, wider
from sklearnex_rs.decomposition._components import Components


class Probabilistic(Gaussian):
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
        self._check_is_fitted()
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
        self._check_is_fitted()
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
        dtype = dtype_of(self.components_)
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
        self._check_is_fitted()

        def likelihoods(rows: Any) -> Any:
            precision, volume = self._volume()
            found = quadratic_form(rows, self.mean_, precision, (volume / 2, -0.5))
            return found.astype(wider(rows, dtype_of(self.components_)))

        return self._answer(X, likelihoods)

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
        return self._likelihood(X, "mean_")


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
        self._check_is_fitted()
        return self._answer(X, self._project)

    def _directions(self, X: Any, *, down: bool) -> Any:
        """Return the components where rows are, as `whiten` has them."""
        components = to_device_of(X, self.components_)
        if not self.whiten:
            return components
        return scaled(components, to_device_of(X, self.explained_variance_), down=down)

    def _project(self, X: Any) -> Any:
        components, mean = self._directions(X, down=True), to_device_of(X, self.mean_)
        dtype = wider(X, components.dtype)
        X = X.astype(dtype, copy=False)
        mean = mean.astype(np.float64, copy=False).reshape(-1, 1)
        columns, out = (
            components.T.astype(dtype, copy=False),
            empty(X, len(components), dtype),
        )
        _core.project(X, mean, columns, out, threads(self.n_jobs))
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
        self._check_is_fitted()
        least = 0 if self._shares else 1
        return back(X, lambda x: self._directions(x, down=False), self.mean_, least)
