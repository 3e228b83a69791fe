"""TruncatedSVD equals scikit-learn's by arpack, and NumPy's singular values."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import TruncatedSVD as Reference

from sklearnex_rs import spmd
from sklearnex_rs.decomposition import TruncatedSVD

ALGORITHMS = ["randomized", "arpack"]
ATTRIBUTES = [
    "components_",
    "singular_values_",
    "explained_variance_",
    "explained_variance_ratio_",
]


def rows(rng, n=203, p=6, offset=0.0):
    mix = rng.standard_normal((p, p))
    return rng.standard_normal((n, p)) @ mix * np.geomspace(1, 0.1, p) + offset


class Exact:
    """By NumPy's whole decomposition, in double; variances around the means."""

    def __init__(self, X, k):
        X = np.asarray(X, float)
        _, values, vectors = np.linalg.svd(X, full_matrices=False)
        largest = np.abs(vectors).argmax(axis=1)
        signs = np.sign(vectors[np.arange(len(vectors)), largest])
        self.components_ = (vectors * signs[:, None])[:k]
        self.singular_values_ = values[:k]
        centered = X - X.mean(axis=0)
        self.explained_variance_ = ((centered @ self.components_.T) ** 2).mean(axis=0)
        total = (centered**2).mean(axis=0).sum()
        self.explained_variance_ratio_ = self.explained_variance_ / total


@pytest.fixture
def check(assert_close):
    def check(model, expected, tol=1e-9):
        for name in ATTRIBUTES:
            assert_close(getattr(model, name), getattr(expected, name), tol)

    return check


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shape", [(203, 6), (40, 6), (6, 20), (7, 7), (1200, 600)])
def test_both_algorithms_are_exact(rng, check, algorithm, k, shape):
    X = rows(rng, *shape)
    model = TruncatedSVD(k, algorithm=algorithm).fit(X)
    check(model, Reference(k, algorithm="arpack", random_state=0).fit(X))
    check(model, Exact(X, k))


@pytest.mark.parametrize("load", [load_iris, load_digits, load_diabetes])
def test_bundled_data(check, load):
    X = load().data
    expected = Reference(3, algorithm="arpack", random_state=0).fit(X)
    check(TruncatedSVD(3).fit(X), expected)


@pytest.mark.parametrize("offset", [1.0, 100.0, 1e4, 1e6])
@pytest.mark.parametrize("shape", [(300, 5), (4, 9)])
def test_exact_far_from_the_origin(rng, check, offset, shape):
    """Where the first singular value hides the others; integers are not rounded."""
    X = rng.integers(-1000, 1000, shape).astype(float) + 1000 * offset
    model, expected = TruncatedSVD(3).fit(X), Exact(X, 3)
    # A vector is open by the rounding of the largest singular value over the gaps.
    check(model, expected, 1e-9 * max(1, offset / 1e4))


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1000.0])
@pytest.mark.parametrize("shape", [(300, 8), (20, 50), (1200, 600)])
def test_single_precision_equals_double(rng, check, k, offset, shape):
    X = rows(rng, *shape, offset).astype(np.float32)
    model = TruncatedSVD(k).fit(X)
    assert {getattr(model, name).dtype for name in ATTRIBUTES} == {X.dtype}
    assert model.transform(X).dtype == np.float32
    check(model, Exact(X, k), 1e-4)


def test_all_components_and_fewer_rows_than_wanted(rng, check):
    X = rows(rng, 50, 4)
    check(TruncatedSVD(4).fit(X), Exact(X, 4))
    model = TruncatedSVD(5).fit(X.T)
    assert model.components_.shape == (4, 50)
    expected = Reference(5, random_state=0).fit(X.T)
    assert expected.components_.shape == model.components_.shape
    check(model, expected)


def test_values_of_any_size(rng, check):
    for scale in (1e-200, 1e-30, 1e30, 1e140):
        X = rows(rng) * scale
        model, expected = TruncatedSVD(2).fit(X), Exact(X / scale, 2)
        np.testing.assert_allclose(model.components_, expected.components_, 0, 1e-9)
        values = model.singular_values_ / scale
        np.testing.assert_allclose(values, expected.singular_values_, 1e-9)


def test_columns_without_variance_and_rows_without_anything(rng, check):
    X = rows(rng)
    X[:, 2] = 7.0
    X[:, 4] = X[:, 1]
    check(TruncatedSVD(4).fit(X), Exact(X, 4))
    model = TruncatedSVD(2).fit(np.zeros((9, 3)))
    assert (model.singular_values_ == 0).all()
    assert np.isnan(model.explained_variance_ratio_).all()
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(2))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_methods_equal_scikit_learns(rng, assert_close, algorithm):
    X, new = rows(rng, 80, 5), rows(rng, 9, 5)
    model = TruncatedSVD(3, algorithm=algorithm)
    expected = Reference(3, algorithm="arpack", random_state=0)
    there = expected.fit_transform(X)
    assert_close(model.fit_transform(X), there)
    assert_close(model.transform(new), expected.transform(new))
    assert_close(model.inverse_transform(there), expected.inverse_transform(there))
    names = [f"truncatedsvd{i}" for i in range(3)]
    assert model.get_feature_names_out().tolist() == names


ERRORS = [
    {"n_components": 0},
    {"n_components": 1.5},
    {"n_components": 7},
    {"algorithm": "full"},
    {"n_iter": -1},
    {"n_oversamples": 0},
    {"power_iteration_normalizer": "some"},
    {"tol": -1.0},
]


@pytest.mark.parametrize("params", ERRORS)
def test_what_does_not_fit_is_refused_in_scikit_learns_words(rng, params):
    X, said = rows(rng), []
    for cls in (Reference, TruncatedSVD):
        with pytest.raises(ValueError) as error:
            cls(**params).fit(X)
        letters = sorted(str(error.value))  # sets are written in any order
        said.append((type(error.value), letters))
    assert said[0] == said[1]


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
@pytest.mark.parametrize("k", [6, 7])
def test_arpack_leaves_one_out(rng, shape, k):
    for cls in (Reference, TruncatedSVD):
        with pytest.raises(ValueError, match="0 < k < min"):
            cls(k, algorithm="arpack").fit(rows(rng, *shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("n", [203, 4])
def test_numbers_that_are_not_finite_are_refused(rng, value, n):
    X, said = rows(rng, n), []
    good = TruncatedSVD(2).fit(X)
    X[2, 3] = value
    for cls in (Reference, TruncatedSVD):
        with pytest.raises(ValueError) as error:
            cls(2).fit(X)
        said.append(str(error.value))
    assert said[0] == said[1]
    with pytest.raises(ValueError, match="contains"):
        good.transform(X)
    with pytest.raises(ValueError, match="X has 5 columns, but 2 are expected"):
        good.inverse_transform(np.ones((3, 5)))


def test_without_room_for_products_few_are_found_in_rounds(rng, check, monkeypatch):
    X = rows(rng, 300, 1200) / 50 + 0.01
    expected = Exact(X, 3)
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", str(9 << 20))
    tall = np.concatenate([X] * 5)  # more rows than columns
    model = TruncatedSVD(3).fit(tall)
    expected.singular_values_ = expected.singular_values_ * np.sqrt(5)
    check(model, expected)
    with pytest.raises(MemoryError, match="TruncatedSVD of 1200 columns with"):
        TruncatedSVD(1000).fit(tall)


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_ranks_that_are_threads(rng, check, size, offset):
    X = rows(rng, 101, 6, offset)

    def program(comm):
        cut = np.arange(comm.size + 1) ** 2 * len(X) // comm.size**2
        mine = X[cut[comm.rank] : cut[comm.rank + 1]]
        return spmd.TruncatedSVD(3, comm=comm).fit(mine)

    models = spmd.run(size, program)
    for model in models:
        check(model, Exact(X, 3))
        assert model.components_.tobytes() == models[0].components_.tobytes()
