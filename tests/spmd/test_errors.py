"""Whatever fails on one rank is the same error on all, and the next fit works."""

import os
import resource
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from sklearnex_rs import config_context, spmd


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((40, 4))
    return X, X @ np.arange(1.0, 5.0)


@pytest.fixture
def agreed(comm, rows):
    """Run a call that fails; all ranks must raise one error, soon, and go on."""

    def check(call, kind, *words):
        start = time.monotonic()
        with pytest.raises(kind) as caught:
            call()
        assert time.monotonic() - start < 10
        said = (type(caught.value).__name__, str(caught.value))
        assert comm.allgather(said) == [said] * comm.size
        for word in words:
            assert word in said[1], said[1]
        for _ in range(2):
            model = spmd.LinearRegression(comm=comm).fit(*rows)
            np.testing.assert_allclose(model.coef_, np.arange(1.0, 5.0))
        return said[1]

    return check


def last(comm):
    return comm.rank == comm.size - 1


def front(comm):
    """What stands before an error of the last rank."""
    return f"rank {comm.size - 1}: " if comm.size > 1 else ""


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_not_finite_in_X(comm, rows, agreed, bad, dtype):
    X, y = rows[0].astype(dtype), rows[1]
    if last(comm):
        X[3, 2] = bad
    what = (
        "NaN"
        if np.isnan(bad)
        else f"infinity or a value too large for dtype('{X.dtype}')"
    )
    words = f"{front(comm)}Input X contains {what}."
    agreed(lambda: spmd.LinearRegression(comm=comm).fit(X, y), ValueError, words)


def test_not_finite_in_y_and_weights(comm, rows, agreed):
    X, y = rows[0], rows[1].copy()
    w = np.ones(len(y))
    if last(comm):
        y[0] = np.nan
        w[0] = np.nan
    fit = spmd.LinearRegression(comm=comm).fit
    agreed(lambda: fit(X, y), ValueError, f"{front(comm)}Input y contains NaN.")
    agreed(lambda: fit(X, rows[1], w), ValueError, "Input sample_weight contains NaN")


def test_shapes_that_do_not_fit(comm, rows, agreed):
    X, y = rows
    fit = spmd.LinearRegression(comm=comm).fit
    short = y[:-1] if last(comm) else y
    words = "Found input variables with inconsistent numbers of samples: [40, 39]"
    agreed(lambda: fit(X, short), ValueError, front(comm) + words)
    flat = X[:, 0] if last(comm) else X
    agreed(lambda: fit(flat, y), ValueError, "Expected 2D array, got 1D array instead")
    text = X.astype(str).astype(object) if last(comm) else X
    if last(comm):
        text[0, 0] = "word"
    agreed(lambda: fit(text, y), ValueError, "could not convert string to float")
    wrong = np.ones(39) if last(comm) else np.ones(40)
    agreed(
        lambda: fit(X, y, wrong),
        ValueError,
        "sample_weight.shape == (39,), expected (40,)!",
    )
    agreed(lambda: fit(X, y, -np.ones(40)), ValueError, "Negative values in data")


class Refuses:
    """Says no when it is looked at."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *args, **kwargs):
        raise self.error


def test_what_fails_before_the_header(comm, rows, agreed):
    """Parameters and names are the user's: describing them may fail as well."""
    X, y = rows
    tol = Refuses(ValueError("no")) if last(comm) else 1e-6
    model = spmd.LinearRegression(comm=comm)
    model.tol = tol
    agreed(lambda: model.fit(X, y), ValueError, front(comm))
    endless = []
    endless.append(endless)
    model.tol = endless if last(comm) else 1e-6
    agreed(lambda: model.fit(X, y), (RecursionError, InvalidParameterError))
    with_names = pd.DataFrame(X, columns=["\ud800", "b", "c", "d"])
    if comm.size > 1:
        model.tol, words = 1e-6, "names"
        agreed(lambda: model.fit(with_names if last(comm) else X, y), ValueError, words)
    model.tol = 1e-6
    assert list(model.fit(with_names, y).feature_names_in_) == list(with_names.columns)


def test_ctrl_c_while_a_share_is_checked(comm, rows, agreed):
    X, y = rows
    X = Refuses(KeyboardInterrupt()) if last(comm) else X
    agreed(lambda: spmd.LinearRegression(comm=comm).fit(X, y), KeyboardInterrupt)


def test_no_threads(comm, rows, agreed):
    model = spmd.LinearRegression(n_jobs=0, comm=comm)
    words = "n_jobs == 0 has no meaning"
    agreed(lambda: model.fit(*rows), ValueError, "rank 0: " * (comm.size > 1) + words)
    model = spmd.LinearRegression(n_jobs=0 if last(comm) else None, comm=comm)
    agreed(lambda: model.fit(*rows), ValueError, front(comm) + words)


def test_no_rows_but_targets(comm, rows, agreed):
    X, y = rows
    mine = X[:0] if last(comm) else X
    fit = spmd.LinearRegression(comm=comm).fit
    if comm.size == 1:
        return
    agreed(lambda: fit(mine, y), ValueError, front(comm), "[0, 40]")
    agreed(lambda: fit(mine, y[: len(mine)], np.ones(40)), ValueError, "[0, 0, 40]")
    wanted = "requires y to be passed, but the target y is None."
    agreed(lambda: fit(mine, None if last(comm) else y), ValueError, wanted)


def test_every_share_empty(comm, rows, agreed):
    X, y = rows
    call = spmd.LinearRegression(comm=comm).fit
    words = (
        "Found array with 0 sample(s) (shape=(0, 4))",
        "a minimum of 1 is required by LinearRegression",
    )
    agreed(lambda: call(X[:0], y[:0]), ValueError, *words)


def test_weights_all_zero_on_every_rank(comm, rows, agreed):
    X, y = rows
    words = "Sample weights must contain at least one non-zero number."
    fit = spmd.LinearRegression(comm=comm).fit
    agreed(lambda: fit(X, y, np.zeros(40)), ValueError, words)
    if comm.size > 1:
        fit(X, y, np.zeros(40) if last(comm) else np.ones(40))


def test_bad_parameters(comm, rows, agreed):
    model = spmd.LinearRegression(tol=-1 if last(comm) else 1e-6, comm=comm)
    words = f"{front(comm)}The 'tol' parameter of LinearRegression must be a float"
    agreed(lambda: model.fit(*rows), InvalidParameterError, words)
    model = spmd.LinearRegression(n_jobs=0 if last(comm) else 1, comm=comm)
    agreed(lambda: model.fit(*rows), ValueError, "n_jobs == 0 has no meaning")


def test_not_fitted(comm, rows, agreed):
    model = spmd.LinearRegression(comm=comm)
    if not last(comm):
        model.fit_ = None
        model.coef_, model.intercept_, model.n_features_in_ = np.ones(4), 0.0, 4
    agreed(lambda: model.score(*rows), NotFittedError, "is not fitted yet")


def test_an_exception_of_the_users_own(comm, rows, agreed):
    class Strange(Exception):
        pass

    class Array:
        shape = (40, 4)

        def __array__(self, *args, **kwargs):
            raise Strange("my array")

        def __len__(self):
            return 40

    X = Array() if last(comm) else rows[0]
    if comm.size > 1:
        call = spmd.LinearRegression(comm=comm).fit
        agreed(lambda: call(X, rows[1]), Exception, "my array")


def test_sparse_rows(comm, rows, agreed):
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_array(rows[0]) if last(comm) else rows[0]
    fit = spmd.LinearRegression(comm=comm).fit
    agreed(lambda: fit(X, rows[1]), TypeError, "Sparse data was passed for X")


class TestDifferences:
    @pytest.fixture(autouse=True)
    def _several(self, comm):
        if comm.size == 1:
            pytest.skip("one rank cannot differ from others")

    def test_features(self, comm, rows, agreed):
        X = rows[0][:, :3] if last(comm) else rows[0]
        words = f"X has 3 features on rank {comm.size - 1}, but 4 features on rank 0"
        agreed(
            lambda: spmd.LinearRegression(comm=comm).fit(X, rows[1]), ValueError, words
        )

    def test_parameters(self, comm, rows, agreed):
        model = spmd.LinearRegression(positive=last(comm), comm=comm)
        words = "'positive' parameter differs: rank 0 has False, rank"
        agreed(lambda: model.fit(*rows), ValueError, words)

    def test_equal_parameters_in_other_types(self, comm, rows):
        tol = [1e-6, np.float64(1e-6)][last(comm)]
        spmd.LinearRegression(tol=tol, n_jobs=comm.rank + 1, comm=comm).fit(*rows)
        spmd.LinearRegression(tol=[0, 0.0][last(comm)], comm=comm).fit(*rows)

    def test_methods(self, comm, rows, agreed):
        model = spmd.LinearRegression(comm=comm).fit(*rows)
        call = model.score if last(comm) else model.fit
        words = "called LinearRegression.score, rank 0 LinearRegression.fit"
        agreed(lambda: call(*rows), ValueError, words)

    def test_kinds_of_target(self, comm, rows, agreed):
        X, y = rows
        y = y[:, None] if last(comm) else y
        words = "rank 0 has a one-dimensional y", "a y with 1 column(s)"
        agreed(lambda: spmd.LinearRegression(comm=comm).fit(X, y), ValueError, *words)

    def test_weights_on_some_ranks(self, comm, rows, agreed):
        w = np.ones(40) if last(comm) else None
        fit = spmd.LinearRegression(comm=comm).fit
        agreed(lambda: fit(*rows, w), ValueError, "rank 0 has no sample_weight")

    def test_feature_names(self, comm, rows, agreed):
        pd = pytest.importorskip("pandas", reason="pandas is not installed")
        frame = pd.DataFrame(rows[0], columns=list("abcd" if last(comm) else "abdc"))
        fit = spmd.LinearRegression(comm=comm).fit
        agreed(
            lambda: fit(frame, rows[1]),
            ValueError,
            'feature names differ: rank 0 has ["a"',
        )


@pytest.mark.parametrize("step", ["the look at the moments", "the means", "the model"])
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("panic", RuntimeError, "internal error, please report: a fault was asked for"),
        ("error", ValueError, "shapes do not fit: a fault was asked for"),
        ("memory", MemoryError, "not enough memory for"),
    ],
)
def test_faults_in_rust(comm, rows, agreed, monkeypatch, step, fault, kind, words):
    if comm.size == 1 and step != "the look at the moments":
        pytest.skip("one rank does not communicate")
    rank = (
        0 if step == "the model" else comm.size - 1
    )  # who makes the model is the first
    monkeypatch.setenv("SKLEARNEX_RS_FAULT", f"{fault}:{step}:{rank}")
    model = spmd.LinearRegression(comm=comm)

    def call():
        try:
            model.fit(*rows)
        finally:
            monkeypatch.delenv("SKLEARNEX_RS_FAULT")

    agreed(call, kind, (f"rank {rank}: " if comm.size > 1 else "") + words)


def test_no_room(comm, rng, rows, agreed):
    """The last rank has too little memory for the co-moments of 8,000 columns."""
    n, p = (8000 // comm.size + 2 if last(comm) else 3), 8000
    X, y = np.zeros((n, p)), np.ones(n)
    warm = spmd.LinearRegression(n_jobs=1, comm=comm)
    warm.fit(X[:3, :9], y[:3])  # libraries are there
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if last(comm):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 100_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))

    def call():
        try:
            spmd.LinearRegression(n_jobs=1, comm=comm).fit(X, y)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    agreed(call, MemoryError, f"{front(comm)}not enough memory for")


def test_a_rank_that_does_not_come(comm, rows):
    model = spmd.LinearRegression(comm=comm).fit(*rows)
    comm.Barrier()
    if comm.size == 1:
        pytest.skip("one rank waits for nobody")
    words = f"LinearRegression.fit: rank {comm.size - 1} did not come to the header"
    if last(comm):
        time.sleep(2.5)
        with pytest.raises(TimeoutError, match=r"LinearRegression\.fit"):
            model.fit(*rows)
    else:
        start = time.monotonic()
        with config_context(spmd_timeout=0.5), pytest.raises(TimeoutError, match=words):
            model.fit(*rows)
        assert time.monotonic() - start < 2
    comm.Barrier()
    np.testing.assert_allclose(model.fit(*rows).coef_, np.arange(1.0, 5.0))


def test_a_rank_that_does_not_come_to_the_first_use(comm, rows):
    if comm.size == 1:
        pytest.skip("one rank waits for nobody")
    fresh = comm.Dup()
    model = spmd.LinearRegression(comm=fresh)
    words = f"rank {comm.size - 1} did not come to the first use of the communicator"
    if last(comm):
        time.sleep(2.5)
        with pytest.raises(TimeoutError):
            model.fit(*rows)
    else:
        with config_context(spmd_timeout=0.5), pytest.raises(TimeoutError, match=words):
            model.fit(*rows)
    comm.Barrier()
    np.testing.assert_allclose(model.fit(*rows).coef_, np.arange(1.0, 5.0))
    comm.Barrier()
    fresh.Free()


def test_a_rank_that_waits_hears_of_an_earlier_call_given_up(comm, rows):
    """All make a new duplicate, and introduce themselves on it before they go on."""
    mine = comm.Dup()
    model = spmd.LinearRegression(comm=mine).fit(*rows)
    first, ranks = model.coef_, spmd.communicator(mine)
    if last(mine):
        time.sleep(0.3)
        ranks.abandon("ValueError", "given up")
    for _ in range(2):
        np.testing.assert_array_equal(model.fit(*rows).coef_, first)
    mine.Free()


def test_ctrl_c_while_waiting(comm, rows):
    """The last rank is late; the first is interrupted: all raise, and go on."""
    if comm.size == 1:
        pytest.skip("one rank waits for nobody")
    model = spmd.LinearRegression(comm=comm).fit(*rows)
    comm.Barrier()
    if comm.rank == 0:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
    if last(comm):
        time.sleep(1.5)
    with pytest.raises(KeyboardInterrupt, match="rank 0"):
        model.fit(*rows)
    comm.Barrier()
    np.testing.assert_allclose(model.fit(*rows).coef_, np.arange(1.0, 5.0))


def test_a_warning_about_local_rows_names_its_rank(comm, rows):
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(rows[0], columns=list("abcd"))
    model = spmd.LinearRegression(comm=comm).fit(frame, rows[1])
    X = rows[0] if last(comm) else frame
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.score(X, rows[1])
    texts = [str(warning.message) for warning in caught]
    expected = (
        [f"{front(comm)}X does not have valid feature names"] if last(comm) else []
    )
    assert [text[: len(expected[0])] for text in texts] == expected
