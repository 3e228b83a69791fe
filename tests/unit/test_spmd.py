"""SPMD estimators on worlds of threads: models, words, messages, errors."""

import importlib.util
import inspect
import pickle
import re
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning

from sklearnex_rs import config_context, spmd
from sklearnex_rs.linear_model import LinearRegression

SIZES = [1, 2, 3, 5, 16]
ESTIMATORS = {
    name: cls
    for name in spmd.__all__
    if inspect.isclass(cls := getattr(spmd, name)) and issubclass(cls, BaseEstimator)
}
SCIKIT_LEARNS = {*dir(BaseEstimator), "get_feature_names_out", "set_output"}


def problem(rng, n=97, p=4, m=1):
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal((p, m)) + rng.standard_normal((n, m)) + 2
    return X, (y[:, 0] if m == 1 else y)


def shares(n, size, kind):
    """The rows of each rank."""
    if kind == "all on the last":
        return [np.arange(0)] * (size - 1) + [np.arange(n)]
    if kind == "empty first":
        return [np.arange(0), *np.array_split(np.arange(n), size - 1)][-size:]
    if kind == "round robin":
        return [np.arange(n)[rank::size] for rank in range(size)]
    return np.array_split(np.arange(n), size)


def state(model):
    return {k: np.asarray(v).tobytes() for k, v in vars(model).items() if k[-1] == "_"}


def fit(size, X, y, w=None, kind="even", **params):
    """Fit over ranks: a model and a score, the same bits on all."""
    parts = shares(len(X), size, kind) if size > 1 else [np.arange(len(X))]

    def program(comm):
        mine = [None if a is None else a[parts[comm.rank]] for a in (X, y, w)]
        model = spmd.LinearRegression(comm=comm, **params).fit(*mine)
        return model, model.score(*mine)

    answers = spmd.run(size, program)
    for model, score in answers:
        assert state(model) == state(answers[0][0])
        np.testing.assert_array_equal(score, answers[0][1])
    return answers[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "kind", ["even", "round robin", "empty first", "all on the last"]
)
@pytest.mark.parametrize("params", [{}, {"positive": True}, {"fit_intercept": False}])
@pytest.mark.parametrize("targets", [1, 2])
def test_equals_batch(rng, size, kind, params, targets, assert_close):
    if kind == "empty first" and size == 1:
        kind = "even"
    X, y = problem(rng, m=targets)
    w = rng.random(len(X))
    model, score = fit(size, X, y, w, kind, **params)
    batch = LinearRegression(**params).fit(X, y, w)
    assert vars(model).keys() - {"comm"} == vars(batch).keys()
    for name in vars(batch):
        if name.endswith("_"):
            assert_close(getattr(model, name), getattr(batch, name))
    assert score == pytest.approx(batch.score(X, y, w))
    np.testing.assert_allclose(model.predict(X), batch.predict(X))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", [1, 2, 5, 11])
def test_more_ranks_or_columns_than_rows(rng, size, n, assert_close):
    X, y = problem(rng, n=n, p=8)
    batch = LinearRegression().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        model, _ = fit(size, X, y)
    assert model.rank_ == batch.rank_
    assert_close(model.coef_, batch.coef_)
    assert_close(model.singular_, batch.singular_)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("condition", [1e3, 1e6])
def test_ill_conditioned_rows(rng, size, condition, assert_close):
    X, y = problem(rng)
    X = X * np.geomspace(1, 1 / condition, 4) + 1e3
    model, _ = fit(size, X, y, tol=1e-12)
    batch = LinearRegression(tol=1e-12).fit(X, y)
    assert_close(model.coef_, batch.coef_, 1e-13 * condition)
    assert_close(model.singular_, batch.singular_)


@pytest.mark.parametrize("size", SIZES)
def test_two_runs_give_the_same_bits(rng, size):
    X, y = problem(rng)
    assert state(fit(size, X, y)[0]) == state(fit(size, X, y)[0])


def words_of(cls):
    """The word for each method, in the notes of its class."""
    notes = cls.__doc__.split("Notes\n")[1]
    return dict(re.findall(r"``(\w+)`` : (collective|local)\b", notes))


def public(cls):
    names = (name for name in dir(cls) if not name.startswith("_"))
    names = (name for name in names if name not in SCIKIT_LEARNS)
    return [n for n in names if not re.fullmatch(r"set_\w+_request", n)]


@pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
def test_notes_have_a_word_for_every_method(cls):
    methods = [name for name in public(cls) if callable(getattr(cls, name))]
    assert sorted(words_of(cls)) == sorted(methods)


@pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
def test_messages_are_what_the_notes_say(rng, cls):
    X, y = problem(rng)
    y = y > 2 if is_classifier(cls()) else y
    said = words_of(cls)

    def program(comm):
        def count(call, *args, **keywords):
            before = comm.messages
            call(*args, **keywords)
            return comm.messages - before

        model = cls(comm=comm).fit(X, y)
        counts = {}
        for name in said:
            method = getattr(model, name)
            known = inspect.signature(method).parameters
            rows = model.transform(X) if name == "inverse_transform" else X
            offer = {"X": rows, "X_test": X, "comp_cov": np.eye(X.shape[1])}
            offer |= {"y": y, "other": cls(comm=comm)}
            if name == "partial_fit" and "Statistics" in cls.__name__:
                del offer["y"]  # it might be weights
            wanted = [offer[given] for given in offer if given in known]
            ranks = {"comm": comm} if name == "path" else {}  # of no estimator
            counts[name] = count(method, *wanted, **ranks)
        silent = [
            count(getattr, model, name) for name in vars(model) if name[-1] == "_"
        ]
        silent += [
            count(call)
            for call in (
                model.get_params,
                lambda: model.set_params(**model.get_params()),
                lambda: clone(model),
                lambda: repr(model),
                lambda: cls(comm=comm),
                lambda: model._repr_html_(),
                lambda: comm.rank,
            )
        ]
        return counts, silent

    for counts, silent in spmd.run(3, program):
        for name, word in said.items():
            assert (counts[name] > 0) == (word == "collective"), name
        assert not any(silent)


def test_a_local_method_works_on_one_rank_alone(rng):
    X, y = problem(rng)

    def program(comm):
        model = spmd.LinearRegression(comm=comm).fit(X, y)
        return model.predict(X).shape if comm.rank == 1 else None

    assert spmd.run(3, program) == [None, (97,), None]


@pytest.fixture
def agreed(rng):
    """Run a call that fails on all ranks alike, then a fit that works."""
    X = rng.standard_normal((30, 3))
    y = X @ np.arange(1.0, 4.0)

    def check(call, kind, *words, size=3):
        def program(comm):
            try:
                call(comm, X.copy(), y.copy())
            except Exception as error:
                again = pickle.loads(pickle.dumps(error))
                said = type(again), str(again)
            else:
                said = None
            for _ in range(2):
                model = spmd.LinearRegression(comm=comm).fit(X, y)
                np.testing.assert_allclose(model.coef_, [1, 2, 3])
            return said

        answers = spmd.run(size, program)
        assert answers[0] is not None
        assert answers == answers[:1] * size
        assert issubclass(answers[0][0], kind)
        for word in words:
            assert word in answers[0][1], answers[0][1]

    return check


def plain(comm, X, y, *rest, **params):
    return spmd.LinearRegression(comm=comm, **params).fit(X, y, *rest)


def nan(a, bad):
    if bad:
        a[0] = np.nan
    return a


ERRORS = {
    "NaN in X": (
        lambda c, X, y: plain(c, nan(X, c.rank == 1), y),
        ValueError,
        "rank 1: Input X contains NaN",
    ),
    "NaN in y": (
        lambda c, X, y: plain(c, X, nan(y, c.rank == 2)),
        ValueError,
        "rank 2: Input y contains NaN",
    ),
    "the lowest of several": (
        lambda c, X, y: plain(c, nan(X, c.rank > 0), y),
        ValueError,
        "rank 1: Input X contains NaN",
    ),
    "shapes": (
        lambda c, X, y: plain(c, X, y[: 30 - c.rank]),
        ValueError,
        "rank 1: Found input variables with inconsistent numbers of samples",
    ),
    "X of one dimension": (
        lambda c, X, y: plain(c, X[:, 0] if c.rank == 2 else X, y),
        ValueError,
        "rank 2: Expected 2D array, got 1D array instead",
    ),
    "weights all zero": (
        lambda c, X, y: plain(c, X, y, np.zeros(30)),
        ValueError,
        "Sample weights must contain at least one non-zero number.",
    ),
    "no rows at all": (
        lambda c, X, y: plain(c, X[:0], y[:0]),
        ValueError,
        "Found array with 0 sample(s)",
    ),
    "a bad n_jobs": (
        lambda c, X, y: plain(c, X, y, n_jobs=0 if c.rank == 1 else 1),
        ValueError,
        "n_jobs == 0 has no meaning",
    ),
    "not fitted": (
        lambda c, X, y: spmd.LinearRegression(comm=c).score(X, y),
        NotFittedError,
        "rank 0: This LinearRegression instance is not fitted yet",
    ),
    "parameters": (
        lambda c, X, y: plain(c, X, y, positive=c.rank == 2),
        ValueError,
        "the 'positive' parameter differs: rank 0 has False, rank 2 has True",
    ),
    "tolerances": (
        lambda c, X, y: plain(c, X, y, tol=[1e-6, 1e-7, 1e-6][c.rank]),
        ValueError,
        "the 'tol' parameter differs: rank 0 has 1e-06, rank 1 has 1e-07",
    ),
    "columns": (
        lambda c, X, y: plain(c, X[:, : 3 - (c.rank == 1)], y),
        ValueError,
        "X has 2 features on rank 1, but 3 features on rank 0",
    ),
    "kinds of target": (
        lambda c, X, y: plain(c, X, y[:, None] if c.rank == 1 else y),
        ValueError,
        "rank 0 has a one-dimensional y, rank 1 has a y with 1 column(s)",
    ),
    "weights on some ranks": (
        lambda c, X, y: plain(c, X, y, np.ones(30) if c.rank == 2 else None),
        ValueError,
        "rank 0 has no sample_weight, rank 2",
    ),
    "sums too large": (
        lambda c, X, y: plain(c, 0 * X + 1.7e308 if c.rank == 1 else X, y),
        ValueError,
        "scale the columns",
    ),
    "an exception of the user's own": (
        lambda c, X, y: plain(c, Strange() if c.rank == 1 else X, y),
        RuntimeError,
        "rank 1: StrangeError: my array",
    ),
}


class StrangeError(Exception):
    pass


class Strange:
    shape = (30, 3)

    def __len__(self):
        return 30

    def __array__(self, *args, **kwargs):
        raise StrangeError("my array")


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_is_the_same_on_all_ranks_and_the_next_fit_works(agreed, what):
    if what == "an exception of the user's own":
        call, _, words = ERRORS[what]
        agreed(call, Exception, words.replace("StrangeError: ", ""))
    else:
        agreed(*ERRORS[what])


def test_parameters_that_say_where_and_not_what_may_differ(rng):
    X, y = problem(rng)

    def program(comm):
        params = {"n_jobs": comm.rank + 1, "copy_X": bool(comm.rank % 2)}
        tol = [1e-6, np.float64(1e-6), np.float64("1e-6")][comm.rank]
        model = spmd.LinearRegression(comm=comm, tol=tol, **params)
        return model.fit(X, y).coef_.tobytes()

    assert len(set(spmd.run(3, program))) == 1


def test_a_rank_that_does_not_come_is_named(rng):
    X, y = problem(rng)
    meeting = threading.Barrier(3)

    def program(comm):
        model = spmd.LinearRegression(comm=comm).fit(X, y)
        meeting.wait(30)
        start = time.monotonic()
        if comm.rank == 2:
            time.sleep(2.5)
        with config_context(spmd_timeout=0.5), pytest.raises(TimeoutError) as caught:
            model.fit(X, y)
        took = time.monotonic() - start
        meeting.wait(30)
        return str(caught.value), took, model.fit(X, y).coef_.tobytes()

    answers = spmd.run(3, program)
    words = "LinearRegression.fit: rank 2 did not come to the header within 0.5 s"
    for said, took, _ in answers[:2]:
        assert words in said
        assert took < 2.4
    assert len({coef for *_, coef in answers}) == 1


LEFT = r"^rank 1 has left the program before LinearRegression\.fit$"


def test_errors_of_the_core_have_classes(rng):
    X = rng.standard_normal((8, 2))

    def program(comm):
        found = []
        for share in (X[:, : 1 + comm.rank % 2], X):
            try:
                if comm.rank or share is X:
                    spmd.PCA(comm=comm).fit(share)
                else:
                    spmd.KMeans(2, comm=comm).fit(share)
            except (ValueError, RuntimeError) as error:
                found.append(type(error).__name__)
        if comm.rank == 0:
            return found
        with pytest.raises(RuntimeError) as left:
            spmd.PCA(comm=comm).fit(X)
        return [*found, type(left.value).__name__]

    assert spmd.run(2, program) == [
        ["RanksDifferError"],
        ["RanksDifferError", "RankLeftError"],
    ]


def test_a_rank_that_leaves_is_noticed(rng):
    X, y = problem(rng)

    def program(comm):
        if comm.rank == 1:
            return None
        with pytest.raises(RuntimeError, match=LEFT):
            spmd.LinearRegression(comm=comm).fit(X, y)
        return "noticed"

    assert spmd.run(3, program) == ["noticed", None, "noticed"]


def test_different_methods_at_one_time_are_told(agreed):
    def call(comm, X, y):
        model = spmd.LinearRegression(comm=comm).fit(X, y)
        (model.score if comm.rank == 1 else model.fit)(X, y)

    words = "rank 1 called LinearRegression.score, rank 0 LinearRegression.fit"
    agreed(call, ValueError, words)


def test_a_warning_about_rows_names_their_rank(rng):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = problem(rng)
    frame = pd.DataFrame(X, columns=list("abcd"))

    def program(comm):
        model = spmd.LinearRegression(comm=comm).fit(frame, y)
        model.score(X if comm.rank == 2 else frame, y)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spmd.run(3, program)
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 1
    assert texts[0].startswith("rank 2: X does not have valid feature names")


def test_a_warning_made_an_error_is_one_on_all_ranks(agreed):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")

    def call(comm, X, y):
        frame = pd.DataFrame(X, columns=list("abc"))
        model = spmd.LinearRegression(comm=comm).fit(frame, y)
        model.score(X if comm.rank == 1 else frame, y)

    agreed(call, UserWarning, "rank 1: ", "X does not have valid feature names")


def test_a_score_of_one_row_warns_once(rng):
    X, y = problem(rng)

    def program(comm):
        model = spmd.LinearRegression(comm=comm).fit(X, y)
        mine = slice(0, 1 if comm.rank == 1 else 0)
        return model.score(X[mine], y[mine])

    with pytest.warns(UndefinedMetricWarning) as caught:
        assert np.isnan(spmd.run(3, program)).all()
    assert len(caught) == 1


def test_clones_share_the_communicator(rng):
    X, y = problem(rng)

    def program(comm):
        model = spmd.LinearRegression(comm=comm, tol=1e-3)
        twin = clone(model)
        assert twin.comm is comm
        assert twin.get_params() == model.get_params()
        return twin.fit(X, y).coef_.tobytes()

    assert len(set(spmd.run(2, program))) == 1


@pytest.mark.parametrize("comm", [3, "world", object()])
def test_something_that_is_no_communicator_is_refused(python, comm):
    """In a process of its own: to know, MPI is asked."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    value = "object()" if type(comm) is object else repr(comm)
    python(
        f"""
from sklearnex_rs import spmd
try:
    spmd.LinearRegression(comm={value}).fit([[1.0]], [1.0])
except TypeError as error:
    assert "comm must be an mpi4py.MPI.Intracomm" in str(error)
except ImportError:
    pass  # there is no MPI here
else:
    raise AssertionError("it was taken")
"""
    )


@pytest.mark.parametrize("timeout", [0, -1, "soon", [1], float("nan")])
def test_a_bad_timeout_is_refused(timeout):
    with pytest.raises(ValueError, match="spmd_timeout must be positive or None"):
        with config_context(spmd_timeout=timeout):
            pytest.fail("it was taken")


@pytest.mark.parametrize("size", [0, 15, 2**30 + 1, 1e6, "large", None])
def test_a_bad_message_size_is_refused(size):
    with pytest.raises(
        ValueError, match=r"spmd_message_bytes must be in 16\.\.2\*\*30"
    ):
        with config_context(spmd_message_bytes=size):
            pytest.fail("it was taken")


def test_settings_nest_and_end(rng):
    X, y = problem(rng)

    def program(comm):
        model = spmd.LinearRegression(comm=comm)
        with config_context(spmd_timeout=60, spmd_message_bytes=16):
            with config_context(spmd_timeout=None):
                model.fit(X, y)
            return model.fit(X, y).coef_.tobytes()

    assert len(set(spmd.run(2, program))) == 1


def test_run_returns_in_rank_order_and_raises_the_lowest_error():
    assert spmd.run(5, lambda comm: (comm.rank, comm.size)) == [
        (rank, 5) for rank in range(5)
    ]

    def program(comm):
        if comm.rank in (1, 3):
            raise KeyError(comm.rank)

    with pytest.raises(KeyError, match="1"):
        spmd.run(4, program)


def meet(comm):
    return spmd.communicator(comm).sum(np.ones(1))


def failing(kind, when="between"):
    """Return a program whose rank 2 fails between collective calls, or in the last."""

    def program(comm):
        meet(comm)
        if comm.rank == 2:
            if when == "late":
                time.sleep(0.05)
            raise kind("the cause")
        meet(comm)

    return program


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit, Warning])
@pytest.mark.parametrize("when", ["between", "late"])
def test_run_raises_the_error_that_the_others_follow_from(kind, when):
    with pytest.raises(kind, match="the cause"):
        spmd.run(4, failing(kind, when))


def test_run_raises_the_cause_of_errors_made_of_its_consequence():
    def program(comm):
        if comm.rank == 2:
            raise KeyError("the cause")
        try:
            meet(comm)
        except RuntimeError as error:
            raise OSError("a step failed") from (error if comm.rank else None)

    with pytest.raises(KeyError, match="the cause"):
        spmd.run(4, program)


def test_run_raises_the_lowest_of_several_causes():
    def program(comm):
        if comm.rank in (1, 3):
            raise (KeyError if comm.rank == 1 else OSError)("the cause")
        meet(comm)

    for _ in range(5):
        with pytest.raises(KeyError, match="the cause"):
            spmd.run(5, program)


def test_run_raises_that_a_rank_returned_too_early():
    with pytest.raises(spmd.RankLeftError, match="rank 1 has left the program") as said:
        spmd.run(3, lambda comm: None if comm.rank == 1 else meet(comm))
    assert said.value.rank == 1


def test_run_raises_an_agreed_error_with_its_cause(rng):
    class Broken:
        shape = (3, 2)

        def __array__(self, dtype=None, copy=None):
            raise LookupError("the cause")

        def __len__(self):
            return 3

    def program(comm):
        X = Broken() if comm.rank == 2 else rng.random((3, 2))
        spmd.BasicStatistics(comm=comm).fit(X)

    with pytest.raises(LookupError, match="rank 2: the cause") as said:
        spmd.run(3, program)
    assert str(said.value.__cause__) == "the cause"


def test_ctrl_c_in_run_ends_its_ranks(python):
    python(
        """
import os, signal, threading, time
import numpy as np
from sklearnex_rs import spmd
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
def program(comm):
    ranks, end = spmd.communicator(comm), time.monotonic() + 60
    while time.monotonic() < end:
        ranks.sum(np.ones(1))
start = time.monotonic()
try:
    spmd.run(3, program)
except KeyboardInterrupt:
    assert time.monotonic() - start < 30
    assert not [t for t in threading.enumerate() if t.name.startswith("rank")]
else:
    raise AssertionError("it was not noticed")
"""
    )


NAMES = [
    "a",
    "a\x1eb",
    "a\x1fb",
    "a\nb",
    'a", "b',
    "",
    "\0",
    "é\ud800\u2028",
    "\\ud800",
]


@pytest.mark.parametrize("names", [NAMES, [""], ["\x1e"]])
def test_an_empty_share_has_the_column_names_of_the_others(rng, names):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(rng.random((6, len(names))), columns=names)

    def program(comm):
        mine = frame[:0] if comm.rank == 1 else frame
        model = spmd.BasicStatistics(comm=comm).fit(mine)
        return model.feature_names_in_.tolist()

    assert spmd.run(3, program) == [names] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [("é\ud800", "é\\ud800"), ("a\x1eb", "a\x1fb"), ("", "\0"), ("a", "a\0")],
)
def test_column_names_that_nearly_agree_differ(rng, one, other):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")

    def program(comm):
        name = other if comm.rank else one
        frame = pd.DataFrame({name: [1.0, 2.0], "b": [2.0, 4.0]})
        with pytest.raises(ValueError, match="feature names differ: rank 0 has"):
            spmd.BasicStatistics(comm=comm).fit(frame)

    spmd.run(2, program)


def test_a_rank_of_threads_says_what_it_is():
    assert spmd.run(2, repr) == ["<rank 0 of 2 threads>", "<rank 1 of 2 threads>"]
    assert spmd.run(3, spmd.rank) == [0, 1, 2]
    assert spmd.run(3, spmd.size) == [3, 3, 3]


def test_the_ranks_of_a_program_can_talk():
    def program(comm):
        ranks = spmd.communicator(comm)
        total = ranks.sum(np.array([1.0, comm.rank]))
        most = ranks.max(np.array([float(comm.rank)]))
        words = ranks.gather(str(comm.rank).encode())
        first = ranks.broadcast(b"hello" if comm.rank == 1 else b"", 1)
        return total.tolist(), most.tolist(), words, first

    assert (
        spmd.run(3, program) == [([3.0, 3.0], [2.0], [b"0", b"1", b"2"], b"hello")] * 3
    )
