"""Covariances equal scikit-learn's; batches equal all rows at once."""

import pickle

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance as Reference
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError

from sklearnex_rs import spmd
from sklearnex_rs.covariance import EmpiricalCovariance, IncrementalEmpiricalCovariance

CLASSES = [EmpiricalCovariance, IncrementalEmpiricalCovariance]


def rows(rng, n=203, p=6, offset=2.0):
    mix = rng.standard_normal((p, p)) + 2 * np.eye(p)
    return rng.standard_normal((n, p)) @ mix + offset


@pytest.fixture
def check(assert_close):
    def check(model, X, tol=1e-9, **params):
        expected = Reference(**params).fit(np.asarray(X, np.float64))
        assert_close(model.covariance_, expected.covariance_, tol)
        spread = np.abs(expected.location_).max() + np.sqrt(expected.covariance_.max())
        assert np.abs(model.location_ - expected.location_).max() <= tol * spread
        assert_close(model.get_precision(), expected.get_precision(), tol)
        return expected

    return check


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("n", "p"), [(203, 6), (5000, 40), (12, 6), (700, 300)])
def test_equal_to_scikit_learn(
    rng, check, assert_close, cls, dtype, centered, stored, n, p, tolerance
):
    X, tol = rows(rng, n, p).astype(dtype), tolerance(dtype)
    new = rows(rng, 30, p).astype(dtype)
    params = {"assume_centered": centered, "store_precision": stored}
    model = cls(**params).fit(X)
    expected = check(model, X, tol, **params)
    assert (model.precision_ is None) == (not stored)
    assert model.covariance_.dtype == model.get_precision().dtype == np.float64
    assert model.location_.dtype == dtype
    new = new.astype(np.float64)
    assert_close(model.mahalanobis(new), expected.mahalanobis(new), tol)
    assert model.score(new) == pytest.approx(expected.score(new), rel=tol)
    other = np.cov(new.T)
    for norm in ("frobenius", "spectral"):
        for flags in ((True, True), (True, False), (False, True), (False, False)):
            found = model.error_norm(other, norm, *flags)
            assert found == pytest.approx(expected.error_norm(other, norm, *flags))
    with pytest.raises(NotImplementedError, match="Only spectral and frobenius"):
        model.error_norm(other, norm="nuclear")


@pytest.mark.parametrize("load", [load_iris, load_diabetes])
@pytest.mark.parametrize("cls", CLASSES)
def test_bundled_data(check, load, cls):
    check(cls().fit(load().data), load().data)


@pytest.mark.parametrize("cls", CLASSES)
def test_constant_and_equal_columns(rng, assert_close, cls):
    """Their precision is the pseudo-inverse."""
    digits = load_digits().data  # three constant columns
    model, expected = cls().fit(digits), Reference().fit(digits)
    assert_close(model.covariance_, expected.covariance_)
    assert_close(model.get_precision(), expected.get_precision(), 1e-7)
    X = rows(rng)
    X = np.column_stack([X, X[:, 0], np.full(203, 5.0)])
    model, expected = cls().fit(X), Reference().fit(X)
    assert_close(model.get_precision(), expected.get_precision())
    assert_close(model.mahalanobis(X), expected.mahalanobis(X))


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_exact_far_from_the_origin(rng, assert_close, cls, offset):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (3000, 5)).astype(float)
    near, far = Reference().fit(X), cls().fit(X + offset)
    assert_close(far.covariance_, near.covariance_, 1e-12)
    assert_close(far.get_precision(), near.get_precision(), 1e-12)
    # `location_` itself is rounded there.
    assert_close(far.mahalanobis(X + offset), near.mahalanobis(X), 1e-10)


@pytest.mark.parametrize("cls", CLASSES)
def test_fewer_rows_than_columns_and_one_row(rng, assert_close, cls):
    X = rows(rng, 5, 9)
    model, expected = cls().fit(X), Reference().fit(X)
    assert_close(model.covariance_, expected.covariance_)
    assert_close(model.get_precision(), expected.get_precision(), 1e-7)
    with pytest.warns(UserWarning, match="Only one sample available"):
        assert not cls().fit(X[:1]).covariance_.any()
    one = cls().fit(X[:, :1])
    assert_close(one.covariance_, X[:, :1].var(axis=0).reshape(1, 1))


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_that_are_not_finite_are_refused(rng, cls, value, dtype):
    X = rows(rng).astype(dtype)
    good = cls().fit(X)
    X[7, 3] = value
    for call in (cls().fit, good.mahalanobis, good.score):
        with pytest.raises(ValueError, match="X contains"):
            call(X)


@pytest.mark.parametrize("size", [1, 7, 100, None])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_are_all_rows(rng, check, size, centered, dtype, tolerance):
    X, tol = rows(rng).astype(dtype), tolerance(dtype)
    params = {"assume_centered": centered, "store_precision": True}
    model = IncrementalEmpiricalCovariance(batch_size=size, **params)
    check(model.partial_fit(X + 50).fit(X), X, tol, **params)
    assert (model.batch_size_, model.n_samples_seen_) == (size or 30, 203)
    check(model.partial_fit(X[:9]), np.r_[X, X[:9]], tol, **params)
    twin = pickle.loads(pickle.dumps(model)).partial_fit(X[9:])
    check(twin, np.r_[X, X], tol, **params)
    check(model, np.r_[X, X[:9]], tol, **params)
    other = IncrementalEmpiricalCovariance(**params).partial_fit(X[9:])
    check(model.merge(other), np.r_[X, X], tol, **params)


def test_batches_must_be_of_one_kind(rng, check):
    X = rows(rng)
    model = IncrementalEmpiricalCovariance().partial_fit(X)
    with pytest.raises(ValueError, match="X has 5 features"):
        model.partial_fit(X[:, :5])
    model.set_params(assume_centered=True)
    with pytest.raises(ValueError, match="a parameter has changed"):
        model.partial_fit(X)
    with pytest.raises(ValueError, match="a parameter has changed"):
        model.finalize()
    check(model.set_params(assume_centered=False).partial_fit(X), np.r_[X, X])
    check(model.set_params(assume_centered=True).fit(X), X, assume_centered=True)


def test_answers_are_of_the_library_of_X(rng):
    xp = pytest.importorskip("array_api_strict", reason="it is not installed")
    X = rows(rng)
    for cls in CLASSES:
        model, expected = cls().fit(xp.asarray(X)), cls().fit(X)
        foreign = [model.covariance_, model.location_, model.get_precision()]
        foreign.append(model.mahalanobis(xp.asarray(X)))
        assert {type(array) for array in foreign} == {type(xp.asarray(X))}
        assert model.score(xp.asarray(X)) == expected.score(X)


def test_no_room_is_said_before_anything_is_allocated(rng, monkeypatch):
    X = rng.standard_normal((10, 2000))
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", "1000000")
    for fit in (
        EmpiricalCovariance().fit,
        IncrementalEmpiricalCovariance().partial_fit,
    ):
        with pytest.raises(MemoryError, match="2000 columns needs 96,000,000 bytes"):
            fit(X)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("centered", [False, True])
def test_ranks_equal_one(rng, check, size, centered):
    X = rows(rng)

    def program(comm):
        mine = X[comm.rank**2 * 4 : (comm.rank + 1) ** 2 * 4]
        if comm.rank == size - 1:
            mine = X[comm.rank**2 * 4 :]
        model = spmd.EmpiricalCovariance(assume_centered=centered, comm=comm)
        before = comm.messages
        model.fit(mine)
        messages = comm.messages - before
        return model, messages, model.score(mine), model.mahalanobis(mine[:0]).shape

    found = spmd.run(size, program)
    for model, messages, score, empty in found:
        expected = check(model, X, assume_centered=centered)
        assert messages == (4 if size > 1 else 0)
        assert score == pytest.approx(expected.score(X), rel=1e-9)
        assert score == found[0][2]
        assert empty == (0,)


@pytest.mark.parametrize("counts", [(0, 1, 7), (7, 0, 0), (0, 0, 1), (2, 2, 2)])
def test_ranks_with_any_number_of_batches(rng, check, counts):
    X = [[rows(rng, 2 + i + r) for i in range(c)] for r, c in enumerate(counts)]
    together = np.concatenate([batch for mine in X for batch in mine])

    def program(comm):
        model = spmd.IncrementalEmpiricalCovariance(comm=comm)
        for batch in X[comm.rank]:
            model.partial_fit(batch)
        assert comm.messages == 0
        return model.finalize()

    for model in spmd.run(3, program):
        tol = 1e-9 if len(together) > 12 else 1e-6
        expected = Reference().fit(together)
        np.testing.assert_allclose(model.covariance_, expected.covariance_, tol, tol)
        assert model.n_samples_seen_ == len(together)


@pytest.mark.parametrize("size", [2, 16])
def test_half_streams_of_ranks_travel_and_merge(rng, check, size):
    X = rows(rng)

    def program(comm):
        mine = X[comm.rank :: size]
        model = spmd.IncrementalEmpiricalCovariance(comm=comm).partial_fit(mine[:5])
        model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
        other = spmd.IncrementalEmpiricalCovariance(comm=comm).partial_fit(mine[5:])
        with pytest.raises(NotFittedError, match="finalize"):
            model.merge(other).get_precision()
        assert comm.messages == 0
        return model.finalize()

    for model in spmd.run(size, program):
        check(model, X)


def test_what_went_wrong_in_a_batch_all_ranks_learn_once(rng, check):
    X = rows(rng)

    def program(comm):
        model = spmd.IncrementalEmpiricalCovariance(comm=comm)
        model.partial_fit(X[comm.rank :: 3])
        if comm.rank == 1:
            with pytest.raises(ValueError, match=r"^X has 2 features"):
                model.partial_fit(X[:, :2])
        with pytest.raises(ValueError, match=r"^rank 1: X has 2 features") as all_:
            model.finalize()
        return model.finalize(), str(all_.value)

    found = spmd.run(3, program)
    for model, said in found:
        check(model, X)
        assert said == found[0][1]
