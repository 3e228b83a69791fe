"""Components of the batches of all ranks are those of all rows at once."""

import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA as Exact
from sklearn.exceptions import NotFittedError

from sklearnex_rs import spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
SOLVERS = ["covariance_eigh", "full"]


def rows(rng, n=203, p=6, offset=2.0):
    mix = rng.standard_normal((p, p))
    return rng.standard_normal((n, p)) @ mix * np.geomspace(1, 0.1, p) + offset


@pytest.fixture
def check(comm, assert_close):
    def check(model, X, k=None, tol=1e-9):
        X = np.asarray(X, np.float64)
        expected = Exact(k, svd_solver="full").fit(X - X.mean(axis=0))
        for name in ("components_", "singular_values_", "explained_variance_ratio_"):
            found = getattr(model, name)
            assert_close(found, getattr(expected, name), tol)
            assert len(set(comm.allgather(found.tobytes()))) == 1
        assert_close(model.mean_, X.mean(axis=0), tol)
        assert_close(model.var_, X.var(axis=0), tol)
        assert (model.n_samples_seen_, model.n_features_in_) == X.shape
        return expected

    return check


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "p", "k"), [(203, 6, 6), (203, 6, 2), (12, 30, 3)])
def test_shares_of_any_size(
    rng, check, comm, share, assert_close, kind, solver, dtype, n, p, k, tolerance
):
    X, tol = rows(rng, n, p).astype(dtype), tolerance(dtype)
    (mine,) = share(X, kind=kind)
    model = spmd.IncrementalPCA(k, svd_solver=solver, batch_size=8, comm=comm)
    there = model.fit_transform(mine)
    expected = check(model, X, k, tol)
    together = np.concatenate(comm.allgather(there))
    near = X.astype(float) - X.mean(axis=0, dtype=float)
    assert_close(together, expected.transform(near), tol)
    score = model.score(mine)
    assert comm.allgather(score) == [score] * comm.size


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("counts", [(0, 1, 7, 2), (7, 0, 0, 0), (0, 0, 3, 1)])
def test_any_number_of_batches_on_any_rank(rng, check, comm, solver, counts):
    batches = [[rows(rng, 4 + i) for i in range(c)] for c in counts[: comm.size]]
    if not any(batches):
        batches[0] = [rows(rng)]
    model = spmd.IncrementalPCA(2, svd_solver=solver, comm=comm)
    for i, batch in enumerate(batches[comm.rank]):
        model.partial_fit(batch)
        if comm.size > 1:
            with pytest.raises(NotFittedError, match="finalize"):
                model.transform(batch)
        if i == 1:
            model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
    check(model.finalize(), np.concatenate([b for mine in batches for b in mine]), 2)


def test_more_components_than_rows_is_everybodys_error(rng, comm, check):
    X = rows(rng)
    model = spmd.IncrementalPCA(5, comm=comm)
    with pytest.raises(ValueError, match="n_components=5 must be less or equal"):
        model.fit(X[:1])
    with pytest.raises(ValueError, match="n_components=7 invalid"):
        model.set_params(n_components=7).fit(X)
    check(model.set_params(n_components=5).fit(X), np.tile(X, (comm.size, 1)), 5)


def test_above_5000_columns(rng, comm, share, assert_close):
    scores = np.linalg.qr(rng.standard_normal((60, 8)))[0] * np.geomspace(100, 1, 8)
    X = scores @ np.linalg.qr(rng.standard_normal((5001, 8)))[0].T + 5.0
    model = spmd.IncrementalPCA(3, comm=comm).fit(share(X, kind="uneven")[0])
    expected = Exact(3, svd_solver="full").fit(X)
    assert_close(model.components_, expected.components_)
    assert_close(model.singular_values_, expected.singular_values_)
