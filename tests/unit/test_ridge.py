"""Ridge on one process, against scikit-learn and extended precision."""

import warnings

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import LinearRegression as Plain
from sklearn.linear_model import Ridge as Reference

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import LinearRegression, Ridge

EPS = np.finfo(np.float64).eps
SHAPES = [(2, 1), (3, 2), (203, 6), (1000, 31), (257, 130), (5, 5), (20, 300)]


def problem(rng, n=203, p=6, m=1):
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    y = X @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y)


def stacked(X, y, alpha, w=None, intercept=True):
    """Rows less their mean with the root of alpha below, in extended precision."""
    X, y = X.astype(np.longdouble), y.astype(np.longdouble)
    w = np.ones(len(X), np.longdouble) if w is None else w.astype(np.longdouble)
    means = (w @ X / w.sum(), w @ y / w.sum()) if intercept else (0, 0)
    root = np.sqrt(w)
    below = np.sqrt(np.longdouble(alpha)) * np.eye(X.shape[1], dtype=np.longdouble)
    tall = np.vstack([(X - means[0]) * root[:, None], below])
    return tall, np.r_[(y - means[1]) * root, np.zeros(X.shape[1])], means


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.3, 50.0])
def test_equals_scikit_learn(
    rng, shape, targets, weighted, fit_intercept, alpha, assert_close
):
    X, y = problem(rng, *shape, targets)
    w = rng.random(len(X)) + 0.1 if weighted else None
    params = {"alpha": alpha, "fit_intercept": fit_intercept}
    ours, theirs = (kind(**params).fit(X, y, w) for kind in (Ridge, Reference))
    assert_close(ours.coef_, theirs.coef_)
    assert_close(ours.intercept_, theirs.intercept_)
    assert_close(ours.predict(X), theirs.predict(X))
    if len(X) > 1:
        assert ours.score(X, y, w) == pytest.approx(theirs.score(X, y, w), abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision_equals_scikit_learn_in_double(rng, shape, assert_close):
    X, y = (a.astype(np.float32) for a in problem(rng, *shape))
    model = Ridge(alpha=0.7).fit(X, y)
    reference = Reference(alpha=0.7).fit(X.astype(float), y.astype(float))
    assert model.coef_.dtype == model.predict(X).dtype == np.float32
    assert_close(model.coef_, reference.coef_, 1e-4)
    assert_close(model.intercept_, reference.intercept_, 1e-4)


@pytest.mark.parametrize("shape", [(203, 6), (4, 9)])
@pytest.mark.parametrize("positive", [False, True])
def test_each_target_has_its_own_penalty(rng, shape, positive, assert_close):
    X, y = problem(rng, *shape, 3)
    alphas = [0.1, 30.0, 2.0]
    together = Ridge(alpha=alphas, positive=positive).fit(X, y)
    for j, alpha in enumerate(alphas):
        alone = Ridge(alpha=alpha, positive=positive).fit(X, y[:, j])
        assert_close(together.coef_[j], alone.coef_)
    if not positive:
        assert_close(together.coef_, Reference(alpha=alphas).fit(X, y).coef_)


@pytest.mark.parametrize("alpha", [1e-14, 1e-10, 1e-6, 1e-2, 10.0])
@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5, 1e7])
def test_exact_at_any_condition(rng, alpha, condition, exact):
    U, _ = np.linalg.qr(rng.standard_normal((500, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(1, 1 / condition, 6) @ V.T + 0.5
    y = X @ np.arange(1.0, 7.0) + 1e-3 / condition * rng.standard_normal(500)
    tall, right, _ = stacked(X, y, alpha)
    coef, _ = exact(tall, right, intercept=False)
    error = np.abs(Ridge(alpha=alpha).fit(X, y).coef_ - coef).max()
    felt = np.sqrt((1 + alpha) / (condition**-2 + alpha))
    assert error <= 30 * EPS * felt * np.abs(coef).max()


@pytest.mark.parametrize("offset", [1e6, 1e8])
@pytest.mark.parametrize("alpha", [1e-8, 1.0, 1e3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_exact_far_from_the_origin(rng, offset, alpha, weighted, positive, exact):
    X = rng.standard_normal((500, 5)) + offset
    y = (X - offset) @ np.arange(1.0, 6.0) + rng.standard_normal(500) + offset
    w = rng.random(500) if weighted else None
    tall, right, (x_mean, y_mean) = stacked(X, y, alpha, w)
    coef, _ = exact(tall, right, intercept=False)
    model = Ridge(alpha=alpha, positive=positive).fit(X, y, w)
    assert np.abs(model.coef_ - coef).max() <= 1e-12 * np.abs(coef).max()
    far = np.abs(model.intercept_ - (y_mean - x_mean @ coef))
    assert far <= 1e-12 * offset


@pytest.mark.parametrize("kind", [LinearRegression, Ridge])
@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_positive_stays_positive_far_from_the_origin(rng, kind, offset, assert_close):
    X, _ = problem(rng, n=400, p=5)
    X[:, 1] += 10 * X[:, 0]
    y = X @ [1.0, -2.0, 3.0, -1.0, 0.5] + rng.standard_normal(400)
    near, far = (kind(positive=True).fit(rows, y) for rows in (X, X + offset))
    assert (far.coef_ >= 0).all()
    assert (far.coef_ == 0).any()
    assert_close(far.coef_, near.coef_, 1e-8)


@pytest.mark.parametrize("shape", [(203, 9), (12, 9), (5, 9)])
@pytest.mark.parametrize("alpha", [1e-6, 0.5, 1e3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_positive_coefficients_are_optimal(
    rng, shape, alpha, fit_intercept, assert_close
):
    X, y = problem(rng, *shape)
    w = rng.random(len(X))
    params = {"alpha": alpha, "positive": True, "fit_intercept": fit_intercept}
    model = Ridge(**params).fit(X, y, w)
    tall, right, _ = stacked(X, y, alpha, w, fit_intercept)
    assert_close(model.coef_, nnls(tall.astype(float), right.astype(float))[0], 1e-8)
    assert (model.coef_ == 0).any()
    assert model.solver_ == "lbfgs"


@pytest.mark.parametrize("positive", [False, True])
def test_without_penalty_it_is_least_squares(rng, positive, assert_close):
    X, y = problem(rng, m=2)
    X[:, 3], X[:, 5] = 2 * X[:, 1], 4.0
    ridge = Ridge(alpha=0, positive=positive).fit(X, y)
    plain = LinearRegression(tol=1e-12, positive=positive).fit(X, y)
    if positive:
        assert_close(ridge.predict(X), plain.predict(X))
        return
    assert_close(ridge.coef_, plain.coef_)
    assert_close(ridge.coef_, Plain().fit(X, y).coef_)


def test_collinear_and_constant_columns(rng, assert_close):
    X, y = problem(rng, p=8, m=2)
    X[:, 3], X[:, 5], X[:, 7] = X[:, 1], 4.0, X[:, 0] - X[:, 2]
    ours, theirs = Ridge().fit(X, y), Reference().fit(X, y)
    assert_close(ours.coef_, theirs.coef_)
    np.testing.assert_allclose(ours.coef_[:, 3], ours.coef_[:, 1], rtol=1e-9)
    assert np.abs(ours.coef_[:, 5]).max() < 1e-12
    only = Ridge().fit(np.full((20, 3), 7.0), y[:20, 0])
    assert only.coef_.tolist() == [0, 0, 0]


def test_weights_are_repetitions_and_zero_is_absence(rng, assert_close):
    X, y = problem(rng, m=2)
    w = rng.integers(0, 4, len(X))
    X[w == 0] = 1e3
    model = Ridge().fit(X, y, w)
    repeated = Ridge().fit(np.repeat(X, w, axis=0), np.repeat(y, w, axis=0))
    assert_close(model.coef_, repeated.coef_)
    assert_close(model.intercept_, repeated.intercept_)
    assert_close(Ridge().fit(X, y, 2.0).coef_, Ridge(alpha=0.5).fit(X, y).coef_)


@pytest.mark.parametrize("scale", [1e200, 1e100, 1e-100, 1e-200])
def test_huge_and_tiny_values(rng, scale, assert_close):
    X, y = problem(rng)
    plain = Plain().fit(X, y)
    if scale > 1:  # the penalty is nothing beside the rows
        assert_close(Ridge().fit(X * scale, y).coef_ * scale, plain.coef_)
    else:  # or everything
        coef = Ridge().fit(X * scale, y).coef_
        assert_close(coef / scale, (X - X.mean(axis=0)).T @ (y - y.mean()))


@pytest.mark.parametrize("solver", ["auto", "svd", "cholesky", "lsqr", "sparse_cg"])
def test_every_solver_finds_the_same_optimum(rng, solver, assert_close):
    X, y = problem(rng, m=2)
    ours = Ridge(solver=solver).fit(X, y)
    theirs = Reference(solver=solver, tol=1e-14).fit(X, y)
    assert ours.solver_ == theirs.solver_
    assert (ours.n_iter_ is None) == (theirs.n_iter_ is None)
    assert np.shape(ours.n_iter_) == np.shape(theirs.n_iter_)
    assert_close(ours.coef_, theirs.coef_)


@pytest.mark.parametrize("solver", ["sag", "saga"])
def test_stochastic_solvers_are_the_same_path(rng, solver):
    X, y = problem(rng, m=2)
    ours, plain = Ridge(solver=solver).fit(X, y), Ridge().fit(X, y)
    np.testing.assert_array_equal(ours.coef_, plain.coef_)
    assert ours.solver_ == solver
    assert ours.n_iter_.tolist() == [1, 1]


def test_shapes_are_scikit_learns(rng):
    X, y = problem(rng, m=2)
    for params in ({}, {"fit_intercept": False}, {"alpha": [0.5]}):
        for target in (y, y[:, 0], y[:, :1], y[:, 0].tolist()):
            ours, theirs = (
                kind(**params).fit(X, target) for kind in (Ridge, Reference)
            )
            assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
            assert ours.coef_.shape == theirs.coef_.shape
            assert ours.predict(X).shape == theirs.predict(X).shape


def bad(a, value):
    a = np.array(a, float)
    a[3] = value
    return a


ERRORS = {
    "too many penalties": ({"alpha": [1.0, 2.0]}, lambda X, y: (X, y)),
    "a negative penalty": ({"alpha": -1.0}, lambda X, y: (X, y)),
    "lbfgs without positive": ({"solver": "lbfgs"}, lambda X, y: (X, y)),
    "positive by svd": ({"solver": "svd", "positive": True}, lambda X, y: (X, y)),
    "no such solver": ({"solver": "newton"}, lambda X, y: (X, y)),
    "a penalty in words": ({"alpha": "much"}, lambda X, y: (X, y)),
    "no rounds": ({"max_iter": 0}, lambda X, y: (X, y)),
    "NaN in X": ({}, lambda X, y: (bad(X, np.nan), y)),
    "infinity in y": ({}, lambda X, y: (X, bad(y, np.inf))),
    "NaN in weights": ({}, lambda X, y: (X, y, bad(y * 0 + 1, np.nan))),
    "too few weights": ({}, lambda X, y: (X, y, np.ones(len(y) - 1))),
    "y of three dimensions": ({}, lambda X, y: (X, y[:, None, None])),
    "y too short": ({}, lambda X, y: (X, y[:-1])),
    "no rows": ({}, lambda X, y: (X[:0], y[:0])),
    "no y": ({}, lambda X, y: (X, None)),
}


@pytest.mark.parametrize("what", ERRORS)
def test_a_failing_fit_has_scikit_learns_words(rng, what):
    params, spoil = ERRORS[what]
    data = spoil(*problem(rng))
    texts = []
    for kind in (Ridge, Reference):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Exception) as caught:
                kind(**params).fit(*data)
        texts.append((type(caught.value), str(caught.value)))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("alpha", [[1.0, -1.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_penalties_that_are_no_strength_are_refused(rng, alpha):
    X, y = problem(rng, m=2)
    with pytest.raises(ValueError, match="negative or not finite"):
        Ridge(alpha=alpha).fit(X, y)


@pytest.mark.parametrize("size", [1, 3, 5, 16])
@pytest.mark.parametrize("condition", [1e1, 1e3, 1e6])
def test_ranks_that_are_threads_bring_what_one_brings(rng, size, condition):
    X, y = problem(rng, n=120, p=5, m=2)
    X *= np.geomspace(1, 1 / condition, 5)
    alone = Ridge(alpha=[1e-10, 1e-3]).fit(X, y)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        return spmd.Ridge(alpha=[1e-10, 1e-3], comm=comm).fit(X[mine], y[mine]).coef_

    for coef in spmd.run(size, program):
        error = np.abs(coef - alone.coef_).max()
        assert error <= 1e-13 * condition * np.abs(alone.coef_).max()


def test_a_fit_sends_a_header_two_summaries_and_the_model(rng):
    X, y = problem(rng)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        spmd.Ridge(comm=comm).fit(X[mine], y[mine])
        return comm.messages

    assert spmd.run(3, program) == [4, 4, 4]


@pytest.mark.parametrize(
    ("params", "kind", "words"),
    [
        (
            {"alpha": [1.0, 2.0]},
            ValueError,
            "Number of targets and number of penalties",
        ),
        ({"alpha": -1.0}, ValueError, "The 'alpha' parameter of Ridge must be"),
        ({"solver": "lbfgs"}, ValueError, "only when positive=True"),
    ],
)
def test_all_ranks_raise_alike_and_go_on(rng, params, kind, words):
    X, y = problem(rng)

    def program(comm):
        mine = slice(40 * comm.rank, 40 * comm.rank + 40 * (comm.rank < 2))
        with pytest.raises(kind, match=words):
            spmd.Ridge(comm=comm, **params).fit(X[mine], y[mine])
        return spmd.Ridge(comm=comm).fit(X[mine], y[mine]).coef_

    first, *rest = spmd.run(3, program)
    for other in rest:
        np.testing.assert_array_equal(first, other)
