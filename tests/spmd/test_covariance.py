"""The covariance of all ranks' rows, however they are spread and cut into batches."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance as Reference

from sklearnex_rs import spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
CLASSES = [spmd.EmpiricalCovariance, spmd.IncrementalEmpiricalCovariance]


def rows(rng, n=203, p=6, offset=2.0):
    mix = rng.standard_normal((p, p)) + 2 * np.eye(p)
    return rng.standard_normal((n, p)) @ mix + offset


@pytest.fixture
def check(comm, assert_close):
    def check(model, X, tol=1e-9, **params):
        expected = Reference(**params).fit(np.asarray(X, np.float64))
        for name in ("covariance_", "location_"):
            found = getattr(model, name)
            assert_close(found, getattr(expected, name), tol)
            assert len(set(comm.allgather(found.tobytes()))) == 1
        assert_close(model.get_precision(), expected.get_precision(), tol)
        return expected

    return check


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize(("n", "p"), [(203, 6), (90, 70)])
def test_shares_of_any_size(
    rng, check, comm, share, cls, kind, dtype, centered, n, p, tolerance
):
    X, tol = rows(rng, n, p).astype(dtype), tolerance(dtype)
    (mine,) = share(X, kind=kind)
    model = cls(assume_centered=centered, store_precision=True, comm=comm).fit(mine)
    expected = check(model, X, tol, assume_centered=centered)
    assert len(set(comm.allgather(model.precision_.tobytes()))) == 1
    score = model.score(mine)
    assert comm.allgather(score) == [score] * comm.size
    assert score == pytest.approx(expected.score(X), rel=tol)
    together = np.concatenate(comm.allgather(model.mahalanobis(mine)))
    np.testing.assert_allclose(together, expected.mahalanobis(X), tol)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_exact_far_from_the_origin(rng, comm, share, cls, offset, assert_close):
    X = rng.integers(-1000, 1000, (500, 4)).astype(float)
    model = cls(comm=comm).fit(share(X + offset, kind="uneven")[0])
    assert_close(model.covariance_, np.cov(X.T, bias=True), 1e-12)


@pytest.mark.parametrize("counts", [(0, 1, 7, 2), (7, 0, 0, 0), (0, 0, 3, 1)])
def test_any_number_of_batches_on_any_rank(rng, check, comm, counts):
    batches = [[rows(rng, 9 + i) for i in range(c)] for c in counts[: comm.size]]
    if not any(batches):
        batches[0] = [rows(rng)]
    model = spmd.IncrementalEmpiricalCovariance(comm=comm)
    for batch in batches[comm.rank]:
        model.partial_fit(batch)
    together = np.concatenate([batch for mine in batches for batch in mine])
    check(model.finalize(), together, 1e-7 if len(together) < 40 else 1e-9)
    assert model.n_samples_seen_ == len(together)


def test_what_one_rank_finds_wrong_all_ranks_raise(rng, comm, check):
    X = rows(rng)
    bad = X * (np.nan if comm.rank == comm.size - 1 else 1.0)
    for cls in CLASSES:
        model = cls(comm=comm)
        with pytest.raises(ValueError, match="Input X contains NaN") as caught:
            model.fit(bad)
        assert comm.allgather(str(caught.value)) == [str(caught.value)] * comm.size
        check(model.fit(X), np.tile(X, (comm.size, 1)))
        with pytest.raises(ValueError, match="Input X contains NaN"):
            model.score(bad)


def test_parameters_that_differ_are_named(rng, comm):
    if comm.size == 1:
        return
    model = spmd.EmpiricalCovariance(assume_centered=comm.rank == 0, comm=comm)
    with pytest.raises(ValueError, match="'assume_centered' parameter differs"):
        model.fit(rows(rng))
