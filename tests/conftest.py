"""Data makers and tolerances for all tests."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs


@pytest.fixture
def rng():
    """Fresh data in every test, the same on every rank."""
    return np.random.default_rng(20261120)


def tolerance(dtype):
    return 1e-9 if np.dtype(dtype) == np.float64 else 1e-4


def assert_close(mine, reference, tol=1e-9):
    """Relative to the largest entry of the reference."""
    mine, reference = np.asarray(mine, float), np.asarray(reference, float)
    assert mine.shape == reference.shape
    scale = np.abs(reference).max(initial=0.0) or 1.0
    error = np.abs(mine - reference).max(initial=0.0) / scale
    assert error <= tol, f"relative error {error:.2e} above {tol:.0e}"


@pytest.fixture(name="assert_close")
def _assert_close():
    return assert_close


@pytest.fixture(name="tolerance")
def _tolerance():
    return tolerance


def exact(X, y, w=None, intercept=True):
    """Coefficients and intercept in extended precision: Gram-Schmidt, twice."""
    X, y = X.astype(np.longdouble), y.astype(np.longdouble)
    w = np.ones(len(X), np.longdouble) if w is None else w.astype(np.longdouble)
    x_mean, y_mean = (w @ X / w.sum(), w @ y / w.sum()) if intercept else (0, 0)
    root = np.sqrt(w)
    Q, r = (X - x_mean) * root[:, None], (y - y_mean) * root
    p = X.shape[1]
    R, z = np.zeros((p, p), np.longdouble), np.zeros(p, np.longdouble)
    for k in range(p):
        for _ in range(2):
            for j in range(k):
                part = Q[:, j] @ Q[:, k]
                Q[:, k] -= part * Q[:, j]
                R[j, k] += part
        R[k, k] = np.sqrt(Q[:, k] @ Q[:, k])
        Q[:, k] /= R[k, k]
        for _ in range(2):
            part = Q[:, k] @ r
            r = r - part * Q[:, k]
            z[k] += part
    coef = np.zeros(p, np.longdouble)
    for k in reversed(range(p)):
        coef[k] = (z[k] - R[k, k + 1 :] @ coef[k + 1 :]) / R[k, k]
    return coef, (y_mean - x_mean @ coef if intercept else np.longdouble(0))


@pytest.fixture(name="exact")
def _exact():
    return exact


def clustering(seed):
    """Rows to cluster, their weights, parameters."""
    rng = np.random.default_rng(seed)
    n, p, k = rng.integers(50, 1500), rng.integers(1, 40), rng.integers(1, 15)
    spread = rng.choice([0.5, 2.0, 8.0])
    X, _ = make_blobs(n, p, centers=k, cluster_std=spread, random_state=seed)
    if seed % 3 == 0:
        X = rng.standard_normal((n, p))
    if seed % 4 == 1:
        X = X + 1e6
    if seed % 5 == 2:
        X = np.asfortranarray(X)
    if seed % 6 == 4:
        X = X.astype(np.float32)
    w = rng.random(n) * (rng.random(n) > 0.1) if seed % 2 else None
    init = "random" if seed % 7 == 3 else "k-means++"
    return X, w, {"n_clusters": int(k), "random_state": seed, "init": init, "n_init": 2}


@pytest.fixture(name="clustering")
def _clustering():
    return clustering
