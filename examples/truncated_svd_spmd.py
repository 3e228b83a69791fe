"""The leading singular vectors of the colour patches of a photograph, over ranks.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/truncated_svd_spmd.py
"""

import numpy as np
from _data import colour_patches
from mpi4py import MPI
from sklearn.decomposition import TruncatedSVD as OneMachine

from sklearnex_rs.spmd import TruncatedSVD

comm = MPI.COMM_WORLD
mine = colour_patches(comm.rank, comm.size)

model = TruncatedSVD(n_components=8).fit(mine)
there = model.transform(mine)  # of this rank's rows: no messages
lost = comm.allreduce(np.sum((model.inverse_transform(there) - mine) ** 2))
squares = comm.allreduce(np.sum(mine**2))

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"singular values: {model.singular_values_.round(3).tolist()}")
    kept = np.sum(model.singular_values_**2)
    print(f"part of the squares that is kept: {kept / squares:.6f}")
    print(f"part that the others have: {lost / squares:.6f}")

    everything = colour_patches()
    single = OneMachine(n_components=8, algorithm="arpack", random_state=0)
    single.fit(everything)
    size = np.abs(single.components_).max()
    difference = np.abs(model.components_ - single.components_).max() / size
    print(f"largest difference of a component from scikit-learn: {difference:.1e}")
