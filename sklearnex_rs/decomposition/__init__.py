"""Matrix decompositions."""

from sklearnex_rs.decomposition._incremental_pca import IncrementalPCA
from sklearnex_rs.decomposition._pca import PCA

__all__ = ["PCA", "IncrementalPCA"]
