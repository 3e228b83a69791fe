"""Least squares of a photograph's pixels that never are in memory together.

python examples/incremental_linear_regression.py
"""

import pickle

import numpy as np
from _data import causal_pixels

from sklearnex_rs.linear_model import (
    IncrementalLinearRegression,
    IncrementalRidge,
    LinearRegression,
)

PARTS = 20

line, ridge = IncrementalLinearRegression(), IncrementalRidge(alpha=10.0)
for part in range(PARTS):
    batch = causal_pixels(part, PARTS)
    if part == PARTS // 2:  # the stream goes on elsewhere
        line = pickle.loads(pickle.dumps(line))
    line.partial_fit(batch.X, batch.y)
    ridge.partial_fit(batch.X, batch.y)
    if part % 5 == 4:
        r2 = line.score(batch.X, batch.y)
        print(f"{line.n_samples_seen_:6} rows, R2 on the last {len(batch.y)}: {r2:.6f}")

everything = causal_pixels()
at_once = LinearRegression().fit(everything.X, everything.y)
apart = np.abs(line.coef_ - at_once.coef_).max() / np.abs(at_once.coef_).max()
print(f"rank {line.rank_}, condition {line.singular_[0] / line.singular_[-1]:.1f}")
print(f"relative difference from all rows at once: {apart:.1e}")
shrunk = np.linalg.norm(ridge.coef_) / np.linalg.norm(line.coef_)
print(f"norm of the ridge's coefficients over the line's: {shrunk:.4f}")
