"""Components of a photograph's patches that never are in memory together.

python examples/incremental_pca.py
"""

import numpy as np
from _data import colour_patches
from sklearn.decomposition import IncrementalPCA as Approximate

from sklearnex_rs.decomposition import PCA, IncrementalPCA

PARTS = 20
K = 8

stream, approximate = IncrementalPCA(K), Approximate(K)
for part in range(PARTS):
    batch = colour_patches(part, PARTS)
    stream.partial_fit(batch)
    approximate.partial_fit(batch)
    if part % 5 == 4:
        share = stream.explained_variance_ratio_.sum()
        print(f"{stream.n_samples_seen_} rows: {K} components explain {share:.6f}")

at_once = PCA(K, svd_solver="full").fit(colour_patches())


def apart(model) -> float:
    """Return the largest difference of a component from those of all rows at once."""
    return np.abs(model.components_ - at_once.components_).max()


print(f"rows: {stream.n_samples_seen_}, {stream.n_features_in_} columns")
print(f"difference of a component from all rows at once: {apart(stream):.1e}")
print(f"scikit-learn's, which drops parts of batches: {apart(approximate):.1e}")
