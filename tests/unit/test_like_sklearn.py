"""What users of scikit-learn see beside the numbers: as its own classes have it."""

import warnings

import array_api_strict as xp
import numpy as np
import pytest
import sklearn
import sklearn.cluster
import sklearn.covariance
import sklearn.decomposition
import sklearn.linear_model
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import sklearnex_rs.cluster
import sklearnex_rs.covariance
import sklearnex_rs.decomposition
import sklearnex_rs.linear_model
from sklearnex_rs import spmd

DEVICE = xp.Device("device1")
CLASSES = {
    "linear_model": ["LinearRegression", "Ridge", "Lasso", "LogisticRegression"],
    "cluster": ["KMeans"],
    "decomposition": ["PCA", "IncrementalPCA", "TruncatedSVD"],
    "covariance": ["EmpiricalCovariance"],
}
PAIRS = {
    name: [getattr(getattr(top, package), name) for top in (sklearn, sklearnex_rs)]
    for package, names in CLASSES.items()
    for name in names
}
LATEST = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9)


def model(cls):
    return cls(n_clusters=2, random_state=0) if cls.__name__ == "KMeans" else cls()


@pytest.fixture
def rows(rng):
    X = rng.integers(0, 9, (12, 3)).astype(float)
    return X, (X @ np.array([1.0, 2.0, 3.0]) > 20).astype(int)


def outcome(call):
    try:
        call()
    except (ValueError, TypeError) as error:
        return type(error)
    return "taken"


@pytest.mark.parametrize("form", ["U", "S", "list", object])
@pytest.mark.parametrize("name", PAIRS)
def test_numeric_strings_are_taken_where_scikit_learn_takes_them(name, form, rows):
    X, y = rows
    words = X.astype("U").tolist() if form == "list" else X.astype("U").astype(form)
    found = []
    for cls in PAIRS[name]:
        fitted = model(cls).fit(X, y)
        methods = [m for m in ("predict", "transform") if hasattr(cls, m)]
        calls = [lambda cls=cls: model(cls).fit(words, y)]
        calls += [lambda m=m, f=fitted: getattr(f, m)(words) for m in methods]
        found.append(list(map(outcome, calls)))
    assert found[0] == found[1]
    if found[1][0] == "taken":
        again = model(PAIRS[name][1]).fit(words, y)
        for key, value in vars(model(PAIRS[name][1]).fit(X, y)).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(again, key), value)


class Bare:
    """Rows of a library that knows no more than NumPy's oldest protocol."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


@pytest.mark.parametrize(
    "cls",
    [
        *(ours for _, ours in PAIRS.values()),
        sklearnex_rs.covariance.IncrementalEmpiricalCovariance,
        sklearnex_rs.linear_model.IncrementalLinearRegression,
    ],
)
def test_objects_that_only_know_array_are_rows(cls, rows):
    X, y = rows
    known, plain = model(cls).fit(Bare(X), Bare(y)), model(cls).fit(X, y)
    assert known.n_features_in_ == 3
    for method in ("predict", "transform", "mahalanobis"):
        if hasattr(cls, method):
            found = getattr(known, method)(Bare(X))
            np.testing.assert_array_equal(found, getattr(plain, method)(X))
            with pytest.raises(ValueError, match="2 features"):
                getattr(known, method)(Bare(X[:, :2]))
    if hasattr(cls, "partial_fit"):
        model(cls).partial_fit(Bare(X), Bare(y)).partial_fit(Bare(X), Bare(y))
        with pytest.raises(ValueError, match="2 features"):
            known.partial_fit(Bare(X[:, :2]), Bare(y))


@pytest.mark.parametrize("cls", [ours for _, ours in PAIRS.values()])
def test_attributes_and_answers_lie_on_the_device_of_X(cls, rows):
    X, y = rows
    there = xp.asarray(X, device=DEVICE)
    plain = model(cls).fit(X, y)
    found = model(cls).fit(there, xp.asarray(y, device=DEVICE))
    arrays = {k: v for k, v in vars(plain).items() if isinstance(v, np.ndarray)}
    arrays.pop("classes_", None)  # they may be strings
    assert arrays
    for name, value in arrays.items():
        assert getattr(found, name).device == DEVICE, name
        host = getattr(found, name).to_device(xp.Device("CPU_DEVICE"))
        np.testing.assert_array_equal(host, value)
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(cls, method):
            assert getattr(found, method)(there).device == DEVICE


@pytest.mark.parametrize("name", ["PCA", "TruncatedSVD", "IncrementalPCA", "KMeans"])
def test_names_of_columns_of_arrays_without_a_length(name, rows):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X = xp.asarray(rows[0])
    assert not hasattr(X, "__len__")
    found, plain = (model(PAIRS[name][1]).fit(each) for each in (X, rows[0]))
    names = plain.get_feature_names_out()
    np.testing.assert_array_equal(found.get_feature_names_out(), names)
    assert found._repr_html_()
    frame = found.set_output(transform="pandas").transform(rows[0])
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names.tolist()


@pytest.mark.skipif(not LATEST, reason="scikit-learn says so since 1.9")
@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("LinearRegression", ["predict"]),
        ("Ridge", ["predict"]),
        (
            "LogisticRegression",
            ["predict", "decision_function", "predict_proba", "predict_log_proba"],
        ),
        ("PCA", ["transform", "inverse_transform"]),
    ],
)
def test_rows_of_another_library_are_refused_under_array_api_dispatch(
    name, methods, rows, monkeypatch
):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    X, y = rows
    of_numpy = model(PAIRS[name][1]).fit(X, y)
    of_xp = model(PAIRS[name][1]).fit(xp.asarray(X), xp.asarray(y))
    with sklearn.config_context(array_api_dispatch=True):
        for method in methods:
            for fitted, other in ((of_numpy, xp.asarray(X)), (of_xp, X)):
                with pytest.raises(ValueError, match="must use the same namespace"):
                    getattr(fitted, method)(other)
        if "predict" in methods:
            with pytest.raises(ValueError, match="must use the same namespace"):
                of_xp.score(X, y)
    for method in methods:
        getattr(of_numpy, method)(xp.asarray(X))


@pytest.mark.parametrize("count", [2, None, 0.9, "mle"])
def test_types_of_the_number_of_components_are_scikit_learns(count):
    X = load_iris().data
    theirs, ours = (
        cls(count, svd_solver="full").fit(X).n_components_ for cls in PAIRS["PCA"]
    )
    assert (type(ours), ours) == (type(theirs), theirs)


@pytest.mark.parametrize(
    ("solver", "ratio"),
    [
        ("lbfgs", 0.0),
        ("liblinear", 0.0),
        ("newton-cg", 0.0),
        ("newton-cholesky", 0.0),
        ("sag", 0.0),
        ("saga", 1.0),
        ("liblinear", 1.0),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_fit_that_stops_early_warns_in_scikit_learns_words(solver, ratio, steps):
    X, y = load_iris(return_X_y=True)
    given = {"tol": 1e-15, "random_state": 0, "max_iter": steps, "l1_ratio": ratio}
    theirs, ours = (cls(solver=solver, **given) for cls in PAIRS["LogisticRegression"])
    with pytest.warns(ConvergenceWarning) as caught:
        ours.fit(X, y == 1)
    mine = str(caught[0].message)
    assert (ours.n_iter_.shape, ours.n_iter_.dtype) == ((1,), np.int32)
    assert 1 <= ours.n_iter_[0] <= steps
    with pytest.warns(ConvergenceWarning) as caught:
        theirs.fit(X, y == 1)
    assert theirs.n_iter_.dtype == np.int32
    if solver == "newton-cholesky" or "line search" in str(caught[0].message).lower():
        return  # which gives up for another reason
    told = str(caught[0].message)
    if solver == "newton-cg":  # whose loss at the end is another one
        told, mine = (text.split("loss = ")[0] for text in (told, mine))
    assert mine.startswith(told.split(" (status")[0])


def test_n_jobs_of_logistic_regression_is_deprecated_as_scikit_learns():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(FutureWarning, match="'n_jobs' has no effect since 1.8"):
        given = sklearnex_rs.linear_model.LogisticRegression(n_jobs=2).fit(X, y)
    with warnings.catch_warnings(action="error"):
        plain = sklearnex_rs.linear_model.LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(given.coef_, plain.coef_)


@pytest.mark.parametrize("flat", [False, True])
def test_coefficients_that_are_set_by_hand_are_used(flat, rows):
    X, _ = rows
    found = []
    for cls in PAIRS["LogisticRegression"]:
        hand = cls()
        hand.classes_ = np.array([0, 1])
        hand.coef_ = np.array([1.0, -1.0, 0.5])
        hand.intercept_ = np.float64(0.25)
        if not flat:
            hand.coef_, hand.intercept_ = hand.coef_[None], np.array([0.25])
        names = "decision_function", "predict", "predict_proba"
        found.append([getattr(hand, name)(X) for name in names])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("part", ["coef_", "intercept_"])
def test_a_warm_start_at_nan_is_refused_by_all_ranks(part, rows):
    X, y = rows

    def program(comm):
        start = spmd.LogisticRegression(warm_start=True, comm=comm)
        start.fit(X[comm.rank :: 2], y[comm.rank :: 2])
        if comm.rank == 1:
            getattr(start, part)[:] = np.nan
        with pytest.raises(ValueError, match="Floating-point under-/overflow"):
            start.fit(X[comm.rank :: 2], y[comm.rank :: 2])
        return True

    assert spmd.run(2, program) == [True, True]


def test_liblinear_answers_in_double():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    for cls in PAIRS["LogisticRegression"]:
        found = cls(solver="liblinear", random_state=0).fit(X, y == 1)
        assert found.coef_.dtype == found.intercept_.dtype == np.float64


def test_the_first_batch_is_too_short_in_scikit_learns_words():
    X = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    texts = []
    for cls in PAIRS["IncrementalPCA"]:
        with pytest.raises(ValueError) as caught:
            cls(n_components=3).partial_fit(X)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
