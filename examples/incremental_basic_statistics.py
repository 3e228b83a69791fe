"""Statistics of a stream of pixels that stops half-way and goes on elsewhere.

python examples/incremental_basic_statistics.py
"""

import pickle

import numpy as np
from _data import colours

from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics

PARTS = 10

stream = IncrementalBasicStatistics(result_options=["min", "max", "mean", "variance"])
for part in range(PARTS):
    if part == PARTS // 2:
        travelling = pickle.dumps(stream)
        print(f"half-way, as a pickle: {len(travelling)} bytes")
        stream = pickle.loads(travelling)
    stream.partial_fit(colours(part, PARTS))
    mean = " ".join(f"{x:.4f}" for x in stream.mean_)
    print(f"{stream.n_samples_seen_:6} pixels, mean colour {mean}")

# Two streams, of the upper and the lower half, are one.
halves = [IncrementalBasicStatistics().partial_fit(colours(h, 2)) for h in (0, 1)]
merged = halves[0].merge(halves[1])

at_once = BasicStatistics().fit(colours())
for name, found in (("batches", stream), ("halves", merged)):
    apart = np.abs(found.variance_ / at_once.variance_ - 1).max()
    print(f"{name}: relative difference of variances from all at once {apart:.1e}")
