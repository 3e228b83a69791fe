"""Components of batches are those of all rows at once."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA as Exact
from sklearn.decomposition import IncrementalPCA as Reference
from sklearn.exceptions import NotFittedError

from sklearnex_rs import spmd
from sklearnex_rs.decomposition import IncrementalPCA

SOLVERS = ["covariance_eigh", "full"]
VALUES = ["singular_values_", "explained_variance_", "explained_variance_ratio_"]


def rows(rng, n=203, p=6, offset=2.0):
    mix = rng.standard_normal((p, p))
    return rng.standard_normal((n, p)) @ mix * np.geomspace(1, 0.1, p) + offset


@pytest.fixture
def check(assert_close):
    def check(model, X, k=None, tol=1e-9):
        X = np.asarray(X, np.float64)
        mean = X.mean(axis=0)
        expected = Exact(k, svd_solver="full").fit(X - mean)
        known = min(len(expected.components_), len(X) - 1)
        assert model.components_.shape == expected.components_.shape
        assert_close(model.components_[:known], expected.components_[:known], tol)
        # Squares know a variance that is zero only to the root of the precision.
        loose = max(tol, 1e-7) if known < len(expected.components_) else tol
        for name in VALUES:
            assert_close(getattr(model, name), getattr(expected, name), loose)
        assert_close(model.mean_, mean, tol)
        assert_close(model.var_, X.var(axis=0), tol)
        noise, largest = expected.noise_variance_, expected.explained_variance_[0]
        assert abs(model.noise_variance_ - noise) <= tol * max(noise, 1e-6 * largest)
        assert (model.n_samples_seen_, model.n_features_in_) == X.shape
        assert model.n_components_ == len(expected.components_)

    return check


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [1, 7, 50, None])
@pytest.mark.parametrize("k", [1, 3, 6, None])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_are_all_rows(rng, check, solver, size, k, dtype, tolerance):
    X, tol = rows(rng).astype(dtype), tolerance(dtype)
    model = IncrementalPCA(k, batch_size=size, svd_solver=solver)
    check(model.fit(X), X, k, tol)
    assert model.batch_size_ == (size or 30)
    check(model.partial_fit(X[:50] + 1), np.r_[X, X[:50] + 1], k, tol)
    check(model.fit(X), X, k, tol)
    assert model.components_.dtype == dtype


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("n", "p"), [(8, 20), (20, 20), (40, 300), (700, 300)])
@pytest.mark.parametrize("k", [2, 5])
def test_wide_rows(rng, check, solver, n, p, k):
    X = rows(rng, n, p)
    model = IncrementalPCA(k, batch_size=7, svd_solver=solver).fit(X)
    check(model, X, k)


@pytest.mark.parametrize("load", [load_iris, load_digits])
@pytest.mark.parametrize("solver", SOLVERS)
def test_equal_to_scikit_learn_where_that_is_exact(assert_close, load, solver):
    """With all components it is."""
    X = load().data
    X = X[:, X.std(axis=0) > 0]
    expected = Reference(batch_size=100).fit(X)
    model = IncrementalPCA(batch_size=100, svd_solver=solver).fit(X)
    for name in ["components_", *VALUES, "mean_", "var_"]:
        assert_close(getattr(model, name), getattr(expected, name), 1e-8)
    assert model.noise_variance_ == expected.noise_variance_ == 0.0
    assert model.n_samples_seen_ == expected.n_samples_seen_
    assert_close(model.transform(X), expected.transform(X), 1e-8)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("k", [2, 6])
def test_methods_equal_scikit_learns(rng, assert_close, whiten, k):
    X, new = rows(rng), rows(rng, 9)
    expected = Exact(k, whiten=whiten, svd_solver="full").fit(X)
    model = IncrementalPCA(k, whiten=whiten, batch_size=11)
    both = model.fit_transform(X)
    assert_close(both, expected.transform(X), 1e-8)
    there = expected.transform(new)
    assert_close(model.transform(new), there)
    assert_close(model.inverse_transform(there), expected.inverse_transform(there))
    assert_close(model.get_covariance(), expected.get_covariance())
    assert_close(model.get_precision(), expected.get_precision(), 1e-7)  # condition
    assert_close(model.score_samples(new), expected.score_samples(new), 1e-7)
    assert model.get_feature_names_out()[0] == "incrementalpca0"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_exact_far_from_the_origin(rng, assert_close, solver, offset):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (300, 5)).astype(float)
    expected = Exact(svd_solver="full").fit(X - X.mean(axis=0))
    model = IncrementalPCA(batch_size=13, svd_solver=solver).fit(X + offset)
    assert_close(model.components_, expected.components_)
    assert_close(model.singular_values_, expected.singular_values_, 1e-11)
    assert_close(model.var_, X.var(axis=0), 1e-12)


@pytest.mark.parametrize("condition", [1e3, 1e8, 1e12])
def test_singular_values_of_the_triangle_are_exact(rng, condition):
    U = np.linalg.qr(rng.standard_normal((400, 6)) - 0.5)[0]
    U = np.linalg.qr(U - U.mean(axis=0))[0]
    V = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    values = np.geomspace(1, 1 / condition, 6)
    model = IncrementalPCA(batch_size=17, svd_solver="full").fit(U * values @ V.T)
    assert np.abs(model.singular_values_ - values).max() < 1e-12


def test_above_5000_columns_a_few_directions_are_kept(rng, assert_close):
    p, k = 5001, 3
    scores = np.linalg.qr(rng.standard_normal((60, 8)))[0] * np.geomspace(100, 1, 8)
    X = scores @ np.linalg.qr(rng.standard_normal((p, 8)))[0].T + 5.0
    model = IncrementalPCA(k, batch_size=7).fit(X)
    expected = Exact(k, svd_solver="full").fit(X)
    assert_close(model.components_, expected.components_)  # of rank eight: all is kept
    for name in VALUES:
        assert_close(getattr(model, name), getattr(expected, name))
    noisy = X + 0.01 * rng.standard_normal(X.shape)
    model = IncrementalPCA(k, batch_size=7).fit(noisy)
    expected = Exact(k, svd_solver="full").fit(noisy)
    reference = Reference(k, batch_size=7).fit(noisy)
    assert len(pickle.dumps(model)) < 8 * p * 30
    assert_close(model.mean_, noisy.mean(axis=0))
    assert_close(model.var_, noisy.var(axis=0))
    apart = [
        np.abs(m.components_ - expected.components_).max() for m in (model, reference)
    ]
    assert apart[0] <= apart[1] + 1e-12  # more directions than scikit-learn keeps
    assert apart[0] < 1e-3
    assert model.noise_variance_ == pytest.approx(expected.noise_variance_, rel=1e-2)

    def program(comm):
        return spmd.IncrementalPCA(k, comm=comm).fit(X[comm.rank :: 3]).components_

    for components in spmd.run(3, program):
        assert_close(components, Exact(k, svd_solver="full").fit(X).components_)


def test_as_many_components_as_rows_at_least(rng, check):
    X = rows(rng)
    model = IncrementalPCA(5)
    with pytest.raises(ValueError, match="n_components=5 must be less or equal"):
        model.partial_fit(X[:4])
    with pytest.raises(NotFittedError, match="finalize"):
        model.transform(X)
    check(model.partial_fit(X[:100]), X[:100], 5)  # the four were not taken in
    with pytest.raises(TypeError, match="unexpected"):
        model.fit_transform(X, sample_weight=None)
    for call in (IncrementalPCA(7).fit, IncrementalPCA(7).partial_fit):
        with pytest.raises(ValueError, match="n_components=7 invalid for n_features=6"):
            call(X)


@pytest.mark.parametrize("solver", SOLVERS)
def test_streams_travel_and_merge(rng, check, solver):
    X = rows(rng)
    one = IncrementalPCA(2, svd_solver=solver).partial_fit(X[:50])
    twin = pickle.loads(pickle.dumps(one))
    check(twin.partial_fit(X[50:]), X, 2)
    check(one, X[:50], 2)
    other = IncrementalPCA(2, svd_solver=solver).partial_fit(X[50:120])
    check(one.merge(other), X[:120], 2)
    check(IncrementalPCA(2, svd_solver=solver).merge(other), X[50:120], 2)
    other = "full" if solver != "full" else "covariance_eigh"
    with pytest.raises(ValueError, match="a parameter has changed"):
        one.set_params(svd_solver=other).partial_fit(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("solver", SOLVERS)
def test_numbers_that_are_not_finite_are_refused(rng, value, solver):
    X = rows(rng)
    X[7, 3] = value
    with pytest.raises(ValueError, match="Input X contains"):
        IncrementalPCA(svd_solver=solver).fit(X)


def test_constant_columns_and_one_row(rng, assert_close):
    X = rows(rng)
    X[:, 2] = 7.0
    for solver in SOLVERS:
        model = IncrementalPCA(5, batch_size=9, svd_solver=solver).fit(X)
        expected = Exact(5, svd_solver="full").fit(X)
        assert_close(model.components_, expected.components_)
        assert model.var_[2] == 0
        one = IncrementalPCA(svd_solver=solver).fit(X[:1])
        assert one.components_.shape == (1, 6)
        assert np.isnan(one.explained_variance_).all()


def test_names_are_those_of_scikit_learn_once_it_is_fitted(rng):
    X = rows(rng)
    with pytest.raises(NotFittedError, match="finalize"):
        IncrementalPCA(2).get_feature_names_out()
    model = IncrementalPCA(2).set_output(transform="pandas")
    columns = ["incrementalpca0", "incrementalpca1"]
    assert model.fit_transform(X).columns.tolist() == columns
    assert model.get_feature_names_out().tolist() == columns


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("counts", [(0, 1, 7), (7, 0, 0), (0, 0, 3), (2, 2, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ranks_with_any_number_of_batches(rng, check, solver, counts, dtype, tolerance):
    X = [[rows(rng, 4 + i).astype(dtype) for i in range(c)] for c in counts]
    together = np.concatenate([batch for mine in X for batch in mine])
    k = 3 if len(together) > 6 else 2

    def program(comm):
        model = spmd.IncrementalPCA(k, svd_solver=solver, comm=comm)
        for batch in X[comm.rank]:
            model.partial_fit(batch)
            with pytest.raises(NotFittedError, match="finalize"):
                model.transform(batch)
            with pytest.raises(NotFittedError, match="finalize"):
                model.get_feature_names_out()
        assert comm.messages == 0
        model.finalize()
        return model, model.transform(together), model.score(together)

    for model, there, score in spmd.run(3, program):
        check(model, together, k, tolerance(dtype))
        assert there.shape == (len(together), k)
        assert np.isfinite(score)


@pytest.mark.parametrize("size", [2, 3, 4, 7])
@pytest.mark.parametrize("solver", SOLVERS)
def test_ranks_that_fit_once(rng, check, size, solver):
    X = rows(rng, 40)

    def program(comm):
        mine = X[comm.rank :: size] if comm.rank else X[:0]
        model = spmd.IncrementalPCA(3, svd_solver=solver, comm=comm)
        return model, model.fit_transform(mine).shape

    seen = np.concatenate([X[r::size] for r in range(1, size)])
    for rank, (model, shape) in enumerate(spmd.run(size, program)):
        check(model, seen, 3)
        assert shape == (len(X[rank::size]) if rank else 0, 3)


def test_ranks_agree_that_rows_are_too_few(rng, check):
    X = rows(rng, 30)

    def program(comm):
        model = spmd.IncrementalPCA(5, comm=comm).partial_fit(X[comm.rank :][:1])
        with pytest.raises(ValueError, match="samples 3, of all") as caught:
            model.finalize()
        check(
            model.fit(X[comm.rank :: 3]), np.concatenate([X[r::3] for r in range(3)]), 5
        )
        return str(caught.value)

    assert len(set(spmd.run(3, program))) == 1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [2, 16])
def test_half_streams_of_ranks_travel_and_merge(rng, check, solver, size):
    X = rows(rng)

    def program(comm):
        mine = X[comm.rank :: size]
        params = {"svd_solver": solver, "comm": comm}
        model = spmd.IncrementalPCA(3, **params).partial_fit(mine[:5])
        model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
        model.merge(spmd.IncrementalPCA(3, **params).partial_fit(mine[5:]))
        assert comm.messages == 0
        return model.finalize()

    for model in spmd.run(size, program):
        check(model, X, 3)


@pytest.mark.parametrize("wrong", ["NaN", "columns", "components"])
def test_what_went_wrong_in_a_batch_all_ranks_learn_once(rng, check, wrong):
    X = rows(rng)
    bad = {"NaN": X * np.nan, "columns": X[:, :5], "components": X}[wrong]
    words = {"NaN": "Input X contains NaN", "columns": "X has 5 features"}
    words["components"] = "n_components=7 invalid"

    def program(comm):
        model = spmd.IncrementalPCA(2, comm=comm).partial_fit(X[comm.rank :: 3])
        if comm.rank == 2:
            model.set_params(n_components=7 if wrong == "components" else 2)
            with pytest.raises(ValueError, match=f"^{words[wrong]}"):
                model.partial_fit(bad)
            model.set_params(n_components=2)
        with pytest.raises(ValueError, match=f"^rank 2: {words[wrong]}") as all_:
            model.finalize()
        return model.finalize(), str(all_.value)

    found = spmd.run(3, program)
    for model, said in found:
        check(model, X, 2)
        assert said == found[0][1]


@pytest.mark.parametrize("counts", [(0, 1, 7), (7, 0, 0), (2, 2, 2)])
def test_above_5000_columns_ranks_have_any_number_of_batches(rng, check, counts):
    p, edges = 5001, np.cumsum([0, *counts]) * 7
    scores = np.linalg.qr(rng.standard_normal((edges[-1], 6)) - 0.5)[0]
    X = scores * np.geomspace(9, 1, 6) @ rng.standard_normal((6, p)) + 5.0

    def program(comm):
        model = spmd.IncrementalPCA(3, comm=comm)
        for start in range(edges[comm.rank], edges[comm.rank + 1], 7):
            model.partial_fit(X[start : start + 7])
            model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
        return model.finalize()

    for model in spmd.run(3, program):
        check(model, X, 3)
