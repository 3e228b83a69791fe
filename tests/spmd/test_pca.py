"""SPMD equals scikit-learn's full decomposition of all rows, however spread."""

import numpy as np
import pytest
from sklearn.decomposition import PCA as Reference

from sklearnex_rs import config_context, spmd
from sklearnex_rs.decomposition import PCA as Batch

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
SOLVERS = ["auto", "full", "covariance_eigh", "arpack", "randomized"]


def rows(rng, n=203, p=6, dtype=np.float64, offset=0.0):
    mix = rng.standard_normal((p, p)) * np.geomspace(1, 0.1, p)
    return (rng.standard_normal((n, p)) @ mix + offset).astype(dtype)


def same_on_all(comm, model):
    state = {
        k: np.asarray(v).tobytes() for k, v in vars(model).items() if k.endswith("_")
    }
    assert all(other == state for other in comm.allgather(state))


@pytest.fixture
def check(comm, share, assert_close):
    def check(X, k=None, kind="even", tol=1e-9, origin=None, **params):
        mine = share(X, kind=kind)[0]
        model = spmd.PCA(k, comm=comm, **params)
        there = model.fit_transform(mine)
        same_on_all(comm, model)
        # scikit-learn's, of the rows less their mean, in double.
        near = np.asarray(X, np.float64) if origin is None else origin
        near = near - near.mean(axis=0)
        expected = Reference(k, svd_solver="full").fit(near)
        known = min(len(X) - 1, len(expected.components_))
        assert_close(model.components_[:known], expected.components_[:known], tol)
        for name in ("singular_values_", "explained_variance_ratio_"):
            assert_close(getattr(model, name), getattr(expected, name), tol)
        largest = expected.explained_variance_[:1].max(initial=1e-300)
        noise = abs(model.noise_variance_ - expected.noise_variance_)
        assert noise <= tol * max(expected.noise_variance_, 1e-6 * largest)
        assert (model.n_samples_, model.n_features_in_) == X.shape
        assert model.n_components_ == expected.n_components_
        assert there.shape == (len(mine), model.n_components_)
        together = np.concatenate(comm.allgather(there))
        assert_close(together[:, :known], expected.transform(near)[:, :known], tol)
        return model, mine, near, expected

    return check


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shares_of_any_size(rng, check, comm, kind, solver, dtype, tolerance):
    X, tol = rows(rng, dtype=dtype), tolerance(dtype)
    model, mine, near, expected = check(X, 3, kind, tol, svd_solver=solver)
    assert model.components_.dtype == dtype
    score = model.score(mine)
    assert comm.allgather(score) == [score] * comm.size
    assert abs(score - expected.score(near)) < tol * abs(score)


@pytest.mark.parametrize("k", [None, 0.6, "mle", 0])
@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
@pytest.mark.parametrize("n", [203, 40])
def test_any_number_of_components(rng, check, k, solver, n):
    check(rows(rng, n), k, "uneven", svd_solver=solver)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("k", [2, None])
def test_fewer_rows_than_columns(rng, check, kind, n, k):
    check(rows(rng, n, 8), k, kind)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["uneven", "one row"])
def test_wide_data(rng, check, solver, kind):
    check(rows(rng, 20, 300), 4, kind, svd_solver=solver)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_far_from_the_origin(rng, check, solver, offset):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (300, 5)).astype(float)
    check(X + offset, 3, "uneven", 1e-9, X, svd_solver=solver)


def test_the_solver_follows_the_rows_of_all_ranks(rng, comm, share):
    """Where a share alone is too short for `n_components`, or for 'mle'."""
    X = rows(rng, 30, 6)
    mine = share(X, kind="uneven")[0]
    for k in (6, "mle"):
        model = spmd.PCA(k, comm=comm).fit(mine)
        assert (
            model.n_components_ == Reference(k, svd_solver="full").fit(X).n_components_
        )
    with pytest.raises(ValueError) as error:
        spmd.PCA(7, comm=comm).fit(mine)
    with pytest.raises(ValueError) as theirs:
        Reference(7, svd_solver="full").fit(X)
    assert str(error.value) == str(theirs.value)
    with pytest.raises(ValueError, match="only supported if n_samples >= n_features"):
        spmd.PCA("mle", comm=comm).fit(share(X[:5])[0])


def test_an_error_is_everybodys_and_the_next_fit_works(rng, comm, share):
    X = rows(rng)
    mine = share(X)[0]
    bad = mine.copy()
    last = comm.size - 1
    if comm.rank == last:
        bad[0, 0] = np.nan
    for solver in ("full", "covariance_eigh"):
        with pytest.raises(ValueError, match="Input X contains NaN") as error:
            spmd.PCA(svd_solver=solver, comm=comm).fit(bad)
        assert comm.size == 1 or str(error.value).startswith(f"rank {last}: ")
        assert len(set(comm.allgather(str(error.value)))) == 1
    model = spmd.PCA(2, comm=comm).fit(mine)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.score(bad)
    if comm.size > 1:
        k = 2 + (comm.rank == last)
        with pytest.raises(ValueError, match="the 'n_components' parameter differs"):
            spmd.PCA(k, comm=comm).fit(mine)
        with pytest.raises(ValueError, match="X has 5 features on rank"):
            spmd.PCA(comm=comm).fit(mine[:, : 6 - (comm.rank == last)])
    same_on_all(comm, spmd.PCA(2, comm=comm).fit(mine))


def test_types_and_orders_may_differ_between_ranks(rng, comm, share, assert_close):
    X = rows(rng, 120, dtype=np.float32).astype(float)
    mine = share(X, kind="uneven")[0]
    forms = [np.asfortranarray, lambda a: a.astype(np.float32), lambda a: a[::-1]]
    mine = forms[comm.rank % 3](mine)
    model = spmd.PCA(3, comm=comm)
    there = model.fit_transform(mine)
    dtype = np.float64 if comm.size > 1 else mine.dtype
    assert model.components_.dtype == there.dtype == dtype
    assert_close(model.components_, Batch(3).fit(X).components_)


def test_long_messages_are_cut_in_a_fit(rng, check):
    with config_context(spmd_message_bytes=64):
        check(rows(rng, 203, 20), 5, "uneven")
        check(rows(rng, 9, 20), 5, "uneven")


def test_frames_of_a_rank_without_rows(rng, comm, share):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(rows(rng, 40, 3), columns=list("abc"))
    mine = share(frame, kind="all on the last")[0]
    model = spmd.PCA(2, comm=comm).set_output(transform="pandas")
    there = model.fit_transform(mine)
    assert there.shape == (len(mine), 2)
    assert there.columns.tolist() == ["pca0", "pca1"]
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
