"""Programs under mpirun, as users start them: started here, watched from outside."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
}
FIT = """
import numpy as np, sys, time
from mpi4py import MPI
from sklearnex_rs import spmd
comm = MPI.COMM_WORLD
X = np.random.default_rng(comm.rank).standard_normal((30, 3))
y = X @ np.arange(3.0)
model = spmd.LinearRegression().fit(X, y)
"""
WAIT = """
print(f"READY {time.time()}", flush=True)
spmd.LinearRegression().fit(X, y)
"""


class Job:
    def __init__(self, code, text, seconds):
        self.code, self.text, self.seconds = code, text, seconds


@pytest.fixture
def job(tmp_path):
    """Run a program on ranks; return its code, what it printed, and its seconds."""

    def run(program, ranks=2, limit=30, **environment):
        file = tmp_path / "program.py"
        file.write_text(program)
        env = {k: v for k, v in os.environ.items() if k != "SKLEARNEX_RS_EXIT_GUARD"}
        start = time.monotonic()
        process = subprocess.Popen(
            [str(BIN / "mpirun"), "-n", str(ranks), sys.executable, str(file)],
            env={**env, **ENVIRONMENT, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            text, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                text, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                text, _ = process.communicate()
            pytest.fail(f"the job hangs:\n{text}")
        return Job(process.returncode, text, time.monotonic() - start)

    return run


@pytest.fixture
def fit():
    return FIT


@pytest.fixture
def wait():
    """Return lines of a call for which ranks wait that one does not come to."""
    return WAIT


@pytest.fixture
def took():
    """Return the seconds from the last rank's call to the end of the job."""

    def seconds(job):
        ready = [float(at) for at in re.findall(r"READY (\d+\.\d+)", job.text)]
        return time.time() - max(ready)

    return seconds
