"""What a model knows and says of rows on a GPU stays there: on the stand-in."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from gpus import Array, travels
from sklearn.exceptions import ConvergenceWarning

from sklearnex_rs import _core, config_context
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.decomposition import PCA, TruncatedSVD
from sklearnex_rs.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge

pytestmark = pytest.mark.skipif(
    "STANDIN_KERNELS" not in os.environ, reason="see ci/test_kernels.sh"
)
N, P = 90, 130
#: A model, what it says, and how many attributes of the host it needs: bytes.
CASES = [
    (LinearRegression(), "predict", 0),
    (LinearRegression(fit_intercept=False), "predict", 1),
    (Ridge(), "score", 0),
    (Lasso(alpha=0.5), "predict", 0),
    (LogisticRegression(), "decision_function", 0),
    (LogisticRegression(), "predict", 3),
    (LogisticRegression(), "predict_proba", 0),
    (LogisticRegression(), "predict_log_proba", 0),
    (PCA(n_components=7), "transform", 0),
    (PCA(n_components=7), "inverse_transform", 0),
    (PCA(n_components=7, whiten=True), "transform", 0),
    (PCA(n_components=7, whiten=True), "inverse_transform", 0),
    (TruncatedSVD(n_components=5), "transform", 1),
    (TruncatedSVD(n_components=5), "inverse_transform", 1),
    (KMeans(n_clusters=4, random_state=0), "transform", 0),
    (KMeans(n_clusters=4, random_state=0), "predict", 0),
    (KMeans(n_clusters=20, random_state=0), "predict", 0),
    (KMeans(n_clusters=4, random_state=0), "score", 0),
    (EmpiricalCovariance(), "mahalanobis", 0),
]
cases = pytest.mark.parametrize(("model", "method", "sent"), CASES, ids=str)
SMALL = (
    *("coef_", "intercept_", "components_", "mean_", "explained_variance_"),
    *("cluster_centers_", "location_", "covariance_", "precision_"),
)


def fitted(rng, model, dtype="f8"):
    """A model of the host, and what its method is asked about."""
    X = (rng.standard_normal((N, P)) + 3).astype(dtype)
    y = X @ rng.standard_normal((P, 2)) + 1
    if isinstance(model, LogisticRegression):
        y = rng.integers(0, 3, N).astype("f8")
    return type(model)(**model.get_params()).fit(X, y), X, y.astype(dtype)


def asked(model, method, X, y):
    if method == "score":
        return (X, y)
    return (model.transform(X),) if method == "inverse_transform" else (X,)


def put(model, place=Array):
    """Put what a model knows on a GPU."""
    for name in SMALL:
        value = getattr(model, name, None)
        if isinstance(value, np.ndarray | np.floating):
            setattr(model, name, place(np.asarray(value)))
    return model


def width(answer):
    """Bytes of what is seen of an answer's columns, to find what is not finite."""
    shape = np.shape(getattr(answer, "array", answer))
    return 8 * (3 * (shape[1] if len(shape) == 2 else 3) + 1)


def same(found, wanted, dtype, assert_close):
    found = getattr(found, "array", found)
    tol = {"f4": 1e-4, "f8": 1e-9}[dtype]
    assert_close(np.asarray(found, float), np.asarray(wanted, float), tol)
    assert np.asarray(found).dtype == np.asarray(wanted).dtype


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@cases
def test_what_lies_on_the_gpu_does_not_travel(
    rng, assert_close, model, method, sent, dtype
):
    model, X, y = fitted(rng, model, dtype)
    about = asked(model, method, X, y)
    wanted = getattr(model, method)(*about)
    put(model)
    there = list(map(Array, about))
    with travels() as bytes_:
        found = getattr(model, method)(*there)
    same(found, wanted, dtype, assert_close)
    assert bytes_["to"] <= 8 * sent
    assert bytes_["from"] <= (2 if method == "score" else 1) * width(wanted)


@cases
def test_what_lies_on_the_host_is_sent_once(rng, assert_close, model, method, sent):
    model, X, y = fitted(rng, model)
    about = asked(model, method, X, y)
    wanted, there = getattr(model, method)(*about), list(map(Array, about))
    with travels() as bytes_:
        found = getattr(model, method)(*there)
    same(found, wanted, "f8", assert_close)
    values = [getattr(model, name, None) for name in SMALL]
    known = sum(np.asarray(value).nbytes for value in values if value is not None)
    assert bytes_["to"] <= known + 8 * sent


@cases
def test_what_is_written_in_place_is_seen(rng, assert_close, model, method, sent):
    host, X, y = fitted(rng, model)
    about = asked(host, method, X, y)
    gpu = fitted(rng, model)[0]
    for name in SMALL:
        if isinstance(getattr(host, name, None), np.ndarray):
            setattr(gpu, name, getattr(host, name).copy())
    put(gpu)
    getattr(gpu, method)(*map(Array, about))
    name = next(name for name in SMALL if hasattr(gpu, name))
    for value in (getattr(host, name), getattr(gpu, name).array):
        value *= 1.5
        value[0] += 0.25
    wanted = getattr(host, method)(*about)
    same(getattr(gpu, method)(*map(Array, about)), wanted, "f8", assert_close)


@pytest.mark.parametrize("kind", ["other type", "by columns", "sliced", "other GPU"])
@cases
def test_attributes_of_any_form(rng, assert_close, model, method, sent, kind):
    model, X, y = fitted(rng, model)
    if kind == "other type":
        for name in SMALL:
            if hasattr(model, name):
                setattr(model, name, np.float32(getattr(model, name)))
    about = asked(model, method, X, y)
    wanted = getattr(model, method)(*about)

    def place(value):
        if kind == "by columns":
            return Array(np.asfortranarray(value))
        if kind == "sliced":
            room = np.full([2 * length for length in value.shape], np.nan, value.dtype)
            part = tuple(slice(None, None, -2) for _ in value.shape)
            room[part] = value
            return Array(room[part])
        return Array(value, int(kind == "other GPU"))

    put(model, place)
    found = getattr(model, method)(*map(Array, about))
    same(found, wanted, "f8", assert_close)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("count", [2, 3, 40])
@pytest.mark.parametrize("kind", ["i8", "f4", "U3", "?"])
def test_labels_leave_a_gpu_as_numbers_of_classes(
    rng, assert_close, kind, count, dtype
):
    n = 500
    X = rng.standard_normal((n, 3)).astype(dtype)
    classes = (np.arange(count) * 3 % 128).astype(kind)
    count = len(np.unique(classes))
    y = np.unique(classes)[np.r_[:count, rng.integers(0, count, n - count)]]
    model = LogisticRegression(max_iter=5, tol=10.0).fit(X, y)
    seen = 8 * (3 * count + 1)
    with travels() as bytes_:
        found = model.predict(Array(X))
    assert bytes_["from"] <= seen + 4 * n * (kind == "U3")
    assert isinstance(found, np.ndarray if kind == "U3" else Array)
    labels = getattr(found, "array", found)
    assert labels.dtype == y.dtype
    near = model.predict(X) == labels  # scores that are equal but for a rounding
    assert near.mean() > 0.99
    with travels() as bytes_:
        share, log = model.predict_proba(Array(X)), model.predict_log_proba(Array(X))
    assert bytes_["from"] <= 2 * seen + 16
    same(share, model.predict_proba(X), dtype, assert_close)
    same(log, model.predict_log_proba(X), dtype, assert_close)
    assert np.array_equal(np.log(share.array) > -1, log.array > -1)
    with config_context(device="cuda"):
        found = model.predict(X)
        assert found.dtype == y.dtype
        assert np.array_equal(found, labels)
        same(model.predict_proba(X), share.array, dtype, assert_close)


def test_intercepts_as_a_row(rng, assert_close):
    X, y = rng.standard_normal((60, 4)), rng.standard_normal((60, 3))
    model = LinearRegression().fit(X, y)
    wanted = model.predict(X)
    for row in (model.intercept_[None], np.repeat(model.intercept_, 2)[None, ::2]):
        model.intercept_ = row
        assert_close(model.predict(X), wanted)
        assert_close(model.predict(Array(X)).array, wanted)


def test_variances_of_other_kinds(rng, assert_close):
    X = rng.standard_normal((60, 4))
    model = PCA(2, whiten=True).fit(X)
    for variances in ([2, 3], np.array([2, 3]), np.array([2.0, 3.0], "f4")):
        model.explained_variance_ = variances
        wanted = (X - model.mean_) @ model.components_.T / np.sqrt([2, 3])
        for found in (model.transform(X), model.transform(Array(X)).array):
            assert_close(found, wanted, 1e-6)
        found = model.inverse_transform(Array(wanted)).array
        assert_close(found, model.inverse_transform(wanted), 1e-6)


@pytest.mark.parametrize("model", [PCA(1), EmpiricalCovariance()], ids=str)
def test_rows_whose_forms_overflow(rng, model):
    X = rng.standard_normal((60, 1))
    model.fit(X)
    with np.errstate(over="ignore"):
        assert model.score(1e200 * X) == model.score(Array(1e200 * X)) == -np.inf


@pytest.mark.parametrize("place", [lambda X: X, Array])
def test_a_location_of_another_size(rng, place):
    X = rng.standard_normal((60, 4))
    model = EmpiricalCovariance().fit(X)
    for location in (np.zeros(1), np.zeros(3), 0.0):
        model.location_ = location
        for method in (model.mahalanobis, model.score):
            with pytest.raises(ValueError, match="shapes do not fit"):
                method(place(X))


def test_labels_of_models_that_are_changed(rng, assert_close):
    X, y = rng.standard_normal((60, 4)), rng.integers(0, 3, 60)
    model = LogisticRegression().fit(Array(X), Array(y))
    wanted = model.predict_proba(Array(X)).array
    thin = LogisticRegression().fit(X, y).sparsify()
    assert_close(thin.predict_proba(Array(X)).array, wanted)
    model.classes_ = np.array(["a", "b"])
    with pytest.raises(IndexError):
        model.predict(Array(X))
    model.classes_ = np.array([1, 2])
    with pytest.raises(ValueError, match="scores and classes"):
        model.predict(Array(X))
    model.coef_ = Array(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="not of these rows"):
        model.predict(Array(X))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_largest_number(rng, dtype):
    X = rng.standard_normal((700, 40)).astype(dtype)
    for part in (X, X[::-2, ::3], X.T, X - 9):
        assert _core.borrow(Array(part)).largest() == part.max()
    X[5, 7] = np.nan
    assert np.isnan(_core.borrow(Array(X)).largest())


@pytest.mark.parametrize("least", [2e30, -2e30, 1e30, np.inf, np.nan])
def test_rows_that_liblinear_refuses(rng, least):
    X, y = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    X[17, 1] = least
    model = LogisticRegression(solver="liblinear", max_iter=2)

    def said(*rows):
        try:
            model.fit(*rows)
        except ValueError as error:
            return str(error)[:15]
        return None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wanted = said(X, y)
        assert (wanted is None) == (abs(least) <= 2e30 and least != 2e30)
        assert said(Array(X), Array(y)) == wanted
        with config_context(device="cuda:1"):
            assert said(X, y) == wanted


OLD = """
import runpy, sys
import numpy as np
from sklearnex_rs import _core
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.linalg import qr
from sklearnex_rs.linear_model import LinearRegression
Array = runpy.run_path(sys.argv[1])["Array"]
assert "sm_75" in str(_core.cuda())
rng = np.random.default_rng(int(sys.argv[2]))
"""


def on_an_old_gpu(rng, program):
    """Run a program by itself, on a GPU without such tensor cores."""
    gpus = str(Path(__file__).parent / "gpus.py")
    args = [sys.executable, "-P", "-c", OLD + program, gpus, str(rng.integers(1000))]
    env = {**os.environ, "STANDIN_MAJOR": "7", "STANDIN_MINOR": "5"}
    subprocess.run(args, env=env, check=True, timeout=300)


def test_models_of_an_old_gpu(rng):
    program = """
X = rng.standard_normal((300, 5)) + 30
y = X @ np.arange(5.0) + 3
model = LinearRegression().fit(Array(X), Array(y))
assert np.allclose(model.coef_.array, np.arange(5.0))
found = KMeans(n_clusters=20, random_state=0).fit(Array(X))
wanted = KMeans(n_clusters=20, random_state=0).fit(X)
assert np.array_equal(found.labels_.array, wanted.labels_)
for dtype in ("f4", "f8"):
    R = qr(Array(X.astype(dtype))).R.array
    assert np.allclose(R, qr(X.astype(dtype)).R, rtol=1e-3 if dtype == "f4" else 1e-9)
"""
    on_an_old_gpu(rng, program)


def test_a_basis_of_more_rows_than_a_piece(rng):
    """A piece has 2**24 numbers. Of tensor cores the emulator would take longer."""
    program = """
X = rng.standard_normal(((1 << 18) + 77, 64))
X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]  # so that there are two looks
Q, R = qr(Array(X))
assert np.allclose(Q.array.T @ Q.array, np.eye(64), atol=1e-13)
for part in (slice(0, 99), slice(1 << 17, 1 << 17 | 99), slice(-99, None)):
    assert np.allclose(Q.array[part] @ R.array, X[part], rtol=0, atol=1e-12)
"""
    on_an_old_gpu(rng, program)
