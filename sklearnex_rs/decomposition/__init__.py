"""Matrix decompositions."""

from sklearnex_rs.decomposition._pca import PCA
from sklearnex_rs.decomposition._truncated_svd import TruncatedSVD

__all__ = ["PCA", "TruncatedSVD"]
