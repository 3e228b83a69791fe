"""A rank that an uncaught exception ends, ends the job: the others would wait for ever.

A rank that leaves in another way (the end of the program, :func:`sys.exit`) tells the
others when it finalizes MPI, and those that wait for it raise an error: see
src/comm/mpi/leave.rs.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

_installed = False
_process = 0


def install() -> None:
    """Install the hook, once, unless ``SKLEARNEX_RS_EXIT_GUARD=0``."""
    global _installed, _process
    if _installed or os.environ.get("SKLEARNEX_RS_EXIT_GUARD") == "0":
        return
    _installed, _process = True, os.getpid()
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        before(kind, error, trace)
        _end_job()

    sys.excepthook = hook


def _end_job() -> None:
    """End the job, unless this rank is alone in it."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or os.getpid() != _process or mpi.Is_finalized():
        return  # a forked child is not the rank
    if mpi.COMM_WORLD.size == 1:
        return
    rank = mpi.COMM_WORLD.rank
    print(
        f"sklearnex_rs: rank {rank} ended with an error, so the job ends "
        "(SKLEARNEX_RS_EXIT_GUARD=0 turns this off)",
        file=sys.stderr,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    time.sleep(0.3)  # a launcher that is told of the end forwards nothing more
    mpi.COMM_WORLD.Abort(1)
