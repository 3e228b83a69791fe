"""A fit needs little more memory than its rows."""

import json

import pytest

PEAK = """
import ctypes, json, re, warnings
from pathlib import Path
import numpy as np
from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance, IncrementalEmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linalg import qr, svd
from sklearnex_rs.linear_model import (
    ElasticNet, IncrementalLinearRegression, IncrementalRidge, Lasso, Ridge,
    LinearRegression, LogisticRegression,
)

warnings.simplefilter("ignore")  # two rounds are not enough

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

dtype, order = np.dtype({dtype!r}), {order!r}
n, p = 100_000_000 // dtype.itemsize // 100, 100
rng = np.random.default_rng(0)
X = np.empty((n, p), dtype, order)
for rows in (X if order == "C" else X.T):
    rows[:] = rng.standard_normal(len(rows), dtype=np.float32)
X *= np.geomspace(1, 1e-5, p).astype(dtype)
y, w = X[:, 0] + X[:, 1], rng.random(n).astype(dtype)
labels = np.floor(y + rng.standard_normal(n)).clip(-1, 1)
narrow = X.reshape(-1, 20, order=order)
words = np.array(["low", "mid", "high"])[rng.integers(0, 3, len(narrow))]
things = words.astype(object)
short = {{"n_clusters": 8, "max_iter": 2, "random_state": 0}}
sparse = {{"l1_ratio": 1, "solver": "saga", "C": 0.01}}
fits = {{
    "k-means++": lambda X, y, w: KMeans(**short).fit(X),
    "random": lambda X, y, w: KMeans(**short, init="random", n_init=2).fit(X),
    "k-means||": lambda X, y, w: KMeans(**short, init="k-means||").fit(X),
    "weights": lambda X, y, w: KMeans(**short).fit(X, sample_weight=w),
    "full": lambda X, y, w: PCA(5, svd_solver="full").fit(X),
    "covariance": lambda X, y, w: PCA(5, svd_solver="covariance_eigh").fit(X),
    "leading": lambda X, y, w: PCA(5, svd_solver="randomized").fit(X),
    "statistics": lambda X, y, w: BasicStatistics().fit(X, sample_weight=w),
    "covariances": lambda X, y, w: EmpiricalCovariance().fit(X),
    "batches": lambda X, y, w: IncrementalBasicStatistics().fit(X, sample_weight=w),
    "batch": lambda X, y, w: IncrementalBasicStatistics().partial_fit(X, None, w),
    "covariance batches": lambda X, y, w: IncrementalEmpiricalCovariance().fit(X),
    "covariance batch": lambda X, y, w: IncrementalEmpiricalCovariance().partial_fit(X),
    "component batches": lambda X, y, w: IncrementalPCA(5).fit(X),
    "component batch": lambda X, y, w: IncrementalPCA(5).partial_fit(X),
    "triangle batches": lambda X, y, w: IncrementalPCA(5, svd_solver="full").fit(X),
    "triangle batch":
        lambda X, y, w: IncrementalPCA(5, svd_solver="full").partial_fit(X),
    "truncated": lambda X, y, w: TruncatedSVD(5).fit(X),
    "values": lambda X, y, w: svd(X, compute_uv=False),
    "triangle": lambda X, y, w: qr(X, mode="r"),
    "basis": lambda X, y, w: qr(X),
    "left vectors": lambda X, y, w: svd(X),
    "line": lambda X, y, w: LinearRegression().fit(X, y),
    "weighted line": lambda X, y, w: LinearRegression(tol=1e-12).fit(X, y, w),
    "two classes": lambda X, y, w: LogisticRegression().fit(X, y > 0),
    "classes": lambda X, y, w: LogisticRegression().fit(X, labels[: len(X)], w),
    "words, few columns": lambda X, y, w:
        LogisticRegression().fit(narrow[: 5 * len(X)], words[: 5 * len(X)]),
    "objects, few columns": lambda X, y, w:
        LogisticRegression().fit(narrow[: 5 * len(X)], things[: 5 * len(X)]),
    "sparse": lambda X, y, w: LogisticRegression(**sparse).fit(X, labels[: len(X)]),
    "ridge": lambda X, y, w: Ridge().fit(X, y),
    "steep weighted ridge": lambda X, y, w: Ridge(1e-12).fit(X, y, w),
    "positive ridge": lambda X, y, w: Ridge(1e-3, positive=True).fit(X, y),
    "lasso": lambda X, y, w: Lasso(1e-3).fit(X, y),
    "weighted elastic net": lambda X, y, w: ElasticNet(1e-3).fit(X, y, w),
    "lines": lambda X, y, w: IncrementalLinearRegression().fit(X, y),
    "one weighted batch": lambda X, y, w: IncrementalRidge().partial_fit(X, y, w),
}}
grown = {{}}
for name, fit in fits.items():
    fit(X[:20_000], y[:20_000], w[:20_000])
    ctypes.CDLL(None).malloc_trim(0)  # what earlier fits have freed is not there
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    answer = fit(X, y, w)
    parts = answer if isinstance(answer, tuple) else ()  # they are as long as rows
    kept = sum(part.nbytes for part in parts)
    grown[name] = ((peak() - before) * 1024 - kept) / X.nbytes
    del answer, parts
print(json.dumps(grown))
"""


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fit_needs_less_than_a_tenth_of_its_rows(python, order, dtype):
    program = PEAK.format(dtype=dtype, order=order)
    grown = json.loads(python(program, SKLEARNEX_RS_NUM_THREADS="2"))
    assert {name: part for name, part in grown.items() if part >= 0.1} == {}
