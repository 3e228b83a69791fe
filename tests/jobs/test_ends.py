"""A rank that ends or leaves: the others learn of it, and nobody waits for ever."""

import re
import subprocess
import sys

import pytest

LEFT = "RankLeftError: rank {} has left the program before LinearRegression.fit"


@pytest.mark.parametrize("ranks", [2, 4])
def test_an_uncaught_exception_ends_the_job(job, fit, wait, took, ranks):
    end = "if comm.rank == comm.size - 1: raise ValueError('my own mistake')"
    done = job(f"{fit}\n{end}\n{wait}", ranks)
    assert done.code != 0
    assert "my own mistake" in done.text
    assert f"rank {ranks - 1} ended with an error" in done.text
    assert took(done) < 5


@pytest.mark.parametrize(
    ("end", "words", "ranks"),
    [
        ("sys.exit(3)", "", 2),
        ("sys.exit('bad luck')", "bad luck", 2),
        ("time.sleep(0.5); raise SystemExit(2)", "", 4),
        ("time.sleep(0.5); sys.exit(0)", "", 3),
        ("MPI.Finalize(); sys.exit()", "", 2),
    ],
)
def test_a_rank_that_leaves_is_named(job, fit, wait, took, end, words, ranks):
    """By those that wait for it already, and by those that come later."""
    ended = f"if comm.rank == comm.size - 1: {end}"
    late = "if comm.rank == 0 and comm.size != 3: time.sleep(0.5)"
    done = job(f"{fit}\n{ended}\n{late}\n{wait}", ranks)
    assert done.code != 0
    assert LEFT.format(ranks - 1) in done.text
    assert words in done.text
    assert "SystemExit" not in done.text
    assert took(done) < 5


def test_ranks_far_from_the_one_that_left_learn_of_it(job, fit):
    """It tells its neighbors, and who waits tells all; the program may go on."""
    end = """
import os
if comm.rank == 3:
    sys.exit(3)
for _ in range(2):
    try:
        spmd.LinearRegression().fit(X, y)
    except spmd.RankLeftError as error:
        print(f"NAMED {error.rank} {error}", flush=True)
spmd.LinearRegression(comm=MPI.COMM_SELF).fit(X, y)
"""
    done = job(f"{fit}\n{end}", 7)
    words = "NAMED 3 rank 3 has left the program before LinearRegression.fit"
    assert done.text.count(words) == 12, done.text
    assert done.code != 0


def test_it_is_learnt_on_other_communicators(job, fit):
    """Also on one that the rank that left never used; groups without it go on."""
    end = """
pair, rest = comm.Split(comm.rank > 0), comm.Split(comm.rank > 1)
spmd.communicator(rest)
if comm.rank == 2:
    sys.exit()
if comm.rank == 0:
    time.sleep(1)
for ranks in (pair, rest):
    try:
        spmd.LinearRegression(comm=ranks).fit(X, y)
        print("FITTED", comm.rank, flush=True)
    except spmd.RankLeftError as error:
        print("NAMED", comm.rank, error, flush=True)
"""
    done = job(f"{fit}\n{end}", 3)
    assert done.code == 0, done.text
    assert "NAMED 1 rank 1 has left the program" in done.text
    assert done.text.count("FITTED 0") == 2
    assert done.text.count("FITTED 1") == 1


def test_it_is_learnt_after_a_call_that_failed(job, fit):
    """The messages of a failed call stay where they are; notices come none the less."""
    end = """
try:
    spmd.LinearRegression().fit(X[:, 0] if comm.rank == 1 else X, y)
except ValueError:
    pass
ranks = spmd.communicator()
if comm.rank == 1:
    raise SystemExit
try:
    ranks.sum(np.ones(1))
except spmd.RankLeftError as error:
    print("NAMED", error, flush=True)
"""
    done = job(f"{fit}\n{end}", 2)
    assert done.code == 0, done.text
    assert "NAMED rank 1 has left the program before communicator" in done.text


@pytest.mark.parametrize(
    "end",
    [
        "",
        "time.sleep(comm.rank * 0.5); sys.exit(0)",
        # Who waits in an operation of which the rank that left did its part, waits on.
        "ranks = spmd.communicator()\n"
        "if comm.rank: time.sleep(0.5)\n"
        "assert ranks.broadcast(b'x' * 3000 if comm.rank == 0 else b'') == b'x' * 3000",
    ],
)
def test_a_good_end_is_left_alone(job, fit, end):
    done = job(f"{fit}\n{end}", 3)
    assert done.code == 0, done.text
    assert done.text.strip() == ""


def test_the_guard_can_be_turned_off(job, fit):
    end = "if comm.rank: sys.exit(3)"
    timed = (
        "from sklearnex_rs import config_context\n"
        "with config_context(spmd_timeout=1):\n    spmd.LinearRegression().fit(X, y)"
    )
    done = job(f"{fit}\n{end}\n{timed}", SKLEARNEX_RS_EXIT_GUARD="0")
    assert done.code != 0
    assert "TimeoutError: LinearRegression.fit: rank 1 did not come" in done.text
    assert "ended with an error" not in done.text


def alone(program):
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_one_process_exits_as_it_says(fit):
    done = alone(f"{fit}\nsys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


REFUSED = """
import inspect, pickle
import mpi4py
mpi4py.rc.initialize = False
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearnex_rs import spmd
X = np.random.default_rng(0).standard_normal((30, 3))
y = X[:, 0]
CLASSES = [
    cls
    for name in spmd.__all__
    if inspect.isclass(cls := getattr(spmd, name)) and issubclass(cls, BaseEstimator)
]
assert len(CLASSES) > 10

def refused(call, words):
    try:
        call()
    except RuntimeError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"{call} was not refused")

def check(words):
    for cls in CLASSES:
        model = clone(cls())
        assert repr(model)
        pickle.loads(pickle.dumps(model))
        labels = y > 0 if cls.__name__ == "LogisticRegression" else y
        refused(lambda: model.fit(X, labels), words)
        if hasattr(model, "partial_fit"):
            rows = (X, y) if "Linear" in str(cls) or "Ridge" in str(cls) else (X,)
            refused(lambda: cls().partial_fit(*rows), words)
            refused(lambda: cls().finalize(), words)
    for call in (spmd.communicator, spmd.rank, spmd.size):
        refused(call, words)
    refused(lambda: spmd.linalg.qr(X), words)
    refused(lambda: spmd.lasso_path(X, y), words)

check("MPI is not initialized: call mpi4py.MPI.Init()")
from mpi4py import MPI
MPI.Init()
model, ranks = spmd.LinearRegression().fit(X, y), spmd.communicator()
half = MPI.COMM_WORLD.Dup()
freed = spmd.LinearRegression(comm=half).fit(X, y)
MPI.Finalize()
check("MPI was finalized")
for fitted in (model, freed):
    fitted.predict(X)
    refused(lambda: fitted.score(X, y), "MPI was finalized")
    assert pickle.loads(pickle.dumps(fitted)).predict(X).shape == (30,)
refused(lambda: ranks.sum(np.ones(1)), "MPI was finalized")
print("DONE")
"""


def test_calls_before_and_after_mpi_are_refused():
    done = alone(REFUSED)
    assert (done.returncode, done.stdout) == (0, "DONE\n"), done.stderr


FORKED = """
import multiprocessing
import sklearnex_rs.linear_model

def child(comm):
    plain = sklearnex_rs.linear_model.LinearRegression().fit(X, y)
    try:
        spmd.LinearRegression(comm=comm).fit(X, y)
    except RuntimeError as error:
        print(str(error)[:35], plain.predict(X).shape, flush=True)

for ranks in (None, MPI.COMM_SELF):
    one = multiprocessing.get_context("fork").Process(target=child, args=(ranks,))
    one.start()
    one.join(30)
    assert one.exitcode == 0, one.exitcode
spmd.LinearRegression().fit(X, y)
"""


def test_a_forked_child_is_refused(fit):
    done = alone(f"{fit}\n{FORKED}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "this process was forked by a rank o (30,)\n" * 2
    assert not re.search("Error", done.stderr)
