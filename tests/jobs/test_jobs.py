"""What happens to a whole job: errors between calls, exits, pickles, launchers."""

import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest


def test_an_agreed_error_that_nobody_catches_ends_the_job(job, fit, wait, took):
    done = job(f"{fit}\nX[0, 0] = np.nan if comm.rank else 1\n{wait}")
    assert done.code != 0
    assert "ValueError: rank 1: Input X contains NaN." in done.text
    assert took(done) < 5


def test_a_deadline_names_who_never_came(job, fit):
    program = (
        f"{fit}\nfrom sklearnex_rs import config_context\n"
        "if comm.rank == 1: time.sleep(60)\n"
        "with config_context(spmd_timeout=1):\n"
        "    spmd.LinearRegression().fit(X, y)"
    )
    done = job(program, 3)
    assert done.code != 0
    assert "TimeoutError: LinearRegression.fit: rank 1 did not come" in done.text
    assert done.seconds < 20


def test_ctrl_c_ends_a_long_call(job, fit, wait):
    program = (
        f"{fit}\nimport os, signal, threading\n"
        "if comm.rank == 1: time.sleep(60)\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        f"{wait}"
    )
    done = job(program)
    assert done.code != 0
    assert "KeyboardInterrupt" in done.text
    assert done.seconds < 20


def test_a_model_loads_where_there_is_no_mpi(job, fit, tmp_path):
    save = (
        "import pickle\n"
        "pickle.dump((model, X, model.predict(X)), open(f'{comm.rank}', 'wb'))"
    )
    done = job(f"{fit}\n{save}")
    assert done.code == 0, done.text
    load = (
        "import sys, pickle\nsys.modules['mpi4py'] = None\n"
        f"model, X, y = pickle.load(open({str(tmp_path / '1')!r}, 'rb'))\n"
        "assert (model.predict(X) == y).all() and model.comm is None\n"
        "assert 'libmpi' not in open('/proc/self/maps').read()\nprint('LOADED')"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", load], capture_output=True, text=True
    )
    assert "LOADED" in out.stdout, out.stderr
    first, second = (pickle.loads((tmp_path / name).read_bytes())[0] for name in "01")
    np.testing.assert_array_equal(first.coef_, second.coef_)


LAUNCHERS = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "SLURM_STEP_NUM_TASKS"]
LONE = """
import numpy as np
from sklearnex_rs import spmd
from mpi4py import MPI
X = np.random.default_rng(0).standard_normal((9, 2))
spmd.LinearRegression(comm=MPI.COMM_SELF).fit(X, X[:, 0])
print("SELF")
spmd.LinearRegression().fit(X, X[:, 0])
print("WORLD")
"""


def alone(**environment):
    names = (*LAUNCHERS, "SLURM_NTASKS")
    env = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [sys.executable, "-P", "-c", LONE],
        env={**env, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["PMIX_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_a_world_of_one_under_a_launcher_of_more_is_refused(name):
    done = alone(**{name: "4"})
    assert "SELF" in done.stdout
    assert "WORLD" not in done.stdout
    assert "started 4 ranks" in done.stderr
    assert "pass comm=MPI.COMM_SELF" in done.stderr


def test_a_world_of_one_without_a_launcher_is_meant():
    assert "WORLD" in alone(SLURM_NTASKS="4").stdout


THREAD = """
import mpi4py
mpi4py.rc.thread_level = "{level}"
import threading
import numpy as np
from mpi4py import MPI
from sklearnex_rs import spmd
comm = MPI.COMM_WORLD
X = np.random.default_rng(comm.rank).standard_normal((30, 3))
def fit():
    try:
        spmd.LinearRegression().fit(X, X[:, 0])
        print("FITTED", flush=True)
    except RuntimeError as error:
        print("REFUSED " + str(error), flush=True)
if comm.rank == 1:
    thread = threading.Thread(target=fit); thread.start(); thread.join()
else:
    fit()
fit()
"""


def test_one_call_at_a_time_where_mpi_wants_that(job):
    done = job(THREAD.format(level="serialized"))
    assert done.text.count("FITTED") == 4, done.text


def test_a_thread_that_may_not_call_is_refused_on_all_ranks(job):
    done = job(THREAD.format(level="single"))
    if done.text.count("FITTED") == 4:
        pytest.skip("this MPI grants more than the level asked for")
    assert done.text.count("REFUSED rank 1: LinearRegression.fit was called from") == 2
    assert "mpi4py.rc.thread_level" in done.text
    assert done.text.count("FITTED") == 2


def test_the_first_rank_decomposes_with_the_threads_of_all(job):
    """As many as it may run on: the others wait, and have the same answer."""
    program = (
        "import hashlib, os\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from mpi4py import MPI\n"
        "from sklearnex_rs import spmd\n"
        "comm = MPI.COMM_WORLD\n"
        "X = np.random.default_rng(comm.rank).standard_normal((700, 1000))\n"
        "model = spmd.PCA(5, svd_solver='covariance_eigh').fit(X)\n"
        "tasks = Path('/proc/self/task').glob('*/comm')\n"
        "names = [task.read_text() for task in tasks]\n"
        "pool = sum(name.startswith('sklearnex_rs') for name in names)\n"
        "cpus = len(os.sched_getaffinity(0))\n"
        "digest = hashlib.md5(model.components_.tobytes()).hexdigest()\n"
        "print(f'RANK {comm.rank} {pool} {cpus} {digest}', flush=True)\n"
    )
    done = job(program, 2, OMP_NUM_THREADS="1")
    assert done.code == 0, done.text
    ranks = sorted(re.findall(r"RANK (\d) (\d+) (\d+) ([0-9a-f]{32})", done.text))
    (_, pool, cpus, first), (_, none, _, second) = ranks
    assert int(pool) == (2 if int(cpus) > 1 else 0)
    assert none == "0"
    assert first == second
