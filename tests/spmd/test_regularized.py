"""Ridge, ElasticNet, Lasso and batches over ranks: as one machine with all rows."""

import warnings

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge, enet_path

from sklearnex_rs import config_context, spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


def problem(rng, n=203, p=6, m=1, dtype=np.float64, offset=0.0):
    X = (rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p) + offset).astype(dtype)
    y = (X - offset) @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y).astype(dtype)


def same_on_all(comm, model):
    state = {
        k: repr(v) if v is None else np.asarray(v).tobytes()
        for k, v in vars(model).items()
        if k.endswith("_") and not k.startswith("_")
    }
    assert all(other == state for other in comm.allgather(state))


def check(comm, share, kind, X, y, w=None, how="uneven", within=1e-9, **params):
    mine = share(X, y, w, kind=how)
    model = getattr(spmd, kind.__name__)(comm=comm, **params).fit(*mine)
    whole = [None if a is None else np.asarray(a, np.float64) for a in (X, y, w)]
    reference = kind(**params).fit(*whole)
    scale = np.abs(reference.coef_).max()
    assert np.abs(model.coef_ - reference.coef_).max() <= within * scale
    scale = max(1.0, scale * np.abs(whole[0]).max())
    assert np.abs(model.intercept_ - reference.intercept_).max() <= within * scale
    same_on_all(comm, model)
    score = model.score(*mine)
    assert comm.allgather(score) == [score] * comm.size
    assert abs(score - reference.score(*whole)) < max(within, 1e-9)
    return model, reference


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shares_of_any_size(comm, share, rng, how, weighted, dtype, tolerance):
    X, y = problem(rng, dtype=dtype)
    w = (rng.random(len(X)) + 0.1).astype(dtype) if weighted else None
    tol = tolerance(dtype)
    check(comm, share, Ridge, X, y, w, how, tol, alpha=2.0)
    model, reference = check(
        comm, share, ElasticNet, X, y, w, how, tol, alpha=0.1, **TIGHT
    )
    check(comm, share, Lasso, X, y, w, how, tol, alpha=0.1, **TIGHT)
    assert model.coef_.dtype == dtype
    if dtype == np.float64:
        assert model.n_iter_ == reference.n_iter_
        assert abs(model.dual_gap_ - reference.dual_gap_) < 1e-11 * np.mean(y**2)


@pytest.mark.parametrize("shape", [(5, 8), (12, 8), (20, 90)])
@pytest.mark.parametrize("targets", [1, 2])
def test_fewer_rows_than_columns(comm, share, rng, shape, targets):
    X, y = problem(rng, *shape, targets)
    check(comm, share, Ridge, X, y, alpha=0.5)
    named = {"alpha": 0.2, **TIGHT}
    mine = share(X, y, kind="uneven")
    ours = spmd.ElasticNet(comm=comm, **named).fit(*mine)
    theirs = ElasticNet(**named).fit(X, y)
    assert np.abs(ours.coef_ - theirs.coef_).max() < 1e-8


@pytest.mark.parametrize("targets", [1, 3])
def test_parameters_and_targets(comm, share, rng, targets):
    X, y = problem(rng, m=targets)
    alphas = [0.1, 5.0, 30.0][:targets]
    check(comm, share, Ridge, X, y, alpha=alphas)
    check(comm, share, Ridge, X, y, alpha=alphas, fit_intercept=False)
    for more in (
        {"positive": True},
        {"fit_intercept": False},
        {"selection": "random", "random_state": 3},
        {"precompute": True},
    ):
        named = {"alpha": 0.1, **TIGHT, **more}
        ours, theirs = (
            model.fit(*rows)
            for model, rows in (
                (spmd.ElasticNet(comm=comm, **named), share(X, y, kind="uneven")),
                (ElasticNet(**named), (X, y)),
            )
        )
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-12)
        assert ours.n_iter_ == theirs.n_iter_
        same_on_all(comm, ours)


def test_positive_ridge(comm, share, rng, assert_close):
    X, y = problem(rng)
    model = spmd.Ridge(alpha=3.0, positive=True, fit_intercept=False, comm=comm)
    model.fit(*share(X, y, kind="uneven"))
    tall = np.vstack([X, np.sqrt(3.0) * np.eye(6)])
    assert_close(model.coef_, nnls(tall, np.r_[y, np.zeros(6)])[0])


def test_collinear_and_constant_columns_and_zero_weights(comm, share, rng):
    X, y = problem(rng, p=8)
    X[:, 3], X[:, 5] = 2 * X[:, 1], 4.0
    w = (rng.random(len(X)) > 0.5).astype(float)
    check(comm, share, Ridge, X, y, w)
    check(comm, share, ElasticNet, X, y, w, alpha=0.1, **TIGHT)


@pytest.mark.parametrize("offset", [1e6, 1e8])
@pytest.mark.parametrize("alpha", [1e-6, 10.0])
def test_far_from_the_origin(comm, share, rng, offset, alpha, assert_close):
    """Against the exact answer: integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (500, 5)).astype(float)
    y = X @ np.arange(1.0, 6.0) + rng.integers(-50, 50, 500)
    mine = share(X + offset, y, kind="uneven")
    for ours, near in (
        (spmd.Ridge(alpha, comm=comm), Ridge(alpha)),
        (spmd.Lasso(alpha, comm=comm, **TIGHT), Lasso(alpha, **TIGHT)),
        (spmd.IncrementalRidge(alpha=alpha, comm=comm), Ridge(alpha)),
    ):
        assert_close(ours.fit(*mine).coef_, near.fit(X, y).coef_, 1e-10)


def test_a_warm_start_is_the_first_ranks(comm, share, rng):
    X, y = problem(rng)
    named = {"alpha": 0.1, "warm_start": True}
    model = spmd.ElasticNet(comm=comm, **named).fit(*share(X, y))
    if comm.rank:
        model.coef_ = np.full(3, np.nan)
    again = model.fit(*share(X, y))
    assert again.n_iter_ == 0
    same_on_all(comm, again)


def test_a_path(comm, share, rng, assert_close):
    X, y = problem(rng)
    named = {"alphas": 6, "tol": 1e-10, "return_n_iter": True}
    mine = share(X, y, kind="uneven")
    found = spmd.enet_path(*mine, comm=comm, **named)
    expected = enet_path(X, y, **named)
    assert_close(found[0], expected[0], 1e-13)
    assert_close(found[1], expected[1])
    assert found[3] == expected[3]


def test_long_messages_are_cut_in_a_fit(comm, share, rng):
    X, y = problem(rng, p=20)
    with config_context(spmd_message_bytes=64):
        check(comm, share, Ridge, X, y)
        check(comm, share, ElasticNet, X, y, alpha=0.1, **TIGHT)


@pytest.mark.parametrize("kind", ["Ridge", "ElasticNet", "Lasso", "IncrementalRidge"])
def test_what_one_rank_finds_wrong_all_ranks_raise(comm, share, rng, kind):
    X, y = problem(rng)
    mine = share(X, y)
    model = getattr(spmd, kind)(comm=comm)
    last = comm.size - 1
    for spoil, words in (
        (lambda X, y: (X * np.nan, y), "NaN"),
        (lambda X, y: (X[:, :3], y), "features|columns"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
    ):
        if comm.size == 1 and "features" in words:
            continue
        rows = spoil(*mine) if comm.rank == last else mine
        with pytest.raises(ValueError, match=words):
            model.fit(*rows)
        same_on_all(comm, model.fit(*mine))
    wrong = "much" if comm.rank == last else 1.0
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=wrong).fit(*mine)
    same_on_all(comm, model.set_params(alpha=1.0).fit(*mine))


def test_one_rank_warns_of_too_few_rounds(comm, share, rng):
    X, y = problem(rng, p=20)
    X[:, 1] += 10 * X[:, 0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spmd.Lasso(alpha=1e-3, max_iter=2, comm=comm).fit(*share(X, y))
    found = [w for w in caught if w.category is ConvergenceWarning]
    assert len(found) == (comm.rank == 0)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("busiest", [0, -1])
def test_any_number_of_batches(comm, rng, targets, busiest, assert_close):
    """One rank has seven, others one or none; then one more each."""
    X, y = problem(rng, 210, m=targets)
    counts = [rank % 2 for rank in range(comm.size)]
    counts[busiest] = 7
    bounds = np.linspace(0, 210, sum(counts) + 1).astype(int)
    first = sum(counts[: comm.rank])
    for kind, reference in (
        ("IncrementalLinearRegression", LinearRegression()),
        ("IncrementalRidge", Ridge()),
    ):
        model = getattr(spmd, kind)(comm=comm)
        for start in range(first, first + counts[comm.rank]):
            batch = slice(bounds[start], bounds[start + 1])
            model.partial_fit(X[batch], y[batch])
        if comm.size > 1:
            with pytest.raises(NotFittedError, match="finalize"):
                model.coef_
        model.finalize()
        same_on_all(comm, model)
        assert model.n_samples_seen_ == 210
        assert_close(model.coef_, reference.fit(X, y).coef_)
        model.partial_fit(X, y).finalize()
        again = np.ones(210) * (1 + comm.size)
        assert_close(model.coef_, reference.fit(X, y, again).coef_)


def test_estimators_are_for_pipelines_of_one_rank(comm, rng, assert_close):
    X, y = problem(rng)
    if comm.rank == 0:
        from mpi4py import MPI

        model = spmd.Ridge(comm=MPI.COMM_SELF).fit(X, y)
        assert_close(model.coef_, Ridge().fit(X, y).coef_)
