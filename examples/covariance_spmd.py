"""The most unlikely patch of a photograph, by the covariance of its colour patches.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/covariance_spmd.py
"""

import numpy as np
from _data import colour_patches
from mpi4py import MPI
from sklearn.covariance import EmpiricalCovariance as OneMachine

from sklearnex_rs.spmd import EmpiricalCovariance

comm = MPI.COMM_WORLD
mine = colour_patches(comm.rank, comm.size)

model = EmpiricalCovariance().fit(mine)
likelihood = model.score(mine)  # the mean over the rows of all ranks
far = model.mahalanobis(mine)  # of this rank's rows: no messages
far_of_all = comm.gather(far)

if comm.rank == 0:
    far = np.concatenate(far_of_all)
    print(f"ranks: {comm.size}")
    print(f"rows: {len(far)}, {model.n_features_in_} columns")
    print(f"mean log-likelihood: {likelihood:.6f}")
    print(f"mean squared distance, which is the number of columns: {far.mean():.6f}")
    row, column = np.divmod(far.argmax(), 640 - 7)
    print(f"farthest patch: row {row}, column {column}, {far.max():.1f} away")

    single = OneMachine().fit(colour_patches())
    size = np.abs(single.covariance_).max()
    apart = np.abs(model.covariance_ - single.covariance_).max() / size
    print(f"relative difference of the covariance from scikit-learn: {apart:.1e}")
    apart = model.error_norm(single.covariance_, norm="spectral", squared=False)
    print(f"spectral norm of the difference: {apart:.1e}")
