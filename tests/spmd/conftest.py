"""Under mpirun only: every rank runs every test, with its share of the same data."""

import io
import os
import sys

import numpy as np
import pytest

LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK")


def pytest_configure(config):
    if not any(name in os.environ for name in LAUNCHED):
        pytest.exit("tests/spmd run under mpirun: see ci/test_spmd.sh", returncode=2)


def pytest_sessionstart(session):
    from mpi4py import MPI

    if (
        MPI.COMM_WORLD.rank
    ):  # one report is enough, unless this rank has another to tell
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter._tw._file = io.StringIO()


def pytest_runtest_logreport(report):
    from mpi4py import MPI

    if MPI.COMM_WORLD.rank and report.failed:
        print(f"rank {MPI.COMM_WORLD.rank}: {report.nodeid}", file=sys.stderr)
        print(report.longreprtext, file=sys.stderr, flush=True)


def pytest_collection_modifyitems(items):
    """What MPI adds shows in pairs; tests/unit crosses more, on threads as ranks."""
    for item in items:
        item.add_marker("pairwise")


@pytest.fixture
def comm():
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture(autouse=True)
def _all_ranks_at_every_start(comm):
    comm.Barrier()


class Shares:
    """Ways to cut rows into shares."""

    def __init__(self, comm):
        self.comm = comm

    def bounds(self, n, kind):
        size = self.comm.size
        if kind == "even":
            return [n * r // size for r in range(size + 1)]
        if kind == "uneven":
            weights = np.arange(1, size + 1) ** 2
            return [0, *np.round(np.cumsum(weights) / weights.sum() * n).astype(int)]
        if kind == "one row":  # the last rank has one row
            return [*[(n - 1) * r // max(size - 1, 1) for r in range(size)], n]
        if kind == "empty first":
            return [0, *[n * r // max(size - 1, 1) for r in range(size)]][: size + 1]
        if kind == "all on the last":
            return [0] * size + [n]
        raise ValueError(kind)

    def __call__(self, *arrays, kind="even"):
        n = len(arrays[0])
        bounds = self.bounds(n, kind)
        if self.comm.size == 1:
            bounds = [0, n]
        mine = slice(bounds[self.comm.rank], bounds[self.comm.rank + 1])
        return [None if a is None else a[mine] for a in arrays]


@pytest.fixture
def share(comm):
    return Shares(comm)


KINDS = ["even", "uneven", "one row", "empty first", "all on the last"]
