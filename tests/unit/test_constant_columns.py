"""Columns that do not vary: what rounding leaves of them is no reason for anything."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Reference

from sklearnex_rs import spmd
from sklearnex_rs.basic_statistics import BasicStatistics
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    LinearRegression,
    LogisticRegression,
    Ridge,
)

BATCH = [
    LinearRegression(),
    LinearRegression(tol=0),
    LinearRegression(positive=True),
    Ridge(alpha=0),
    Ridge(),
    ElasticNet(alpha=1e-3),
    IncrementalLinearRegression(),
    IncrementalRidge(),
]
NAMES = [f"{type(model).__name__}-{at}" for at, model in enumerate(BATCH)]


def draws(count):
    """Rows of constants, one column of which may vary; weights that spread widely."""
    rng = np.random.default_rng(20)
    for at in range(count):
        n, p = rng.integers(2, 40), rng.integers(1, 4)
        scale = 10.0 ** rng.integers(-6, 7, size=p)
        X = np.tile(rng.standard_normal(p) * scale, (n, 1))
        varies = at % 3 == 2 and p > 1
        if varies:
            X[:, 0] = rng.standard_normal(n)
        if at % 3 == 1:
            X = X.astype(np.float32)
        y = rng.standard_normal(n).astype(X.dtype)
        w = rng.random(n) ** rng.integers(1, 9)
        yield X, y, w, int(varies)


@pytest.mark.parametrize("model", BATCH, ids=NAMES)
def test_constant_columns_have_no_coefficients(model):
    for X, y, w, varies in draws(60):
        model.fit(X, y, w)
        assert not model.coef_[varies:].any()
        if varies:
            continue
        mean = np.average(y.astype(float), weights=w)
        tolerance = 1e-5 if X.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(model.predict(X), mean, rtol=tolerance, atol=1e-12)


def test_rank_and_singular_values_of_constants_are_zero():
    X, y, w = np.full((36, 1), 0.1), np.arange(36.0), 0.97 ** np.arange(36)
    model = LinearRegression().fit(X, y, w)
    assert model.rank_ == 0
    assert model.singular_.tolist() == [0.0]
    assert model.coef_.tolist() == [0.0]


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize(
    "name", ["LinearRegression", "Ridge", "IncrementalLinearRegression"]
)
def test_constants_over_ranks(size, name):
    cases = list(draws(9))

    def program(comm):
        found = []
        for X, y, w, varies in cases:
            mine = slice(comm.rank, None, comm.size)
            model = getattr(spmd, name)(comm=comm).fit(X[mine], y[mine], w[mine])
            found.append(bool(model.coef_[varies:].any()))
        return found

    assert not np.any(spmd.run(size, program))


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_columns_that_vary_far_from_zero_do_count(offset):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((200, 2)) * [1.0, 1e-3] + offset
    y = (X - offset) @ [1.0, 1000.0]
    model = LinearRegression(tol=0).fit(X, y, rng.random(200))
    np.testing.assert_allclose(model.coef_, [1.0, 1000.0], rtol=1e-4)
    assert model.rank_ == 2


@pytest.mark.parametrize("size", [1, 2])
def test_one_row_of_weight(size):
    X, y, w = np.arange(72.0).reshape(36, 2) * 0.1, np.arange(36.0), np.zeros(36)
    w[5] = 0.3

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        model = spmd.LinearRegression(comm=comm).fit(X[mine], y[mine], w[mine])
        return model.coef_.tolist(), float(model.intercept_)

    assert spmd.run(size, program) == [([0.0, 0.0], 5.0)] * size


STREAMS = [IncrementalLinearRegression(), IncrementalRidge()]


@pytest.mark.parametrize("model", STREAMS, ids=["linear", "ridge"])
def test_constant_columns_and_targets_in_streams(model):
    model.fit(np.full((6, 1), 0.2), np.arange(6.0), [1.8, 0.5, 2, 0.1, 0.1, 1.9])
    assert model.coef_.tolist() == [0.0]
    y, w = np.full(5, 0.2), [1.8, 1.5, 0.3, 1.6, 0.3]
    model = type(model)().partial_fit(np.arange(5.0)[:, None], y, w)
    np.testing.assert_allclose(model.predict([[3.0]]), [0.2], rtol=1e-12)
    rng = np.random.default_rng(3)
    for _ in range(200):
        n = rng.integers(2, 12)
        X, y = rng.standard_normal((n, 1)), np.full(n, rng.standard_normal())
        model = type(model)().partial_fit(X, y, rng.random(n))
        np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)


def test_a_constant_that_changes_between_batches_counts():
    model = IncrementalLinearRegression()
    w = np.array([1.8, 0.5, 2.0])
    for value in (0.1, 0.2, 0.3):
        model.partial_fit(np.full((3, 1), value), np.full(3, 2 * value + 1), w)
    np.testing.assert_allclose(model.coef_, [2.0], rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, 1.0, rtol=1e-9)


@pytest.mark.parametrize("constant", [0.1, 1e8 / 3, 1e-5])
def test_variances_of_constants_are_zero(constant):
    rng = np.random.default_rng(1)
    X = np.column_stack([np.full(50, constant), rng.standard_normal(50)])
    for size in (1, 3):

        def program(comm):
            mine = slice(comm.rank, None, comm.size)
            found = spmd.EmpiricalCovariance(comm=comm).fit(X[mine])
            return found.covariance_[0].tolist()

        assert spmd.run(size, program) == [[0.0, 0.0]] * size
    assert EmpiricalCovariance().fit(X).covariance_[0, 0] == 0
    assert BasicStatistics().fit(X, sample_weight=rng.random(50)).variance_[0] == 0


@pytest.mark.parametrize(
    "params",
    [
        {"C": np.inf},
        {"C": np.inf, "solver": "newton-cholesky"},
        {},
        {"l1_ratio": 1, "solver": "saga"},
        {"l1_ratio": 0.5, "solver": "saga"},
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_logistic_coefficients_of_constants_are_zero(params, size):
    i = np.arange(12.0)
    X, y = np.column_stack([np.full(12, 3.3), i]), i % 3 == 0

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        model = spmd.LogisticRegression(comm=comm, tol=1e-8, max_iter=1000, **params)
        return model.fit(X[mine], y[mine]).coef_[0]

    for coef in spmd.run(size, program):
        assert coef[0] == 0
        assert coef[1] != 0


@pytest.mark.parametrize(
    ("solver", "classes"),
    [
        ("lbfgs", 2),
        ("lbfgs", 5),
        ("newton-cholesky", 5),
        ("saga", 2),
        ("saga", 5),
        ("liblinear", 2),
    ],
)
def test_logistic_coefficients_of_zeros_are_zero(solver, classes):
    rng = np.random.default_rng(1)
    X, zeros = rng.standard_normal((1800, 64)), [3, 10, 50]
    X[:, zeros] = 0
    y = rng.integers(0, classes, 1800)
    model = LogisticRegression(solver=solver).fit(X, y)
    assert not model.coef_[:, zeros].any()
    assert model.coef_.any()
    model = LogisticRegression(solver=solver, fit_intercept=False).fit(X, y)
    assert not model.coef_[:, zeros].any()


def test_a_warm_start_gives_up_what_a_constant_column_had():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((100, 3))
    y = (X @ [1.0, 2.0, 3.0] > 0).astype(int)
    model = LogisticRegression(warm_start=True, tol=1e-10, max_iter=1000).fit(X, y)
    X[:, 1] = 7.0
    model.fit(X, y)
    expected = Reference(tol=1e-10, max_iter=10_000).fit(X, y)
    assert model.coef_[0, 1] == 0
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
