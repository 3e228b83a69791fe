"""Clusters."""

from sklearnex_rs.cluster._kmeans import KMeans

__all__ = ["KMeans"]
