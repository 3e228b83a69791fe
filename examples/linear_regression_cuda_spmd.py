"""A line through the rows of all ranks, which lie on NVIDIA GPUs.

Each rank makes its own rows and puts them on a GPU of its node, in an array of torch
or CuPy; several ranks may share one. Ends at once where there is no GPU:

    mpirun -n 4 python examples/linear_regression_cuda_spmd.py
"""

import sys

import numpy as np
from _gpu import missing, on_gpu, on_host
from mpi4py import MPI

from sklearnex_rs.linear_model import LinearRegression as OneMachine
from sklearnex_rs.spmd import LinearRegression, local_device

ROWS, COLUMNS = 200_000, 50

comm = MPI.COMM_WORLD
if any(comm.allgather(missing())):
    if comm.rank == 0:
        print(f"nothing to show: {missing() or 'some node has no GPU'}")
    sys.exit()


def rows(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a rank: a million from zero, so that digits count."""
    rng = np.random.default_rng(rank)
    X = rng.standard_normal((ROWS, COLUMNS)) + 1e6
    return X, X @ np.arange(COLUMNS) + rng.standard_normal(ROWS)


gpu = local_device()
X, y = (on_gpu(part, gpu) for part in rows(comm.rank))
model = LinearRegression().fit(X, y)
score = model.score(X, y)
gpus = comm.gather(gpu)

if comm.rank == 0:
    print(f"ranks: {comm.size}, on GPUs {gpus}, rows: {comm.size * ROWS}")
    print(f"R2 over all rows: {score:.6f}")
    shares = map(rows, range(comm.size))
    host = OneMachine().fit(*map(np.concatenate, zip(*shares, strict=True)))
    apart = np.abs(on_host(model.coef_) - host.coef_).max() / np.abs(host.coef_).max()
    print(f"coefficients apart from one machine's: {apart:.1e}")
