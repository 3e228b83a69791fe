"""Least squares by the QR factors of a photograph's neighbourhoods, spread over ranks.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/qr_spmd.py
"""

import numpy as np
from _data import causal_pixels
from mpi4py import MPI
from sklearn.linear_model import LinearRegression as OneMachine

from sklearnex_rs.spmd.linalg import qr

comm = MPI.COMM_WORLD
mine = causal_pixels(comm.rank, comm.size)

Q, R = qr(mine.X)  # Q has this rank's rows; R is the same on all
coef = np.linalg.solve(R, comm.allreduce(Q.T @ mine.y))
apart = np.abs(comm.allreduce(Q.T @ Q) - np.eye(len(R))).max()
lost = comm.allreduce(np.abs(Q @ R - mine.X).max(initial=0), MPI.MAX)
rows = comm.allreduce(len(mine.X))

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"rows: {rows}, {len(R)} columns of condition {np.linalg.cond(R):.0f}")
    print(f"Q is orthonormal but for: {apart:.1e}")
    print(f"largest difference of QR from the rows: {lost:.1e}")

    everything = causal_pixels()
    single = OneMachine(fit_intercept=False, tol=1e-12).fit(everything.X, everything.y)
    difference = np.abs(coef - single.coef_).max() / np.abs(single.coef_).max()
    print(f"relative difference of coefficients from scikit-learn: {difference:.1e}")
