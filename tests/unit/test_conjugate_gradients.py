"""Least squares where co-moments have no room equals scikit-learn's."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression as Reference
from sklearn.linear_model import Ridge as RidgeReference

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import LinearRegression, Ridge

LIMIT = str(20_000_000)  # co-moments of 1,200 columns take more
P = 1200


@pytest.fixture
def limit(monkeypatch):
    """Set how much memory a node has."""
    return lambda: monkeypatch.setenv("SKLEARNEX_RS_MEMORY", LIMIT)


def problem(rng, n=1900, m=None):
    X = rng.standard_normal((n, P)) + 1.0
    shape = (P,) if m is None else (P, m)
    y = X @ rng.standard_normal(shape) + rng.standard_normal((n, m or 1)).squeeze()
    return X, y


def fit(size, X, y, w=None, **params):
    """Fit over ranks with uneven shares, of which the first is empty."""
    cut = np.arange(size + 1) ** 2 * len(X) // size**2
    cut[1 : size > 1 and 2] = 0

    def program(comm):
        mine = slice(cut[comm.rank], cut[comm.rank + 1])
        weights = None if w is None else w[mine]
        return spmd.LinearRegression(comm=comm, **params).fit(X[mine], y[mine], weights)

    models = spmd.run(size, program)
    for model in models:
        assert model.coef_.tobytes() == models[0].coef_.tobytes()
    return models[0]


@pytest.mark.parametrize(
    ("size", "fit_intercept", "m"), [(1, True, None), (3, True, 2), (3, False, None)]
)
def test_lines_are_those_of_co_moments(
    rng, assert_close, limit, size, fit_intercept, m
):
    X, y = problem(rng, m=m)
    w = rng.integers(2, 5, len(X)) / 2
    params = {"fit_intercept": fit_intercept}
    known = LinearRegression(**params).fit(X, y, w)
    limit()
    model = fit(size, X, y, w, **params)
    assert_close(model.coef_, known.coef_)
    assert_close(model.intercept_, known.intercept_)
    assert not hasattr(model, "rank_")
    assert not hasattr(known.fit(X, y, w), "singular_")


def test_lines_are_scikit_learns(rng, assert_close, limit):
    X, y = problem(rng)
    limit()
    model, expected = LinearRegression().fit(X, y), Reference().fit(X, y)
    assert_close(model.coef_, expected.coef_)
    assert_close(model.intercept_, expected.intercept_)


SPREADS = {
    "of many sizes": lambda X: X * np.geomspace(1, 1e4, P),
    "far from zero": lambda X: X + 1e6,
    "a constant": lambda X: np.where(np.arange(P) == 7, 1e8, X),
    "twice the same": lambda X: np.concatenate([X[:, :-1], X[:, :1]], axis=1),
    "dependent, of many sizes": lambda X: np.concatenate(
        [X[:, :-1], X[:, :1] * 30], axis=1
    ),
    "fewer rows": lambda X: X[:800],
    "fewer rows, of many sizes": lambda X: X[:800] * np.geomspace(1, 10, P),
}


@pytest.mark.parametrize("name", SPREADS)
def test_columns_of_any_kind(rng, assert_close, limit, name):
    X, y = problem(rng)
    X = SPREADS[name](X)
    y = y[: len(X)]
    known = LinearRegression().fit(X, y)
    limit()
    model = fit(2, X, y)
    size = np.linalg.norm(known.coef_)
    assert np.linalg.norm(model.coef_ - known.coef_) < 1e-9 * size
    assert_close(model.predict(X), known.predict(X), 1e-9)


@pytest.mark.parametrize("alpha", [1.0, [0.5, 50.0], [0.0, 1e4]])
def test_penalised_lines_are_scikit_learns(rng, assert_close, limit, alpha):
    X, y = problem(rng, m=2)
    X[:, 5] *= 100
    w = rng.integers(2, 5, len(X)) / 2
    expected = RidgeReference(alpha, solver="svd").fit(X, y, w)
    limit()

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        return spmd.Ridge(alpha, comm=comm).fit(X[mine], y[mine], w[mine])

    for model in (spmd.run(2, program)[1], Ridge(alpha).fit(X, y, w)):
        assert_close(model.coef_, expected.coef_)
        assert_close(model.intercept_, expected.intercept_)
    with pytest.raises(MemoryError, match="Ridge of 1200 columns needs"):
        Ridge(positive=True).fit(X, y)


def test_single_precision_in_rounds(rng, assert_close, limit):
    X, y = (part.astype(np.float32) for part in problem(rng))
    expected = Reference().fit(X.astype(float), y)
    limit()
    model = LinearRegression().fit(X, y)
    assert model.coef_.dtype == np.float32
    assert_close(model.coef_, expected.coef_, 1e-4)


def test_what_does_not_converge_says_so(rng, limit):
    X, y = problem(rng, 1300)
    Q = np.linalg.qr(rng.standard_normal((P, P)))[0]
    steep = Q * np.geomspace(1, 1e-4, P) @ Q.T
    limit()
    with pytest.warns(ConvergenceWarning, match="scale the columns"):
        LinearRegression().fit(X @ steep, y)


def test_no_answer_in_rounds_is_said_by_all_ranks_and_the_next_fit_works(rng, limit):
    X, y = problem(rng)
    limit()

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        model = spmd.LinearRegression(positive=True, comm=comm)
        with pytest.raises(MemoryError) as error:
            model.fit(X[mine], y[mine])
        model.set_params(positive=False).fit(X[mine, :5], y[mine])
        assert model.rank_ == 5
        bad = X[mine].copy()
        bad[0, 0] = np.nan if comm.rank == 1 else 0.0
        with pytest.raises(ValueError, match="NaN"):
            model.fit(bad, y[mine])
        with pytest.raises(ValueError, match="non-zero"):
            model.fit(X[mine], y[mine], np.zeros(len(X[mine])))
        return str(error.value)

    said = spmd.run(3, program)
    assert said == said[:1] * 3
    for word in ("1200 columns", "3 rank(s)", "20,000,000", "positive=False"):
        assert word in said[0]


def test_a_round_sends_a_number_for_each_coefficient_and_back(rng, limit):
    X, y = problem(rng)
    limit()

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        before = comm.messages
        spmd.LinearRegression(comm=comm).fit(X[mine], y[mine])
        return comm.messages - before

    first, *others = spmd.run(3, program)
    assert others == [first] * 2
    # Header, memory, means and squares, the line; condition 9 or so, twenty times.
    assert 5 + 2 * 50 < first < 5 + 2 * 250
