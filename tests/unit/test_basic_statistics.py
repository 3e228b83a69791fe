"""Statistics of columns equal NumPy's; batches equal all rows at once."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sklearnex_rs import spmd
from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics

OPTIONS = [
    "min",
    "max",
    "sum",
    "mean",
    "variance",
    "variation",
    "sum_squares",
    "sum_squares_centered",
    "standard_deviation",
    "second_order_raw_moment",
]
CLASSES = [BasicStatistics, IncrementalBasicStatistics]
BATCHES = [1, 7, 50, None]


def rows(rng, n=203, p=5, offset=3.0):
    return rng.standard_normal((n, p)) * np.geomspace(1, 30, p) + offset


def reference(X, w=None):
    """By the definitions, in extended precision; a weight of k is k rows."""
    X = np.asarray(X).astype(np.longdouble)
    w = np.ones(len(X), np.longdouble) if w is None else w.astype(np.longdouble)
    weight, there = w.sum(), X[w > 0]
    mean = w @ X / weight
    centered = w @ (X - mean) ** 2
    with np.errstate(all="ignore"):
        variance = centered / (weight - 1) if weight > 1 else np.full(len(mean), np.nan)
        return {
            "min": there.min(axis=0),
            "max": there.max(axis=0),
            "sum": w @ X,
            "mean": mean,
            "variance": variance,
            "variation": np.sqrt(variance) / mean,
            "sum_squares": w @ X**2,
            "sum_squares_centered": centered,
            "standard_deviation": np.sqrt(variance),
            "second_order_raw_moment": w @ X**2 / weight,
        }


@pytest.fixture
def check(assert_close):
    def check(model, expected, tol=1e-9):
        for option in OPTIONS:
            found, wanted = getattr(model, f"{option}_"), expected[option]
            np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
            there = ~np.isnan(wanted.astype(float))
            assert_close(found[there], wanted[there], tol)

    return check


def whole_weights(rng, n):
    w = rng.integers(0, 4, n).astype(float)
    w[rng.integers(n)] = 2.0
    return w


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [2, 3, 203, 20_000])
def test_every_statistic_is_exact(rng, check, cls, dtype, weighted, n, tolerance):
    X = rows(rng, n).astype(dtype)
    w = whole_weights(rng, n) + (n < 4) if weighted else None
    model = cls().fit(X, sample_weight=w)
    check(model, reference(X, w), tolerance(dtype))
    assert {getattr(model, f"{option}_").dtype for option in OPTIONS} == {
        np.dtype(dtype)
    }
    np.testing.assert_array_equal(
        model.min_, X[(w if weighted else 1 + X[:, 0] * 0) > 0].min(axis=0)
    )
    assert model.n_features_in_ == 5


@pytest.mark.parametrize("cls", CLASSES)
def test_definitions_are_those_of_numpy(rng, assert_close, cls):
    X = rows(rng)
    model = cls().fit(X)
    assert_close(model.variance_, X.var(axis=0, ddof=1))
    assert_close(model.standard_deviation_, X.std(axis=0, ddof=1))
    assert_close(model.variation_, X.std(axis=0, ddof=1) / X.mean(axis=0))
    assert_close(model.second_order_raw_moment_, (X**2).mean(axis=0))
    assert_close(model.sum_squares_centered_, ((X - X.mean(axis=0)) ** 2).sum(axis=0))


@pytest.mark.parametrize("cls", CLASSES)
def test_a_weight_is_that_many_rows(rng, check, cls):
    X, w = rows(rng), whole_weights(rng, 203)
    model = cls().fit(X, sample_weight=w)
    check(model, reference(np.repeat(X, w.astype(int), axis=0)))
    # A row without weight is not there, however extreme.
    X[w == 0] = 1e9
    check(cls().fit(X, sample_weight=w), {k: getattr(model, f"{k}_") for k in OPTIONS})


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("offset", [1e6, 1e8, -1e8])
def test_exact_far_from_the_origin(rng, assert_close, cls, offset):
    """Integers, so that shifted columns are not rounded."""
    X = rng.integers(-1000, 1000, (5000, 4)).astype(float)
    near, far = reference(X), cls().fit(X + offset)
    for name in ("variance", "standard_deviation", "sum_squares_centered"):
        assert_close(getattr(far, f"{name}_"), near[name], 1e-12)
    np.testing.assert_array_equal(far.min_, X.min(axis=0) + offset)


@pytest.mark.parametrize("order", ["F", "strided", "reversed", "read-only"])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_form_of_the_same_numbers_gives_one_answer(rng, check, order, weighted):
    X = rows(rng, 700)
    w = whole_weights(rng, 700) if weighted else None
    forms = {
        "F": np.asfortranarray(X),
        "strided": np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": X.copy(),
    }
    forms["read-only"].flags.writeable = False
    check(BasicStatistics().fit(forms[order], sample_weight=w), reference(X, w), 1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_constant_columns_zeros_and_one_row(rng, cls):
    X = np.column_stack([np.full(9, 7.0), np.zeros(9), np.arange(9.0)])
    model = cls().fit(X)
    assert model.variance_[:2].tolist() == [0.0, 0.0]
    assert model.variation_[0] == 0.0
    assert np.isnan(model.variation_[1])
    assert (model.min_[1], model.max_[1]) == (0.0, 0.0)
    assert not np.signbit(model.min_[1])
    one = cls().fit(X[:1])
    assert np.isnan(one.variance_).all()
    assert one.sum_squares_centered_.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    ("options", "there"),
    [
        ("all", set(OPTIONS)),
        ("mean", {"mean"}),
        (["min", "sum"], {"min", "sum"}),
        (["all", "min"], set(OPTIONS)),
        (("max",), {"max"}),
        ([], set()),
    ],
)
def test_only_what_is_asked_for_becomes_an_attribute(rng, cls, options, there):
    model = cls().fit(rows(rng)).set_params(result_options=options).fit(rows(rng))
    assert {o for o in OPTIONS if hasattr(model, f"{o}_")} == there


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("options", ["median", ["mean", "median"], [3], 3, {"mean"}])
def test_unknown_statistics_are_refused(rng, cls, options):
    with pytest.raises((ValueError, InvalidParameterError), match="result_options"):
        cls(result_options=options).fit(rows(rng))


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(rng, cls, dtype, value):
    X = rows(rng).astype(dtype)
    X[70, 2] = value
    with pytest.raises(ValueError, match="Input X contains"):
        cls().fit(X)
    w = np.ones(len(X))
    w[70] = 0.0
    with pytest.raises(ValueError, match="Input X contains"):
        cls().fit(X, sample_weight=w)


@pytest.mark.parametrize("cls", CLASSES)
def test_weights_that_cannot_be_are_refused(rng, cls):
    X = rows(rng)
    for w in (-np.ones(203), np.ones(202), np.full(203, np.nan)):
        with pytest.raises(ValueError, match="weight"):
            cls().fit(X, sample_weight=w)
    with pytest.raises(ValueError, match="at least one non-zero"):
        cls().fit(X, sample_weight=np.zeros(203))


def test_too_large_values_say_so():
    with pytest.raises(ValueError, match="their sums overflow"):
        BasicStatistics().fit(np.array([[1e200, 1.0], [-1e200, 2.0]]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", BATCHES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_are_all_rows(rng, check, weighted, size, dtype, tolerance):
    X = rows(rng).astype(dtype)
    w = whole_weights(rng, 203) + 0.5 if weighted else None
    expected, tol = reference(X, w), tolerance(dtype)
    stream = IncrementalBasicStatistics()
    seen = 0
    for start in range(0, 203, size or 25):
        part = slice(start, start + (size or 25))
        stream.partial_fit(X[part], sample_weight=None if w is None else w[part])
        seen += len(X[part])
        assert stream.n_samples_seen_ == seen
    check(stream, expected, tol)
    fitted = IncrementalBasicStatistics(batch_size=size)
    fitted.partial_fit(X + 100).fit(X, sample_weight=w)  # it forgets
    check(fitted, expected, tol)
    assert (fitted.n_samples_seen_, fitted.batch_size_) == (203, size or 25)
    fitted.partial_fit(X, sample_weight=w)
    twice = None if w is None else np.r_[w, w]
    check(fitted, reference(np.r_[X, X], twice), tol)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_batches_far_from_the_origin_and_each_other(rng, assert_close, offset):
    X = rng.integers(-1000, 1000, (600, 3)).astype(float)
    X[300:] += offset
    model = IncrementalBasicStatistics(batch_size=7).fit(X + offset)
    assert_close(model.sum_squares_centered_, reference(X)["sum_squares_centered"])
    X = rng.integers(-1000, 1000, (600, 3)).astype(float)
    model = IncrementalBasicStatistics(batch_size=7).fit(X + offset)
    assert_close(model.variance_, reference(X)["variance"], 1e-11)


def test_batches_without_weight_change_nothing(rng, check):
    X = rows(rng)
    model = IncrementalBasicStatistics().partial_fit(X)
    model.partial_fit(X + 1e6, sample_weight=np.zeros(203))
    check(model, reference(X))
    assert model.n_samples_seen_ == 406
    other = IncrementalBasicStatistics()
    with pytest.raises(ValueError, match="at least one non-zero"):
        other.partial_fit(X, sample_weight=np.zeros(203))


def test_a_batch_that_fails_is_not_taken_in(rng, check):
    X = rows(rng)
    model = IncrementalBasicStatistics().partial_fit(X)
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.partial_fit(bad)
    with pytest.raises(ValueError, match="X has 4 features, but Incremental"):
        model.partial_fit(X[:, :4])
    with pytest.raises(ValueError, match="0 sample"):
        model.partial_fit(X[:0])
    check(model, reference(X))
    check(model.partial_fit(X), reference(np.r_[X, X]))


def test_single_and_double_batches_make_double(rng):
    X = rows(rng)
    model = IncrementalBasicStatistics().partial_fit(X.astype(np.float32))
    assert model.mean_.dtype == np.float32
    assert model.partial_fit(X).mean_.dtype == np.float64
    assert model.partial_fit(X.astype(np.float32)).mean_.dtype == np.float64


def test_names_must_stay(rng):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X = pd.DataFrame(rows(rng), columns=list("abcde"))
    model = IncrementalBasicStatistics().partial_fit(X).partial_fit(X)
    assert model.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(X[list("edcba")])
    assert model.n_samples_seen_ == 406


def test_without_checks_plain_arrays_do(rng, check):
    X, w = rows(rng), np.ones(203)
    model = IncrementalBasicStatistics()
    for part in (slice(0, 100), slice(100, 203)):
        model.partial_fit(X[part], None, w[part], check_input=False)
    check(model, reference(X))
    assert model.n_features_in_ == 5


def test_finalize_needs_rows(rng):
    model = IncrementalBasicStatistics()
    with pytest.raises(ValueError, match="at least one batch"):
        model.finalize()
    with pytest.raises(NotFittedError, match="finalize"):
        model.mean_
    assert not hasattr(model, "n_samples_seen_")
    assert model.fit(rows(rng)).finalize() is model
    with pytest.raises(AttributeError, match="no attribute 'median_'"):
        model.median_


PICKLES = {
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", PICKLES)
def test_a_stream_goes_on_after_a_journey(rng, check, way):
    X = rows(rng)
    first = IncrementalBasicStatistics(result_options="all").partial_fit(X[:100])
    twin = PICKLES[way](first)
    check(twin, reference(X[:100]))
    check(twin.partial_fit(X[100:]), reference(X))
    check(first, reference(X[:100]))
    check(first.partial_fit(X[100:150]), reference(X[:150]))
    assert not hasattr(clone(twin), "mean_")


def test_a_stream_is_small_and_hashes(rng):
    small = IncrementalBasicStatistics().partial_fit(rows(rng, 20))
    large = IncrementalBasicStatistics().partial_fit(rows(rng, 20_000))
    assert len(pickle.dumps(large)) < len(pickle.dumps(small)) + 100
    assert joblib.hash(large) == joblib.hash(pickle.loads(pickle.dumps(large)))


def test_streams_merge(rng, check):
    X = rows(rng)
    parts = [IncrementalBasicStatistics() for _ in range(3)]
    parts[0].partial_fit(X[:10])
    parts[1].partial_fit(X[10:150].astype(np.float64))
    parts[1].partial_fit(X[150:])
    check(parts[0].merge(parts[1]).merge(parts[2]), reference(X))
    check(parts[1], reference(X[10:]))
    check(parts[2].merge(parts[0]), reference(X))
    assert parts[2].n_samples_seen_ == 203
    with pytest.raises(TypeError, match="BasicStatistics cannot be merged"):
        parts[0].merge(BasicStatistics())
    narrow = IncrementalBasicStatistics().partial_fit(X[:, :2])
    with pytest.raises(ValueError, match="columns"):
        parts[0].merge(narrow)
    check(parts[0], reference(X))


def test_answers_are_of_the_library_of_X(rng):
    xp = pytest.importorskip("array_api_strict", reason="it is not installed")
    X = rows(rng)
    for cls in CLASSES:
        model = cls().fit(xp.asarray(X))
        assert type(model.mean_) is type(xp.asarray(X))
        twin = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(twin.mean_, cls().fit(X).mean_)


def test_the_number_of_threads_does_not_matter(rng):
    X = rows(rng, 70_000)
    one, two = (BasicStatistics(n_jobs=n).fit(X) for n in (1, 2))
    for option in OPTIONS:
        mine, other = (getattr(m, f"{option}_") for m in (one, two))
        np.testing.assert_array_equal(mine, other)


# Ranks that are threads.


@pytest.mark.parametrize("counts", [(0, 1, 7), (7, 0, 0), (1, 1, 1), (0, 0, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ranks_with_any_number_of_batches(rng, check, counts, dtype, tolerance):
    X = [
        [rows(rng, n=3 + i + r).astype(dtype) for i in range(c)]
        for r, c in enumerate(counts)
    ]

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm)
        for batch in X[comm.rank]:
            model.partial_fit(batch)
        before = comm.messages
        model.finalize()
        return model, comm.messages - before, before

    found = spmd.run(3, program)
    together = np.concatenate([batch for mine in X for batch in mine])
    for model, messages, before in found:
        check(model, reference(together), tolerance(dtype))
        assert (messages, before) == (5, 0)
        assert model.n_samples_seen_ == len(together)
        assert model.n_features_in_ == 5
        assert model.mean_.dtype == dtype
        np.testing.assert_array_equal(model.mean_, found[0][0].mean_)


def test_until_all_ranks_finalize_nothing_is_fitted(rng):
    X = rows(rng, 30)

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm)
        for _ in range(2):
            if comm.rank:
                model.partial_fit(X[comm.rank :: 3])
                with pytest.raises(NotFittedError, match="finalize"):
                    model.mean_
                with pytest.raises(NotFittedError, match="finalize"):
                    model.n_samples_seen_
            model.finalize()
            model.mean_
        return model.n_samples_seen_

    assert spmd.run(3, program) == [40, 40, 40]


def test_what_went_wrong_in_a_batch_all_ranks_learn_once(rng, check):
    X = rows(rng, 30)

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm)
        model.partial_fit(X[comm.rank :: 3])
        if comm.rank == 1:
            for bad in (np.full((2, 5), np.nan), X[:, :2]):
                with pytest.raises(ValueError) as caught:
                    model.partial_fit(bad)
                assert "rank" not in str(caught.value)
        with pytest.raises(ValueError, match=r"rank 1: Input X contains NaN\.") as all_:
            model.finalize()
        with pytest.raises(NotFittedError, match="finalize"):
            model.mean_
        return model.finalize(), str(all_.value)

    found = spmd.run(3, program)
    for model, said in found:
        check(model, reference(X))
        assert said == found[0][1]


def test_sixteen_ranks_with_weights(rng, check):
    X, w = rows(rng), rng.integers(0, 3, 203).astype(float)

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm)
        for start in range(comm.rank, 203, 48):  # some have one more
            if comm.rank:
                one = slice(start, start + 1)
                model.partial_fit(X[one], sample_weight=w[one])
        return model.finalize()

    seen = np.concatenate([np.arange(r, 203, 48) for r in range(1, 16)])
    for model in spmd.run(16, program):
        check(model, reference(X[seen], w[seen]))


@pytest.mark.parametrize("wrong", ["columns", "options", "none"])
def test_ranks_that_differ_are_told_at_finalize(rng, check, wrong):
    X = rows(rng, 30)

    def program(comm):
        options = "mean" if wrong == "options" and comm.rank == 2 else "all"
        model = spmd.IncrementalBasicStatistics(options, comm=comm)
        width = 4 if wrong == "columns" and comm.rank == 2 else 5
        if wrong != "none":
            model.partial_fit(X[:, :width])
        with pytest.raises(ValueError) as caught:
            model.finalize()
        check(model.set_params(result_options="all").fit(X), reference(np.r_[X, X, X]))
        return str(caught.value)

    said = spmd.run(3, program)
    words = {
        "columns": "X has 4 features on rank 2, but 5",
        "options": "'result_options' parameter differs",
        "none": "0 sample(s)",
    }
    assert len(set(said)) == 1
    assert words[wrong] in said[0]


def test_one_rank_finalizes_by_itself(rng, check):
    X = rows(rng, 30)

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm)
        check(model.partial_fit(X[:10]), reference(X[:10]))
        model.partial_fit(X[:0])
        check(model.partial_fit(X[10:]), reference(X))

    spmd.run(1, program)


def test_half_streams_of_ranks_travel_and_merge(rng, check):
    X = rows(rng, 60)

    def program(comm):
        mine = X[comm.rank :: 3]
        model = spmd.IncrementalBasicStatistics(comm=comm).partial_fit(mine[:5])
        model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
        other = spmd.IncrementalBasicStatistics(comm=comm).partial_fit(mine[5:])
        assert comm.messages == 0
        return model.merge(other).finalize()

    for model in spmd.run(3, program):
        check(model, reference(X))


def test_a_failure_travels_with_the_stream(rng):
    X = rows(rng, 6)

    def program(comm):
        model = spmd.IncrementalBasicStatistics(comm=comm).partial_fit(X)
        if comm.rank:
            with pytest.raises(ValueError):
                model.partial_fit(X * np.nan)
        model = pickle.loads(pickle.dumps(model)).set_params(comm=comm)
        with pytest.raises(ValueError, match="rank 1: Input X contains NaN"):
            model.finalize()

    spmd.run(2, program)
