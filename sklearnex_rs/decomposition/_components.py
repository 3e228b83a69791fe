"""Rows along a few directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sklearnex_rs._array import like
from sklearnex_rs._base import Estimator
from sklearnex_rs._call import Rows


class Components(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """What follows from how a class fits and projects."""

    components_: Any
    #: Fits for a method, with X, and returns this rank's rows.
    _fit: Callable[..., Rows]

    def _project(self, X: Any) -> Any:
        """Return checked rows along the components."""
        raise NotImplementedError

    def fit_transform(self, X: Any, y: Any = None) -> Any:  # noqa: ARG002
        """Fit the model, and return the rows along the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as of `fit`.
        y : Ignored
            For compatibility.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            As of `transform`.
        """
        rows = self._fit("fit_transform", X)
        return like(X)(self._project(rows.x))

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
