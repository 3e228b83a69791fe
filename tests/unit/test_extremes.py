"""Variances near rounding, and numbers near either end of what their type holds."""

import numpy as np
import pytest
from sklearn.cluster import KMeans as ReferenceKMeans
from sklearn.datasets import make_low_rank_matrix

from sklearnex_rs import spmd
from sklearnex_rs.basic_statistics import IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linalg import qr, svd

SOLVERS = ["auto", "full", "covariance_eigh", "arpack", "randomized"]
SCALES = [5e-323, 1e-310, 1e-307, 1e-200, 1e200, 1e307]


@pytest.fixture(scope="module")
def low_rank():
    return make_low_rank_matrix(
        1000, 10, effective_rank=2, tail_strength=0, random_state=0
    )


def check_white(Z):
    np.testing.assert_allclose(np.cov(Z.T), np.eye(Z.shape[1]), 0, 1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [None, 9])
def test_whitening_is_exact_near_rounding(low_rank, solver, k):
    if k is None and solver in ("arpack", "randomized"):
        k = 9
    model = PCA(k, whiten=True, svd_solver=solver)
    Z = model.fit_transform(low_rank)
    check_white(Z)
    back = model.inverse_transform(Z)
    np.testing.assert_allclose(back, low_rank, 0, 1e-8)
    exact = PCA(k, whiten=True, svd_solver="full").fit(low_rank)
    np.testing.assert_allclose(
        model.explained_variance_, exact.explained_variance_, 1e-5
    )
    np.testing.assert_allclose(
        model.noise_variance_, exact.noise_variance_, 1e-5, 1e-30
    )


@pytest.mark.parametrize("batch_size", [50, 1000])
def test_whitening_of_batches_is_exact_near_rounding(low_rank, batch_size):
    model = IncrementalPCA(whiten=True, batch_size=batch_size)
    check_white(model.fit_transform(low_rank))


def test_whitening_over_ranks_is_exact_near_rounding(low_rank):
    def program(comm):
        mine = low_rank[comm.rank :: comm.size]
        batch = spmd.PCA(whiten=True, comm=comm).fit_transform(mine)
        stream = spmd.IncrementalPCA(whiten=True, comm=comm)
        return batch, stream.partial_fit(mine).finalize().transform(mine)

    for parts in zip(*spmd.run(3, program), strict=True):
        check_white(np.concatenate(parts))


def test_the_noise_is_exact_near_rounding(low_rank):
    exact = PCA(4, svd_solver="full").fit(low_rank).noise_variance_
    for solver in SOLVERS:
        found = PCA(4, svd_solver=solver).fit(low_rank).noise_variance_
        assert found == pytest.approx(exact, 1e-9)


def singular_models():
    rng = np.random.default_rng(0)
    wide, tall = rng.standard_normal((5, 100)), rng.standard_normal((50, 6))
    tall[:, 3] = tall[:, 0] - tall[:, 1]
    for X in (wide, tall, wide.astype(np.float32), tall.astype(np.float32)):
        for solver in ("auto", "full", "covariance_eigh"):
            for whiten in (False, True):
                yield PCA(svd_solver=solver, whiten=whiten), X
        yield IncrementalPCA(), X
    yield PCA(4), wide
    yield PCA(5), tall


@pytest.mark.parametrize(("model", "X"), list(singular_models()))
def test_a_singular_covariance_has_neither_inverse_nor_likelihood(model, X):
    model.fit(X)
    for ask in (
        model.get_precision,
        lambda: model.score(X),
        lambda: model.score_samples(X),
    ):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            ask()
    assert np.isfinite(model.get_covariance()).all()


def test_a_singular_covariance_is_told_to_all_ranks():
    X = np.random.default_rng(0).standard_normal((5, 20))

    def program(comm):
        mine = X[comm.rank :: comm.size]
        model = spmd.PCA(comm=comm).fit(mine)
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            model.score(mine)
        return spmd.PCA(2, comm=comm).fit(mine).score(mine)

    assert np.isfinite(spmd.run(3, program)).all()


def extreme(scale, n=40, p=5):
    """Rows of a few bits, which no scale that is a power of two changes."""
    X = np.random.default_rng(1).integers(-8, 9, (n, p)).astype(float)
    exact = np.float64(2.0) ** np.floor(np.log2(scale))
    X = X * exact if scale < 1 else X / 16 * exact
    return X, exact


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (2000, 5), (9, 9)])
def test_factors_at_either_end(scale, shape):
    X, exact = extreme(scale, *shape)
    unit = X / exact
    least = 5e-324 / exact  # what a result may be rounded by
    Q, R = qr(X)
    np.testing.assert_allclose(Q.T @ Q, np.eye(Q.shape[1]), 0, 1e-13)
    size = np.abs(unit).max()
    np.testing.assert_allclose(Q @ (R / exact), unit, 0, size * 1e-13 + 99 * least)
    U, S, Vh = svd(X)
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), 0, 1e-13)
    expected = np.linalg.svd(unit, compute_uv=False)
    np.testing.assert_allclose(S / exact, expected, 0, expected[0] * 1e-13 + least)
    np.testing.assert_allclose(np.abs(Vh @ Vh.T), np.eye(len(Vh)), 0, 1e-12)


@pytest.mark.parametrize("scale", SCALES[1:])
def test_columns_of_both_ends(scale):
    X = np.random.default_rng(2).integers(-8, 9, (30, 4)).astype(float)
    scales = np.array([1.0, scale, 1e-3, 1 / 1e290]) / 16
    Q, R = qr(X * scales)
    np.testing.assert_allclose(Q.T @ Q, np.eye(4), 0, 1e-13)
    np.testing.assert_allclose(Q @ (R / scales), X, 0, 1e-11)


@pytest.mark.parametrize("scale", SCALES[1:])
@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_components_at_either_end(scale, shape):
    X, exact = extreme(scale, *shape)
    unit = X / exact
    for ours, k in ((PCA, 3), (TruncatedSVD, 3)):
        model, expected = ours(k).fit(X), ours(k).fit(unit)
        tolerance = max(1e-9, 1e3 * 5e-324 / exact)
        np.testing.assert_allclose(
            model.components_, expected.components_, 0, tolerance
        )
        np.testing.assert_allclose(
            model.singular_values_ / exact, expected.singular_values_, tolerance
        )
        np.testing.assert_allclose(
            model.explained_variance_ratio_,
            expected.explained_variance_ratio_,
            tolerance,
        )


@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")  # of checks
@pytest.mark.parametrize(
    "model", [qr, svd, PCA().fit, TruncatedSVD(3).fit], ids=range(4)
)
def test_what_overflows_is_refused(model):
    X = np.random.default_rng(0).choice([-1.7e308, 1.7e308], (60, 4))
    with pytest.raises(ValueError, match="large"):
        model(X)


def clusterings(count):
    """Few rows, ties, empty clusters and copies, in single precision."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n, p = int(rng.integers(2, 60)), int(rng.integers(1, 5))
        kind = seed % 3
        X = rng.integers(-2, 3, (n, p)) if kind else rng.standard_normal((n, p))
        X = (X * [1, 0.1, 0.3][kind] + rng.choice([0, 7, 1e4])).astype(
            rng.choice(["f4", "f8"])
        )
        yield (
            X,
            rng.integers(0, 3, n).astype(X.dtype) if seed % 4 == 0 else None,
            {
                "n_clusters": int(rng.integers(1, min(n, 12) + 1)),
                "init": str(rng.choice(["k-means++", "k-means||", "random"])),
                "n_init": int(rng.integers(1, 3)),
                "tol": float(rng.choice([0, 1e-4])),
                "algorithm": str(rng.choice(["lloyd", "elkan"])),
                "random_state": seed,
            },
        )


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.filterwarnings("ignore:.*doesn't make sense for a single cluster")
@pytest.mark.parametrize("ranks", [0, 3])
def test_labels_are_those_of_the_centers_as_returned(ranks):
    for X, w, params in clusterings(120 if ranks == 0 else 30):
        if w is not None and np.count_nonzero(w) < params["n_clusters"]:
            continue
        if ranks == 0:
            model = KMeans(**params).fit(X, sample_weight=w)
            labels, found = model.labels_, model.predict(X)
        else:

            def program(comm, X=X, w=w, params=params):
                mine = slice(comm.rank, None, comm.size)
                weights = None if w is None else w[mine]
                model = spmd.KMeans(**params, comm=comm)
                labels = model.fit_predict(X[mine], sample_weight=weights)
                return labels, model.predict(X[mine])

            parts = spmd.run(ranks, program)
            labels, found = map(np.concatenate, zip(*parts, strict=True))
        np.testing.assert_array_equal(labels, found, str(params))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_equal_centers_have_one_label():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 2)).astype(np.float32)[rng.integers(0, 9, 100)]
    for seed in range(10):
        model = KMeans(10, random_state=seed).fit(X)
        np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("f4", 1e37),
        ("f4", 2e19),
        ("f4", 1e-25),
        ("f4", 1e-38),
        ("f8", 1e160),
        ("f8", 1e306),
        ("f8", 1e-200),
        ("f8", 1e-306),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")  # of checks
@pytest.mark.parametrize("shape", [(40, 3), (7, 50)])
def test_distances_at_either_end(dtype, scale, shape):
    X = np.random.default_rng(0).integers(-9, 10, shape).astype(dtype)
    exact = np.dtype(dtype).type(2.0 ** np.floor(np.log2(scale)))
    model = KMeans(3, random_state=0).fit(X)
    expected = model.transform(X)
    model.cluster_centers_ = model.cluster_centers_ * exact
    found = model.transform(X * exact)
    assert found.dtype == X.dtype
    tolerance = 1e-5 if dtype == "f4" else 1e-12
    np.testing.assert_allclose(found / exact, expected, tolerance, 1e-6 * tolerance)


@pytest.mark.parametrize("scale", [2e19, 1e30, 1e-22, 1e-30])
def test_clusters_of_single_precision_at_either_end(scale):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((60, 3)) + 5 * rng.integers(0, 3, (60, 1))).astype("f4")
    exact = np.float32(2.0 ** np.floor(np.log2(scale)))
    plain = KMeans(3, random_state=0).fit(X)
    model = KMeans(3, random_state=0).fit(X * exact)
    np.testing.assert_array_equal(model.labels_, plain.labels_)
    assert model.inertia_ / float(exact) ** 2 == pytest.approx(plain.inertia_, 1e-5)
    assert model.score(X * exact) == pytest.approx(-model.inertia_, 1e-5)
    theirs = ReferenceKMeans(3, random_state=0).fit(X)
    np.testing.assert_array_equal(plain.labels_, theirs.labels_)


def test_weights_in_the_place_of_y_are_refused():
    X, w = np.ones((3, 2)), np.array([1.0, 2.0, 0.5])

    def refuses(make):
        for given in (w, w.astype("f4"), w.tolist(), w[:, None]):
            with pytest.raises(TypeError, match="sample_weight="):
                make().partial_fit(X, given)
        with pytest.warns(UserWarning, match="sample_weight="):
            make().partial_fit(X, [1, 2, 1])

    refuses(IncrementalBasicStatistics)
    spmd.run(
        1, lambda comm: refuses(lambda: spmd.IncrementalBasicStatistics(comm=comm))
    )
    assert IncrementalBasicStatistics().partial_fit(X, None, w).sum_[0] == 3.5
