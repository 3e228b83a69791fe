"""Fits on an NVIDIA GPU, beside torch's, FlashLib's, cuML's and the GPU's limits.

    python benchmarks/gpu.py --cases kmeans=1000:10000000x64:float32

A case is `kmeans=K`, `gram`, `logistic`, `linear` or `eigen`, then ROWSxCOLUMNS:DTYPE.
Rivals that are not installed are left out. `kmeans` is one round of given centers;
`gram` EmpiricalCovariance.fit; `logistic` a fit of one step, which takes a few looks at
the rows; `eigen` components by the host and by cuSOLVER, which shows from how many
columns on that is quicker (SKLEARNEX_RS_CUSOLVER_COLUMNS). The shares are of what this
GPU was just measured to copy and to multiply. Needs torch with CUDA; nothing of it has
been run on a GPU yet.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearnex_rs import show_config
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import LinearRegression, LogisticRegression

CASES = (
    "kmeans=100:10000000x64:float32",
    "kmeans=1000:10000000x64:float32",
    "gram:10000000x256:float32",
    "gram:2000000x256:float64",
    "linear:10000000x100:float32",
    "logistic:10000000x256:float32",
    "eigen:10000x256:float64",
    "eigen:10000x512:float64",
    "eigen:10000x1024:float64",
    "eigen:10000x2048:float64",
)


class Task(NamedTuple):
    """What is timed: ours and the rivals; what must be read and multiplied."""

    ways: dict[str, Callable[[], Any]]
    bytes: float
    flops: float


def found(name: str) -> Any:
    """Import a rival, or return None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def seconds(torch: Any, work: Callable[[], Any], repeat: int) -> list[float]:
    """Time some work, once it has run; all of it is waited for."""
    work()
    times = []
    for _ in range(repeat):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times


def ceilings(torch: Any) -> dict[str, float]:
    """Measure bytes per second of copies, and flops per second of products."""
    x = torch.empty(1 << 28, device="cuda")
    copy = min(seconds(torch, lambda: x.clone(), 5))
    limits = {"copy": 2 * x.numel() * x.element_size() / copy}
    for name, dtype, fast in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("float64", torch.float64, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = fast
        a = torch.randn(8192, 8192, device="cuda", dtype=dtype)
        took = min(seconds(torch, lambda a=a: a @ a, 3))
        limits[name] = 2 * 8192**3 / took
    torch.backends.cuda.matmul.allow_tf32 = False
    return limits


def clusters(torch: Any, X: Any, k: int) -> Task:
    """One round of k-means from given centers."""
    centers = X[:k].clone()
    start = centers.cpu().numpy()
    chunk = max(1, (1 << 30) // (4 * k))

    def by_torch() -> Any:
        half = (centers * centers).sum(1) / 2
        parts = X.split(chunk)
        labels = torch.cat([(x @ centers.T - half).argmax(1) for x in parts])
        sums = torch.zeros_like(centers).index_add_(0, labels, X)
        return sums / torch.bincount(labels, minlength=k)[:, None]

    one = {"n_clusters": k, "init": start, "n_init": 1, "max_iter": 1, "tol": 0.0}
    ways = {"ours": lambda: KMeans(**one).fit(X), "torch": by_torch}
    cuml, flash = found("cuml.cluster"), found("flash_kmeans")
    if cuml:
        ways["cuML"] = lambda: cuml.KMeans(**one).fit(X)
    if flash:
        several = X.unsqueeze(0)
        ways["flash-kmeans"] = lambda: flash.batch_kmeans_Euclid(
            several, n_clusters=k, max_iters=1, init_centroids=centers.unsqueeze(0)
        )
    return Task(ways, X.numel() * X.element_size(), 2.0 * X.numel() * k)


def gram(_: Any, X: Any) -> Task:
    """Co-moments of columns."""

    def by_torch() -> Any:
        centered = X - X.mean(0)
        return centered.T @ centered / len(X)

    ways = {"ours": lambda: EmpiricalCovariance().fit(X), "torch": by_torch}
    cupy = found("cupy")
    if cupy:
        there = cupy.from_dlpack(X)
        ways["CuPy"] = lambda: cupy.cov(there, rowvar=False, bias=True)
    return Task(ways, X.numel() * X.element_size(), X.numel() * float(X.shape[1]))


def linear(torch: Any, X: Any) -> Task:
    """Least squares."""
    y = X @ torch.ones_like(X[0])

    def by_torch() -> Any:
        mean, middle = X.mean(0), y.mean()
        centered = X - mean
        return torch.linalg.solve(centered.T @ centered, centered.T @ (y - middle))

    ways = {"ours": lambda: LinearRegression().fit(X, y), "torch": by_torch}
    cuml = found("cuml.linear_model")
    if cuml:
        ways["cuML"] = lambda: cuml.LinearRegression().fit(X, y)
    return Task(ways, X.numel() * X.element_size(), X.numel() * float(X.shape[1]))


def logistic(torch: Any, X: Any) -> Task:
    """Fit one step, which looks at loss and gradient more than once."""
    y = (X.sum(1) > 0).to(X.dtype)
    coef = torch.zeros_like(X[0])

    def by_torch() -> Any:
        rest = torch.sigmoid(X @ coef) - y
        return X.T @ rest

    def ours() -> Any:
        return LogisticRegression(max_iter=1, solver="lbfgs").fit(X, y)

    return Task(
        {"ours, a fit of one step": ours, "torch, one gradient": by_torch},
        X.numel() * X.element_size(),
        4.0 * X.numel(),
    )


def eigen(_: Any, X: Any) -> Task:
    """Components, by eigenvalues that the host finds, or cuSOLVER where it is."""

    def by(columns: int) -> Callable[[], Any]:
        def fit() -> Any:
            os.environ["SKLEARNEX_RS_CUSOLVER_COLUMNS"] = str(columns)
            return PCA(svd_solver="covariance_eigh").fit(X)

        return fit

    ways = {"ours, by the host": by(X.shape[1]), "ours, by cuSOLVER": by(0)}
    return Task(ways, X.numel() * X.element_size(), X.numel() * float(X.shape[1]))


def rows(torch: Any, shape: str, dtype: str) -> Any:
    """Return rows around ten, so that products of rounded numbers would show."""
    n, p = map(int, shape.split("x"))
    torch.manual_seed(0)
    return torch.randn(n, p, device="cuda", dtype=getattr(torch, dtype)) + 10


def main() -> None:
    """Time every case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch = found("torch")
    if torch is None or not torch.cuda.is_available():
        sys.exit("this needs torch and an NVIDIA GPU")
    show_config()
    limits = ceilings(torch)
    print("measured:", ", ".join(f"{k} {v / 1e12:.2f}e12/s" for k, v in limits.items()))
    print("| case | way | ms | least | largest | of copying | of float arithmetic |")
    print("|---|---|---|---|---|---|---|")
    for case in options.cases:
        kind, shape, dtype = case.split(":")
        X, name = rows(torch, shape, dtype), kind.partition("=")
        args = (torch, X, int(name[2])) if name[2] else (torch, X)
        tasks = {"kmeans": clusters, "gram": gram, "linear": linear, "eigen": eigen}
        task = {**tasks, "logistic": logistic}[name[0]](*args)
        for way, work in task.ways.items():
            times = 1e3 * np.array(seconds(torch, work, options.repeat))
            middle = statistics.median(times)
            read = task.bytes / limits["copy"] / middle * 1e3
            done = task.flops / limits[dtype] / middle * 1e3
            ends = f"{times.min():.2f} | {times.max():.2f}"
            print(
                f"| {case} | {way} | {middle:.2f} | {ends} | {read:.2f} | {done:.2f} |"
            )
        del X, task
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
