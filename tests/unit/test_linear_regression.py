"""Least squares on one process, against scikit-learn and extended precision."""

import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn
from scipy.linalg import lstsq
from scipy.optimize import nnls
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression as Reference
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearnex_rs.linear_model import LinearRegression

EPS = np.finfo(np.float64).eps


def problem(rng, n=203, p=6, m=1):
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2, p)
    y = X @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 3
    return X, (y[:, 0] if m == 1 else y)


@pytest.fixture
def check(assert_close):
    """Fit ours, and scikit-learn's on the same numbers in float64; compare."""

    def compare(X, y, w=None, tol=1e-9, **params):
        model = LinearRegression(**params).fit(X, y, w)
        whole = [None if a is None else np.asarray(a, np.float64) for a in (X, y, w)]
        with sklearn.config_context(assume_finite=True):
            reference = Reference(**params).fit(*whole)
        assert_close(model.coef_, reference.coef_, tol)
        assert_close(model.intercept_, reference.intercept_, tol)
        if not params.get("positive"):
            assert model.rank_ == reference.rank_
            assert_close(model.singular_, reference.singular_, tol)
        else:
            assert not hasattr(model, "rank_")
            assert not hasattr(model, "singular_")
        assert_close(model.predict(X), reference.predict(whole[0]), tol)
        if len(X) > 1:
            assert abs(model.score(X, y, w) - reference.score(*whole)) < max(tol, 1e-9)
        return model

    return compare


SHAPES = [(2, 1), (3, 2), (7, 3), (203, 6), (1000, 31), (4099, 17), (257, 130)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_equals_scikit_learn(rng, check, shape, targets, weighted, fit_intercept):
    X, y = problem(rng, *shape, targets)
    w = rng.random(len(X)) if weighted else None
    check(X, y, w, fit_intercept=fit_intercept)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_single_precision_equals_scikit_learn_in_double(rng, check, shape, weighted):
    X, y = (a.astype(np.float32) for a in problem(rng, *shape))
    w = rng.random(len(X)).astype(np.float32) + 0.5 if weighted else None
    model = check(X, y, w, tol=1e-4)
    assert model.coef_.dtype == model.predict(X).dtype == np.float32
    assert model.singular_.dtype == np.float32
    assert np.asarray(model.intercept_).dtype == np.float32


FORMS = {
    "Fortran": np.asfortranarray,
    "strided rows": lambda a: np.repeat(a, 3, axis=0)[::3],
    "strided columns": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed rows": lambda a: a[::-1].copy()[::-1],
    "reversed columns": lambda a: a[..., ::-1].copy()[..., ::-1],
    "read-only": lambda a: read_only(a),
    "lists": lambda a: a.tolist(),
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: unaligned(a),
    "objects": lambda a: a.astype(object),
    "masked": np.ma.masked_array,
}


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def unaligned(a):
    raw = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[:] = a
    assert not raw.flags.aligned
    return raw


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_form_of_the_same_numbers_gives_one_answer(
    rng, form, targets, dtype, assert_close, tolerance
):
    X, y = (a.astype(dtype) for a in problem(rng, m=targets))
    w = (rng.random(len(X)) + 0.5).astype(dtype)
    plain = LinearRegression().fit(X, y, w)
    change = FORMS[form]
    model = LinearRegression().fit(change(X), change(y), change(w))
    assert_close(model.coef_, plain.coef_, tolerance(dtype))
    assert_close(model.predict(change(X)), plain.predict(X), tolerance(dtype))
    assert abs(model.score(change(X), change(y), change(w)) - plain.score(X, y, w)) < (
        tolerance(dtype)
    )


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, bool, np.float16])
def test_other_numbers_become_double(rng, check, dtype):
    X = rng.integers(0, 2 if dtype is bool else 100, (80, 4)).astype(dtype)
    y = rng.integers(0, 2, 80).astype(dtype)
    model = check(X, y, rng.integers(1, 4, 80))
    assert model.coef_.dtype == np.float64


def test_pandas_names_are_kept_and_checked(rng, assert_close):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = problem(rng, p=3)
    frame = pd.DataFrame(X, columns=list("abc"))
    model = LinearRegression().fit(frame, pd.Series(y), pd.Series(np.ones(len(y))))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert_close(model.coef_, Reference().fit(X, y).coef_)
    assert_close(model.predict(frame), Reference().fit(X, y).predict(X))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c"]])
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_weights_are_repetitions_and_zero_is_absence(rng, assert_close):
    X, y = problem(rng, m=2)
    w = rng.integers(0, 4, len(X))
    X[w == 0] = 1e3
    model = LinearRegression().fit(X, y, w)
    repeated = LinearRegression().fit(np.repeat(X, w, axis=0), np.repeat(y, w, axis=0))
    present = LinearRegression().fit(X[w > 0], y[w > 0], w[w > 0])
    for other in (repeated, present):
        assert_close(model.coef_, other.coef_)
        assert_close(model.intercept_, other.intercept_)
        assert_close(model.singular_, other.singular_)
        assert model.rank_ == other.rank_


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_the_scale_of_weights_does_not_matter(rng, scale, assert_close):
    X, y = problem(rng)
    w = rng.random(len(X)) + 0.1
    plain, scaled = (LinearRegression().fit(X, y, s * w) for s in (1, scale))
    assert_close(scaled.coef_, plain.coef_)
    assert_close(scaled.intercept_, plain.intercept_)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e5])
def test_positive_coefficients_are_optimal(rng, fit_intercept, condition, assert_close):
    X, y = problem(rng, p=9)
    X *= np.geomspace(1, 1 / condition, 9)
    w = rng.random(len(X))
    params = {"positive": True, "fit_intercept": fit_intercept}
    coef = LinearRegression(**params).fit(X, y, w).coef_
    if fit_intercept:
        X, y = X - w @ X / w.sum(), y - w @ y / w.sum()
    A, b = X * np.sqrt(w)[:, None], y * np.sqrt(w)
    slope = A.T @ (b - A @ coef) / np.linalg.norm(A, axis=0) / np.linalg.norm(b)
    assert (coef >= 0).all()
    assert (coef == 0).any()
    assert (coef > 0).any()
    assert slope.max() < 1e-12
    assert np.abs(slope[coef > 0]).max() < 1e-12
    assert_close(coef, nnls(A, b)[0])


def test_positive_with_several_targets_and_collinear_columns(rng, check, assert_close):
    X, y = problem(rng, m=3)
    check(X, y, positive=True)
    X[:, 2] = X[:, 1]
    ours, reference = (
        kind(positive=True).fit(X, y) for kind in (LinearRegression, Reference)
    )
    assert (ours.coef_ >= 0).all()
    assert_close(ours.predict(X), reference.predict(X))


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_collinear_and_constant_columns_get_the_answer_of_least_norm(
    rng, check, fit_intercept
):
    X, y = problem(rng, p=8, m=2)
    X[:, 3], X[:, 5], X[:, 7] = 2 * X[:, 1], 4.0, X[:, 0] - X[:, 2]
    w = rng.random(len(X))
    model = check(X, y, w, fit_intercept=fit_intercept)
    assert model.rank_ == 5 + (not fit_intercept)
    root = np.sqrt(w)[:, None]
    center = w @ X / w.sum() if fit_intercept else 0
    target = y - (w @ y / w.sum() if fit_intercept else 0)
    least = np.linalg.pinv((X - center) * root, rcond=1e-6) @ (target * root)
    np.testing.assert_allclose(model.coef_, least.T, atol=1e-12)


def test_only_constant_columns_have_rank_zero(rng, check):
    y = rng.standard_normal(20)
    model = check(np.full((20, 3), 7.0), y)
    assert model.rank_ == 0
    assert model.coef_.tolist() == [0, 0, 0]
    assert model.intercept_ == pytest.approx(y.mean())
    model = check(np.zeros((20, 3)), y, fit_intercept=False)
    assert model.rank_ == 0


@pytest.mark.parametrize(("tol", "rank"), [(1e-6, 1), (1e-12, 2)])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_tol_decides_on_columns_of_different_scale(rng, tol, rank, fit_intercept):
    X = rng.standard_normal((100, 2)) * [1.0, 1e-7]
    y = X @ [1.0, 3e7] + rng.standard_normal(100)
    params = {"fit_intercept": fit_intercept}
    model = LinearRegression(tol=tol, **params).fit(X, y)
    assert model.rank_ == rank
    # What scikit-learn does with `tol` since 1.9; before, it was for sparse data only.
    centred = X - X.mean(axis=0) if fit_intercept else X
    coef, _, _, singular = lstsq(centred, y, cond=tol)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8)
    np.testing.assert_allclose(model.singular_, singular, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 5), (5, 5), (6, 5), (20, 300)])
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_few_rows(rng, check, shape, targets, fit_intercept):
    X, y = problem(rng, *shape, targets)
    model = check(X, y, fit_intercept=fit_intercept)
    assert model.singular_.shape == (min(shape),)
    check(X, y, rng.random(len(X)) + 0.1, fit_intercept=fit_intercept)


@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_as_exact_as_scikit_learn_at_any_condition(rng, condition, noise, exact):
    U, _ = np.linalg.qr(rng.standard_normal((500, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    X = U * np.geomspace(1, 1 / condition, 6) @ V.T + 0.5
    y = X @ np.arange(1.0, 7.0) + noise / condition * rng.standard_normal(500)
    coef, _ = exact(X, y)
    ours, theirs = (
        np.abs(kind(tol=1e-14).fit(X, y).coef_ - coef).max() / np.abs(coef).max()
        for kind in (LinearRegression, Reference)
    )
    assert ours <= max(20 * EPS * condition, 4 * theirs)


@pytest.mark.parametrize("offset", [1e6, 1e8])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_far_from_the_origin(rng, offset, scale, weighted, exact):
    X = rng.standard_normal((500, 5)) * np.geomspace(1, scale, 5) + offset
    y = (X - offset) @ np.arange(1.0, 6.0) + rng.standard_normal(500) + offset
    w = rng.random(500) if weighted else None
    coef, intercept = exact(X, y, w)
    model = LinearRegression(tol=1e-12).fit(X, y, w)
    theirs = np.abs(Reference(tol=1e-12).fit(X, y, w).coef_ - coef).max()
    error = np.abs(model.coef_ - coef).max()
    assert error <= max(1e-12 * np.abs(coef).max() / scale, 2 * theirs)
    assert abs(model.intercept_ - intercept) <= 10 * (error + EPS) * offset


def test_single_precision_far_from_the_origin(rng, assert_close):
    X = (rng.integers(-100, 100, (3000, 4)) + 10_000).astype(np.float32)
    y = ((X - 10_000) @ np.arange(1.0, 5.0)).astype(np.float32)
    assert_close(LinearRegression().fit(X, y).coef_, np.arange(1.0, 5.0), 1e-5)


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_huge_and_tiny_values_in_single_precision(rng, scale, assert_close):
    X, _ = problem(rng)
    y = X @ np.arange(1.0, 7.0)
    X, y = (X * scale).astype(np.float32), (y * scale).astype(np.float32)
    model = LinearRegression().fit(X, y)
    assert_close(model.coef_, np.arange(1.0, 7.0), 1e-4)
    assert model.rank_ == 6


@pytest.mark.parametrize("scale", [1e300, 1e200, 1e100, 1e-100, 1e-160, 1e-300])
def test_huge_and_tiny_values_in_double_precision(rng, scale, assert_close):
    X, _ = problem(rng)
    coef = np.arange(1.0, 7.0)
    model = LinearRegression().fit(X * scale, X @ coef)
    assert_close(model.coef_ * scale, coef)
    assert model.rank_ == 6
    assert_close(LinearRegression().fit(X, X @ coef * scale).coef_ / scale, coef)


def test_values_whose_sums_overflow_are_refused_with_a_way_out(rng):
    X, y = problem(rng)
    with pytest.raises(ValueError, match="scale the columns"):
        LinearRegression().fit(np.full_like(X, 1.7e308), y)


@pytest.mark.parametrize("tol", [0, 1, 2.5])
def test_a_tolerance_that_lapack_does_not_take_is_rounding(rng, tol, assert_close):
    X, y = problem(rng)
    X = np.c_[X, X[:, 0] + X[:, 1]]
    ours, theirs = LinearRegression(tol=tol).fit(X, y), Reference(tol=tol).fit(X, y)
    assert ours.rank_ == theirs.rank_ == 6
    assert_close(ours.coef_, theirs.coef_)


@pytest.mark.parametrize(("kind", "beside"), [("f8", "i4"), ("f4", "i2")])
def test_fields_of_packed_records(rng, kind, beside, assert_close, tolerance):
    X, y = problem(rng)
    packed = [np.zeros(part.shape, [("v", kind), ("id", beside)]) for part in (X, y, y)]
    for to, part in zip(packed, (X, y, np.abs(y)), strict=True):
        to["v"] = part
    fields = [part["v"] for part in packed]
    plain = [field.copy() for field in fields]
    model = LinearRegression().fit(*fields)
    assert_close(model.coef_, Reference().fit(*plain).coef_, tolerance(kind))
    assert np.array_equal(model.predict(fields[0]), model.predict(plain[0]))
    assert model.score(*fields) == model.score(*plain)


def test_strings_are_refused_in_scikit_learns_words(rng):
    X, y = problem(rng)
    with pytest.raises(ValueError, match="not compatible with arrays of bytes/strings"):
        LinearRegression().fit(X.astype(str), y)


def test_positive_with_many_columns(rng, assert_close):
    X = rng.standard_normal((600, 150))
    X = np.c_[X, X[:, :5]]
    y = X @ rng.standard_normal(155)
    ours = LinearRegression(positive=True).fit(X, y)
    assert (ours.coef_ >= 0).all()
    assert_close(ours.predict(X), Reference(positive=True).fit(X, y).predict(X))


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_score_equals_scikit_learn(rng, targets, weighted):
    X, y = problem(rng, m=targets)
    w = rng.random(len(X)) if weighted else None
    ours, theirs = LinearRegression().fit(X, y, w), Reference().fit(X, y, w)
    other = problem(rng, m=targets)
    for rows in ((X, y), other, (other[0] + 5, other[1] * 100 + 1e6)):
        assert ours.score(*rows, w) == pytest.approx(theirs.score(*rows, w), rel=1e-9)


@pytest.mark.parametrize("intercept", [3.0, 4.0])
@pytest.mark.parametrize("targets", [1, 2])
def test_score_of_a_constant_target(rng, intercept, targets):
    X = rng.standard_normal((10, 2))
    y = np.full((10, targets), 3.0)
    if targets > 1:
        y[:, 1] = rng.standard_normal(10)
    pair = []
    for kind in (LinearRegression, Reference):
        model = kind().fit(X, y)
        model.coef_, model.intercept_ = np.zeros((targets, 2)), intercept
        pair.append(model.score(X, y))
    assert pair[0] == pytest.approx(pair[1])


def test_score_of_one_row_is_nan_with_a_warning(rng):
    X, y = problem(rng)
    for kind in (LinearRegression, Reference):
        model = kind().fit(X, y)
        words = "R.2 score is not well-defined with less than two samples"
        with pytest.warns(sklearn.exceptions.UndefinedMetricWarning, match=words):
            assert np.isnan(model.score(X[:1], y[:1]))


def test_predict_honours_attributes_that_the_user_sets(rng):
    X, y = problem(rng, p=3)
    model = LinearRegression().fit(X, y)
    model.coef_, model.intercept_ = np.array([1.0, 2.0, 3.0]), 4.0
    np.testing.assert_allclose(model.predict(X), X @ [1, 2, 3] + 4, rtol=1e-13)
    model.coef_ = np.array([[1, 2, 3], [3, 2, 1]])
    model.intercept_ = np.array([4.0, 5.0])
    expected = X @ model.coef_.T + [4, 5]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    model.coef_[0, 0] = 100
    expected = X @ model.coef_.T + [4, 5]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)


def test_a_second_fit_forgets_the_first(rng, assert_close):
    X, y = problem(rng)
    model = LinearRegression(fit_intercept=False).fit(X[:, :3], y)
    model.set_params(fit_intercept=True, tol=1e-9).fit(X, y)
    assert_close(model.coef_, Reference().fit(X, y).coef_)
    assert model.n_features_in_ == 6


def test_positive_after_a_plain_fit_leaves_what_scikit_learn_leaves(rng):
    X, y = problem(rng)
    states = [
        set(vars(kind().fit(X, y).set_params(positive=True).fit(X, y)))
        for kind in (LinearRegression, Reference)
    ]
    assert states[0] == states[1]


def test_the_intercept_is_of_scikit_learns_type(rng):
    X, y = problem(rng, m=2)
    for params in ({}, {"fit_intercept": False}):
        for target in (y, y[:, 0], y[:, :1]):
            ours, theirs = (
                kind(**params).fit(X, target) for kind in (LinearRegression, Reference)
            )
            assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
            assert ours.coef_.shape == theirs.coef_.shape
            assert ours.predict(X).shape == theirs.predict(X).shape
            assert ours.coef_.flags.writeable


def bad(a, value, row=3):
    a = np.array(a, float)
    a[row] = value
    return a


ERRORS = {
    "NaN in X": lambda X, y: (bad(X, np.nan), y),
    "infinity in X": lambda X, y: (bad(X, np.inf), y),
    "minus infinity in X": lambda X, y: (bad(X, -np.inf), y),
    "NaN in the last row": lambda X, y: (bad(X, np.nan, -1), y),
    "infinity in single precision": lambda X, y: (
        bad(X, np.inf).astype(np.float32),
        y,
    ),
    "NaN in y": lambda X, y: (X, bad(y, np.nan)),
    "infinity in y": lambda X, y: (X, bad(y, np.inf)),
    "NaN in weights": lambda X, y: (X, y, bad(y * 0 + 1, np.nan)),
    "infinity in weights": lambda X, y: (X, y, bad(y * 0 + 1, np.inf)),
    "negative weights": lambda X, y: (X, y, bad(y * 0 + 1, -1)),
    "weights all zero": lambda X, y: (X, y, np.zeros(len(y))),
    "weights of two dimensions": lambda X, y: (X, y, np.ones((len(y), 2))),
    "too few weights": lambda X, y: (X, y, np.ones(len(y) - 1)),
    "X of one dimension": lambda X, y: (X[:, 0], y),
    "X of three dimensions": lambda X, y: (X[None], y),
    "X of no dimension": lambda X, y: (3.0, y),
    "y of three dimensions": lambda X, y: (X, y[:, None, None]),
    "y too short": lambda X, y: (X, y[:-1]),
    "no rows": lambda X, y: (X[:0], y[:0]),
    "no columns": lambda X, y: (X[:, :0], y),
    "no y": lambda X, y: (X, None),
    "words in X": lambda X, y: (np.full(X.shape, "word", object), y),
    "words in y": lambda X, y: (X, np.full(y.shape, "word", object)),
    "complex X": lambda X, y: (X + 1j, y),
    "ragged lists": lambda X, y: ([[1.0, 2.0], [1.0]], [1.0, 2.0]),
}


def failure(call, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as caught:
            call(*args)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("what", ERRORS)
@pytest.mark.parametrize("positive", [False, True])
def test_a_failing_fit_has_scikit_learns_words(rng, what, positive):
    args = ERRORS[what](*problem(rng))
    ours = LinearRegression(positive=positive)
    said = failure(ours.fit, *args)
    if what == "weights all zero":
        words = "Sample weights must contain at least one non-zero number."
        assert said == (ValueError, words)
    elif what == "negative weights":  # scikit-learn takes roots of them
        assert said[0] is ValueError
        assert "Negative values in data passed to `sample_weight`" in said[1]
    else:
        assert said == failure(Reference(positive=positive).fit, *args)
    assert not hasattr(ours, "coef_")


@pytest.mark.parametrize("bad_value", [np.nan, np.inf])
def test_a_failing_predict_or_score_has_scikit_learns_words(rng, bad_value):
    X, y = problem(rng)
    ours, theirs = LinearRegression().fit(X, y), Reference().fit(X, y)
    for args in ((bad(X, bad_value),), (X[:, :2],), (X[0],), (X[:0],)):
        assert failure(ours.predict, *args) == failure(theirs.predict, *args)
    for args in (
        (X, bad(y, bad_value)),
        (X, y[:-1]),
        (X[:, :2], y),
        (bad(X, bad_value), y),
        (X, np.stack([y, y], 1)),
        (X, y, bad(y * 0 + 1, bad_value)),
    ):
        kind, words = failure(ours.score, *args)
        expected = failure(theirs.score, *args)
        assert kind is expected[0]
        said = expected[1].replace("Input contains", "Input y contains")
        assert words.split(".")[0].split("(")[0] in expected[1] + said


@pytest.mark.parametrize("name", ["predict", "score"])
def test_an_unfitted_model_says_so(rng, name):
    X, y = problem(rng)
    args = (X,) if name == "predict" else (X, y)
    ours, theirs = LinearRegression(), Reference()
    assert failure(getattr(ours, name), *args) == failure(getattr(theirs, name), *args)
    with pytest.raises(NotFittedError):
        getattr(ours, name)(*args)


@pytest.mark.parametrize(
    "params",
    [
        {"tol": -1.0},
        {"tol": "small"},
        {"fit_intercept": "yes"},
        {"positive": 2},
        {"n_jobs": 1.5},
        {"copy_X": None},
    ],
)
def test_a_bad_parameter_is_refused_in_scikit_learns_words(rng, params):
    X, y = problem(rng)
    if "tol" in params and "tol" not in Reference().get_params():
        pytest.skip("this scikit-learn has no tol")
    pair = [failure(kind(**params).fit, X, y) for kind in (LinearRegression, Reference)]
    assert pair[0] == pair[1]


def test_sparse_rows_are_refused(rng):
    X, y = problem(rng)
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        LinearRegression().fit(csr_array(X), y)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        LinearRegression().fit(X, y).predict(csr_array(X))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("copy_X", [False, True])
def test_inputs_are_not_modified(rng, order, positive, copy_X):
    X, y = problem(rng, m=2)
    rows = [np.array(a, order=order) for a in (X, y, rng.random(len(X)))]
    before = [a.copy() for a in rows]
    model = LinearRegression(positive=positive, copy_X=copy_X).fit(*rows)
    model.predict(rows[0])
    model.score(*rows)
    for a, b in zip(rows, before, strict=True):
        np.testing.assert_array_equal(a, b)


PEAK = """
import re
from pathlib import Path
import numpy as np
from sklearnex_rs.linear_model import LinearRegression

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

rng = np.random.default_rng(0)
X = rng.standard_normal((20, 200_000), dtype={dtype!r}).reshape({shape})
X = X if {shape} == (200_000, 20) else X.T
X *= np.geomspace(1, 1 / {condition}, 20, dtype=X.dtype)
y = X @ np.ones(20, X.dtype)
w = np.ones(len(X), X.dtype)
model = LinearRegression(n_jobs=2, tol=1e-12, positive={positive})
model.fit(X[:20_000], y[:20_000], w[:20_000]).score(X[:20_000], y[:20_000])
Path("/proc/self/clear_refs").write_text("5")
before = peak()
model.fit(X, y, w)
print((peak() - before) * 1024, X.nbytes)
"""


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("condition", [1, 1e3, 1e6])
@pytest.mark.parametrize("positive", [False, True])
def test_a_fit_copies_no_rows(python, order, dtype, condition, positive):
    shape = (200_000, 20) if order == "C" else (20, 200_000)
    program = PEAK.format(
        dtype=dtype, shape=shape, condition=condition, positive=positive
    )
    grown, size = map(int, python(program).split())
    assert grown < 0.1 * size + 2e6


def test_python_allocates_little_in_a_fit(rng):
    X = rng.standard_normal((100_000, 10))
    y = X @ np.ones(10)
    model = LinearRegression().fit(X[:100], y[:100])
    tracemalloc.start()
    model.fit(X, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 0.1 * X.nbytes


def test_grid_search_pipeline_and_cross_validation(rng, assert_close):
    X, y = problem(rng)
    pair = []
    for kind in (LinearRegression, Reference):
        grid = {
            "linearregression__fit_intercept": [False, True],
            "linearregression__positive": [False, True],
        }
        search = GridSearchCV(make_pipeline(StandardScaler(), kind()), grid, cv=3)
        search.fit(X, y)
        pair.append((search.best_params_, search.cv_results_["mean_test_score"]))
    assert pair[0][0] == pair[1][0]
    assert_close(pair[0][1], pair[1][1])
    ours, theirs = (
        cross_val_score(kind(), X, y, cv=4, n_jobs=jobs)
        for kind, jobs in ((LinearRegression, 2), (Reference, 1))
    )
    assert_close(ours, theirs)


def test_clones_are_unfitted_and_equal(rng):
    model = LinearRegression(tol=1e-3, positive=True).fit(*problem(rng))
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "coef_")


def test_metadata_is_routed(rng, assert_close):
    X, y = problem(rng)
    w = rng.random(len(X))
    scores = []
    with sklearn.config_context(enable_metadata_routing=True):
        for kind in (LinearRegression, Reference):
            model = kind().set_fit_request(sample_weight=True)
            model = model.set_score_request(sample_weight=True)
            search = GridSearchCV(model, {"fit_intercept": [False, True]}, cv=3)
            search.fit(X, y, sample_weight=w)
            scores.append(search.cv_results_["mean_test_score"])
            assert clone(model).get_metadata_routing().fit.requests == {
                "sample_weight": True
            }
    assert_close(*scores)


def test_output_can_be_a_frame_of_a_pipeline(rng):
    pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = problem(rng)
    pipe = make_pipeline(StandardScaler(), LinearRegression())
    pipe.set_output(transform="pandas").fit(X, y)
    np.testing.assert_allclose(pipe.predict(X), Reference().fit(X, y).predict(X))


@pytest.mark.parametrize("offset", [1e3, 1e8])
def test_rows_without_weight_that_come_first_cost_no_digits(rng, offset, assert_close):
    X, y = rng.standard_normal((5000, 4)), rng.standard_normal(5000)
    w = (np.arange(5000) % 2000 > 700).astype(float)
    X[w == 0] = offset
    model = LinearRegression().fit(X, y, w)
    reference = LinearRegression().fit(X[w > 0], y[w > 0])
    assert_close(model.coef_, reference.coef_, 1e-12)
