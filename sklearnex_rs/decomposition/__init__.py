"""Matrix decompositions."""

from sklearnex_rs.decomposition._incremental_pca import IncrementalPCA
from sklearnex_rs.decomposition._pca import PCA
from sklearnex_rs.decomposition._truncated_svd import TruncatedSVD

__all__ = ["PCA", "IncrementalPCA", "TruncatedSVD"]
