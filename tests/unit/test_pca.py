"""PCA equals scikit-learn's full decomposition of the rows less their mean."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA as Reference

from sklearnex_rs import spmd
from sklearnex_rs.decomposition import PCA

SOLVERS = ["auto", "full", "covariance_eigh", "arpack", "randomized"]
ATTRIBUTES = [
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
]


def rows(rng, n=203, p=6, offset=0.0):
    mix = rng.standard_normal((p, p))
    return rng.standard_normal((n, p)) @ mix * np.geomspace(1, 0.1, p) + offset


def reference(X, n_components=None, **params):
    """scikit-learn's, of the rows less their mean, in double."""
    X = np.asarray(X, np.float64)
    mean = X.mean(axis=0)
    model = Reference(n_components, svd_solver="full", **params).fit(X - mean)
    model.mean_ = model.mean_ + mean
    return model


@pytest.fixture
def check(assert_close):
    def check(model, expected, X, tol=1e-9):
        """All that is determined: what has no variance has no direction."""
        n = len(X)
        k = min(len(expected.components_), n - 1)
        assert model.components_.shape == expected.components_.shape
        assert_close(model.components_[:k], expected.components_[:k], tol)
        for name in ATTRIBUTES:
            assert_close(getattr(model, name), getattr(expected, name), tol)
        noise, largest = (
            expected.noise_variance_,
            expected.explained_variance_.max(initial=0),
        )
        assert abs(model.noise_variance_ - noise) <= tol * max(noise, 1e-6 * largest)
        assert model.mean_.shape == expected.mean_.shape
        np.testing.assert_allclose(model.mean_, expected.mean_, tol, tol)
        assert model.n_components_ == expected.n_components_
        assert (model.n_samples_, model.n_features_in_) == np.shape(X)

    return check


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shape", [(203, 6), (40, 6), (6, 20), (7, 7), (1200, 600)])
def test_every_solver_is_exact(rng, check, solver, k, shape):
    X = rows(rng, *shape)
    check(PCA(k, svd_solver=solver).fit(X), reference(X, k), X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(203, 6), (6, 20), (20, 20)])
def test_without_a_number_all_components_are_kept(rng, check, solver, shape):
    X = rows(rng, *shape)
    k = min(shape) - (solver == "arpack")
    # Squares know a variance that is zero only to the root of the precision.
    tol = 1e-7 if solver == "covariance_eigh" and shape == (20, 20) else 1e-9
    check(PCA(svd_solver=solver).fit(X), reference(X, k), X, tol)


@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999999])
def test_a_share_of_the_variance(rng, check, solver, share):
    X = rows(rng, 90, 12)
    check(PCA(share, svd_solver=solver).fit(X), reference(X, share), X)


def minkas(rng, n, p, rank):
    return rng.standard_normal((n, rank)) @ rng.standard_normal(
        (rank, p)
    ) + 0.1 * rng.standard_normal((n, p))


@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
@pytest.mark.parametrize(
    ("n", "p", "rank"), [(60, 9, 3), (400, 9, 8), (12, 12, 2), (50, 2, 1), (30, 1, 1)]
)
def test_minkas_number(rng, check, solver, n, p, rank):
    X = minkas(rng, n, p, rank)
    tol = 1e-7 if solver == "covariance_eigh" and n == p else 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn divides by zero where p is 1
        expected = reference(X, "mle")
    check(PCA("mle", svd_solver=solver).fit(X), expected, X, tol)


@pytest.mark.parametrize("load", [load_iris, load_digits, load_diabetes])
@pytest.mark.parametrize("k", [None, 2, 0.7, "mle"])
def test_bundled_data(check, load, k):
    X = load().data
    if load is load_digits:  # three of its columns are constant
        X = X[:, X.std(axis=0) > 0]
    check(PCA(k).fit(X), reference(X, k), X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("k", [2, 4])
def test_methods_equal_scikit_learns(rng, assert_close, solver, whiten, k):
    X, new = rows(rng, 80, 5), rows(rng, 9, 5)
    model = PCA(k, svd_solver=solver, whiten=whiten).fit(X)
    expected = Reference(k, svd_solver="full", whiten=whiten).fit(X)
    assert_close(model.transform(new), expected.transform(new))
    there = expected.transform(new)
    assert_close(model.inverse_transform(there), expected.inverse_transform(there))
    assert_close(model.get_covariance(), expected.get_covariance())
    assert_close(model.get_precision(), expected.get_precision())
    assert_close(model.score_samples(new), expected.score_samples(new))
    assert abs(model.score(new) - expected.score(new)) < 1e-9 * abs(model.score(new))
    both = PCA(k, svd_solver=solver, whiten=whiten).fit_transform(X)
    assert_close(both, expected.fit_transform(X))
    assert_close(both, model.transform(X), 1e-13)


@pytest.mark.parametrize("k", [0, 5, None])
def test_no_component_and_all_components(rng, assert_close, k):
    X = rows(rng, 80, 5)
    model, expected = PCA(k).fit(X), Reference(k).fit(X)
    assert model.n_components_ == expected.n_components_
    assert_close(
        model.get_covariance(),
        np.cov(X.T) if k != 0 else model.noise_variance_ * np.eye(5),
    )
    assert_close(model.get_covariance(), expected.get_covariance())
    assert_close(model.get_precision(), expected.get_precision())
    assert_close(model.score_samples(X), expected.score_samples(X))
    assert model.transform(X).shape == expected.transform(X).shape
    if k != 0:
        assert_close(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize("shape", [(300, 8), (5000, 40), (20, 50), (1200, 600)])
@pytest.mark.parametrize("solver", ["auto", "full"])
@pytest.mark.parametrize("k", [3, None])
def test_single_precision_equals_scikit_learn_in_double(rng, check, shape, solver, k):
    X = rows(rng, *shape, offset=3.0).astype(np.float32)
    model = PCA(k, svd_solver=solver).fit(X)
    dtypes = {
        getattr(model, name).dtype
        for name in [*ATTRIBUTES, "components_", "noise_variance_"]
    }
    assert dtypes == {np.dtype(np.float32)}
    check(model, reference(X, k), X, 1e-4)
    assert model.transform(X).dtype == np.float32
    if shape[0] > shape[1] or k is not None:  # or the covariance is singular
        assert model.score_samples(X).dtype == np.float32


@pytest.mark.parametrize("scale", [1e-18, 1e-12, 1e12, 1e18])
def test_huge_and_tiny_values_in_single_precision(rng, assert_close, scale):
    X = (rows(rng) * scale).astype(np.float32)
    expected = reference(X, 2)
    model = PCA(2).fit(X)
    assert_close(model.components_, expected.components_, 1e-4)
    assert_close(model.singular_values_, expected.singular_values_, 1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 3, 7])
def test_components_that_lie_near_each_other(rng, assert_close, dtype, solver, k):
    """Eigenvalues a part of 1e-3 apart, as products in single precision cannot tell."""
    U = rng.standard_normal((2000, 24))
    U = np.linalg.qr(U - U.mean(axis=0))[0]
    X = (U * (1 - 1e-3 * np.arange(24)) + 1.0).astype(dtype)
    tol = 1e-9 if dtype == np.float64 else 1e-4
    model = PCA(k, svd_solver=solver).fit(X)
    assert_close(model.components_, reference(X, k).components_, tol)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_exact_far_from_the_origin(rng, check, solver, offset, assert_close):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (300, 5)).astype(float)
    expected, model = reference(X, 3), PCA(3, svd_solver=solver).fit(X + offset)
    there = model.transform(X + offset)
    expected.mean_ = expected.mean_ + offset
    check(model, expected, X)
    assert_close(there, (X - X.mean(axis=0)) @ expected.components_.T, 1e-9)


@pytest.mark.parametrize("condition", [1e3, 1e6, 1e9, 1e12])
def test_singular_values_of_the_triangle_are_exact(rng, condition):
    """Of the condition of X, not of its square."""
    U = np.linalg.qr(rng.standard_normal((400, 6)) - 0.5)[0]
    U = np.linalg.qr(U - U.mean(axis=0))[0]
    V = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    values = np.geomspace(1, 1 / condition, 6)
    X = U * values @ V.T
    for solver in ("full", "randomized"):
        k = 6 if solver == "full" else 5
        model = PCA(k, svd_solver=solver).fit(X)
        assert np.abs(model.singular_values_ - values[:k]).max() < 1e-12


def test_signs_are_scikit_learns(rng):
    X = rows(rng, 50, 9)
    largest = np.abs(PCA().fit(X).components_).argmax(axis=1)
    model = PCA(svd_solver="full").fit(-X)
    assert (model.components_[np.arange(9), largest] > 0).all()
    expected = Reference(svd_solver="full").fit(-X)
    np.testing.assert_array_equal(
        np.sign(model.components_), np.sign(expected.components_)
    )


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed", "read-only"])
@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_any_form_of_the_same_numbers_gives_one_answer(
    rng, order, solver, assert_close
):
    X = rows(rng, 700, 5)
    forms = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "reversed": X[::-1].copy()[::-1],
        "read-only": X.copy(),
    }
    forms["read-only"].flags.writeable = False
    before = X.copy()
    model = PCA(3, svd_solver=solver, copy=False).fit(forms[order])
    expected = PCA(3, svd_solver=solver).fit(X)
    assert_close(model.components_, expected.components_, 1e-12)
    assert_close(model.transform(forms[order]), expected.transform(X), 1e-12)
    np.testing.assert_array_equal(forms[order], before)


ERRORS = [
    ({"n_components": 9}, (20, 5)),
    ({"n_components": 9, "svd_solver": "covariance_eigh"}, (200, 5)),
    ({"n_components": 6}, (600, 5)),
    ({"n_components": 5, "svd_solver": "arpack"}, (20, 5)),
    ({"n_components": 0, "svd_solver": "randomized"}, (20, 5)),
    ({"n_components": 0.5, "svd_solver": "randomized"}, (20, 5)),
    ({"n_components": "mle", "svd_solver": "arpack"}, (20, 5)),
    ({"n_components": "mle"}, (4, 5)),
    ({"n_components": 1.0}, (20, 5)),
    ({"n_components": -1}, (20, 5)),
    ({"n_components": "all"}, (20, 5)),
    ({"svd_solver": "svd"}, (20, 5)),
    ({"tol": -1.0}, (20, 5)),
    ({"n_oversamples": 0}, (20, 5)),
    ({"iterated_power": "some"}, (20, 5)),
    ({"whiten": "yes"}, (20, 5)),
]


@pytest.mark.parametrize(("params", "shape"), ERRORS)
def test_what_does_not_fit_is_refused_in_scikit_learns_words(rng, params, shape):
    X, said = rng.standard_normal(shape), []
    for cls in (Reference, PCA):
        with pytest.raises(ValueError) as error:
            cls(**params).fit(X)
        said.append((type(error.value), str(error.value)))
    assert said[0] == said[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "randomized"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_that_are_not_finite_are_refused(rng, value, solver, dtype):
    X, said = rows(rng).astype(dtype), []
    good = PCA(2).fit(X)
    X[7, 3] = value
    for cls in (Reference, PCA):
        with pytest.raises(ValueError) as error:
            cls(2, svd_solver=solver).fit(X)
        said.append(str(error.value))
    assert said[0] == said[1]
    for call in (good.transform, good.score, good.score_samples):
        with pytest.raises(ValueError, match="contains"):
            call(X)


def test_a_wrong_number_of_columns_is_refused(rng):
    model = PCA(2).fit(rows(rng))
    with pytest.raises(ValueError, match="X has 5 features, but PCA is expecting 6"):
        model.transform(np.ones((3, 5)))
    with pytest.raises(ValueError, match="X has 5 columns, but 2 are expected"):
        model.inverse_transform(np.ones((3, 5)))


def test_constant_columns_and_one_row(rng, assert_close):
    X = rows(rng, 60, 5)
    X[:, 2] = 7.0
    model, expected = PCA(svd_solver="full").fit(X), reference(X)
    assert_close(model.singular_values_, expected.singular_values_)
    assert_close(model.components_[:4], expected.components_[:4])
    one = PCA().fit(X[:1])
    assert one.components_.shape == (1, 5)
    assert np.isnan(one.explained_variance_).all()


def test_output_can_be_a_frame_and_columns_have_names(rng):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X = pd.DataFrame(rows(rng, 30, 3), columns=list("abc"))
    model = PCA(2).set_output(transform="pandas").fit(X)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.get_feature_names_out().tolist() == ["pca0", "pca1"]
    frame = model.transform(X)
    assert frame.columns.tolist() == ["pca0", "pca1"]
    assert frame.index.equals(X.index)
    np.testing.assert_array_equal(
        frame, PCA(2).fit(X.to_numpy()).transform(X.to_numpy())
    )


def test_answers_are_of_the_library_of_X(rng):
    xp = pytest.importorskip("array_api_strict", reason="it is not installed")
    X = rows(rng)
    expected, model = PCA(2, whiten=True).fit(X), PCA(2, whiten=True).fit(xp.asarray(X))
    for name in ("components_", "mean_", "singular_values_"):
        assert type(getattr(model, name)) is type(xp.asarray(X))
    for name in ("transform", "score_samples"):
        answer = getattr(model, name)(xp.asarray(X))
        assert type(answer) is type(xp.asarray(X))
        np.testing.assert_array_equal(np.asarray(answer), getattr(expected, name)(X))
    np.testing.assert_array_equal(
        np.asarray(model.get_covariance()), expected.get_covariance()
    )


WAYS = {
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
def test_models_travel(rng, way):
    X = rows(rng)
    model = PCA(2, whiten=True).fit(X)
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin.transform(X), model.transform(X))
    assert twin.score(X) == model.score(X)
    assert not hasattr(clone(model), "components_")


def test_attributes_that_the_user_sets_are_used(rng, assert_close):
    X = rows(rng, 50, 4)
    model, expected = PCA(2).fit(X), Reference(2).fit(X)
    for m in (model, expected):
        m.components_ = m.components_[::-1].copy()
        m.mean_ = m.mean_ + 1
    assert_close(model.transform(X), expected.transform(X))
    assert_close(
        model.inverse_transform(X[:, :2]), expected.inverse_transform(X[:, :2])
    )


def test_the_number_of_threads_does_not_matter(rng, monkeypatch):
    X = rows(rng, 70_000, 7)
    models = []
    for threads in ("1", "2"):
        monkeypatch.setenv("SKLEARNEX_RS_NUM_THREADS", threads)
        models.append(PCA(3).fit(X))
    np.testing.assert_array_equal(models[0].components_, models[1].components_)
    np.testing.assert_array_equal(models[0].transform(X), models[1].transform(X))


def steep(rng, n, p):
    """Rows with a few leading directions, and much noise."""
    X = rng.standard_normal((n, p)) + 1.0
    return X + rng.standard_normal((n, 8)) @ rng.standard_normal((8, p))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_without_room_for_a_covariance_components_are_found_in_rounds(
    rng, assert_close, monkeypatch, size, solver
):
    X = steep(rng, 1500, 1400)
    expected = PCA(5, svd_solver=solver).fit(X)
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", str(20_000_000))
    mine = [X[rank::size] for rank in range(size)]

    def program(comm):
        return spmd.PCA(5, svd_solver=solver, comm=comm).fit(mine[comm.rank])

    for model in [*spmd.run(size, program), PCA(5, svd_solver=solver).fit(X)]:
        assert_close(model.components_, expected.components_)
        for name in (*ATTRIBUTES, "noise_variance_", "mean_"):
            assert_close(getattr(model, name), getattr(expected, name))


@pytest.mark.parametrize("k", [None, 0.9, "mle", 1000])
def test_without_any_room_all_ranks_say_so_and_the_next_fit_works(rng, monkeypatch, k):
    X = rng.standard_normal((1500, 1400))
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", str(20_000_000))

    def program(comm):
        model, mine = spmd.PCA(k, svd_solver="full", comm=comm), X[comm.rank :: 3]
        with pytest.raises(MemoryError) as error:
            model.fit(mine)
        assert model.set_params(n_components=2).fit(mine[:, :50]).n_components_ == 2
        return str(error.value)

    said = spmd.run(3, program)
    assert said == said[:1] * 3
    for word in ("1400 columns", "bytes for the 3 rank(s)", "20,000,000", "fewer"):
        assert word in said[0]
