"""On a real GPU: cuda equals cpu, in the library of the rows. By ci/test_gpu.sh."""

import pickle

import numpy as np
import pytest

from sklearnex_rs import config_context
from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linalg import qr, svd
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    LinearRegression,
    LogisticRegression,
    Ridge,
)

ESTIMATORS = [
    LinearRegression(),
    Ridge(alpha=2.0),
    ElasticNet(alpha=0.05, tol=1e-12, max_iter=100_000),
    IncrementalLinearRegression(),
    LogisticRegression(tol=1e-10),
    BasicStatistics(),
    IncrementalBasicStatistics(),
    EmpiricalCovariance(),
    PCA(n_components=5),
    PCA(n_components=3, svd_solver="full", whiten=True),
    IncrementalPCA(n_components=4),
    TruncatedSVD(n_components=4),
    KMeans(n_clusters=20, random_state=0),
]
SHAPES = [(5_000, 20), (100_003, 65), (300, 130)]
ANSWERS = ("predict", "transform", "predict_proba", "predict_log_proba")
# How many iterations rounding asks for, and what is zero but for rounding.
UNSTABLE = ("n_iter_", "dual_gap_")
each = pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: str(model)[:40])


def fresh(model):
    return type(model)(**model.get_params())


def data(model, rng, shape, dtype):
    X = (rng.standard_normal(shape) * np.linspace(1, 3, shape[1]) + 50).astype(dtype)
    name = type(model).__name__
    if name in ("KMeans", "PCA", "IncrementalPCA", "TruncatedSVD") or "Stat" in name:
        return (X,)
    if name == "EmpiricalCovariance":
        return (X,)
    y = X @ rng.standard_normal(shape[1]) + rng.standard_normal(shape[0])
    y = y > np.median(y) if name == "LogisticRegression" else y.astype(dtype)
    return X, (y.astype(np.int64) if y.dtype == bool else y)


class Host:
    """NumPy, whose arrays rows of the host give."""

    get = staticmethod(np.asarray)


def close(library, mine, theirs, tol, assert_close):
    """Compare all that a fit learns: arrays of the library, and numbers."""
    for name, wanted in sorted(vars(theirs).items()):
        if name.startswith("_") or not name.endswith("_"):
            continue
        found = getattr(mine, name)
        if isinstance(wanted, np.ndarray) and name not in ("classes_", "n_iter_"):
            assert_close(library.get(found), wanted, tol)
        elif isinstance(wanted, (int, float, np.number)) and name not in UNSTABLE:
            assert_close(number(library, found), wanted, tol)


def number(library, value):
    """Return a number that may be an array of the library."""
    return value if isinstance(value, (int, float, np.number)) else library.get(value)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@each
def test_a_gpu_says_what_the_host_says(
    rng, assert_close, tolerance, library, model, shape, dtype
):
    rows = data(model, rng, shape, dtype)
    host = fresh(model).fit(*rows)
    gpu = fresh(model).fit(*map(library.put, rows))
    tol = tolerance(dtype)
    close(library, gpu, host, tol, assert_close)
    for name in ANSWERS:
        if hasattr(model, name):
            found = getattr(gpu, name)(library.put(rows[0]))
            assert_close(library.get(found), getattr(host, name)(rows[0]), tol)
    again = pickle.loads(pickle.dumps(gpu))
    for name in ANSWERS:
        if hasattr(model, name):
            assert isinstance(getattr(again, name)(rows[0]), np.ndarray)


@each
def test_every_layout(rng, assert_close, library, model):
    rows = data(model, rng, (4_000, 33), "f8")
    host = fresh(model).fit(*rows)
    for X in library.layouts(rows[0]).values():
        gpu = fresh(model).fit(X, *map(library.put, rows[1:]))
        close(library, gpu, host, 1e-9, assert_close)


@pytest.mark.parametrize(
    "model",
    [
        EmpiricalCovariance(),
        IncrementalPCA(n_components=4),
        PCA(n_components=5, svd_solver="covariance_eigh"),
        Ridge(alpha=2.0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_products_of_many_columns(rng, assert_close, library, model):
    """By cuSOLVER, where `show_config` names it."""
    rows = data(model, rng, (3_000, 1_500), "f8")
    host = fresh(model).fit(*rows)
    gpu = fresh(model).fit(*map(library.put, rows))
    close(library, gpu, host, 1e-9, assert_close)


@each
@pytest.mark.usefixtures("gpu")
def test_rows_of_the_host_are_put_on_a_gpu(rng, assert_close, model):
    rows = data(model, rng, (4_000, 33), "f8")
    host = fresh(model).fit(*rows)
    with config_context(device="cuda"):
        gpu = fresh(model).fit(*rows)
    close(Host, gpu, host, 1e-9, assert_close)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("steep", [False, True])
def test_bases(rng, assert_close, tolerance, library, dtype, steep):
    X = rng.standard_normal((20_000, 30)).astype(dtype)
    if steep:
        X[:, 1] = X[:, 0]
    Q, R = map(library.get, qr(library.put(X)))
    assert_close(Q @ R, X, tolerance(dtype))
    assert_close(Q.T @ Q, np.eye(30), tolerance(dtype))
    U, S, Vh = map(library.get, svd(library.put(X)))
    assert_close((U * S) @ Vh, X, tolerance(dtype))
    assert_close(S, svd(X).S, tolerance(dtype))


def test_work_of_another_stream_is_waited_for(rng, assert_close, library):
    if not hasattr(library, "busy"):
        pytest.skip("torch alone can be kept busy")
    X = rng.standard_normal((50_000, 10))
    late, stream = library.busy(X)
    with library.torch.cuda.stream(stream):
        gpu = EmpiricalCovariance().fit(late)
    close(library, gpu, EmpiricalCovariance().fit(X), 1e-9, assert_close)


def test_the_same_bits_every_time(rng, library):
    X = library.put(rng.standard_normal((100_000, 40)).astype("f4"))
    fits = [KMeans(n_clusters=30, random_state=0).fit(X) for _ in range(3)]
    bits = {library.get(fit.cluster_centers_).tobytes() for fit in fits}
    assert len(bits) == 1


def test_the_callers_gpu_is_still_the_current_one(rng, library):
    if not hasattr(library, "torch") or library.torch.cuda.device_count() < 2:
        pytest.skip("needs torch and two GPUs")
    X = library.torch.as_tensor(rng.standard_normal((500, 4)), device="cuda:1")
    before = library.torch.cuda.current_device()
    model = EmpiricalCovariance().fit(X)
    assert library.torch.cuda.current_device() == before
    assert model.covariance_.device == X.device
