"""Least squares in batches: as exact as all rows at once, also over ranks."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression as Reference
from sklearn.linear_model import Ridge as RidgeReference

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import (
    IncrementalLinearRegression,
    IncrementalRidge,
    LinearRegression,
    Ridge,
)

EPS = np.finfo(np.float64).eps
KINDS = [
    (IncrementalLinearRegression, LinearRegression),
    (IncrementalRidge, Ridge),
]
SPREAD = [
    (spmd.IncrementalLinearRegression, LinearRegression),
    (spmd.IncrementalRidge, Ridge),
]


def problem(rng, n=203, p=6, m=1):
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    y = X @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y)


def cuts(rng, n, count):
    """Bounds of so many batches, none empty."""
    inner = np.sort(rng.choice(np.arange(1, n), count - 1, replace=False))
    return list(zip([0, *inner], [*inner, n], strict=True))


def stream(model, X, y, w, bounds):
    for start, end in bounds:
        weights = None if w is None else w[start:end]
        model.partial_fit(X[start:end], y[start:end], weights)
    return model


@pytest.mark.parametrize(("kind", "whole"), KINDS)
@pytest.mark.parametrize("shape", [(203, 6), (40, 30), (20, 50), (3, 2)])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_batches_bring_what_all_rows_bring(
    rng, kind, whole, shape, targets, weighted, fit_intercept, count, assert_close
):
    X, y = problem(rng, *shape, targets)
    w = rng.random(len(X)) + 0.1 if weighted else None
    bounds = cuts(rng, len(X), min(count, len(X)))
    params = {"fit_intercept": fit_intercept}
    model = stream(kind(**params), X, y, w, bounds)
    batch = whole(**params).fit(X, y, w)
    assert_close(model.coef_, batch.coef_)
    assert_close(model.intercept_, batch.intercept_)
    assert np.shape(model.intercept_) == np.shape(batch.intercept_)
    assert model.n_samples_seen_ == len(X)
    if whole is LinearRegression:
        assert_close(model.singular_, batch.singular_)
        assert model.rank_ == batch.rank_
    fitted = kind(batch_size=7, **params).fit(X, y, w)
    assert_close(fitted.coef_, batch.coef_)
    assert fitted.batch_size_ == 7
    assert fitted.n_samples_seen_ == len(X)
    if len(X) > 1:
        assert fitted.score(X, y, w) == pytest.approx(batch.score(X, y, w), abs=1e-9)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_equals_scikit_learn(rng, fit_intercept, assert_close):
    X, y = problem(rng, m=2)
    bounds = cuts(rng, len(X), 5)
    for model, reference in (
        (
            IncrementalLinearRegression(fit_intercept=fit_intercept),
            Reference(fit_intercept=fit_intercept),
        ),
        (
            IncrementalRidge(fit_intercept, [0.5, 20.0]),
            RidgeReference([0.5, 20.0], fit_intercept=fit_intercept),
        ),
    ):
        stream(model, X, y, None, bounds)
        reference.fit(X, y)
        assert_close(model.coef_, reference.coef_)
        assert_close(model.intercept_, reference.intercept_)
        assert_close(model.predict(X), reference.predict(X))


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_as_exact_as_all_rows_at_once(rng, condition, offset, exact):
    U, _ = np.linalg.qr(rng.standard_normal((400, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(400, 400 / condition, 6) @ V.T + offset
    y = X @ np.arange(1.0, 7.0) + 1e-3 / condition * rng.standard_normal(400)
    coef, _ = exact(X, y)
    model = stream(IncrementalLinearRegression(), X, y, None, cuts(rng, 400, 7))
    error = np.abs(model.coef_ - coef).max() / 6
    theirs = np.abs(Reference().fit(X, y).coef_ - coef).max() / 6
    assert error <= max(30 * EPS * condition, 4 * theirs)


@pytest.mark.parametrize("offset", [1e6, 1e8])
@pytest.mark.parametrize("drift", [0.0, 10.0])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_exact_far_from_the_origin_and_where_batches_drift(
    rng, offset, drift, alpha, assert_close
):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (500, 5)).astype(float)
    X += np.floor(drift * np.arange(500))[:, None]
    y = X @ np.arange(1.0, 6.0) + rng.integers(-50, 50, 500)
    near = RidgeReference(alpha=alpha, solver="svd").fit(X, y)
    bounds = cuts(rng, 500, 9)
    far = stream(IncrementalRidge(alpha=alpha), X + offset, y, None, bounds)
    assert_close(far.coef_, near.coef_, 1e-11)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("scale", [1e-150, 1e-5, 1.0, 1e5, 1e200])
def test_batches_that_know_some_columns_only(rng, fit_intercept, scale, assert_close):
    """Of columns that are zero, twice the same, or of another size in each batch."""
    X, y = problem(rng, n=420, m=2)
    for k in range(6):
        X[70 * k : 70 * k + 70, [k, (k + 1) % 6]] = 0
    X[140:210] *= 1e-3
    X[210:280, 1] = X[210:280, 0]
    bounds = [(70 * k, 70 * k + 70) for k in range(6)]
    params = {"fit_intercept": fit_intercept}
    model = stream(IncrementalLinearRegression(**params), X * scale, y, None, bounds)
    assert_close(model.coef_ * scale, Reference(**params).fit(X, y).coef_, 1e-11)
    assert model.rank_ == 6


@pytest.mark.parametrize("sized", [1, 1e4])
def test_a_batch_may_be_collinear(rng, sized, assert_close):
    X, y = problem(rng, n=200)
    X[:100, 3] = X[:100, 1] + 1e-9 * X[:100, 3]
    X[:100] *= sized
    model = stream(IncrementalRidge(alpha=1e-3), X, y, None, [(0, 100), (100, 200)])
    assert_close(model.coef_, Ridge(alpha=1e-3).fit(X, y).coef_, 1e-10)


@pytest.mark.parametrize(("kind", "whole"), KINDS)
def test_single_precision(rng, kind, whole, assert_close):
    X, y = (a.astype(np.float32) for a in problem(rng))
    model = stream(kind(), X, y, None, cuts(rng, len(X), 4))
    assert model.coef_.dtype == np.float32
    batch = whole().fit(X.astype(float), y.astype(float))
    assert_close(model.coef_, batch.coef_, 1e-6)
    model.partial_fit(X.astype(float), y)
    assert model.coef_.dtype == np.float64


def test_zero_weights_are_absence(rng, assert_close):
    X, y = problem(rng)
    w = (rng.random(len(X)) > 0.5).astype(float)
    w[:60] = 0  # the first batches weigh nothing at all
    X[w == 0] = 1e3
    model = IncrementalRidge()
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.partial_fit(X[:10], y[:10], w[:10])
    assert not hasattr(model, "coef_")
    model.fit(X, y, w)
    assert_close(model.coef_, Ridge().fit(X[w > 0], y[w > 0]).coef_)


@pytest.mark.parametrize(("kind", "whole"), KINDS)
def test_a_stream_goes_on_after_a_pickle_a_copy_and_a_merge(
    rng, kind, whole, assert_close
):
    X, y = problem(rng)
    first = kind().partial_fit(X[:50], y[:50])
    second = kind().partial_fit(X[50:80], y[50:80])
    again = pickle.loads(pickle.dumps(first)).partial_fit(X[80:], y[80:])
    assert_close(again.merge(second).coef_, whole().fit(X, y).coef_)
    assert again.n_samples_seen_ == len(X)
    assert first.n_samples_seen_ == 50
    assert_close(first.coef_, whole().fit(X[:50], y[:50]).coef_)
    with pytest.raises(NotFittedError):
        clone(first).predict(X)


def test_fit_forgets(rng, assert_close):
    X, y = problem(rng)
    model = IncrementalRidge().partial_fit(X[:, :3], y).fit(X, y)
    assert_close(model.coef_, Ridge().fit(X, y).coef_)
    assert model.n_samples_seen_ == len(X)
    assert model.batch_size_ == 30


def test_a_failed_batch_changes_nothing(rng, assert_close):
    X, y = problem(rng, m=2)
    model = IncrementalLinearRegression().partial_fit(X[:90], y[:90])
    before = model.coef_
    hole = X[90:].copy()
    hole[5, 2] = np.nan
    for rows, words in (
        ((hole, y[90:]), "NaN"),
        ((X[90:, :3], y[90:]), "features"),
        ((X[90:], y[90:, 0]), "y has another shape"),
        ((X[90:], y[91:]), "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=words):
            model.partial_fit(*rows)
        np.testing.assert_array_equal(model.coef_, before)
    with pytest.raises(ValueError, match="a parameter has changed"):
        model.set_params(fit_intercept=False).partial_fit(X[90:], y[90:])
    model.set_params(fit_intercept=True).partial_fit(X[90:], y[90:])
    assert_close(model.coef_, LinearRegression().fit(X, y).coef_)


@pytest.mark.parametrize(("kind", "whole"), SPREAD)
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_none_one_and_seven_batches_on_three_ranks(
    rng, kind, whole, targets, fit_intercept, offset, assert_close
):
    X, y = problem(rng, m=targets)
    X = X + offset
    bounds = [[], [(0, 40)], cuts(np.random.default_rng(1), 163, 7)]
    shares = [slice(0, 0), slice(0, 40), slice(40, None)]
    params = {"fit_intercept": fit_intercept}
    batch = whole(**params).fit(X, y)

    def program(comm):
        mine = shares[comm.rank]
        model = kind(comm=comm, **params)
        start = comm.messages
        stream(model, X[mine], y[mine], None, bounds[comm.rank])
        assert comm.messages == start
        with pytest.raises(NotFittedError, match="finalize"):
            model.predict(X)
        model.finalize()
        first = comm.messages - start
        coef = model.coef_.copy()
        assert model.n_samples_seen_ == len(X)
        # More batches may follow.
        model.partial_fit(X[mine], y[mine]) if comm.rank else None
        again = model.finalize().coef_
        return coef, again, first

    found = spmd.run(3, program)
    tol = 1e-9 if fit_intercept or not offset else 1e-6
    for coef, again, messages in found:
        assert_close(coef, batch.coef_, tol)
        np.testing.assert_array_equal(coef, found[0][0])
        assert messages <= 7
        if whole is LinearRegression:
            assert_close(again, batch.coef_, tol)  # twice the same rows


@pytest.mark.parametrize(("kind", "whole"), SPREAD)
def test_fit_over_ranks(rng, kind, whole, assert_close):
    X, y = problem(rng)

    def program(comm):
        mine = slice(60 * comm.rank, 60 * comm.rank + 60 if comm.rank < 4 else 0)
        mine = slice(180, None) if comm.rank == 3 else mine
        model = kind(comm=comm, batch_size=13).fit(X[mine], y[mine])
        return model.coef_, model.n_samples_seen_, model.score(X[mine], y[mine])

    batch = whole().fit(X, y)
    for coef, count, score in spmd.run(5, program):
        assert_close(coef, batch.coef_)
        assert count == len(X)
        assert score == pytest.approx(batch.score(X, y), abs=1e-9)


def test_what_went_wrong_on_one_rank_all_ranks_are_told(rng, assert_close):
    X, y = problem(rng)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        model = spmd.IncrementalRidge(comm=comm).partial_fit(X[mine], y[mine])
        if comm.rank == 1:
            with pytest.raises(ValueError, match="NaN"):
                model.partial_fit(np.full((3, 6), np.nan), np.zeros(3))
        with pytest.raises(ValueError, match="rank 1: Input X contains NaN"):
            model.finalize()
        return model.finalize().coef_

    for coef in spmd.run(3, program):
        assert_close(coef, Ridge().fit(X, y).coef_)


def test_check_input_is_passed_by_name(rng):
    X, y = rng.standard_normal((20, 2)), rng.standard_normal(20)
    model = IncrementalLinearRegression().partial_fit(X, y)
    with pytest.raises(TypeError, match="pass check_input by its name"):
        model.partial_fit(X, y, False)
    assert model.n_samples_seen_ == 20


@pytest.mark.parametrize("kind", [IncrementalLinearRegression, IncrementalRidge])
def test_no_room_for_a_triangle_is_told_before(rng, monkeypatch, kind):
    X, y = rng.standard_normal((40, 2000)), rng.standard_normal(40)
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", "20000000")
    model = kind()
    for call in (model.partial_fit, model.fit):
        with pytest.raises(MemoryError, match="2000 columns needs"):
            call(X, y)
    model.partial_fit(X[:, :9], y)
    share = getattr(spmd, kind.__name__)

    def program(comm):
        mine = share(comm=comm)
        with pytest.raises(MemoryError, match="2000 columns needs"):
            mine.fit(X[comm.rank :: 2], y[comm.rank :: 2])
        return mine.fit(X[comm.rank :: 2, :9], y[comm.rank :: 2])

    spmd.run(2, program)


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 10.0])
def test_few_rows_of_many_columns(rng, assert_close, alpha):
    X, y = rng.standard_normal((70, 900)), rng.standard_normal((70, 2))
    w = rng.random(70) * (rng.random(70) > 0.2)
    model = stream(IncrementalRidge(alpha=alpha), X, y, w, [(0, 9), (9, 10), (10, 70)])
    known = Ridge(alpha).fit(X, y, w)
    assert_close(model.coef_, known.coef_)
    assert_close(model.intercept_, known.intercept_)
    model = stream(IncrementalLinearRegression(), X, y, w, [(0, 30), (30, 70)])
    known = LinearRegression().fit(X, y, w)
    assert_close(model.coef_, known.coef_)
    assert model.rank_ == known.rank_
    assert_close(model.singular_, known.singular_)
