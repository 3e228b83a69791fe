"""Tell which of two photographs a pixel is of, from its neighbours.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/logistic_regression_spmd.py
"""

import numpy as np
from _data import causal_pixels
from mpi4py import MPI
from sklearn.linear_model import LogisticRegression as OneMachine

from sklearnex_rs.spmd import LogisticRegression

NAMES = ["china.jpg", "flower.jpg"]


def rows(rank: int = 0, size: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return neighbours, photograph, and whether to test, of every fourth pixel."""
    shares = [causal_pixels(rank, size, name) for name in NAMES]
    few = [share.number % 4 == 0 for share in shares]
    X = np.concatenate([share.X[some] for share, some in zip(shares, few, strict=True)])
    y = np.repeat(NAMES, [some.sum() for some in few])
    number = [share.number[some] for share, some in zip(shares, few, strict=True)]
    return X, y, np.concatenate(number) % 5 == 0


comm = MPI.COMM_WORLD
X, y, test = rows(comm.rank, comm.size)

model = LogisticRegression(tol=1e-8).fit(X[~test], y[~test])
accuracy = model.score(X[test], y[test])  # of the test rows of all ranks
counts = comm.allreduce(np.array([np.sum(~test), np.sum(test)]))

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"rows: {counts[0]} to fit, {counts[1]} to test, {X.shape[1]} columns")
    print(f"classes: {', '.join(model.classes_)}; {model.n_iter_[0]} steps")
    print(f"accuracy on the test rows: {accuracy:.4f}")

    X, y, test = rows()
    single = OneMachine(solver="newton-cholesky", tol=1e-10).fit(X[~test], y[~test])
    difference = np.abs(model.coef_ - single.coef_).max() / np.abs(single.coef_).max()
    print(f"largest difference from scikit-learn, relative: {difference:.1e}")
    print(f"accuracy of scikit-learn: {single.score(X[test], y[test]):.4f}")
