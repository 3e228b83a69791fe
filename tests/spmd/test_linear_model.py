"""SPMD equals scikit-learn's fit on all rows, however they are spread."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression as Reference

from sklearnex_rs import config_context, spmd
from sklearnex_rs.linear_model import LinearRegression as Batch

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]


def problem(rng, n=203, p=6, m=1, dtype=np.float64, offset=0.0):
    X = (rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p) + offset).astype(dtype)
    y = (X - offset) @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y).astype(dtype)


def same_on_all(comm, model):
    state = {
        k: np.asarray(v).tobytes() for k, v in vars(model).items() if k.endswith("_")
    }
    assert all(other == state for other in comm.allgather(state))


def check(comm, share, X, y, w=None, kind="even", tol=1e-9, close=None, **params):
    mine = share(X, y, w, kind=kind)
    model = spmd.LinearRegression(comm=comm, **params).fit(*mine)
    whole = [None if a is None else np.asarray(a, np.float64) for a in (X, y, w)]
    reference = Reference(**params).fit(*whole)
    close(model.coef_, reference.coef_, tol)
    scale = np.abs(reference.coef_).max() * np.abs(whole[0]).max()
    assert np.abs(model.intercept_ - reference.intercept_).max() <= tol * max(
        1.0, scale
    )
    if not params.get("positive"):
        assert model.rank_ == reference.rank_
        close(model.singular_, reference.singular_, tol)
    assert model.n_features_in_ == X.shape[1]
    same_on_all(comm, model)
    score = model.score(*mine)
    assert comm.allgather(score) == [score] * comm.size
    assert abs(score - reference.score(*whole)) < max(tol, 1e-9)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shares_of_any_size(
    comm, share, rng, kind, weighted, dtype, assert_close, tolerance
):
    X, y = problem(rng, dtype=dtype)
    w = rng.random(len(X)).astype(dtype) if weighted else None
    model = check(comm, share, X, y, w, kind, tolerance(dtype), assert_close)
    assert model.coef_.dtype == dtype


@pytest.mark.parametrize("params", [{"fit_intercept": False}, {"positive": True}, {}])
@pytest.mark.parametrize("targets", [1, 3])
def test_parameters_and_targets(comm, share, rng, params, targets, assert_close):
    X, y = problem(rng, m=targets)
    check(comm, share, X, y, None, "uneven", 1e-9, assert_close, **params)


@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_fewer_rows_than_columns(comm, share, rng, n, kind, assert_close):
    X, y = problem(rng, n=n, p=8)
    check(comm, share, X, y, None, kind, 1e-9, assert_close)


@pytest.mark.parametrize("targets", [1, 2])
def test_wide_data(comm, share, rng, targets, assert_close):
    X, y = problem(rng, n=20, p=300, m=targets)
    check(comm, share, X, y, rng.random(20), "uneven", 1e-9, assert_close)


def test_collinear_and_constant_columns_and_zero_weights(
    comm, share, rng, assert_close
):
    X, y = problem(rng, p=8)
    X[:, 3], X[:, 5] = 2 * X[:, 1], 4.0
    w = (rng.random(len(X)) > 0.5).astype(float)
    model = check(comm, share, X, y, w, "uneven", 1e-9, assert_close)
    assert model.rank_ == 6


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_far_from_the_origin(comm, share, rng, offset, assert_close):
    """Against the exact answer: integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (500, 5)).astype(float)
    y = X @ np.arange(1.0, 6.0) + rng.integers(-50, 50, 500)
    exact = Reference().fit(X, y)
    mine, target = share(X + offset, y, kind="uneven")
    model = spmd.LinearRegression(comm=comm).fit(mine, target)
    assert_close(model.coef_, exact.coef_, 1e-11)
    assert_close(model.singular_, exact.singular_, 1e-11)


@pytest.mark.parametrize("condition", [1e1, 9e1, 1e3, 1e5, 1e7])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8])
def test_as_exact_as_scikit_learn(comm, share, rng, condition, offset, exact):
    """Against extended precision, at any condition, near and far from the origin."""
    U, _ = np.linalg.qr(rng.standard_normal((400, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(400, 400 / condition, 6) @ V.T + offset
    y = X @ np.arange(1.0, 7.0) + 1e-3 / condition * rng.standard_normal(400)
    coef, intercept = exact(X, y)
    model = spmd.LinearRegression(tol=1e-14, comm=comm)
    model.fit(*share(X, y, kind="uneven"))
    theirs = Reference(tol=1e-14).fit(X, y)
    errors = [np.abs(m.coef_ - coef).max() / 6 for m in (model, theirs)]
    eps = np.finfo(float).eps
    assert errors[0] <= max(20 * eps * condition, 4 * errors[1])
    if offset:
        far = [abs(m.intercept_ - intercept) / abs(intercept) for m in (model, theirs)]
        assert far[0] <= max(1e-11, 20 * eps * condition, 4 * far[1])


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5, 1e7, 1e9])
def test_any_number_of_ranks_gives_one_answer(
    comm, share, rng, condition, assert_close
):
    U, _ = np.linalg.qr(rng.standard_normal((400, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(1, 1 / condition, 6) @ V.T
    y = X @ np.ones(6) + 1e-12 * rng.standard_normal(400)
    batch = Batch(tol=1e-14).fit(X, y)
    model = spmd.LinearRegression(tol=1e-14, comm=comm).fit(*share(X, y))
    assert model.rank_ == batch.rank_
    assert_close(model.coef_, batch.coef_, 1e-15 * max(condition, 1e3) * 10)
    assert_close(model.singular_, batch.singular_, 1e-12)


def test_orders_and_types_may_differ_between_ranks(comm, share, rng, assert_close):
    X, y = problem(rng, n=120)
    X, y = X.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
    mine, target = share(X, y, kind="uneven")
    forms = [
        lambda a: a,
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a.astype(np.float32),
    ]
    mine = forms[comm.rank % 4](mine)
    mine.flags.writeable = False
    model = spmd.LinearRegression(comm=comm).fit(mine, target)
    assert model.coef_.dtype == np.float64
    assert_close(model.coef_, Reference().fit(X, y).coef_)


def test_pandas_names_reach_a_rank_without_rows(comm, share, rng, assert_close):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = problem(rng, p=3)
    frame, target = pd.DataFrame(X, columns=list("abc")), pd.Series(y)
    mine, target = share(frame, target, kind="all on the last")
    if not len(mine):
        mine, target = pd.DataFrame(), pd.Series(dtype=object)
    model = spmd.LinearRegression(comm=comm).fit(mine, target)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert_close(model.coef_, Reference().fit(X, y).coef_)


@pytest.mark.parametrize(
    "nothing", [np.empty((0,)), np.empty((0, 3), int), [], np.empty((0, 9), "U1")]
)
def test_an_empty_share_has_no_say(comm, rng, nothing, assert_close):
    X, y = problem(rng, p=3)
    last = comm.rank == comm.size - 1
    mine = (X, y) if last else (nothing, np.empty((0, 2)))
    model = spmd.LinearRegression(comm=comm).fit(*mine)
    assert_close(model.coef_, Reference().fit(X, y).coef_)


def test_long_messages_are_cut_in_a_fit(comm, share, rng, assert_close):
    X, y = problem(rng, p=20)
    with config_context(spmd_message_bytes=64):
        check(comm, share, X, y, None, "uneven", 1e-9, assert_close)
        check(comm, share, *problem(rng, n=9, p=20), None, "uneven", 1e-9, assert_close)


def test_score_is_nan_below_two_rows(comm, share, rng):
    X, y = problem(rng)
    model = spmd.LinearRegression(comm=comm).fit(*share(X, y))
    mine = (X[:1], y[:1]) if comm.rank == comm.size - 1 else (X[:0], y[:0])
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert np.isnan(model.score(*mine))
    assert len(caught) == (1 if comm.rank == 0 else 0)


def test_numbers_of_threads_and_ranks_do_not_matter(comm, share, rng, assert_close):
    X, y = problem(rng, n=70_000, p=12)
    one = spmd.LinearRegression(n_jobs=1, comm=comm).fit(*share(X, y))
    two = spmd.LinearRegression(n_jobs=2, comm=comm).fit(*share(X, y))
    np.testing.assert_array_equal(one.coef_, two.coef_)
    assert_close(one.coef_, Reference().fit(X, y).coef_)


@pytest.mark.parametrize("targets", [1, 2])
def test_an_empty_share_is_predicted(comm, share, rng, targets):
    X = rng.standard_normal((30, 3))
    y = X @ rng.standard_normal((3, targets))
    model = spmd.LinearRegression(comm=comm).fit(*share(X, y))
    assert model.predict(X[:0]).shape == (0, targets)
    flat = spmd.LinearRegression(comm=comm).fit(*share(X, y[:, 0]))
    assert flat.predict(X[:0]).shape == (0,)
    with pytest.raises(ValueError, match="X has 2 features"):
        model.predict(X[:0, :2])


@pytest.mark.parametrize("kind", ["uneven", "empty first"])
def test_without_room_for_co_moments_lines_are_found_in_rounds(
    comm, share, rng, assert_close, monkeypatch, kind
):
    X, y = problem(rng, n=1800, p=1200)
    mine = share(X, y, kind=kind)
    known = spmd.LinearRegression(comm=comm).fit(*mine)
    steady = spmd.Ridge(2.0, comm=comm).fit(*mine)
    monkeypatch.setenv("SKLEARNEX_RS_MEMORY", "20000000")
    model = spmd.LinearRegression(comm=comm).fit(*mine)
    assert comm.allgather(model.coef_.tobytes()) == [model.coef_.tobytes()] * comm.size
    assert not hasattr(model, "rank_")
    assert_close(model.coef_, known.coef_)
    assert_close(spmd.Ridge(2.0, comm=comm).fit(*mine).coef_, steady.coef_)
    with pytest.raises(MemoryError, match="LinearRegression of 1200 columns needs"):
        spmd.LinearRegression(positive=True, comm=comm).fit(*mine)
