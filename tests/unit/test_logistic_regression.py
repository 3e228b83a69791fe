"""Logistic regression on one process, against scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import LogisticRegression

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
EXACT = {"solver": "newton-cholesky", **TIGHT}
NATIVE = ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]


def problem(rng, n=303, p=6, m=3, dtype=np.float64):
    """Rows, and labels that follow them with much noise: no penalty is needed."""
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    scores = X @ rng.standard_normal((p, m)) + 2 * rng.gumbel(size=(n, m))
    return X.astype(dtype), scores.argmax(axis=1)


def gradient(model, X, y, w=None, C=1.0):
    """Return the largest entry of the gradient of the mean loss and an l2 penalty."""
    X = np.c_[X.astype(np.float64), np.ones(len(X))]
    w = np.ones(len(X)) if w is None else w
    own = (y[:, None] == model.classes_).astype(float)
    rest = model.predict_proba(X[:, :-1]) - own
    rest = rest[:, 1:] if len(model.coef_) == 1 else rest
    found = (w[:, None] * rest).T @ X
    found[:, :-1] += model.coef_ / C
    return np.abs(found).max() / w.sum()


@pytest.fixture
def check(assert_close):
    """Fit ours, and scikit-learn's on the same numbers in float64; compare."""

    def compare(X, y, w=None, within=1e-6, exact=EXACT, **params):
        model = LogisticRegression(**{**TIGHT, **params}).fit(X, y, w)
        whole = np.asarray(X, np.float64)
        reference = Reference(**{**exact, **params}).fit(whole, y, w)
        assert_close(model.coef_, reference.coef_, within)
        free = [
            part - part.mean()
            if len(part) > 1 and model.solver != "liblinear"
            else part
            for part in map(np.atleast_1d, (model.intercept_, reference.intercept_))
        ]
        scale = np.abs(reference.coef_).max() * np.abs(whole).max()
        np.testing.assert_allclose(*free, atol=within * max(1.0, scale))
        np.testing.assert_array_equal(model.classes_, reference.classes_)
        np.testing.assert_allclose(
            model.predict_proba(X), reference.predict_proba(whole), atol=10 * within
        )
        assert type(model.intercept_) is type(reference.intercept_)
        assert np.shape(model.intercept_) == np.shape(reference.intercept_)
        assert model.n_iter_.shape == (1,)
        assert model.n_iter_.dtype == np.int32
        return model

    return compare


SHAPES = [(20, 1), (37, 2), (303, 6), (1000, 31), (4099, 17), (700, 90)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_equals_scikit_learn(rng, check, shape, m, weighted, fit_intercept):
    X, y = problem(rng, *shape, m)
    w = rng.random(len(X)) if weighted else None
    check(X, y, w, within=1e-8, fit_intercept=fit_intercept)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_single_precision_equals_scikit_learn_in_double(rng, check, m, weighted):
    X, y = problem(rng, m=m, dtype=np.float32)
    w = rng.random(len(X)).astype(np.float32) + 0.5 if weighted else None
    model = check(X, y, w, within=1e-4)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict_proba(X).dtype == np.float32
    assert model.decision_function(X).dtype == np.float32


@pytest.mark.parametrize("m", [2, 3])
def test_no_penalty(rng, check, m):
    X, y = problem(rng, m=m)
    check(X, y, C=np.inf, exact={**TIGHT, "solver": "newton-cg"})


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_penalties_of_first_powers(rng, check, m, ratio, fit_intercept):
    X, y = problem(rng, m=m)
    params = {"solver": "saga", "l1_ratio": ratio, "C": 0.05, **TIGHT}
    X = StandardScaler().fit_transform(X)
    model = check(X, y, fit_intercept=fit_intercept, exact=TIGHT, **params)
    assert (model.coef_ == 0).any()
    theirs = Reference(fit_intercept=fit_intercept, **params).fit(X, y)
    np.testing.assert_array_equal(model.coef_ == 0, np.abs(theirs.coef_) < 1e-9)


@pytest.mark.parametrize("m", [4, 5])
def test_of_several_optima_the_one_of_least_squares_is_found(rng, assert_close, m):
    X, y = problem(rng, m=m)  # all classes' coefficients of a column may move together
    params = {"solver": "saga", "l1_ratio": 1.0, "C": 0.5, **TIGHT}
    coef = LogisticRegression(**params).fit(X, y).coef_
    order = rng.permutation(len(X))
    other = LogisticRegression(**params).fit(X[order], y[order]).coef_
    np.testing.assert_allclose(coef, other, atol=1e-7)
    middle = np.sort(coef, axis=0)[[(m - 1) // 2, m // 2]]
    free = (np.abs(middle) > 1e-9).all(axis=0)
    np.testing.assert_allclose(coef.mean(axis=0)[free], 0, atol=1e-12)
    nearly = LogisticRegression(**{**params, "l1_ratio": 1 - 1e-6}).fit(X, y).coef_
    np.testing.assert_allclose(coef, nearly, atol=1e-3)


def test_penalties_of_absolute_values_converge_where_columns_are_alike(rng):
    X, y = problem(rng, m=3)
    X = np.c_[X + 100, X[:, 0] * 1e3, X[:, 1:3] + 0.1 * rng.standard_normal((303, 2))]
    params = {"solver": "saga", "l1_ratio": 1.0, "C": 1e3, "tol": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(max_iter=60, **params).fit(X, y)
    plain = LogisticRegression(C=np.inf, **TIGHT).fit(X, y)
    loss = log_loss(y, model.predict_proba(X))
    assert loss == pytest.approx(log_loss(y, plain.predict_proba(X)), rel=0.02)


def test_more_unknowns_than_second_derivatives_have_room_for(rng, check):
    X, y = problem(rng, n=60, p=2300, m=2)
    lasso = {"solver": "liblinear", "l1_ratio": 1.0, "C": 0.05, "fit_intercept": False}
    model = check(X, y, within=1e-6, exact=TIGHT, **lasso)
    assert (model.coef_ == 0).mean() > 0.9
    check(X, y, within=1e-6, exact=TIGHT)


@pytest.mark.parametrize("solver", NATIVE)
@pytest.mark.parametrize("m", [2, 3])
def test_every_solver_ends_at_one_optimum(rng, check, solver, m):
    X, y = problem(rng, m=m)
    model = LogisticRegression(solver=solver, **TIGHT).fit(X, y)
    other = check(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scaling", [1, 0.3, 20.0])
@pytest.mark.parametrize("params", [{}, {"dual": True}, {"l1_ratio": 1.0, "C": 0.2}])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_liblinear_keeps_its_own_objective(rng, check, scaling, params, fit_intercept):
    X, y = problem(rng, m=2)
    params = {**params, "intercept_scaling": scaling, "fit_intercept": fit_intercept}
    model = check(X + 1, y, exact=TIGHT, random_state=0, solver="liblinear", **params)
    if fit_intercept:
        free = LogisticRegression(**TIGHT).fit(X + 1, y)
        assert abs(free.intercept_ - model.intercept_) > 1e-6


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_of_classes_multiply_those_of_rows(rng, check, m, weighted):
    X, y = problem(rng, m=m)
    w = rng.random(len(X)) if weighted else None
    keep = (y > 0) | (rng.random(len(y)) < 0.2)
    X, y, w = X[keep], y[keep], None if w is None else w[keep]
    check(X, y, w, class_weight="balanced")
    some = {0: 3.0, 1: 0.25}
    model = check(X, y, w, class_weight=some)
    own = compute_sample_weight({**some, 2: 1.0}, y) * (1 if w is None else w)
    again = LogisticRegression(**TIGHT).fit(X, y, own)
    np.testing.assert_allclose(model.coef_, again.coef_, rtol=1e-9, atol=1e-12)


def test_a_weight_is_that_many_rows_and_zero_is_none(rng, assert_close):
    X, y = problem(rng)
    w = rng.integers(0, 4, len(X))
    model = LogisticRegression(**TIGHT).fit(X, y, w)
    again = LogisticRegression(**TIGHT).fit(np.repeat(X, w, 0), np.repeat(y, w))
    assert_close(model.coef_, again.coef_)
    assert_close(model.intercept_, again.intercept_)


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_far_from_the_origin(rng, assert_close, m, ratio, offset):
    X, y = problem(rng, m=m)
    X = np.round(X * 2**20) / 2**20  # so that sums with the offset are exact
    params = {"C": 0.1, "l1_ratio": ratio, "solver": "saga", **TIGHT}
    near = LogisticRegression(**params).fit(X, y)
    far = LogisticRegression(**params).fit(X + offset, y)
    assert_close(far.coef_, near.coef_)
    theirs = Reference(**{**params, "C": 0.1}).fit(X, y)
    assert_close(far.coef_, theirs.coef_, 1e-6)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_digits])
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton-cholesky", "saga"])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
def test_the_gradient_is_not_larger_than_scikit_learns(load, tol, solver):
    X, y = (part[:600] for part in load(return_X_y=True))
    X = X / np.abs(X).max(axis=0).clip(1)
    params = {"tol": tol, "max_iter": 10_000, "solver": solver}
    ours, theirs = (cls(**params).fit(X, y) for cls in (LogisticRegression, Reference))
    # Scikit-learn stops where the loss does not fall any more, by its rounding.
    assert gradient(ours, X, y) <= max(gradient(theirs, X, y), 1e-12)
    assert gradient(ours, X, y) <= tol


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_columns_of_very_different_sizes_converge(rng, scale):
    X, y = problem(rng, m=3)
    X[:, 0] *= scale
    model = LogisticRegression(C=np.inf, tol=1e-9).fit(X, y)
    plain = LogisticRegression(C=np.inf, **TIGHT).fit(X * [1 / scale, 1, 1, 1, 1, 1], y)
    assert model.n_iter_[0] < 40
    loss = [log_loss(y, model.predict_proba(X))]
    loss += [log_loss(y, plain.predict_proba(X * [1 / scale, 1, 1, 1, 1, 1]))]
    assert loss[0] == pytest.approx(loss[1], rel=1e-6)


def test_collinear_and_constant_columns(rng, check):
    X, y = problem(rng)
    X = np.c_[X, X[:, 0], np.full(len(X), 3.0), X[:, 1] - X[:, 2]]
    model = check(X, y)
    assert (np.abs(model.coef_[:, 7]) < 1e-9).all()
    free = LogisticRegression(C=np.inf, **TIGHT).fit(X, y)
    plain = LogisticRegression(C=np.inf, **TIGHT).fit(X[:, :6], y)
    probabilities = plain.predict_proba(X[:, :6])
    np.testing.assert_allclose(free.predict_proba(X), probabilities, atol=1e-9)


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("m", [2, 3])
def test_more_columns_than_rows(rng, check, n, m):
    X, y = problem(rng, n=n, p=120, m=m)
    y[:m] = range(m)
    check(X, y)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_classes_that_columns_tell_apart_end_by_the_steps(rng, ratio):
    X = np.r_[rng.standard_normal((50, 3)) - 5, rng.standard_normal((50, 3)) + 5]
    y = np.arange(100) // 50
    model = LogisticRegression(C=np.inf, l1_ratio=ratio, tol=1e-12, max_iter=7)
    with pytest.warns(ConvergenceWarning, match=r"(?s)after 7 iter.*max_iter=7"):
        model.fit(X, y)
    assert model.n_iter_.tolist() == [7]
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("solver", [*NATIVE, "liblinear"])
def test_a_fit_that_ends_too_early_says_so_as_scikit_learns_solver(rng, solver):
    X, y = problem(rng, m=2)
    params, said = {"solver": solver, "tol": 1e-12, "max_iter": 1, "C": 1e3}, []
    for cls in (LogisticRegression, Reference):
        with pytest.warns(ConvergenceWarning) as caught:
            cls(**params, random_state=0).fit(X, y)
        said.append(str(caught[0].message))
    ours, theirs = said
    assert ours[:24] == theirs[:24]
    assert "max_iter=1" in ours


def test_no_steps_leave_the_start(rng):
    X, y = problem(rng)
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(max_iter=0).fit(X, y)
    assert not model.coef_.any()
    assert model.n_iter_.tolist() == [0]


@pytest.mark.parametrize("m", [2, 3])
def test_a_warm_start_goes_on(rng, m):
    X, y = problem(rng, m=m)
    cold = LogisticRegression(**TIGHT).fit(X, y)
    warm = LogisticRegression(warm_start=True, **TIGHT).fit(X, y)
    assert warm.fit(X, y).n_iter_[0] <= 1 < cold.n_iter_[0]
    np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-9)
    some = LogisticRegression(warm_start=True, tol=1e-12, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        first = some.fit(X, y).coef_
    with pytest.warns(ConvergenceWarning):
        some.fit(X, y)
    assert np.abs(some.coef_ - cold.coef_).max() < np.abs(first - cold.coef_).max()
    with pytest.raises(ValueError, match=r"Initialization coef is of shape .*expected"):
        warm.fit(X, np.arange(len(X)) % 4)
    with pytest.raises(ValueError, match="expected shape"):
        warm.fit(X[:, :3], y)
    assert warm.set_params(warm_start=False).fit(X[:, :3], y).coef_.shape[1] == 3


LABELS = {
    "strings": np.array(["b", "a", "zebra"]),
    "objects": np.array(["b", "a", "zebra"], object),
    "far apart": np.array([10**9, -(10**9), 5]),
    "unsigned": np.array([2**63 + 5, 3, 2**63 + 1], np.uint64),
    "floats": np.array([2.0, -1.0, 7.0]),
    "small": np.array([100, -100, 3], np.int8),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(rng, kind):
    X, y = problem(rng)
    labels = LABELS[kind][y]
    model = LogisticRegression().fit(X, labels)
    theirs = Reference().fit(X, labels)
    np.testing.assert_array_equal(model.classes_, theirs.classes_)
    assert model.classes_.dtype == theirs.classes_.dtype
    assert model.predict(X).dtype == theirs.predict(X).dtype
    assert np.mean(model.predict(X) == theirs.predict(X)) > 0.98
    truth = LogisticRegression().fit(X, y)
    assert model.score(X, labels) == truth.score(X, y)


def test_two_labels_are_false_and_true(rng):
    X, y = problem(rng, m=2)
    model = LogisticRegression().fit(X, y > 0)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool
    assert model.decision_function(X).shape == (len(X),)
    np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)


@pytest.mark.parametrize("m", [2, 4])
def test_probabilities_are_those_of_scores(rng, m):
    X, y = problem(rng, m=m)
    model = LogisticRegression().fit(X, y)
    theirs = Reference()
    for name in ("coef_", "intercept_", "classes_", "n_features_in_"):
        setattr(theirs, name, getattr(model, name))
    for name in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        wanted = getattr(theirs, name)(X)
        np.testing.assert_allclose(getattr(model, name)(X), wanted, rtol=1e-9)
    w = rng.random(len(X))
    assert model.score(X, y, w) == pytest.approx(theirs.score(X, y, w))
    far = model.predict_log_proba(X * 1e4)
    assert np.isfinite(far).all()
    assert far.min() < -1000


def test_sparse_coefficients_predict_the_same(rng):
    X, y = problem(rng)
    model = LogisticRegression(l1_ratio=1, solver="saga", C=0.05).fit(X, y)
    before, coef = model.predict_proba(X), model.coef_
    np.testing.assert_array_equal(model.sparsify().predict_proba(X), before)
    np.testing.assert_array_equal(model.densify().coef_, coef)


ERRORS = [
    ({"l1_ratio": 1.0}, "Solver lbfgs supports only 'l2' or None penalties, got l1"),
    ({"solver": "sag", "dual": True}, "Solver sag supports only dual=False"),
    ({"solver": "liblinear", "C": np.inf}, "not supported for the liblinear solver"),
    ({"solver": "liblinear", "l1_ratio": 0.5}, "Only 'saga' solver supports"),
    ({"solver": "liblinear", "l1_ratio": 1, "dual": True}, "when dual=True, Param"),
    ({"C": 0.0}, "The 'C' parameter of LogisticRegression must be a float in"),
    ({"class_weight": {7: 1.0}}, "not in class_weight"),
]


@pytest.mark.parametrize(("params", "words"), ERRORS)
def test_errors_are_scikit_learns(rng, params, words):
    X, y = problem(rng, m=2)
    said = []
    for cls in (Reference, LogisticRegression):
        with pytest.raises(ValueError, match=words) as caught:
            cls(**params).fit(X, y)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_errors_about_classes_are_scikit_learns(rng):
    X, y = problem(rng)
    cases = [
        (LogisticRegression(), Reference(), X, np.full(len(X), 7)),
        (LogisticRegression(), Reference(), X, np.full(len(X), "one")),
        (LogisticRegression(), Reference(), X, X[:, 0]),
        (LogisticRegression(), Reference(), X, np.where(y == 0, np.nan, y)),
        (LogisticRegression(), Reference(), X, y[:-1]),
        (LogisticRegression(), Reference(), X, None),
    ]
    for labels in (y, 0 * y):
        both = (cls(solver="liblinear") for cls in (LogisticRegression, Reference))
        cases.append((*both, X, labels))
    both = (cls(solver="liblinear") for cls in (LogisticRegression, Reference))
    cases.append((*both, X + 1e31, y > 1))
    for ours, theirs, *data in cases:
        said = []
        for model in (ours, theirs):
            with pytest.raises(ValueError, match=r".") as caught:
                model.fit(*data)
            said.append(str(caught.value))
        assert said[0] == said[1]
    with pytest.raises(ValueError, match="must contain at least one non-zero"):
        LogisticRegression().fit(X, y, np.zeros(len(X)))
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        LogisticRegression().fit(X, y)


PENALTIES = [
    {"penalty": "l2"},
    {"penalty": None},
    {"penalty": None, "C": 3.0},
    {"penalty": "l1", "solver": "saga"},
    {"penalty": "l1", "solver": "liblinear", "l1_ratio": 1},
    {"penalty": "elasticnet", "solver": "saga", "l1_ratio": 0.5},
    {"penalty": "l2", "l1_ratio": 0.5},
    {"l1_ratio": None},
]


@pytest.mark.parametrize("params", PENALTIES)
def test_what_is_deprecated_means_and_warns_the_same(rng, params):
    X, y = problem(rng, m=2)
    said, coefs = [], []
    for cls in (LogisticRegression, Reference):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = cls(**{**params, **TIGHT}).fit(X, y)
        said.append([(w.category, str(w.message)) for w in caught])
        coefs.append(model.coef_)
    assert said[0] == [pair for pair in said[1] if pair[0] is not ConvergenceWarning]
    np.testing.assert_allclose(*coefs, atol=1e-6)


def test_verbose_says_how_it_ended(rng, capsys):
    X, y = problem(rng)
    model = LogisticRegression(verbose=1).fit(X, y)
    said = capsys.readouterr().out
    assert said.startswith(f"{model.n_iter_[0]} steps, objective ")
    LogisticRegression().fit(X, y)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("layout", ["F", "gaps", "int8"])
def test_rows_lie_in_any_way(rng, layout):
    X, y = problem(rng, m=3)
    X = np.round(X * 8)
    ways = {
        "F": np.asfortranarray,
        "gaps": lambda X: np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
        "int8": lambda X: X.astype(np.int8),
    }
    plain = LogisticRegression(**TIGHT).fit(X, y)
    other = LogisticRegression(**TIGHT).fit(ways[layout](X), y)
    np.testing.assert_allclose(other.coef_, plain.coef_, rtol=1e-9, atol=1e-12)


def test_the_result_does_not_depend_on_threads(rng):
    X, y = problem(rng, n=40_000, p=3)
    one, four = (LogisticRegression(n_jobs=n).fit(X, y) for n in (1, 4))
    np.testing.assert_array_equal(one.coef_, four.coef_)


def test_it_works_inside_of_others(rng):
    X, y = problem(rng, m=3)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    grid = GridSearchCV(pipe, {"logisticregression__C": [0.01, 1.0]}, cv=3).fit(X, y)
    assert grid.best_score_ > 0.4
    many = OneVsRestClassifier(LogisticRegression(solver="liblinear")).fit(X, y)
    theirs = OneVsRestClassifier(Reference(solver="liblinear")).fit(X, y)
    assert np.mean(many.predict(X) == theirs.predict(X)) > 0.98
    assert not hasattr(clone(grid.best_estimator_[-1]), "coef_")


def test_names_and_libraries_are_kept(rng):
    torch = pytest.importorskip("torch")
    X, y = problem(rng)
    model = LogisticRegression().fit(torch.from_numpy(X), y)
    assert isinstance(model.coef_, torch.Tensor)
    assert isinstance(model.predict_proba(torch.from_numpy(X)), torch.Tensor)


SIZES = [1, 2, 3, 5, 16]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("m", [2, 3])
def test_ranks_without_some_classes_or_any_rows(rng, assert_close, size, m):
    X, y = problem(rng, m=m)
    order = np.argsort(y, kind="stable")
    X, labels = X[order], np.array(["low", "mid", "top"])[y[order]]
    cuts = [len(X) * rank**2 // size**2 for rank in range(size + 1)]

    def program(comm):
        mine = slice(cuts[comm.rank], cuts[comm.rank + 1])
        model = spmd.LogisticRegression(class_weight="balanced", comm=comm, **TIGHT)
        model.fit(X[mine], labels[mine])
        return model, model.score(X[mine], labels[mine]), model.predict(X[mine])

    answers = spmd.run(size, program)
    whole = LogisticRegression(class_weight="balanced", **TIGHT).fit(X, labels)
    for model, score, _ in answers:
        assert_close(model.coef_, whole.coef_)
        np.testing.assert_array_equal(model.coef_, answers[0][0].coef_)
        np.testing.assert_array_equal(model.intercept_, answers[0][0].intercept_)
        np.testing.assert_array_equal(model.classes_, whole.classes_)
        assert score == pytest.approx(whole.score(X, labels))
    guesses = np.concatenate([guess for *_, guess in answers])
    np.testing.assert_array_equal(guesses, whole.predict(X))


def test_only_the_first_rank_warns_and_prints(rng, capsys):
    X, y = problem(rng)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        model = spmd.LogisticRegression(max_iter=1, tol=1e-9, verbose=1, comm=comm)
        return model.fit(X[mine], y[mine]).n_iter_[0]

    with pytest.warns(ConvergenceWarning) as caught:
        assert spmd.run(3, program) == [1, 1, 1]
    assert len(caught) == 1
    assert capsys.readouterr().out.count("steps") == 1


def failing(rng, case):
    """A program in which all ranks must raise these words, and go on."""
    X, y = problem(rng)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        rows, labels, w, params = X[mine], y[mine], None, {}
        words = case
        if case == "only one class":
            labels, words = 0 * labels, "contains only one class: np.int64(0)"
        elif case == "one kind" and comm.rank == 1:
            labels = labels.astype(str)
        elif case == "Unknown label type" and comm.rank == 2:
            labels = rows[:, 0]
        elif case == "at least one non-zero":
            w = np.zeros(len(rows))
        elif case == "not in class_weight":
            params = {"class_weight": {9: 1.0}}
        elif case == "multiclass":
            params = {"solver": "liblinear"}
        elif case == "supports only 'l2'":
            params = {"l1_ratio": 1.0}
        elif case == "Input X contains NaN" and comm.rank == 1:
            rows = rows * np.nan
        elif case == "'C' parameter differs":
            params = {"C": 1.0 + comm.rank}
        elif case == "rank 2: Initialization coef":
            params = {"warm_start": True}
        model = spmd.LogisticRegression(comm=comm, **params)
        if "Init" in case and comm.rank == 2:
            model.coef_, model.intercept_ = np.zeros((7, 2)), np.zeros(7)
        with pytest.raises(ValueError, match=r".") as caught:
            model.fit(rows, labels, w)
        assert words in str(caught.value)
        again = spmd.LogisticRegression(comm=comm).fit(X[mine], y[mine])
        return str(caught.value), again.coef_.tobytes()

    return program


@pytest.mark.parametrize(
    "case",
    [
        "only one class",
        "one kind",
        "Unknown label type",
        "at least one non-zero",
        "not in class_weight",
        "multiclass",
        "supports only 'l2'",
        "Input X contains NaN",
        "'C' parameter differs",
        "rank 2: Initialization coef",
    ],
)
def test_an_error_is_the_same_on_all_ranks_and_the_next_fit_works(rng, case):
    assert len(set(spmd.run(3, failing(rng, case)))) == 1


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_intercepts_keep_their_mean_far_from_the_origin(rng, l1_ratio):
    X = rng.standard_normal((300, 4))
    y = np.digitize(X[:, 0] + rng.logistic(size=300), [-1, 1])
    options = {"solver": "saga", "l1_ratio": l1_ratio, "C": 0.5, "tol": 1e-10}
    theirs = Reference(**options, max_iter=20000)
    near = LogisticRegression(**options, max_iter=1000).fit(X, y)
    assert np.abs(near.intercept_ - theirs.fit(X, y).intercept_).max() < 1e-6
    far = LogisticRegression(**options, max_iter=1000).fit(X + 100, y)
    assert abs(far.intercept_.sum()) < 1e-9


def test_a_model_that_is_not_there_says_so():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(10, 1)), rng.integers(0, 3, 10)
        X[-1] *= 1e6
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = LogisticRegression(C=100.0, max_iter=1000).fit(X, y)
        error = model.predict_proba(X) - (y[:, None] == model.classes_)
        slope = error.T @ np.c_[X, np.ones(10)] / 10
        if len(model.classes_) == 3:
            slope[:, :-1] += model.coef_ / 1000
            assert told or np.abs(slope).max() < 1e-3


def test_a_rank_whose_weights_are_zero_has_a_score(rng):
    X = rng.standard_normal((40, 3))
    y, w = (X[:, 0] > 0).astype(int), np.repeat([0.0, 1.0], 20)
    wanted = LogisticRegression().fit(X, y, w).score(X, y, w)

    def program(comm):
        mine = slice(20 * comm.rank, 20 * comm.rank + 20)
        model = spmd.LogisticRegression(comm=comm).fit(X[mine], y[mine], w[mine])
        return model.score(X[mine], y[mine], w[mine])

    assert spmd.run(2, program) == [wanted] * 2
    with pytest.raises(ValueError, match="at least one non-zero"):
        LogisticRegression().fit(X, y).score(X, y, np.zeros(40))
