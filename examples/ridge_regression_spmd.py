"""Predict the pixels of a photograph, with penalties chosen by the rows left out.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/ridge_regression_spmd.py
"""

import numpy as np
from _data import causal_pixels
from mpi4py import MPI
from sklearn.linear_model import Ridge as OneMachine

from sklearnex_rs.spmd import Ridge

ALPHAS = [1e-3, 1e-1, 1e1, 1e3, 1e5]
FEW = 100  # every so many pixels is all there is to fit

comm = MPI.COMM_WORLD
mine = causal_pixels(comm.rank, comm.size)
fit = mine.number % FEW == 0

scores = []
for alpha in ALPHAS:
    model = Ridge(alpha).fit(mine.X[fit], mine.y[fit])
    scores.append(model.score(mine.X[~fit], mine.y[~fit]))  # of the rows of all ranks
best = ALPHAS[int(np.argmax(scores))]
model = Ridge(best).fit(mine.X[fit], mine.y[fit])

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    for alpha, score in zip(ALPHAS, scores, strict=True):
        print(f"alpha {alpha:8g}: R2 on the other rows {score:.6f}")

    everything = causal_pixels()
    fit = everything.number % FEW == 0
    single = OneMachine(best).fit(everything.X[fit], everything.y[fit])
    largest = np.abs(single.coef_).max()
    apart = np.abs(model.coef_ - single.coef_).max() / largest
    print(f"best alpha: {best:g}")
    print(f"relative difference from scikit-learn: {apart:.1e}")
