"""SPMD equals scikit-learn's arpack on all rows, however spread."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD as Reference

from sklearnex_rs import config_context, spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]


def rows(rng, n=203, p=6, dtype=np.float64, offset=0.0):
    mix = rng.standard_normal((p, p)) * np.geomspace(1, 0.1, p)
    return (rng.standard_normal((n, p)) @ mix + offset).astype(dtype)


@pytest.fixture
def check(comm, share, assert_close):
    def check(X, k=3, kind="even", tol=1e-9, **params):
        (mine,) = share(X, kind=kind)
        model = spmd.TruncatedSVD(k, comm=comm, **params)
        there = model.fit_transform(mine)
        state = {n: v.tobytes() for n, v in vars(model).items() if n.endswith("s_")}
        assert all(other == state for other in comm.allgather(state))
        expected = Reference(k, algorithm="arpack", random_state=0)
        all_there = expected.fit_transform(X.astype(float))
        assert_close(model.components_, expected.components_, tol)
        assert_close(model.singular_values_, expected.singular_values_, tol)
        assert_close(model.explained_variance_, all_there.var(axis=0), max(tol, 1e-8))
        shares = expected.explained_variance_ratio_
        assert_close(model.explained_variance_ratio_, shares, max(tol, 1e-8))
        assert_close(np.concatenate(comm.allgather(there)), all_there, tol)
        assert there.dtype == X.dtype
        return model, mine

    return check


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", ["randomized", "arpack"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shares_of_any_size(rng, check, kind, algorithm, dtype, tolerance):
    X = rows(rng, dtype=dtype)
    check(X, 3, kind, tolerance(dtype), algorithm=algorithm)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(12, 8), (5, 8), (20, 300)])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_few_rows_and_a_large_mean(rng, check, kind, shape, offset):
    check(rows(rng, *shape, offset=offset), 2, kind)


def test_an_error_is_everybodys_and_the_next_fit_works(rng, check, comm):
    model, mine = check(rows(rng))
    bad, last = mine.copy(), comm.size - 1
    if comm.rank == last:
        bad[0, 0] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity") as error:
        model.fit(bad)
    assert comm.size == 1 or str(error.value).startswith(f"rank {last}: ")
    with pytest.raises(ValueError, match=r"n_components\(7\) must be <= n_features"):
        model.set_params(n_components=7).fit(mine)
    if comm.size > 1:
        with pytest.raises(ValueError, match="the 'n_components' parameter differs"):
            model.set_params(n_components=1 + (comm.rank == last)).fit(mine)
    assert model.set_params(n_components=2).fit(mine).components_.shape == (2, 6)


def test_long_messages_are_cut_in_a_fit(rng, check):
    with config_context(spmd_message_bytes=64):
        check(rows(rng, 203, 20), 5, "uneven")
