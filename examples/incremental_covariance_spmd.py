"""Covariance of patches that come to the ranks in batches, to some more than others.

Batches are local: ranks wait for each other only in ``finalize``.

    mpirun -n 4 python examples/incremental_covariance_spmd.py
"""

import numpy as np
from _data import colour_patches
from mpi4py import MPI
from sklearn.covariance import EmpiricalCovariance as OneMachine

from sklearnex_rs.spmd import IncrementalEmpiricalCovariance

BATCHES = 12  # half of them come to the last rank, the rest to the others

comm = MPI.COMM_WORLD
others = max(comm.size - 1, 1)
mine = [
    b
    for b in range(BATCHES)
    if comm.rank == (comm.size - 1 if b % 2 else b // 2 % others)
]

model = IncrementalEmpiricalCovariance()
for batch in mine:
    model.partial_fit(colour_patches(batch, BATCHES))  # no messages
model.finalize()  # collective: the same covariance on every rank

counts = comm.gather(len(mine))
if comm.rank == 0:
    print(f"ranks: {comm.size}, batches of each: {counts}")
    print(f"rows: {model.n_samples_seen_}, {model.n_features_in_} columns")
    single = OneMachine().fit(colour_patches())
    size = np.abs(single.covariance_).max()
    apart = np.abs(model.covariance_ - single.covariance_).max() / size
    print(f"relative difference of the covariance from scikit-learn: {apart:.1e}")
