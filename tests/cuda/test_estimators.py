"""Every estimator where its rows are: a GPU says what the host says."""

import os
import pickle

import numpy as np
import pytest
from gpus import Array, driver
from sklearn.exceptions import DataConversionWarning

from sklearnex_rs import config_context, spmd
from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance, IncrementalEmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linalg import qr, svd
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    enet_path,
)

pytestmark = pytest.mark.skipif(
    "STANDIN_KERNELS" not in os.environ, reason="see ci/test_kernels.sh"
)
EXACT = {"tol": 1e-12, "max_iter": 100_000}
ESTIMATORS = [
    LinearRegression(),
    LinearRegression(positive=True),
    Ridge(alpha=2.5),
    Ridge(alpha=0.5, positive=True, fit_intercept=False),
    Lasso(alpha=0.05, **EXACT),
    ElasticNet(alpha=0.05, positive=True, **EXACT),
    IncrementalLinearRegression(),
    IncrementalRidge(alpha=1.5),
    BasicStatistics(),
    IncrementalBasicStatistics(),
    EmpiricalCovariance(),
    EmpiricalCovariance(assume_centered=True, store_precision=False),
    IncrementalEmpiricalCovariance(store_precision=True),
    PCA(n_components=3),
    PCA(n_components=0.8, svd_solver="full", whiten=True),
    PCA(n_components="mle", svd_solver="full"),
    IncrementalPCA(n_components=2),
    IncrementalPCA(svd_solver="full"),
    TruncatedSVD(n_components=3),
    LogisticRegression(tol=1e-10),
    LogisticRegression(C=0.1, solver="newton-cg", tol=1e-10, fit_intercept=False),
    LogisticRegression(C=0.5, tol=1e-10),
    LogisticRegression(l1_ratio=1, solver="saga", **EXACT),
    KMeans(n_clusters=5, random_state=0),
    KMeans(n_clusters=4, init="k-means||", n_init=2, random_state=1),
    KMeans(n_clusters=20, random_state=3),  # by tensor cores
    KMeans(n_clusters=70, random_state=3),  # by their shortest way
    KMeans(n_clusters=9, init="random", n_init=2, random_state=2, max_iter=5),
    TruncatedSVD(n_components=2, algorithm="arpack"),
]
TARGETS = ("Li", "Lo", "Ridge", "Lasso", "Elastic", "IncrementalL", "IncrementalR")
STREAMS = [model for model in ESTIMATORS if hasattr(model, "partial_fit")]
ANSWERS = ("predict", "transform", "decision_function", "predict_proba")
each = pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: str(model)[:60])


def fresh(model, **more):
    return type(model)(**(model.get_params() | more))


def data(model, rng, n=300, dtype="f8"):
    """Rows, and targets where they are wanted, far from zero and of several spreads."""
    X = rng.standard_normal((n, 6)) @ rng.standard_normal((6, 6)) + 20
    X = X.astype(dtype)
    if not type(model).__name__.startswith(TARGETS):
        return (X,)
    y = X @ np.arange(1.0, 7) + rng.standard_normal(n) + 5
    if isinstance(model, LogisticRegression):
        if model.C == 0.5:
            return X, rng.integers(0, 6, n)
        classes = 2 if model.C == 1 else 3
        return X, (y > np.median(y)) + (classes == 3) * rng.integers(0, 2, n)
    return X, y.astype(dtype)


def number(value):
    return np.asarray(getattr(value, "array", value), float)


def same(mine, theirs, tol, assert_close, kind=Array):
    """Compare what two models know."""
    names = {name for name in vars(theirs) if name.endswith("_")}
    assert names <= set(vars(mine))
    for name in sorted(names):
        if name.startswith("_") or name == "solver_":
            continue
        found, wanted = getattr(mine, name), getattr(theirs, name)
        if isinstance(wanted, np.ndarray) and name not in ("n_iter_", "classes_"):
            assert isinstance(found, kind), name
            assert getattr(found, "array", found).dtype == wanted.dtype, name
        if wanted is not None and name not in ("dual_gap_", "n_iter_"):
            assert_close(number(found), number(wanted), tol)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@each
def test_a_gpu_says_what_the_host_says(rng, assert_close, tolerance, model, dtype):
    rows = data(model, rng, dtype=dtype)
    host, gpu = fresh(model).fit(*rows), fresh(model).fit(*map(Array, rows))
    tol = tolerance(dtype)
    same(gpu, host, tol, assert_close)
    for name in ANSWERS:
        if hasattr(model, name):
            found, wanted = getattr(gpu, name)(Array(rows[0])), getattr(host, name)
            assert isinstance(found, Array)
            assert_close(found.array, wanted(rows[0]), tol)
            assert found.array.dtype == wanted(rows[0]).dtype
    if hasattr(model, "fit_transform"):
        wanted = host.transform(rows[0])
        found = fresh(model).fit_transform(*map(Array, rows))
        assert_close(found.array, wanted, tol)
    if hasattr(model, "inverse_transform"):
        again = gpu.inverse_transform(Array(wanted))
        assert_close(again.array, host.inverse_transform(wanted), tol)
    if len(rows) == 2:
        score = gpu.score(*map(Array, rows))
        assert abs(score - host.score(*rows)) < tol


@each
def test_ranks_with_gpus(rng, assert_close, model):
    rows = data(model, rng)
    ends, kind = [0, 4, 4, 300], getattr(spmd, type(model).__name__)

    def fitted(comm, place):
        mine = slice(ends[comm.rank], ends[comm.rank + 1])
        share = (place(part[mine].copy()) for part in rows)
        return kind(**model.get_params(), comm=comm).fit(*share)

    def job(comm):
        host = fitted(comm, np.asarray)
        gpu = fitted(comm, lambda part: Array(part, comm.rank % 2))
        if comm.rank != 1:  # that one has no rows
            same(gpu, host, 1e-9, assert_close)

    spmd.run(3, job)


@pytest.mark.parametrize("model", STREAMS, ids=lambda model: str(model)[:60])
def test_batches_on_gpus(rng, assert_close, model):
    rows = data(model, rng)
    host, gpu = fresh(model).fit(*rows), fresh(model)
    for n, part in enumerate(np.split(np.arange(300), [20, 150, 170])):
        kind = np.asarray if n == 1 else Array  # one of them is on the host
        gpu.partial_fit(*(kind(each[part].copy()) for each in rows))
    host.__dict__.pop("batch_size_", None)
    same(gpu, host, 1e-9, assert_close)


@each
def test_rows_of_the_host_are_put_on_a_gpu(rng, assert_close, model):
    rows = data(model, rng)
    host = fresh(model).fit(*rows)
    with config_context(device="cuda:1"):
        gpu = fresh(model).fit(*rows)
        same(gpu, host, 1e-9, assert_close, np.ndarray)
        for name in ANSWERS:
            if hasattr(model, name):
                found = getattr(gpu, name)(rows[0])
                assert type(found) is np.ndarray
                assert_close(found, getattr(host, name)(rows[0]))
        if len(rows) == 2:
            assert abs(gpu.score(*rows) - host.score(*rows)) < 1e-9


@each
def test_a_model_of_a_gpu_serves_the_host(rng, assert_close, model):
    rows = data(model, rng)
    host = fresh(model).fit(*rows)
    gpu = pickle.loads(pickle.dumps(fresh(model).fit(*map(Array, rows))))
    same(gpu, host, 1e-9, assert_close, np.ndarray)
    for name in ANSWERS:
        if hasattr(model, name):
            found = getattr(gpu, name)(rows[0])
            assert_close(found, getattr(host, name)(rows[0]))


@each
def test_a_number_that_is_not_finite_is_found(rng, model):
    rows = data(model, rng)
    rows[0][200, 3] = np.inf
    with pytest.raises(ValueError, match="Input X contains"):
        fresh(model).fit(*map(Array, rows))


def test_rows_in_doubt_are_settled(rng, assert_close):
    X = rng.standard_normal((600, 1))  # of one column all are
    host, gpu = (KMeans(70, n_init=1, random_state=0) for _ in range(2))
    tried = driver().standin_launched(b"nearest_tf32_double")
    assert_close(gpu.fit(Array(X)).cluster_centers_.array, host.fit(X).cluster_centers_)
    assert gpu.n_iter_ > 2  # the coarse way is left after the first
    assert driver().standin_launched(b"nearest_tf32_double") == tried + 1


def test_statistics_of_rows_that_weigh_something(rng, assert_close):
    X, w = rng.standard_normal((300, 4)), rng.integers(0, 3, 300).astype(float)
    X[w == 0] *= 100
    host = BasicStatistics().fit(X, sample_weight=w)
    gpu = BasicStatistics().fit(Array(X), sample_weight=Array(w))
    same(gpu, host, 1e-9, assert_close)


@pytest.mark.parametrize("model", [Ridge(), ElasticNet(alpha=0.1, **EXACT)])
def test_a_weight_for_all_rows(rng, assert_close, model):
    X, y = data(model, rng)
    host = fresh(model).fit(X, y, 2.5)
    same(fresh(model).fit(Array(X), Array(y), 2.5), host, 1e-9, assert_close)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["plain", "steep", "dependent", "wide", "tall"])
def test_bases(rng, assert_close, tolerance, kind, dtype):
    X = rng.standard_normal((3000 if kind == "tall" else 40, 6)) + 1
    if kind == "steep":
        X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]
    elif kind in ("dependent", "tall"):
        X[:, 1] = X[:, 0] if kind == "dependent" else X[:, 0] + 1e-9 * X[:, 1]
    X = (X[:4] if kind == "wide" else X).astype(dtype)
    tol = tolerance(dtype)
    Q, R = qr(Array(X))
    assert isinstance(Q, Array)
    assert Q.array.dtype == X.dtype
    assert_close(Q.array @ R.array, X, tol)
    assert_close(Q.array.T @ Q.array, np.eye(Q.shape[1]), tol)
    if kind in ("plain", "steep", "wide"):  # else a rounding has its say
        assert_close(R.array, qr(X, mode="r"), 100 * tol)
    U, S, Vh = svd(Array(X))
    assert_close(S.array, svd(X).S, tol)
    assert_close((U.array * S.array) @ Vh.array, X, tol)
    assert_close(U.array.T @ U.array, np.eye(U.shape[1]), tol)
    assert_close(svd(Array(X), compute_uv=False).array, svd(X).S, tol)


@pytest.mark.parametrize("steep", [False, True])
def test_bases_of_ranks(rng, assert_close, steep):
    X = rng.standard_normal((90, 5))
    if steep:
        X[:, 1] = X[:, 0] + 1e-9 * X[:, 1]
    wanted, ends = qr(X, mode="r"), [0, 4, 4, 90]

    def job(comm):
        mine = X[ends[comm.rank] : ends[comm.rank + 1]]
        if comm.rank == 1:
            spmd.linalg.qr(mine, comm=comm)
            return
        Q, R = spmd.linalg.qr(Array(mine.copy()), comm=comm)
        if not steep:
            assert_close(R.array, wanted)
        assert_close(Q.array @ R.array, mine)

    spmd.run(3, job)


def test_a_path_of_penalties(rng, assert_close):
    X, y = data(Lasso(), rng)
    host = enet_path(X, y, alphas=5, **EXACT)
    gpu = enet_path(Array(X), Array(y), alphas=5, **EXACT)
    assert_close(gpu[0].array, host[0])
    assert_close(gpu[1].array, host[1])
    assert (gpu[2].array <= 1e-9 * (y**2).sum()).all()


@pytest.mark.parametrize("kind", ["?", "u1", "i2", "i8", "f4", "U1"])
def test_labels_of_any_kind(rng, assert_close, kind):
    X, y = data(LogisticRegression(), rng)
    labels = y.astype("i8").astype(kind)
    host = LogisticRegression(tol=1e-10).fit(X, labels)
    there = labels if kind == "U1" else Array(labels)
    gpu = LogisticRegression(tol=1e-10).fit(Array(X), there)
    assert_close(gpu.coef_.array, host.coef_)
    assert gpu.classes_.dtype == host.classes_.dtype
    found = gpu.predict(Array(X))
    assert np.array_equal(getattr(found, "array", found), host.predict(X))
    assert gpu.score(Array(X), there) == host.score(X, labels)


def test_labels_in_a_column_are_warned_of(rng):
    X, y = data(LogisticRegression(), rng)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = LogisticRegression().fit(Array(X), Array(y[:, None].copy()))
    wanted = LogisticRegression().fit(Array(X), Array(y)).coef_.array
    assert np.array_equal(model.coef_.array, wanted)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_likelihoods(rng, assert_close, tolerance, dtype):
    (X,) = data(PCA(), rng, dtype=dtype)
    tol = tolerance(dtype)
    host, gpu = PCA(n_components=2).fit(X), PCA(n_components=2).fit(Array(X))
    likely = gpu.score_samples(Array(X))
    assert_close(likely.array, host.score_samples(X), tol)
    assert abs(gpu.score(Array(X)) / host.score(X) - 1) < tol
    host, gpu = EmpiricalCovariance().fit(X), EmpiricalCovariance().fit(Array(X))
    assert_close(gpu.mahalanobis(Array(X)).array, host.mahalanobis(X), 10 * tol)
    assert abs(gpu.score(Array(X)) / host.score(X) - 1) < 10 * tol
    X[7, 2] = np.nan
    for method in (gpu.score, gpu.mahalanobis):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            method(Array(X))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_distances_of_columns_that_nearly_depend(rng, assert_close, dtype):
    """One model of both: what differs is in the distances alone."""
    X = rng.standard_normal((300, 5)) + 3
    X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]
    X = X.astype(dtype)
    tol = 1e-6  # roundings of double, by the condition
    for model in (EmpiricalCovariance().fit(X), EmpiricalCovariance().fit(X[:, 1:])):
        rows = X[:, X.shape[1] - len(model.location_) :]
        assert_close(model.mahalanobis(Array(rows)).array, model.mahalanobis(rows), tol)
    for model in (PCA().fit(X), PCA(n_components=3).fit(X)):
        likely = model.score_samples(Array(X))
        assert likely.array.dtype == X.dtype
        near = tol if dtype == "f8" else 1e-4
        assert_close(likely.array, model.score_samples(X), near)
        assert abs(model.score(Array(X)) / model.score(X) - 1) < tol


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: str(model)[:60])
@pytest.mark.parametrize("kinds", ["f4f8", "f8f4"])
def test_rows_of_another_type_than_the_model(rng, assert_close, model, kinds):
    """They say what the host says, in its type."""
    rows = data(model, rng, dtype=kinds[:2])
    fitted, X = fresh(model).fit(*rows), rows[0].astype(kinds[2:])
    for name in ANSWERS:
        if hasattr(fitted, name):
            found, wanted = (getattr(fitted, name)(of) for of in (Array(X), X))
            assert found.array.dtype == wanted.dtype
            near = 1e-9 if wanted.dtype == "f8" else 1e-4
            assert_close(found.array, wanted, near)


@pytest.mark.parametrize(
    "dtype",
    ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4"],
)
@pytest.mark.parametrize("step", [1, 3])
def test_labels_of_every_type(rng, dtype, step):
    X = rng.standard_normal((90, 3))
    room = np.zeros((90, step), dtype)
    room[:, 0] = X[:, 0] + 0.2 * X[:, 1] > 0
    y = room[:, 0]
    there = y if dtype == ">i4" else Array(y)  # DLPack has none of these
    host, gpu = (
        LogisticRegression().fit(X, y),
        LogisticRegression().fit(Array(X), there),
    )
    assert gpu.classes_.dtype == y.dtype
    predicted = gpu.predict(Array(X))
    assert predicted.array.dtype == ("i8" if dtype == ">i4" else y.dtype)
    assert np.array_equal(predicted.array, host.predict(X))
    assert gpu.score(Array(X), there) == host.score(X, y)


def test_what_has_no_kernel_yet_names_the_way_out(rng):
    (X,) = data(PCA(), rng)
    model = KMeans(2, init=lambda X, k, random_state: X[:k])
    with pytest.raises(NotImplementedError, match='device="cpu"'):
        model.fit(Array(X))
    with config_context(device="cpu"):
        assert isinstance(model.fit(Array(X)).cluster_centers_, Array)


def test_ranks_take_gpus_in_turn():
    assert spmd.run(3, spmd.local_device) == [0, 1, 0]


@pytest.mark.parametrize(
    "device",
    [
        "gpu",
        "cuda:x",
        "cuda:1:2",
        "cpu:0x",
        "cpu:1",
        "",
        "cuda:",
        "cuda:1\n",
        "cuda:²",
        0,
        ("cuda",),
    ],
)
def test_other_devices_are_refused(device):
    with (
        pytest.raises(ValueError, match="device must be"),
        config_context(device=device),
    ):
        pass
