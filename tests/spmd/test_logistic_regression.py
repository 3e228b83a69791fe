"""SPMD equals scikit-learn's optimum on all rows, however they are spread."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.linear_model import LogisticRegression as Reference

from sklearnex_rs import spmd

KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


def problem(rng, n=203, p=6, m=3, dtype=np.float64):
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    scores = X @ rng.standard_normal((p, m)) + 2 * rng.gumbel(size=(n, m))
    return X.astype(dtype), scores.argmax(axis=1)


def same_on_all(comm, model):
    known = {k: np.asarray(v) for k, v in vars(model).items() if k.endswith("_")}
    state = {
        k: v.tolist() if v.dtype == object else v.tobytes() for k, v in known.items()
    }
    assert all(other == state for other in comm.allgather(state))


def check(comm, share, X, y, w=None, kind="even", tol=1e-6, exact=None, **params):
    mine = share(X, y, w, kind=kind)
    model = spmd.LogisticRegression(comm=comm, **{**TIGHT, **params}).fit(*mine)
    whole = np.asarray(X, np.float64)
    exact = {"solver": "newton-cholesky", **params} if exact is None else exact
    seeded = {"random_state": 0, **TIGHT, **exact}  # liblinear draws
    reference = Reference(**seeded).fit(whole, y, w)
    scale = np.abs(reference.coef_).max()
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=tol * scale)
    np.testing.assert_array_equal(model.classes_, reference.classes_)
    same_on_all(comm, model)
    score = model.score(*mine)
    assert comm.allgather(score) == [score] * comm.size
    assert score == pytest.approx(reference.score(whole, y, w), abs=2 / len(y))
    wanted = share(reference.predict_proba(whole), kind=kind)[0]
    np.testing.assert_allclose(model.predict_proba(mine[0]), wanted, atol=20 * tol)
    guesses = np.concatenate(comm.allgather(model.predict(mine[0])))
    assert np.mean(guesses == reference.predict(whole)) > 0.97
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [2, 3])
def test_shares_of_any_size(comm, share, rng, kind, weighted, dtype, m):
    X, y = problem(rng, m=m, dtype=dtype)
    w = rng.random(len(X)).astype(dtype) if weighted else None
    tol = 1e-8 if dtype == np.float64 else 1e-4
    assert check(comm, share, X, y, w, kind, tol).coef_.dtype == dtype


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("labels", ["strings", "numbers", "objects"])
def test_classes_missing_on_ranks(comm, share, rng, m, labels):
    X, y = problem(rng, m=m)
    order = np.argsort(y, kind="stable")  # so that ranks have few classes each
    kinds = {
        "strings": np.array(["some", "a", "long word"]),
        "objects": np.array(["some", "a", "long word"], object),
        "numbers": np.array([7.0, -3.0, 25.0]),
    }
    y = kinds[labels][y[order]]
    for balance in (None, "balanced", dict.fromkeys(np.unique(y)[:1], 3.0)):
        model = check(comm, share, X[order], y, kind="uneven", class_weight=balance)
        assert model.classes_.dtype == y.dtype


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_penalties_of_first_powers(comm, share, rng, m, ratio):
    X, y = problem(rng, m=m)
    params = {"solver": "saga", "l1_ratio": ratio, "C": 0.1}
    model = check(comm, share, X, y, None, "one row", exact=params, **params)
    assert (model.coef_ == 0).any()


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_liblinear_keeps_its_own_objective(comm, share, rng, ratio):
    X, y = problem(rng, m=2)
    params = {"solver": "liblinear", "l1_ratio": ratio, "intercept_scaling": 0.5}
    check(comm, share, X + 1, y, None, "uneven", exact=params, **params)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_rows_than_columns(comm, share, rng, kind):
    X, y = problem(rng, n=12, p=20)
    y[:3] = [0, 1, 2]
    check(comm, share, X, y, None, kind)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_far_from_the_origin(comm, share, rng, offset):
    X, y = problem(rng)
    X = np.round(X * 2**20) / 2**20
    (near, far, labels) = share(X, X + offset, y, kind="uneven")
    model = spmd.LogisticRegression(comm=comm, **TIGHT)
    wanted = model.fit(near, labels).coef_
    np.testing.assert_allclose(model.fit(far, labels).coef_, wanted, rtol=1e-8)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_real_data(comm, share, load):
    X, y = load(return_X_y=True)
    X = X / X.max(axis=0).clip(1)
    check(comm, share, X, y, None, "uneven", tol=1e-6)


def test_a_warm_start_is_the_first_ranks(comm, share, rng):
    X, y = problem(rng)
    mine = share(X, y)
    model = spmd.LogisticRegression(comm=comm, warm_start=True, **TIGHT).fit(*mine)
    steps = model.n_iter_[0]
    model.coef_ = model.coef_ + (comm.rank > 0)  # as on a machine that rounds otherwise
    model.fit(*mine)
    assert model.n_iter_[0] <= 1 < steps
    same_on_all(comm, model)


def test_the_first_rank_warns_alone(comm, share, rng):
    X, y = problem(rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = spmd.LogisticRegression(max_iter=1, tol=1e-9, comm=comm)
        model.fit(*share(X, y))
    kinds = [warning.category for warning in caught]
    assert kinds == ([] if comm.rank else [ConvergenceWarning])
    same_on_all(comm, model)


@pytest.mark.parametrize("what", ["one class", "kinds", "zeros", "NaN", "not classes"])
def test_what_one_rank_finds_wrong_all_ranks_raise(comm, share, rng, what):
    X, y = problem(rng, n=60)
    X, y = share(X, y)
    rows, labels, w, last = X, y, None, comm.rank == comm.size - 1
    if what == "one class":
        labels, words = np.full(len(y), "same"), "contains only one class"
    elif what == "kinds" and comm.size > 1:
        labels = y.astype(str) if last else y
        words = f"rank 0 has numbers, rank {comm.size - 1} has strings"
    elif what == "zeros":
        w, words = np.zeros(len(y)), "must contain at least one non-zero number"
    elif what == "NaN":
        rows, words = np.where(last, np.nan, X), "Input X contains NaN"
    else:
        labels, words = X[:, 0] if last else y, "Unknown label type"
    with pytest.raises(ValueError, match=words) as caught:
        spmd.LogisticRegression(comm=comm).fit(rows, labels, w)
    assert len(set(comm.allgather(str(caught.value)))) == 1
    same_on_all(comm, spmd.LogisticRegression(comm=comm).fit(X, y))


def test_labels_in_a_column_warn_or_fail_on_all_ranks(comm, share, rng):
    X = rng.standard_normal((60, 3))
    X, y = share(X, (X[:, 0] > 0).astype(int))
    words = "A column-vector y was passed"
    model = spmd.LogisticRegression(comm=comm)
    with pytest.warns(DataConversionWarning, match=f"^{words}"):
        column = model.fit(X, y[:, None]).coef_
    np.testing.assert_array_equal(model.fit(X, y).coef_, column)
    y = y[:, None] if comm.rank == 0 else y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataConversionWarning, match=words):
            model.fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y.ravel()).coef_, column)
