"""Predict every pixel of a photograph from its neighbours above and to the left.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/linear_regression_spmd.py [residual.png]
"""

import sys

import numpy as np
from _data import causal_pixels
from mpi4py import MPI
from PIL import Image
from sklearn.linear_model import LinearRegression as OneMachine

from sklearnex_rs.spmd import LinearRegression

comm = MPI.COMM_WORLD
mine = causal_pixels(comm.rank, comm.size)
test = mine.number % 5 == 0

model = LinearRegression().fit(mine.X[~test], mine.y[~test])
r2 = model.score(mine.X[test], mine.y[test])  # of the test rows of all ranks
counts = comm.allreduce(np.array([np.sum(~test), np.sum(test)]))
residuals = comm.gather(mine.y - model.predict(mine.X))

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"rows: {counts[0]} to fit, {counts[1]} to test, {mine.X.shape[1]} columns")
    print(f"R2 on the test rows: {r2:.6f}")

    everything = causal_pixels()
    fit = everything.number % 5 != 0
    single = OneMachine().fit(everything.X[fit], everything.y[fit])
    ours = np.append(model.coef_, model.intercept_)
    theirs = np.append(single.coef_, single.intercept_)
    difference = np.max(np.abs(ours - theirs) / np.abs(theirs))
    print(f"largest relative difference from scikit-learn: {difference:.1e}")

    path = sys.argv[1] if len(sys.argv) > 1 else "linear_regression_residual.png"
    grey = np.clip(0.5 + np.concatenate(residuals), 0, 1).reshape(mine.shape)
    Image.fromarray(np.rint(255 * grey).astype(np.uint8)).save(path, format="PNG")
    print(f"residual of each pixel: {path}")
