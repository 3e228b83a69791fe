"""One rank that ends with an error ends the job: the others would wait for ever.

An uncaught exception comes by :data:`sys.excepthook`. An uncaught SystemExit does not:
the interpreter asks it for its ``code`` when no Python code runs any more, so that is
where it is noticed. (:func:`sys.exit` itself makes no exception object before somebody
looks at it, so it is given a form in Python.)
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
import traceback
from types import TracebackType
from typing import Any, NoReturn

_installed = False
_process = 0


def install() -> None:
    """Install the hooks, once, unless ``SKLEARNEX_RS_EXIT_GUARD=0``."""
    global _installed, _process
    if _installed or os.environ.get("SKLEARNEX_RS_EXIT_GUARD") == "0":
        return
    _installed, _process = True, os.getpid()
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        before(kind, error, trace)
        _end(1)

    sys.excepthook = hook
    _watch_exit()


def _watch_exit() -> None:
    """Notice the interpreter's own look at ``SystemExit.code``."""
    space = gc.get_referents(SystemExit.__dict__)[0]
    if not isinstance(space, dict):  # another Python: only exceptions are noticed
        return
    space["code"] = _Code(space["code"])
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(SystemExit))

    def leave(status: Any = None, /) -> NoReturn:
        raise SystemExit(status)

    leave.__doc__ = sys.exit.__doc__
    leave.__name__ = leave.__qualname__ = "exit"
    sys.exit = leave


class _Code:
    """The descriptor ``SystemExit.code``, which knows who asks."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def __get__(self, error: Any, kind: Any = None) -> Any:
        if error is None:
            return self
        code = self.own.__get__(error, kind)
        if code not in (None, 0, False) and sys._getframe().f_back is None:
            traceback.print_exception(error)
            _end(code if isinstance(code, int) else 1)
        return code

    def __set__(self, error: Any, code: Any) -> None:
        self.own.__set__(error, code)


def _end(code: int) -> None:
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
    mpi.COMM_WORLD.Abort(code & 0xFF or 1)
