"""Tests of one process, in which neither MPI nor CUDA is ever loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SET = ("SKLEARNEX_RS_", "OMP_", "OMPI_", "PMI", "MPI", "SLURM_", "PALS_")
FOREIGN = ("libmpi", "libcudart", "libcuda.")


def pytest_sessionfinish(session):
    maps = Path("/proc/self/maps")
    lines = maps.read_text() if maps.exists() else ""
    found = [name for name in FOREIGN if f"/{name}" in lines]
    if found or "mpi4py" in sys.modules:
        print(f"\na unit test loaded {found or 'mpi4py'}", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def python(tmp_path):
    """Run a program in a fresh process, elsewhere; what it printed."""

    def run(program, *, timeout=120, **env):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SET)}
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            env=kept | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
