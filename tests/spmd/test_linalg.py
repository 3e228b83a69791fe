"""QR and singular values of all rows, however spread."""

import numpy as np
import pytest

from sklearnex_rs import config_context, linalg, spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
CONDITIONS = [1e0, 1e4, 1e8, 1e13]


def rows(rng, n=203, p=6, condition=1e0):
    """Rows of singular values from 1 down to that part of it."""
    k = min(n, p)
    U = np.linalg.qr(rng.standard_normal((n, k)))[0]
    V = np.linalg.qr(rng.standard_normal((p, k)))[0]
    return U * np.geomspace(1, 1 / condition, k) @ V.T


def same_on_all(comm, *arrays):
    mine = [array.tobytes() for array in arrays]
    assert all(other == mine for other in comm.allgather(mine))


def orthonormal(Q, tol):
    Q = Q.astype(float)
    return np.abs(Q.T @ Q - np.eye(Q.shape[1])).max(initial=0) < tol


@pytest.fixture
def check(comm, share):
    def check(X, kind="even", tol=1e-13):
        (mine,) = share(X, kind=kind)
        k, size = min(X.shape), np.abs(X).max() or 1.0
        Q, R = spmd.linalg.qr(mine, comm=comm)
        U, S, Vh = spmd.linalg.svd(mine, comm=comm)
        same_on_all(comm, R, S, Vh)
        assert Q.shape == U.shape == (len(mine), k)
        assert {part.dtype for part in (Q, R, U, S, Vh)} == {X.dtype}
        Q, U = (np.concatenate(comm.allgather(part)) for part in (Q, U))
        assert orthonormal(Q, tol)
        assert orthonormal(U, tol)
        assert orthonormal(Vh.T, tol)
        assert np.abs(Q.astype(float) @ R - X).max() < tol * size
        assert np.abs((U.astype(float) * S) @ Vh - X).max() < tol * size
        assert (np.tril(R, -1) == 0).all()
        assert (np.diag(R) >= 0).all()
        alone = linalg.svd(X.astype(float), compute_uv=False)
        assert np.abs(S - alone).max() <= tol * (alone[0] or 1)
        return mine, R, S

    return check


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("shape", [(203, 6), (9, 6), (5, 12), (5000, 30)])
def test_shares_of_any_size(rng, check, kind, condition, shape):
    check(rows(rng, *shape, condition), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8])
def test_single_precision(rng, check, kind, condition):
    check(rows(rng, condition=condition).astype(np.float32), kind, 2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_depend_on_each_other(rng, check, kind):
    X = rng.standard_normal((40, 6))
    check(X[:, [0, 0, 1, 2, 1, 3]], kind)
    check(np.zeros((9, 3)), kind)
    check(np.ones((9, 3)), kind)
    check(X + 1e8, kind)


def test_the_triangle_does_not_depend_on_shares(rng, check, assert_close, comm):
    for condition in (1e0, 1e4):
        X = rows(rng, condition=condition)
        expected = linalg.qr(X).R
        for kind in KINDS:
            mine, R, S = check(X, kind)
            assert_close(R, expected, 1e-12)
            assert_close(spmd.linalg.qr(mine, "r", comm=comm), expected, 1e-12)
            values = spmd.linalg.svd(mine, compute_uv=False, comm=comm)
            assert_close(values, S, 1e-12)


def test_long_messages_are_cut(rng, check):
    with config_context(spmd_message_bytes=64):
        check(rows(rng, 203, 20), "uneven")
        check(rows(rng, 203, 20, 1e9), "uneven")


@pytest.mark.parametrize("n", [203, 3])
def test_an_error_is_everybodys_and_the_next_call_works(rng, comm, share, check, n):
    X = rows(rng, n)
    (mine,) = share(X, kind="all on the last")
    bad, last = mine.copy(), comm.size - 1
    bad[:1] = np.nan
    for call in (spmd.linalg.qr, spmd.linalg.svd):
        with pytest.raises(ValueError, match="contains NaN") as error:
            call(bad, comm=comm)
        assert comm.size == 1 or str(error.value).startswith(f"rank {last}: ")
        assert len(set(comm.allgather(str(error.value)))) == 1
        with pytest.raises(ValueError, match="0 sample"):
            call(mine[:0], comm=comm)
    with pytest.raises(NotImplementedError, match="use mode='reduced'"):
        spmd.linalg.qr(mine, "complete", comm=comm)
    if comm.size > 1:
        with pytest.raises(ValueError, match="the 'mode' parameter differs"):
            spmd.linalg.qr(mine, "r" if comm.rank else "reduced", comm=comm)
        with pytest.raises(ValueError, match=r"rank 1 called svd"):
            (spmd.linalg.svd if comm.rank == 1 else spmd.linalg.qr)(mine, comm=comm)
    check(X, "all on the last")
