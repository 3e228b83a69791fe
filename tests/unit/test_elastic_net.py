"""Elastic net and Lasso on one process, against scikit-learn."""

import warnings

import numpy as np
import pytest
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as Reference
from sklearn.linear_model import Lasso as LassoReference
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import enet_path as reference_path
from sklearn.linear_model import lasso_path as reference_lasso_path

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import ElasticNet, Lasso, enet_path, lasso_path

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
SHAPES = [(3, 2), (203, 6), (1000, 31), (257, 130), (20, 60)]


def problem(rng, n=203, p=6, m=1):
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    coef = rng.standard_normal((p, m)) * (rng.random((p, m)) < 0.5)
    y = X @ coef + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y)


def check(X, y, w=None, tol=1e-9, rounds=True, **params):
    ours, theirs = (kind(**params).fit(X, y, w) for kind in (ElasticNet, Reference))
    scale = max(np.abs(theirs.coef_).max(), 1e-12)
    assert np.abs(ours.coef_ - theirs.coef_).max() <= tol * scale
    assert ((ours.coef_ == 0) == (theirs.coef_ == 0)).all()
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=tol, atol=tol)
    if rounds:
        assert ours.n_iter_ == theirs.n_iter_
    size = np.mean(y**2) * TIGHT["tol"]
    np.testing.assert_allclose(ours.dual_gap_, theirs.dual_gap_, rtol=1e-2, atol=size)
    return ours, theirs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_equals_scikit_learn(rng, shape, weighted, fit_intercept, l1_ratio, positive):
    X, y = problem(rng, *shape)
    w = rng.random(len(X)) + 0.1 if weighted else None
    named = {"l1_ratio": l1_ratio, "positive": positive, **TIGHT}
    tall = shape[0] > shape[1]  # else hundreds of rounds, which rounding may add to
    check(X, y, w, fit_intercept=fit_intercept, alpha=0.1, rounds=tall, **named)


@pytest.mark.parametrize("alpha", [1e-3, 0.03, 1.0, 10.0])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_stops_where_scikit_learn_stops(rng, alpha, tol):
    X, y = problem(rng, 150, 20)
    X[:, 1] += 3 * X[:, 0]
    check(X, y, alpha=alpha, tol=tol, max_iter=10_000)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("state", [0, 7])
def test_draws_are_scikit_learns(rng, targets, state):
    X, y = problem(rng, 150, 20, targets)
    named = {"selection": "random", "alpha": 0.1}
    check(X, y, tol=1e-6, random_state=state, **named)
    states = [np.random.RandomState(state) for _ in range(2)]
    ours, theirs = (
        kind(tol=1e-6, random_state=state, **named).fit(X, y)
        for kind, state in zip((ElasticNet, Reference), states, strict=True)
    )
    assert ours.n_iter_ == theirs.n_iter_
    assert states[0].randint(1 << 30) == states[1].randint(1 << 30)


def test_only_a_penalty_on_squares_is_ridge(rng):
    X, y = problem(rng)
    check(X, y, alpha=0.3, l1_ratio=0.0, **TIGHT)


@pytest.mark.parametrize("targets", [1, 3])
def test_single_precision_equals_scikit_learn_in_double(rng, targets, assert_close):
    X, y = (a.astype(np.float32) for a in problem(rng, m=targets))
    model = ElasticNet(alpha=0.1, **TIGHT).fit(X, y)
    reference = Reference(alpha=0.1, **TIGHT).fit(X.astype(float), y.astype(float))
    assert model.coef_.dtype == model.dual_gap_.dtype == np.float32
    assert model.predict(X).dtype == np.float32
    assert_close(model.coef_, reference.coef_, 1e-6)
    assert_close(model.intercept_, reference.intercept_, 1e-6)


def test_shapes_are_scikit_learns(rng):
    X, y = problem(rng, m=2)
    for kinds in ((ElasticNet, Reference), (Lasso, LassoReference)):
        for target in (y, y[:, 0], y[:, :1]):
            for fit_intercept in (False, True):
                ours, theirs = (
                    kind(alpha=0.1, fit_intercept=fit_intercept).fit(X, target)
                    for kind in kinds
                )
                for name in ("coef_", "intercept_", "dual_gap_", "n_iter_"):
                    mine, other = getattr(ours, name), getattr(theirs, name)
                    assert np.shape(mine) == np.shape(other), name
                assert type(ours.n_iter_) is type(theirs.n_iter_)
                assert ours.predict(X).shape == theirs.predict(X).shape
                assert issparse(ours.sparse_coef_)
                assert type(ours.sparse_coef_) is type(theirs.sparse_coef_)
                found = ours.sparse_coef_.toarray() - theirs.sparse_coef_.toarray()
                assert np.abs(found).max() < 1e-12


@pytest.mark.parametrize("offset", [1e6, 1e8])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_far_from_the_origin(rng, offset, weighted, assert_close):
    """Against shifted columns: integers, so that nothing is rounded."""
    X = rng.integers(-1000, 1000, (500, 8)).astype(float)
    y = X @ [1.0, 0, -2, 0, 3, 0, 0, 1] + rng.integers(-50, 50, 500)
    w = rng.random(500) if weighted else None
    near = Reference(alpha=20.0, l1_ratio=0.9, **TIGHT).fit(X, y, w)
    far = ElasticNet(alpha=20.0, l1_ratio=0.9, **TIGHT).fit(X + offset, y, w)
    assert_close(far.coef_, near.coef_, 1e-10)
    assert far.n_iter_ == near.n_iter_


@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4])
def test_optimal_at_any_condition(rng, condition):
    """The first-order conditions, on the rows themselves."""
    U, _ = np.linalg.qr(rng.standard_normal((500, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(1, 1 / condition, 6) @ V.T
    y = X @ [3.0, -2, 0, 1, 0, 0] + 1e-3 * rng.standard_normal(500)
    model = Lasso(alpha=1e-6, tol=1e-13, max_iter=1_000_000).fit(X, y)
    slope = (X - X.mean(axis=0)).T @ (y - model.predict(X)) / 500
    inside = model.coef_ != 0
    assert np.abs(slope).max() <= 1e-6 * (1 + 1e-4)
    assert np.abs(slope - 1e-6 * np.sign(model.coef_))[inside].max() <= 1e-10


def test_weights_are_repetitions_and_their_scale_does_not_matter(rng, assert_close):
    X, y = problem(rng, m=2)
    w = rng.integers(0, 4, len(X))
    X[w == 0] = 1e3
    model = ElasticNet(alpha=0.1, **TIGHT).fit(X, y, w)
    repeated = [np.repeat(a, w, axis=0) for a in (X, y)]
    assert_close(model.coef_, ElasticNet(alpha=0.1, **TIGHT).fit(*repeated).coef_)
    scaled = ElasticNet(alpha=0.1, **TIGHT).fit(X, y, 1e-3 * w)
    assert_close(scaled.coef_, model.coef_)
    X, y = problem(rng)
    plain, weighed = (ElasticNet(alpha=0.1).fit(X, y, w) for w in (None, 3.0))
    np.testing.assert_array_equal(plain.coef_, weighed.coef_)


def test_collinear_constant_and_zero_columns(rng):
    X, y = problem(rng, p=9)
    X[:, 3], X[:, 5], X[:, 7] = X[:, 1], 4.0, 0.0
    check(X, y, alpha=0.01, l1_ratio=0.5, **TIGHT)
    ours, _ = check(X, y, alpha=0.01, l1_ratio=1.0, **TIGHT)
    assert ours.coef_[5] == ours.coef_[7] == 0
    only = Lasso().fit(np.full((20, 3), 7.0), y[:20])
    assert only.coef_.tolist() == [0, 0, 0]
    assert only.intercept_ == pytest.approx(y[:20].mean())


def test_a_strong_penalty_leaves_nothing(rng):
    X, y = problem(rng)
    model, _ = check(X, y, alpha=1e6)
    assert model.coef_.tolist() == [0] * 6
    assert model.n_iter_ == 0


@pytest.mark.parametrize("targets", [1, 2])
def test_a_warm_start_begins_where_the_last_fit_ended(rng, targets):
    X, y = problem(rng, 150, 20, targets)
    pair = [
        kind(alpha=0.05, warm_start=True, tol=1e-8) for kind in (ElasticNet, Reference)
    ]
    for alpha in (0.05, 0.05, 0.04):
        ours, theirs = (model.set_params(alpha=alpha).fit(X, y) for model in pair)
        assert ours.n_iter_ == theirs.n_iter_
        assert np.abs(ours.coef_ - theirs.coef_).max() < 1e-12
    ours.coef_ = np.zeros(3)
    with pytest.raises(ValueError, match="another shape"):
        ours.fit(X, y)


def test_a_gram_matrix_of_the_user(rng):
    X, y = problem(rng)
    centred = X - X.mean(axis=0)
    gram = centred.T @ centred
    given, plain = (ElasticNet(alpha=0.1, precompute=g) for g in (gram, True))
    found = given.fit(centred, y).coef_
    np.testing.assert_allclose(found, plain.fit(centred, y).coef_, rtol=1e-10)
    # One that is none of these rows, but for what is checked, is taken at its word.
    softer = gram + np.diag([1e3, 0, 0, 0, 0, 0])
    pair = [
        kind(alpha=0.1, precompute=softer, **TIGHT).fit(centred, y).coef_
        for kind in (ElasticNet, Reference)
    ]
    np.testing.assert_allclose(*pair, rtol=1e-9)
    assert np.abs(pair[0] - found).max() > 1e-3
    with pytest.warns(UserWarning, match="recomputing Gram matrix"):
        far = ElasticNet(alpha=0.1, precompute=gram).fit(centred + 5, y)
    np.testing.assert_allclose(far.coef_, found, rtol=1e-9)
    with pytest.raises(ValueError, match="Gram matrix passed in via 'precompute'"):
        ElasticNet(precompute=2 * gram + 1).fit(centred, y)
    with pytest.raises(ValueError, match="precompute must be of shape"):
        ElasticNet(precompute=gram[:3, :3]).fit(centred, y)


@pytest.mark.parametrize("alpha", [0.001, 0])
def test_too_few_rounds_warn_in_scikit_learns_words(rng, alpha):
    X, y = problem(rng, 150, 20, 2)
    X[:, 1] += 10 * X[:, 0]
    texts = []
    for kind in (ElasticNet, Reference):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = kind(alpha=alpha, max_iter=3).fit(X, y)
        assert model.n_iter_ == [3, 3]
        texts.append([(w.category, str(w.message)) for w in caught])
    assert len(texts[0]) == 2 + (alpha == 0)
    assert texts[0][-1][0] is ConvergenceWarning
    assert texts[0] == texts[1]


def test_without_penalty_it_is_least_squares(rng, assert_close):
    X, y = problem(rng)
    with pytest.warns(UserWarning, match="With alpha=0"):
        model = Lasso(alpha=0, tol=1e-14, max_iter=10_000).fit(X, y)
    assert_close(model.coef_, LinearRegression().fit(X, y).coef_)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alphas", [7, [0.3, 0.01, 1.0], [0.1]])
@pytest.mark.parametrize("selection", ["cyclic", "random"])
def test_paths_are_scikit_learns(rng, positive, alphas, selection, assert_close):
    X, y = problem(rng, 150, 12)
    named = {"alphas": alphas, "positive": positive, "return_n_iter": True}
    named |= {"tol": 1e-8, "random_state": 3, "selection": selection}
    for ours, theirs in (
        (enet_path, reference_path),
        (lasso_path, reference_lasso_path),
        (ElasticNet.path, Reference.path),
    ):
        mine, reference = ours(X, y, **named), theirs(X, y, **named)
        assert_close(mine[0], reference[0], 1e-13)
        assert_close(mine[1], reference[1], 1e-9)
        np.testing.assert_allclose(mine[2], reference[2], atol=1e-8 * np.mean(y**2))
        assert mine[3] == reference[3]
        assert len(ours(X, y, **named | {"return_n_iter": False})) == 3


def test_a_path_begins_where_it_is_told(rng, assert_close):
    X, y = problem(rng)
    start = rng.standard_normal(6)
    named = {"alphas": [0.1], "coef_init": start, "return_n_iter": True}
    ours, theirs = enet_path(X, y, **named), reference_path(X, y, **named)
    assert ours[3] == theirs[3]
    assert_close(ours[1], theirs[1])
    single = enet_path(X.astype(np.float32), y.astype(np.float32), alphas=[0.1])
    assert single[1].dtype == np.float32
    assert_close(single[1], theirs[1], 1e-2)


def test_what_a_path_does_not_do(rng):
    X, y = problem(rng, m=2)
    with pytest.raises(NotImplementedError, match="call the function for each column"):
        enet_path(X, y)
    with pytest.raises(NotImplementedError, match="Xy: leave it None"):
        enet_path(X, y[:, 0], Xy=X.T @ y[:, 0])
    with pytest.raises(ValueError, match="Unexpected parameters in params"):
        enet_path(X, y[:, 0], intercept=True)
    with pytest.raises(ValueError, match="not supported for l1_ratio=0"):
        enet_path(X, y[:, 0], l1_ratio=0)
    with pytest.raises(ValueError, match="not allowed for multi-output"):
        enet_path(X, y, positive=True)
    with pytest.warns(FutureWarning, match="'n_alphas' was deprecated"):
        assert len(lasso_path(X, y[:, 0], n_alphas=3)[0]) == 3


@pytest.mark.parametrize("path", [enet_path, lasso_path])
def test_errors_of_a_path_name_the_function(rng, path):
    X, y = problem(rng)
    name = path.__name__
    with pytest.raises(ValueError, match=f"'eps' parameter of {name} must be"):
        path(X, y, eps=-1.0, alphas=3)
    with pytest.raises(ValueError, match=f"(?s)X contains NaN.*{name} does not"):
        path(bad(X, np.nan), y, alphas=3)
    with pytest.raises(ValueError, match=rf"0 sample.* by {name}\."):
        path(X[:0], y[:0], alphas=3)
    for start in (np.zeros(5), np.zeros((6, 1))):
        with pytest.raises(ValueError, match=r"coef_init must be of shape \(6,\), got"):
            path(X, y, alphas=3, coef_init=start)


def bad(a, value):
    a = np.array(a, float)
    a[3] = value
    return a


ERRORS = {
    "a negative penalty": ({"alpha": -1.0}, lambda X, y: (X, y)),
    "a share above one": ({"l1_ratio": 1.5}, lambda X, y: (X, y)),
    "no such selection": ({"selection": "all"}, lambda X, y: (X, y)),
    "no rounds": ({"max_iter": 0}, lambda X, y: (X, y)),
    "NaN in X": ({}, lambda X, y: (bad(X, np.nan), y)),
    "infinity in y": ({}, lambda X, y: (X, bad(y, np.inf))),
    "too few weights": ({}, lambda X, y: (X, y, np.ones(len(y) - 1))),
    "y too short": ({}, lambda X, y: (X, y[:-1])),
    "no rows": ({}, lambda X, y: (X[:0], y[:0])),
    "no y": ({}, lambda X, y: (X, None)),
}


@pytest.mark.parametrize("what", ERRORS)
def test_a_failing_fit_has_scikit_learns_words(rng, what):
    params, spoil = ERRORS[what]
    data = spoil(*problem(rng))
    texts = []
    for kind in (ElasticNet, Reference):
        with pytest.raises(Exception) as caught:
            kind(**params).fit(*data)
        texts.append((type(caught.value), str(caught.value)))
    assert texts[0] == texts[1]


def test_values_whose_squares_overflow_are_refused_with_a_way_out(rng):
    X, y = problem(rng)
    with pytest.raises(ValueError, match="scale the columns"):
        Lasso().fit(X * 1e300, y)


@pytest.mark.parametrize("size", [1, 3, 5, 16])
@pytest.mark.parametrize("selection", ["cyclic", "random"])
def test_ranks_that_are_threads_bring_what_one_brings(rng, size, selection):
    X, y = problem(rng, n=120, p=9, m=2)
    named = {"alpha": 0.05, "selection": selection, "tol": 1e-10}
    alone = ElasticNet(random_state=np.random.RandomState(5), **named).fit(X, y)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        # The first rank's state counts: others may have drawn from theirs.
        state = np.random.RandomState(5 + comm.rank)
        model = spmd.ElasticNet(random_state=state, comm=comm, **named)
        return model.fit(X[mine], y[mine])

    first, *rest = spmd.run(size, program)
    assert first.n_iter_ == alone.n_iter_
    np.testing.assert_allclose(first.coef_, alone.coef_, rtol=1e-9, atol=1e-12)
    for other in rest:
        np.testing.assert_array_equal(first.coef_, other.coef_)
        np.testing.assert_array_equal(first.dual_gap_, other.dual_gap_)


def test_one_rank_warns_and_all_send_four_messages(rng):
    X, y = problem(rng, 150, 20)
    X[:, 1] += 10 * X[:, 0]

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        spmd.Lasso(alpha=1e-3, max_iter=2, comm=comm).fit(X[mine], y[mine])
        return comm.messages

    with pytest.warns(ConvergenceWarning) as caught:
        assert spmd.run(3, program) == [4, 4, 4]
    assert len(caught) == 1


def test_a_path_over_ranks(rng, assert_close):
    X, y = problem(rng, 90, 7)
    expected = reference_lasso_path(X, y, alphas=5, tol=1e-10)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        with pytest.raises(ValueError, match="Unexpected parameters"):
            spmd.lasso_path(X[mine], y[mine], more=1, comm=comm)
        return spmd.lasso_path(X[mine], y[mine], alphas=5, tol=1e-10, comm=comm)

    for found in spmd.run(3, program):
        assert_close(found[1], expected[1], 1e-9)


def test_constant_targets_are_there_at_once():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, w = rng.normal(size=(97, 3)), rng.random(97)
        model = Lasso(alpha=0.1).fit(X, np.full(97, 1e6 + 0.3), w)
        assert model.n_iter_ <= 1


@pytest.mark.parametrize("size", [1, 3])
def test_no_room_for_co_moments_is_everybodys_error(rng, monkeypatch, size):
    X, y = rng.standard_normal((40, 2000)), rng.standard_normal(40)
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", "20000000")

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        for call, name in (
            (spmd.Lasso(comm=comm).fit, "Lasso"),
            (spmd.ElasticNet(comm=comm).fit, "ElasticNet"),
            (lambda X, y: spmd.enet_path(X, y, comm=comm), "enet_path"),
        ):
            with pytest.raises(MemoryError, match=f"^{name} of 2000 columns needs"):
                call(X[mine], y[mine])
        return spmd.Lasso(comm=comm).fit(X[mine, :9], y[mine])

    spmd.run(size, program)
