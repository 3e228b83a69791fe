"""KMeans equals scikit-learn's, draw by draw."""

import re
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.cluster import KMeans as Reference
from sklearn.datasets import load_digits, load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning

from sklearnex_rs import config_context, spmd
from sklearnex_rs.cluster import KMeans


def check(model, labels, theirs, dtype):
    tol = 1e-9 if dtype == np.float64 else 1e-4
    assert model.n_iter_ == theirs.n_iter_
    np.testing.assert_array_equal(labels, theirs.labels_)
    scale = np.abs(theirs.cluster_centers_).max()
    error = np.abs(model.cluster_centers_ - theirs.cluster_centers_).max()
    assert error <= tol * scale
    assert model.cluster_centers_.dtype == theirs.cluster_centers_.dtype
    # Absolutely, too: of one cluster a row, nothing but rounding is left.
    assert model.inertia_ == pytest.approx(theirs.inertia_, rel=tol, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("ranks", [0, 1, 3, 16])
def test_equals_scikit_learn(clustering, seed, ranks):
    X, w, params = clustering(seed)
    theirs = Reference(**params).fit(X, sample_weight=w)
    if not ranks:
        model = KMeans(**params).fit(X, sample_weight=w)
        return check(model, model.labels_, theirs, X.dtype)
    cuts = np.random.default_rng(seed).integers(0, len(X), ranks - 1)
    bounds = [0, *np.sort(cuts), len(X)]  # some shares are empty or small

    def program(comm):
        mine = slice(*bounds[comm.rank : comm.rank + 2])
        model = spmd.KMeans(**params, comm=comm)
        return model.fit(X[mine], sample_weight=None if w is None else w[mine])

    models = spmd.run(ranks, program)
    for model in models[1:]:
        assert (model.cluster_centers_ == models[0].cluster_centers_).all()
    labels = np.concatenate([model.labels_ for model in models])
    check(models[0], labels, theirs, X.dtype)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
def test_bundled_data(load):
    X = load().data
    for k in (2, 7):
        theirs = Reference(k, random_state=0, n_init=3).fit(X)
        ours = KMeans(k, random_state=0, n_init=3).fit(X)
        check(ours, ours.labels_, theirs, X.dtype)
        np.testing.assert_array_equal(ours.predict(X + 0.1), theirs.predict(X + 0.1))
        np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-9)
        assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-9)
        assert ours.score(X, sample_weight=X[:, 1]) == pytest.approx(
            theirs.score(X, sample_weight=X[:, 1]), rel=1e-9
        )


def test_many_clusters_and_columns(rng):
    """More than one tile of everything."""
    for n, p, k, dtype in ((3000, 70, 90, float), (2000, 37, 130, np.float32)):
        X = make_blobs(n, p, centers=k, random_state=1)[0].astype(dtype)
        params = {"n_clusters": k, "random_state": 3}
        theirs = Reference(**params).fit(X)
        ours = KMeans(**params).fit(X)
        check(ours, ours.labels_, theirs, X.dtype)


def test_empty_clusters_take_the_farthest_rows():
    X = np.r_[np.zeros((5, 2)), np.ones((5, 2)), [[9.0, 9.0]], [[20.0, 0.0]]]
    init = np.array([[0.0, 0.0], [100.0, 100.0], [1.0, 1.0]])
    params = {"n_clusters": 3, "init": init, "n_init": 1}
    theirs, ours = Reference(**params).fit(X), KMeans(**params).fit(X)
    check(ours, ours.labels_, theirs, X.dtype)

    def program(comm):
        return spmd.KMeans(**params, comm=comm).fit(X[comm.rank :: 3])

    for model in spmd.run(3, program):
        np.testing.assert_allclose(model.cluster_centers_, ours.cluster_centers_)
        assert model.n_iter_ == ours.n_iter_


def test_fewer_distinct_rows_than_clusters():
    X = np.repeat([[0.0, 1.0], [2.0, 3.0]], 10, axis=0)
    words = r"Number of distinct clusters \(2\) found smaller than n_clusters \(4\)"
    with pytest.warns(ConvergenceWarning, match=words):
        ours = KMeans(4, random_state=0).fit(X)
    assert ours.inertia_ == 0

    def program(comm):
        return spmd.KMeans(4, random_state=0, comm=comm).fit(X[comm.rank :: 2])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spmd.run(2, program)
    assert [w.category for w in caught] == [ConvergenceWarning]


def test_near_ties_of_single_precision_are_decided_in_double(rng):
    """Two centers so near to each other that float32 cannot tell which is nearer."""
    X = (rng.standard_normal((4000, 64)) * 30).astype(np.float32)
    centers = rng.standard_normal((2, 64)) * 30
    centers[1] = centers[0] + 1e-4 * rng.standard_normal(64)
    centers = centers.astype(np.float32)
    model = KMeans(2, init=centers, n_init=1, max_iter=1).fit(X)
    model.cluster_centers_ = centers
    far = (X[:, None].astype(float) - centers.astype(float)) ** 2
    wanted = far.sum(2).argmin(1)
    differ = np.abs(np.diff(far.sum(2), axis=1))[:, 0] > 1e-9 * far.sum(2).max()
    assert (model.predict(X) == wanted)[differ].all()


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
def test_verbose_text_is_scikit_learns(capsys, algorithm):
    X = load_iris().data
    params = {"n_clusters": 3, "random_state": 2, "verbose": 1, "n_init": 2}
    KMeans(**params, algorithm=algorithm).fit(X)
    ours = capsys.readouterr().out
    Reference(**params).fit(X)
    theirs = capsys.readouterr().out
    assert len(ours.splitlines()) > 6

    def plain(text):
        words = text.replace(".\n", "\n").replace(",", " ").replace(":", " ").split()
        return [round(float(w), 6) if w[:1].isdigit() else w for w in words]

    assert plain(ours) == plain(theirs)


def test_callables_and_arrays_as_start():
    X = load_iris().data

    def init(X, n_clusters, random_state):
        return X[random_state.permutation(len(X))[:n_clusters]]

    for start in (init, X[[0, 50, 100]]):
        params = {"n_clusters": 3, "init": start, "n_init": 1, "random_state": 0}
        theirs, ours = Reference(**params).fit(X), KMeans(**params).fit(X)
        check(ours, ours.labels_, theirs, X.dtype)
    with pytest.warns(RuntimeWarning, match="performing only one init in KMeans"):
        KMeans(3, init=X[:3], n_init=5).fit(X)
    with pytest.warns(RuntimeWarning, match="doesn't make sense for a single cluster"):
        KMeans(1, algorithm="elkan").fit(X)


def test_a_random_state_goes_on_as_in_scikit_learn():
    X = load_wine().data
    states = [np.random.RandomState(5), np.random.RandomState(5)]
    for init in ("k-means++", "random", "k-means++"):
        params = {"n_clusters": 6, "n_init": 2, "init": init}
        theirs = Reference(**params, random_state=states[0]).fit(X)
        ours = KMeans(**params, random_state=states[1]).fit(X)
        check(ours, ours.labels_, theirs, X.dtype)
    assert states[0].random_sample() == states[1].random_sample()


def test_unseeded_ranks_agree():
    X = load_wine().data

    def program(comm):
        states = [None, np.random.RandomState(comm.rank)]
        fits = [
            spmd.KMeans(5, random_state=state, init=init, n_init=2, comm=comm)
            for state in states
            for init in ("k-means++", "random")
        ]
        return [model.fit(X[comm.rank :: 3]).cluster_centers_ for model in fits]

    first, *others = spmd.run(3, program)
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_clusters": 200}, r"n_samples=150 should be >= n_clusters=200\."),
        ({"n_clusters": 3, "init": np.zeros((2, 4))}, "does not match the number of c"),
        ({"n_clusters": 3, "init": np.zeros((3, 2))}, "number of features of the data"),
        ({"n_clusters": 0}, "The 'n_clusters' parameter of KMeans must be an int"),
        ({"algorithm": "fast"}, "The 'algorithm' parameter of KMeans must be a str"),
    ],
)
def test_errors_are_scikit_learns(params, words):
    X = load_iris().data
    for kind in (KMeans, Reference):
        with pytest.raises(ValueError, match=words):
            kind(**{"n_init": 1, **params}).fit(X)

    def program(comm):
        with pytest.raises(ValueError, match=words) as caught:
            spmd.KMeans(**{"n_init": 1, **params}, comm=comm).fit(X[comm.rank :: 3])
        spmd.KMeans(2, comm=comm).fit(X[comm.rank :: 3])
        return str(caught.value)

    assert len(set(spmd.run(3, program))) == 1


def test_weights_that_are_all_zero():
    X = load_iris().data
    with pytest.raises(ValueError, match="at least one non-zero number"):
        KMeans(2).fit(X, sample_weight=np.zeros(len(X)))


def test_not_a_number_on_one_rank():
    X = load_iris().data.copy()
    X[149, 2] = np.nan

    def program(comm):
        mine = X[comm.rank * 50 : (comm.rank + 1) * 50]
        with pytest.raises(ValueError, match=r"Input X contains NaN") as caught:
            spmd.KMeans(2, comm=comm).fit(mine)
        return str(caught.value)

    texts = spmd.run(3, program)
    assert len(set(texts)) == 1
    assert texts[0].startswith("rank 2: ")


def test_memory_and_the_input_are_left_alone(rng):
    X = rng.standard_normal((500, 3))
    X.flags.writeable = False
    before = X.copy()
    KMeans(4, random_state=0, copy_x=False).fit(X)
    np.testing.assert_array_equal(X, before)


def test_not_a_number_to_score_and_predict():
    X = load_iris().data
    model = KMeans(2, random_state=0).fit(X)
    bad = X.copy()
    bad[3, 1] = np.nan
    for call in (model.predict, model.score, model.transform):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            call(bad)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_start_for_many_clusters(dtype):
    """As good as k-means++, and the same on any number of ranks."""
    X = make_blobs(6000, 5, centers=60, random_state=0)[0].astype(dtype) + 100
    w = np.random.default_rng(1).random(6000)
    params = {"n_clusters": 60, "init": "k-means||", "max_iter": 5}
    found = [
        [
            KMeans(**{**params, "init": init}, random_state=seed)
            .fit(X, None, w)
            .inertia_
            for seed in range(5)
        ]
        for init in ("k-means||", "k-means++")
    ]
    assert np.median(found[0]) < 1.3 * np.median(found[1])
    batch = KMeans(**params, random_state=3).fit(X, sample_weight=w)
    for size in (1, 4, 7):
        cuts = [
            0,
            *np.sort(np.random.default_rng(size).integers(0, 6000, size - 1)),
            6000,
        ]

        def program(comm, cuts=cuts):
            mine = slice(*cuts[comm.rank : comm.rank + 2])
            model = spmd.KMeans(**params, random_state=3, comm=comm)
            return model.fit(X[mine], sample_weight=w[mine])

        models = spmd.run(size, program)
        labels = np.concatenate([model.labels_ for model in models])
        np.testing.assert_array_equal(labels, batch.labels_)
    with pytest.warns(ConvergenceWarning):
        few = KMeans(3, init="k-means||", random_state=0).fit(np.ones((9, 2)))
    assert few.inertia_ == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ties_fall_alike_however_rows_are_spread(dtype):
    """Whole numbers are full of rows between two centers, exactly."""
    from sklearn.datasets import load_sample_image

    X = load_sample_image("china.jpg")[::3, ::3].reshape(-1, 3).astype(dtype)
    params = {"n_clusters": 16, "random_state": 0, "max_iter": 40}
    batch = KMeans(**params).fit(X)
    for size in (2, 3, 5):

        def program(comm):
            mine = slice(*(len(X) * np.array([comm.rank, comm.rank + 1]) // comm.size))
            return spmd.KMeans(**params, comm=comm).fit(X[mine])

        models = spmd.run(size, program)
        assert models[0].n_iter_ == batch.n_iter_
        labels = np.concatenate([model.labels_ for model in models])
        np.testing.assert_array_equal(labels, batch.labels_)


class Slow(np.random.RandomState):
    """Draws that come late."""

    late = 0.0

    def random_sample(self, size=None):
        time.sleep(self.late)
        return super().random_sample(size)


def test_a_deadline_within_a_fit_is_told_as_it_is():
    """Between the header and the rounds, too, messages have one text on all ranks."""
    X, meeting = load_wine().data, threading.Barrier(3)

    def program(comm):
        model, state = spmd.KMeans(3, comm=comm).fit(X), Slow(0)
        state.late = 2.0 * (comm.rank == 2)
        model.set_params(random_state=state)
        meeting.wait(30)
        with config_context(spmd_timeout=0.5), pytest.raises(TimeoutError) as caught:
            model.fit(X)
        meeting.wait(30)
        model.set_params(random_state=0).fit(X)
        return str(caught.value)

    for said in spmd.run(3, program)[:2]:
        assert said.startswith("KMeans.fit: rank 2 did not come to ")


@pytest.mark.parametrize("scale", [1e153, 1e160])
@pytest.mark.parametrize("size", [1, 4, 16])
def test_squares_that_overflow_are_refused_with_a_way_out(rng, scale, size):
    """Where scikit-learn has one cluster of infinite inertia."""
    X = 1.3 * scale * rng.standard_normal((60, 3))

    def program(comm):
        model = spmd.KMeans(3, random_state=0, comm=comm)
        with pytest.raises(ValueError, match="scale the columns") as caught:
            model.fit(X[comm.rank :: size])
        model.fit(X[comm.rank :: size] / scale)
        return str(caught.value)

    texts = set(spmd.run(size, program))
    assert len(texts) == 1
    with pytest.raises(ValueError, match="scale the columns"):
        KMeans(3).fit(X)


def test_as_large_as_squares_may_be(rng):
    X = rng.standard_normal((60, 3)) * 1e149
    theirs, ours = (kind(3, random_state=0).fit(X) for kind in (Reference, KMeans))
    check(ours, ours.labels_, theirs, X.dtype)


def test_the_same_clusters_in_another_order_are_no_better():
    """Of runs that find the same clusters the first is kept, on any number of ranks."""
    X = np.r_[load_iris().data, load_iris().data]
    for seed in range(5):
        params = {"n_clusters": 2, "random_state": seed, "n_init": 6, "init": "random"}
        theirs = Reference(**params).fit(X)
        models = [
            KMeans(**params).fit(X),
            *spmd.run(
                3,
                lambda comm, params=params: spmd.KMeans(**params, comm=comm).fit(
                    X[comm.rank * 100 : (comm.rank + 1) * 100]
                ),
            ),
        ]
        for model in models:
            np.testing.assert_allclose(
                model.cluster_centers_, theirs.cluster_centers_, rtol=1e-9
            )


@pytest.mark.parametrize("init", ["random", "array"])
def test_fewer_distinct_rows_than_clusters_do_not_go_round(rng, init):
    for seed in range(10):
        X = rng.choice([0.1, 0.2, 0.7], (200, 2))
        start = X[rng.permutation(200)[:12]] if init == "array" else init
        options = {"init": start, "n_init": 1, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            ours = KMeans(12, **options).fit(X)
            theirs = Reference(12, **options).fit(X)
        assert ours.n_iter_ <= theirs.n_iter_ + 10


@pytest.mark.parametrize(
    ("offset", "dtype"),
    [(0.0, np.float64), (1e6, np.float64), (1e8, np.float64), (1e5, np.float32)],
)
def test_distances_are_exact_far_from_the_origin(rng, offset, dtype):
    X = (rng.standard_normal((501, 3)) + offset).astype(dtype)
    model = KMeans(4, random_state=0).fit(X)
    apart = X[:, None].astype(float) - model.cluster_centers_.astype(float)
    found = model.transform(X)
    assert found.dtype == dtype
    wanted = np.sqrt((apart**2).sum(2))
    assert np.abs(found - wanted).max() <= 8 * np.finfo(dtype).eps * wanted.max()
    assert model.transform(np.asfortranarray(X)).tobytes() == found.tobytes()


def test_nothing_left_to_draw_is_drawn_as_by_scikit_learn(rng):
    X = rng.choice([0.0, 1.0, 3.0], (12, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wanted = Reference(4, random_state=3).fit(X).cluster_centers_
        assert KMeans(4, random_state=3).fit(X).cluster_centers_.tolist() == (
            wanted.tolist()
        )


def test_too_few_weights_to_draw_from():
    X, w = np.arange(8.0)[:, None] ** 2, np.eye(8)[3]
    with pytest.raises(ValueError, match="Fewer non-zero entries in p than size"):
        KMeans(5, init="random", n_init=1).fit(X, sample_weight=w)


def test_the_first_rank_may_tell_alone(rng, capsys):
    X = rng.standard_normal((60, 3))
    model = KMeans(2, random_state=0).fit(X)

    def program(comm):
        verbose = int(comm.rank == 0)
        mine = spmd.KMeans(2, random_state=0, verbose=verbose, comm=comm)
        return mine.fit(X[20 * comm.rank : 20 * comm.rank + 20]).inertia_

    spmd.run(3, program)
    told = re.findall(r"inertia ([\d.]+\d)\.", capsys.readouterr().out)
    assert float(told[-1]) == pytest.approx(model.inertia_)


@pytest.mark.parametrize("scale", [1e18, 1e19, 3e19, 1e30])
def test_squares_above_the_largest_float(rng, scale):
    X = (rng.standard_normal((3000, 8)) * scale).astype(np.float32)
    start, options = X[:40], {"n_init": 1, "max_iter": 3}
    model = KMeans(40, init=start, **options).fit(X)
    exact = KMeans(40, init=start.astype(float), **options).fit(X.astype(float))
    np.testing.assert_array_equal(model.labels_, exact.labels_)
