"""Threads change the time only; how many there are, and why, can be seen."""

import os
import re

import numpy as np
import pytest

from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import IncrementalLinearRegression, LinearRegression

FORK = """
import faulthandler, multiprocessing, os, signal
import numpy as np
from sklearnex_rs.linear_model import LinearRegression

X = np.random.default_rng(0).standard_normal((50_000, 20))
y = X @ np.arange(20.0) + 1
before = LinearRegression(n_jobs=2).fit(X, y)

def child():
    faulthandler.dump_traceback_later(20, exit=True)
    model = LinearRegression(n_jobs=2).fit(X, y)
    same = (model.coef_ == before.coef_).all() and model.score(X, y) == 1.0
    same = same and (model.predict(X) == before.predict(X)).all()
    os._exit(0 if same else 3)

"""
PROBLEMS = {
    "tall": (50_003, 12, 1, 1.0),
    "several targets": (20_011, 9, 4, 1.0),
    "residual": (30_007, 6, 1, 1e3),
    "triangle": (30_007, 6, 2, 1e6),
    "wide": (40, 700, 1, 1.0),
}


def problem(rng, name, dtype=np.float64):
    n, p, m, condition = PROBLEMS[name]
    X = rng.standard_normal((n, p)) * np.geomspace(1, 1 / condition, p) + 1
    y = X @ rng.standard_normal((p, m)) + rng.standard_normal((n, m))
    return X.astype(dtype), (y[:, 0] if m == 1 else y).astype(dtype)


def bits(X, y, w, **params):
    model = LinearRegression(**params).fit(X, y, w)
    state = [np.asarray(v) for k, v in sorted(vars(model).items()) if k.endswith("_")]
    return [
        *(a.tobytes() for a in state),
        model.predict(X).tobytes(),
        model.score(X, y),
    ]


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("positive", [False, True])
def test_any_number_of_threads_gives_the_same_bits(rng, name, dtype, positive):
    X, y = problem(rng, name, dtype)
    if positive and name == "wide":
        X, y = X[:, :60], y
    w = rng.random(len(X))
    one = bits(X, y, w, n_jobs=1, tol=1e-12, positive=positive)
    for n_jobs in (2, 3, 7):
        assert bits(X, y, w, n_jobs=n_jobs, tol=1e-12, positive=positive) == one


@pytest.mark.parametrize("n_jobs", [-1, -2, -100, None, np.int64(2)])
def test_n_jobs_as_joblib_counts_them(rng, n_jobs):
    X, y = problem(rng, "tall")
    one, other = (LinearRegression(n_jobs=n).fit(X, y) for n in (1, n_jobs))
    np.testing.assert_array_equal(one.coef_, other.coef_)


def test_n_jobs_of_zero_has_no_meaning(rng):
    X, y = problem(rng, "tall")
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        LinearRegression(n_jobs=0).fit(X, y)
    model = LinearRegression().fit(X, y).set_params(n_jobs=0)
    with pytest.raises(ValueError, match="n_jobs == 0 has no meaning"):
        model.predict(X)


def threads(python, before="", **env):
    said = python(f"{before}\nimport sklearnex_rs; sklearnex_rs.show_config()", **env)
    found = re.search(r"^threads +(\d+) \(from (.*)\)$", said, re.M)
    return int(found[1]), found[2]


def test_environment_variables_in_their_order(python):
    own, openmp = "SKLEARNEX_RS_NUM_THREADS", "OMP_NUM_THREADS"
    assert threads(python, **{own: "3", openmp: "5"}) == (3, own)
    assert threads(python, **{openmp: "5"}) == (5, openmp)
    assert threads(python, **{openmp: "4,2"}) == (4, openmp)
    assert threads(python, **{own: "many", openmp: "5"}) == (5, openmp)
    assert threads(python, **{own: "0", openmp: "5"}) == (5, openmp)
    assert "affinity" in threads(python)[1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")
def test_the_affinity_mask_is_heeded(python):
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert threads(python, one) == (1, "affinity, ranks on the node and quota")
    later = f"import sklearnex_rs; sklearnex_rs.show_config(); {one}"
    program = f"{later}; sklearnex_rs.show_config()"
    assert re.findall(r"threads +(\d+)", python(program))[-1] == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="not on this system")
def test_a_forked_child_fits(python):
    python(
        FORK
        + """
pid = os.fork()
if pid == 0:
    child()
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert (LinearRegression(n_jobs=2).fit(X, y).coef_ == before.coef_).all()
""",
        timeout=60,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="not on this system")
def test_processes_of_multiprocessing_fit(python):
    python(
        FORK
        + """
fork = multiprocessing.get_context("fork")
children = [fork.Process(target=child) for _ in range(2)]
for process in children:
    process.start()
for process in children:
    process.join()
assert [process.exitcode for process in children] == [0, 0]
""",
        timeout=60,
    )


def test_threads_of_the_user_fit_at_the_same_time(rng):
    from concurrent.futures import ThreadPoolExecutor

    X, y = problem(rng, "tall")
    one = LinearRegression().fit(X, y).coef_
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(LinearRegression(n_jobs=2).fit, X, y) for _ in range(12)]
    for fit in fits:
        np.testing.assert_array_equal(fit.result().coef_, one)


@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_threads_share_the_decomposition_of_many_columns(
    rng, assert_close, monkeypatch, solver
):
    """Their number may change last digits there, and only there."""
    X = rng.standard_normal((1200, 1000)) * np.linspace(2, 1, 1000)
    models = []
    for threads in ("1", "3"):
        monkeypatch.setenv("SKLEARNEX_RS_NUM_THREADS", threads)
        models.append(PCA(svd_solver=solver).fit(X))
    one, three = models
    assert_close(one.singular_values_, three.singular_values_, 1e-12)
    assert_close(one.components_[:5], three.components_[:5], 1e-9)


def test_threads_share_the_end_of_batches_of_many_columns(
    rng, assert_close, monkeypatch
):
    X = rng.standard_normal((1200, 1000))
    y = X[:, 0] - X[:, 1]
    models = []
    for threads in ("1", "3"):
        monkeypatch.setenv("SKLEARNEX_RS_NUM_THREADS", threads)
        models.append(IncrementalLinearRegression().fit(X, y))
    one, three = models
    assert_close(one.singular_, three.singular_, 1e-12)
    assert_close(one.coef_, three.coef_, 1e-9)
