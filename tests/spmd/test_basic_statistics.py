"""Statistics of all ranks' rows, however they are spread and cut into batches."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearnex_rs import spmd
from sklearnex_rs.basic_statistics import BasicStatistics as Batch

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
OPTIONS = [
    "min",
    "max",
    "sum",
    "mean",
    "variance",
    "variation",
    "sum_squares",
    "sum_squares_centered",
    "standard_deviation",
    "second_order_raw_moment",
]
CLASSES = [spmd.BasicStatistics, spmd.IncrementalBasicStatistics]


def rows(rng, n=203, p=6, offset=2.0):
    return rng.standard_normal((n, p)) * np.geomspace(1, 30, p) + offset


@pytest.fixture
def check(comm, assert_close):
    def check(model, X, w=None, tol=1e-9):
        expected = Batch().fit(np.asarray(X, np.float64), sample_weight=w)
        for option in OPTIONS:
            found = getattr(model, f"{option}_")
            assert_close(found, getattr(expected, f"{option}_"), tol)
            everywhere = comm.allgather(found.tobytes())
            assert len(set(everywhere)) == 1

    return check


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [3, 203])
def test_shares_of_any_size(
    rng, check, comm, share, cls, kind, dtype, weighted, n, tolerance
):
    X = rows(rng, n).astype(dtype)
    w = rng.integers(0, 3, n).astype(dtype) if weighted else None
    if weighted:
        w[-1], w[: n // (comm.size + 1)] = 2.0, 0.0  # the first rank's weigh nothing
        w[-2] = 1.0
    mine, weights = share(X, w, kind=kind)
    model = cls(comm=comm).fit(mine, sample_weight=weights)
    check(model, X, w, tolerance(dtype))
    assert model.n_features_in_ == 6
    assert model.mean_.dtype == dtype


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_exact_far_from_the_origin(rng, comm, share, cls, offset, assert_close):
    X = rng.integers(-1000, 1000, (500, 3)).astype(float)
    model = cls(comm=comm).fit(share(X + offset)[0])
    squares = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    assert_close(model.sum_squares_centered_, squares, 1e-12)


@pytest.mark.parametrize("counts", [(0, 1, 7, 2), (7, 0, 0, 0), (0, 0, 3, 1), (1,) * 4])
def test_any_number_of_batches_on_any_rank(rng, check, comm, counts):
    batches = [[rows(rng, 4 + i) for i in range(c)] for c in counts[: comm.size]]
    if not any(batches):
        batches[0] = [rows(rng)]
    model = spmd.IncrementalBasicStatistics(comm=comm)
    for i, batch in enumerate(batches[comm.rank]):
        model.partial_fit(batch)
        if comm.size > 1:
            with pytest.raises(NotFittedError, match="finalize"):
                model.mean_
        if i == 2:
            model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
    together = np.concatenate([batch for mine in batches for batch in mine])
    check(model.finalize(), together)
    assert model.n_samples_seen_ == len(together)
    more = rows(rng, 5)
    if comm.rank == comm.size - 1:
        model.partial_fit(more)
    check(model.finalize(), np.r_[together, more])


def test_partial_fit_waits_for_nobody(rng, comm, check):
    X = rows(rng)
    model = spmd.IncrementalBasicStatistics(comm=comm)
    if comm.rank:
        comm.recv(source=comm.rank - 1)  # one after the other
    model.partial_fit(X)
    if comm.rank < comm.size - 1:
        comm.send(None, dest=comm.rank + 1)
    check(model.finalize(), np.tile(X, (comm.size, 1)))


@pytest.mark.parametrize("what", ["NaN", "columns", "weights"])
def test_errors_of_batches_are_local_until_finalize(rng, comm, check, what):
    X = rows(rng)
    model = spmd.IncrementalBasicStatistics(comm=comm).partial_fit(X)
    if comm.rank == comm.size - 1:
        bad = {
            "NaN": (X * np.nan, None),
            "columns": (X[:, :3], None),
            "weights": (X, -np.ones(len(X))),
        }[what]
        with pytest.raises(ValueError) as caught:
            model.partial_fit(bad[0], sample_weight=bad[1])
        mine = str(caught.value)
    said = comm.bcast(mine if comm.rank == comm.size - 1 else None, comm.size - 1)
    if comm.size > 1:
        with pytest.raises(ValueError) as caught:
            model.finalize()
        assert str(caught.value) == f"rank {comm.size - 1}: {said}"
    check(model.finalize(), np.tile(X, (comm.size, 1)))


def test_ranks_without_any_row_raise_alike(comm, rng, check):
    model = spmd.IncrementalBasicStatistics(comm=comm)
    with pytest.raises(ValueError, match=r"0 sample|at least one batch"):
        model.finalize()
    with pytest.raises(ValueError, match="non-zero"):
        spmd.BasicStatistics(comm=comm).fit(rows(rng), sample_weight=np.zeros(203))
    X = rows(rng)
    check(model.fit(X), np.tile(X, (comm.size, 1)))
