"""Data makers and tolerances for all tests, which cases run, and their global seeds."""

import os
import random
import zlib
from collections import defaultdict
from itertools import combinations

# References take one thread: where xdist or mpirun have a process on each core, threads
# of BLAS and OpenMP that wait for each other by spinning take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
from sklearn.datasets import make_blobs


def pytest_addoption(parser):
    parser.addoption(
        "--all-cases", action="store_true", help="run what `pairwise` leaves out, too"
    )


def pytest_configure(config):
    line = "pairwise: of crossed parameters, run as many cases as show every pair"
    config.addinivalue_line("markers", line)


def values(item):
    """Name what a case has of each parameter; those that are given together are one."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    found = {name: (name, id(value)) for name, value in params.items()}
    for mark in item.iter_markers("parametrize"):
        if not isinstance(mark.args[0], str):
            found[mark.args[0][0]] = tuple(found.pop(name) for name in mark.args[0])
    return list(found.values())


def cover(cases):
    """Return the places of a few that have every pair of values that all cases have."""
    pairs = [{frozenset(pair) for pair in combinations(case, 2)} for case in cases]
    missing, kept, gain = set().union(*pairs), [], dict(enumerate(map(len, pairs)))
    while missing:
        most, place = 0, -1
        for at, bound in sorted(gain.items(), key=lambda item: (-item[1], item[0])):
            if bound <= most:  # it can only have fallen
                break
            gain[at] = len(pairs[at] & missing)
            if gain[at] > most:
                most, place = gain[at], at
        missing -= pairs[place]
        kept.append(place)
        del gain[place]
    return kept


def pytest_collection_modifyitems(config, items):
    """Of each test that is marked `pairwise`, keep as many cases as show every pair."""
    if config.getoption("--all-cases"):
        return
    tests, left = defaultdict(list), set()
    for item in items:
        if item.get_closest_marker("pairwise") and len(values(item)) > 1:
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        kept = cover([values(case) for case in cases])
        left |= set(cases) - {cases[place] for place in kept}
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


@pytest.fixture(autouse=True)
def _global_generators(request):
    """Seed them for each test alike, unless `SKLEARNEX_RS_TEST_SEED` asks for others.

    Ranks have different ones, as they have when nobody seeds them.
    """
    names = ("SKLEARNEX_RS_TEST_SEED", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
    text = " ".join(
        [request.node.nodeid, *(os.environ.get(name, "") for name in names)]
    )
    seed = zlib.crc32(text.encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


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
