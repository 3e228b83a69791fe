"""Covariance of patches that come in batches, and how likely the next batch is.

python examples/incremental_covariance.py
"""

import numpy as np
from _data import colour_patches
from sklearn.covariance import EmpiricalCovariance as AtOnce

from sklearnex_rs.covariance import IncrementalEmpiricalCovariance

PARTS = 8

stream = IncrementalEmpiricalCovariance()
for part in range(PARTS):
    batch = colour_patches(part, PARTS)
    if part:  # of patches that it has not seen
        seen, likelihood = stream.n_samples_seen_, stream.score(batch)
        print(f"after {seen:6} rows: log-likelihood of the next {likelihood:.1f}")
    stream.partial_fit(batch)

at_once = AtOnce().fit(colour_patches())
size = np.abs(at_once.covariance_).max()
apart = np.abs(stream.covariance_ - at_once.covariance_).max() / size
print(f"rows: {stream.n_samples_seen_}, {stream.n_features_in_} columns")
print(f"relative difference from scikit-learn, all rows at once: {apart:.1e}")
