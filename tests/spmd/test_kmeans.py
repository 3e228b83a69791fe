"""KMeans over ranks is scikit-learn's on all rows."""

import numpy as np
import pytest
from sklearn.cluster import KMeans as Reference
from sklearn.datasets import load_digits, make_blobs

from sklearnex_rs import spmd


# Each kind of rows, weights and starts; tests/unit has more, on ranks that are threads.
@pytest.mark.parametrize("seed", [0, 3, 4, 5, 7, 10, 17])
def test_random_problems_as_scikit_learn(comm, clustering, seed):
    X, w, params = clustering(seed)
    theirs = Reference(**params).fit(X, sample_weight=w)
    cuts = np.random.default_rng(seed).integers(0, len(X), comm.size - 1)
    bounds = [0, *np.sort(cuts), len(X)]  # some shares are empty or small
    mine = slice(*bounds[comm.rank : comm.rank + 2])
    model = spmd.KMeans(**params, comm=comm)
    model.fit(X[mine], sample_weight=None if w is None else w[mine])
    labels = np.concatenate(comm.allgather(model.labels_))
    np.testing.assert_array_equal(labels, theirs.labels_)
    assert model.n_iter_ == theirs.n_iter_
    tol = 1e-9 if X.dtype == np.float64 else 1e-4
    scale = np.abs(theirs.cluster_centers_).max()
    assert np.abs(model.cluster_centers_ - theirs.cluster_centers_).max() <= tol * scale
    assert model.inertia_ == pytest.approx(theirs.inertia_, rel=tol, abs=1e-12)


@pytest.mark.parametrize("kind", ["uneven", "one row", "empty first"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_equals_scikit_learn(comm, share, kind, dtype, init):
    X = make_blobs(900, 7, centers=9, random_state=4)[0].astype(dtype)
    w = np.random.default_rng(0).random(900)
    theirs = Reference(9, random_state=4, init=init, n_init=2).fit(X, sample_weight=w)
    mine, weights = share(X, w, kind=kind)
    model = spmd.KMeans(9, random_state=4, init=init, n_init=2, comm=comm)
    model.fit(mine, sample_weight=weights)
    labels = np.concatenate(comm.allgather(model.labels_))
    np.testing.assert_array_equal(labels, theirs.labels_)
    assert model.n_iter_ == theirs.n_iter_
    tol = 1e-9 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(
        model.cluster_centers_, theirs.cluster_centers_, tol, tol
    )
    assert model.inertia_ == pytest.approx(theirs.inertia_, rel=tol)
    score = model.score(mine, sample_weight=weights)
    assert score == pytest.approx(theirs.score(X, sample_weight=w), rel=tol)
    if len(mine):
        np.testing.assert_array_equal(model.predict(mine), model.labels_)
    assert model.transform(mine).shape == (len(mine), 9)
    everybody = comm.allgather(model.cluster_centers_)
    assert all((centers == everybody[0]).all() for centers in everybody)


def test_fewer_rows_than_clusters_on_a_rank(comm, share):
    X = load_digits().data[:60] + 1e6
    theirs = Reference(30, random_state=1).fit(X)
    (mine,) = share(X, kind="uneven")
    model = spmd.KMeans(30, random_state=1, comm=comm).fit(mine)
    labels = np.concatenate(comm.allgather(model.labels_))
    np.testing.assert_array_equal(labels, theirs.labels_)
    assert model.n_iter_ == theirs.n_iter_


def test_a_failing_start_is_everybodys_error(comm, share):
    X = load_digits().data

    def init(X, n_clusters, random_state):
        raise RuntimeError("not today")

    (mine,) = share(X)
    words = "rank 0: not today" if comm.size > 1 else "not today"
    with pytest.raises(RuntimeError) as caught:
        spmd.KMeans(4, init=init, n_init=1, comm=comm).fit(mine)
    assert str(caught.value) == words
    spmd.KMeans(4, random_state=0, comm=comm).fit(mine)
