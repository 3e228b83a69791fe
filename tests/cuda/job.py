"""Ranks with GPUs, two of them on one: as ci/test_kernels.sh starts them."""

import runpy
from pathlib import Path

import numpy as np
from mpi4py import MPI

from sklearnex_rs.spmd import KMeans, LinearRegression, local_device

Array = runpy.run_path(str(Path(__file__).parent / "gpus.py"))["Array"]
rank, size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
rng = np.random.default_rng(5)
X = rng.standard_normal((900, 6)) + 1e6
y = X @ np.arange(6.0) + rng.standard_normal(900)
ends = [0, *np.linspace(40, 900, size).astype(int)]
mine = slice(ends[rank], ends[rank + 1])
assert local_device() == rank % 2
share = [Array(part[mine].copy(), local_device()) for part in (X, y)]
model = LinearRegression().fit(*share)
centered, shifted = X - X.mean(axis=0), y - y.mean()
wanted = np.linalg.lstsq(centered, shifted, rcond=None)[0]
np.testing.assert_allclose(model.coef_.array, wanted, rtol=1e-8)
assert model.coef_.ordinal == rank % 2
everyone = MPI.COMM_WORLD.allgather(model.coef_.array.tobytes())
assert len(set(everyone)) == 1
for k in (4, 20, 70):  # by tensor cores as well
    found = KMeans(n_clusters=k, random_state=0).fit(share[0])
    everyone = MPI.COMM_WORLD.allgather(found.cluster_centers_.array.tobytes())
    assert len(set(everyone)) == 1
    again = KMeans(n_clusters=k, random_state=0).fit(X[mine])
    centers = again.cluster_centers_
    np.testing.assert_allclose(found.cluster_centers_.array, centers, rtol=1e-9)
print(f"rank {rank} of {size}: {model.score(*share):.6f}")
