"""QR and singular values equal NumPy's, and bases are orthonormal at any condition."""

import array_api_strict as xp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from sklearnex_rs import spmd
from sklearnex_rs.linalg import qr, svd

CONDITIONS = [1e0, 1e2, 1e5, 1e8, 1e13, 1e17]
SHAPES = [(203, 6), (5000, 7), (40, 40), (6, 20), (1, 5), (5, 1), (2500, 130)]


def rows(rng, n, p, condition=1e0):
    """Rows of singular values from 1 down to that part of it."""
    k = min(n, p)
    U = np.linalg.qr(rng.standard_normal((n, k)))[0]
    V = np.linalg.qr(rng.standard_normal((p, k)))[0]
    return U * np.geomspace(1, 1 / condition, k) @ V.T


def far_from_orthonormal(Q):
    Q = np.asarray(Q, float)
    return np.abs(Q.T @ Q - np.eye(Q.shape[1])).max(initial=0)


def signed(R):
    """R as NumPy finds it, with a diagonal that is not negative."""
    return R * np.where(np.diag(R) < 0, -1, 1)[:, None]


def check(X, tol=1e-13):
    """What holds for any rows."""
    k, size = min(X.shape), np.abs(X).max() or 1.0
    Q, R = qr(X)
    assert (Q.shape, R.shape) == ((len(X), k), (k, X.shape[1]))
    assert Q.dtype == R.dtype == X.dtype
    assert far_from_orthonormal(Q) < tol
    assert np.abs(Q.astype(float) @ R - X).max() < tol * size
    assert (np.tril(R, -1) == 0).all()
    assert (np.diag(R) >= 0).all()
    U, S, Vh = svd(X)
    assert (U.shape, S.shape, Vh.shape) == ((len(X), k), (k,), (k, X.shape[1]))
    assert U.dtype == S.dtype == Vh.dtype == X.dtype
    assert max(far_from_orthonormal(U), far_from_orthonormal(Vh.T)) < tol
    assert np.abs((U.astype(float) * S) @ Vh - X).max() < tol * size
    expected = np.linalg.svd(X.astype(float), compute_uv=False)
    assert np.abs(S - expected).max() <= tol * expected[0]
    assert (np.diff(S) <= 0).all()
    largest = np.abs(Vh).argmax(axis=1)
    assert (Vh[np.arange(k), largest] > 0).all()
    return Q, R


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_bases_are_orthonormal_at_any_condition(rng, condition, shape):
    check(rows(rng, *shape, condition))


@pytest.mark.parametrize("condition", [1e0, 1e3, 1e5])
@pytest.mark.parametrize("shape", SHAPES)
def test_factors_are_numpys_but_for_signs(rng, condition, shape, assert_close):
    X = rows(rng, *shape, condition)
    R = np.linalg.qr(X)[1]
    found = qr(X).R
    # The last row of a square one has no sign that rounding leaves alone.
    assert_close(found, signed(R), 1e-12)
    assert_close(np.abs(qr(X, "r")), np.abs(R), 1e-12)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_triangle_alone_is_the_same(rng, condition):
    X = rows(rng, 300, 7, condition)
    np.testing.assert_allclose(qr(X, mode="r"), qr(X).R, 1e-9, 1e-14)
    np.testing.assert_allclose(svd(X, compute_uv=False), svd(X).S, 1e-9, 1e-14)


@pytest.mark.parametrize("condition", [1e0, 1e3, 1e8])
@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision(rng, condition, shape):
    check(rows(rng, *shape, condition).astype(np.float32), 2e-6)


DEPENDENT = {
    "zeros": lambda X: 0 * X,
    "a zero first": lambda X: X * (np.arange(X.shape[1]) > 0),
    "twice the same": lambda X: X[:, [0, 0, 1, 2, 1, 3]],
    "constants": lambda X: np.ones_like(X),
    "of rank two": lambda X: X[:, :2] @ X[:2],
    "far from zero": lambda X: X + 1e8,
    "of many sizes": lambda X: X * 10.0 ** np.arange(-90, 90, 30),
    "beyond squares": lambda X: X * 1e200,
    "below squares": lambda X: X * 1e-200,
    "two rows": lambda X: X[:2],
    "one row": lambda X: X[:1],
}


@pytest.mark.parametrize("name", DEPENDENT)
@pytest.mark.parametrize("n", [6, 50, 3000])
def test_columns_that_depend_on_each_other_are_completed(rng, name, n):
    check(DEPENDENT[name](rng.standard_normal((n, 6))))


@pytest.mark.parametrize("load", [load_digits, load_diabetes])
def test_bundled_data(load, assert_close):
    X = load().data
    Q, R = check(X)
    if load is load_diabetes:
        assert_close(R, signed(np.linalg.qr(X)[1]), 1e-12)
        assert_close(Q @ R, X, 1e-13)


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed", "read-only"])
@pytest.mark.parametrize("condition", [1e0, 1e9])
def test_any_form_of_the_same_numbers(rng, order, condition):
    X = rows(rng, 700, 5, condition)
    forms = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "reversed": X[::-1].copy()[::-1],
        "read-only": X.copy(),
    }
    forms["read-only"].flags.writeable = False
    before = X.copy()
    check(forms[order])
    np.testing.assert_array_equal(forms[order], before)


def test_answers_do_not_depend_on_threads(rng):
    for condition in (1e0, 1e4, 1e10):
        X = rows(rng, 20_000, 5, condition)
        one, many = qr(X, n_jobs=1), qr(X, n_jobs=3)
        np.testing.assert_array_equal(one.R, many.R)
        np.testing.assert_array_equal(one.Q, many.Q)


def test_lists_and_whole_numbers_are_taken():
    Q, R = qr([[3, 5], [4, 0]])
    np.testing.assert_allclose(R, [[5, 3], [0, 4]], atol=1e-12)
    np.testing.assert_allclose(Q, [[0.6, 0.8], [0.8, -0.6]], atol=1e-12)


def test_other_libraries_get_their_own_back(rng):
    X = xp.asarray(rng.standard_normal((30, 3)))
    assert all(isinstance(part, type(X)) for part in (*qr(X), *svd(X)))


def test_what_does_not_fit_is_refused(rng):
    X = rng.standard_normal((9, 2))
    for mode in ("complete", "raw"):
        with pytest.raises(NotImplementedError, match="use mode='reduced'"):
            qr(X, mode)
    with pytest.raises(ValueError, match="mode must be 'reduced' or 'r', got 'full'"):
        qr(X, "full")
    with pytest.raises(NotImplementedError, match="use full_matrices=False"):
        svd(X, full_matrices=True)
    with pytest.raises(ValueError, match="'n_jobs' parameter of qr must be"):
        qr(X, n_jobs="a")
    with pytest.raises(ValueError, match="'compute_uv' parameter of svd must be"):
        svd(X, compute_uv="no")
    for bad in (np.nan, np.inf):
        for n in (9, 1):
            Y = X[:n].copy()
            Y[0, 1] = bad
            with pytest.raises(ValueError, match="contains"):
                qr(Y)
            with pytest.raises(ValueError, match="contains"):
                svd(Y, compute_uv=False)
    with pytest.raises(ValueError, match=r"0 sample.* by qr\."):
        qr(X[:0])
    with pytest.raises(ValueError, match="Expected 2D array"):
        svd(X[0])


def test_where_there_is_no_room_nothing_is_begun(rng, monkeypatch):
    X = rng.standard_normal((2000, 1200))
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", str(1 << 20))
    with pytest.raises(MemoryError, match="qr of 1200 columns needs"):
        qr(X)
    assert qr(X[:, :20]).R.shape == (20, 20)


@pytest.mark.parametrize("size", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8, 1e13, np.inf])
def test_ranks_that_are_threads(rng, size, condition):
    """Rows in all, and rows of a rank, both fewer than columns and more; and none."""
    for n, p in [(203, 11), (40, 11), (5, 11)]:
        X = rows(rng, n, p, min(condition, 1e3))
        if condition == np.inf:
            X[:, p // 2 :] = X[:, : p - p // 2]
        else:
            X = rows(rng, n, p, condition)

        def program(comm, X=X, n=n):
            cut = np.sort([0, n, *np.arange(1, comm.size) ** 3 * n // comm.size**3])
            mine = X[cut[comm.rank] : cut[comm.rank + 1]]
            options = {"comm": comm}
            return spmd.linalg.qr(mine, **options), spmd.linalg.svd(mine, **options)

        found = spmd.run(size, program)
        R, S, Vh = found[0][0].R, found[0][1].S, found[0][1].Vh
        for other, (_, values, vectors) in found:
            assert (other.R.tobytes(), values.tobytes(), vectors.tobytes()) == (
                R.tobytes(),
                S.tobytes(),
                Vh.tobytes(),
            )
        Q = np.concatenate([triangle.Q for triangle, _ in found])
        U = np.concatenate([spectrum.U for _, spectrum in found])
        assert max(far_from_orthonormal(Q), far_from_orthonormal(U)) < 1e-13
        assert np.abs(Q @ R - X).max() < 1e-13
        assert np.abs((U * S) @ Vh - X).max() < 1e-13
        assert np.abs(S - np.linalg.svd(X, compute_uv=False)).max() < 1e-13
        assert (np.diag(R) >= 0).all()


@pytest.mark.parametrize(("condition", "messages"), [(1e0, 5), (1e4, 7), (1e10, 9)])
def test_messages_grow_with_the_logarithm_of_ranks(rng, condition, messages):
    """Header, rows; products and root, again; or triangles up and down the tree."""
    X = rows(rng, 300, 4, condition)

    def program(comm):
        spmd.linalg.qr(X[comm.rank :: comm.size], comm=comm)
        return comm.messages

    assert spmd.run(4, program) == [messages] * 4
