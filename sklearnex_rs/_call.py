"""One call of a method over ranks: errors that all ranks agree on."""

from __future__ import annotations

import importlib
import json
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import numpy as np
from sklearn import config_context
from sklearn.utils import assert_all_finite

from sklearnex_rs import _core
from sklearnex_rs._facts import describe
from sklearnex_rs._memory import LARGE, free
from sklearnex_rs._threads import ranks_on_node, thread_count, threads_together

_DTYPES = {np.dtype(np.float32): 1, np.dtype(np.float64): 2}
TOO_LARGE = "values are too large: their sums overflow float64; scale the columns"
Answer = TypeVar("Answer")
_RECORDING = threading.RLock()  # `catch_warnings` is not for several threads at a time


@dataclass(frozen=True)
class Rows:
    """A share of the rows, checked: two-dimensional, all of one float type."""

    x: Any
    y: Any = None
    w: Any = None
    #: As the header has it: 0 none, 1 one-dimensional, 1 + m for m columns.
    targets: int = 0
    names: tuple[str, ...] = ()
    #: The largest share of any rank.
    most: int = 0

    @classmethod
    def of(
        cls, x: Any, y: Any = None, w: Any = None, names: tuple[str, ...] = ()
    ) -> Self:
        """Take arrays of one or two dimensions."""
        x, y, w = map(plain, (x, y, w))
        targets = 0 if y is None else (1 if y.ndim == 1 else 1 + y.shape[1])
        return cls(
            x=x,
            y=None if y is None else y.reshape(len(x), -1) if len(x) else y,
            w=None if w is None else w.reshape(-1, 1),
            targets=targets,
            names=names,
            most=len(x),
        )


@dataclass(frozen=True)
class Words:
    """What the header says of a rank."""

    params: str = ""
    shape: tuple[int, int] = (0, 0)
    dtype: int = 0
    names: str = ""

    @classmethod
    def of(cls, params: dict[str, Any], rows: Rows) -> Self:
        """Describe parameters and rows; this may fail, as both are the user's."""
        names = json.dumps(rows.names, ensure_ascii=False) if rows.names else ""
        names = names.encode(errors="backslashreplace").decode()
        code = _DTYPES[rows.x.dtype]
        return cls(describe(params), rows.x.shape, code, names)


class Call:
    """A call of a method, whose body every rank enters and leaves together.

    Parameters
    ----------
    estimator : estimator
        Whose method it is.
    method : str
        Its name.
    """

    def __init__(self, estimator: Any, method: str) -> None:
        self.name = estimator._called or type(estimator).__name__
        self.method = estimator._called or f"{self.name}.{method}"
        self.params = estimator.get_params(deep=False)
        self.comm: _core.Comm
        self.comm, self.refusal = estimator._join(self.method)
        #: Whether the other ranks have been told what this one comes with.
        self.begun = self.agreed = self.comm.size == 1
        self._threads = 0

    def __enter__(self) -> Self:
        """Do nothing more: the communicator was joined."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the other ranks of a failure that they do not know of."""
        if error is None or self.agreed:
            return
        if not self.begun:  # the others wait in the header: this rank's has the error
            self._header(Rows(None), Words(), error)
        name, text = portable(error)
        self.comm.abandon(name, text)
        raise rebuilt(name, f"rank {self.comm.rank}: {text}") from error

    @property
    def distributed(self) -> bool:
        """Whether rows are spread over several ranks."""
        return self.comm.size > 1

    @property
    def first(self) -> bool:
        """Whether this rank is the first: the one that warns of what all know."""
        return self.comm.rank == 0

    def threads(self) -> int:
        """Return how many threads to use."""
        if not self._threads:
            n_jobs = self.params.get("n_jobs")
            node_info, rank = self.comm.node_info, self.comm.rank
            self._threads = thread_count(n_jobs, node_info, rank)[0]
        return self._threads

    def together(self) -> int:
        """Return how many threads to use while the other ranks of the node wait."""
        n_jobs = self.params.get("n_jobs")
        return threads_together(n_jobs, self.comm.node_info, self.comm.rank)

    def agree(self, check: Callable[[], Rows]) -> Rows:
        """Check this rank's rows; then all ranks go on, or raise the same error.

        ``check`` returns the rows, or raises what is wrong with them.
        """
        if not self.distributed:
            return check()
        rows, words, failure = self._checked(check)
        return self._as_agreed(rows, self._header(rows, words, failure))

    def _header(
        self, rows: Rows, words: Words, failure: BaseException | None
    ) -> tuple[Any, ...]:
        self.begun = True
        return self._together(
            lambda: self.comm.agree(
                self.method,
                words.params,
                words.shape,
                words.dtype,
                rows.targets,
                rows.w is not None,
                words.names,
                None if failure is None else portable(failure),
            ),
            failure,
        )

    def check(self, look: Callable[[], Answer], rows: Rows) -> Answer:
        """Return what `look` finds; or all ranks raise the same error."""
        found = []

        def looked() -> Rows:
            found.append(look())
            return rows

        self.begun = self.agreed = not self.distributed
        self.agree(looked)
        return found[0]

    def refuse(self, error: Exception) -> NoReturn:
        """Raise what all ranks raise alike: it follows from what they agreed on."""
        self.agreed = True
        raise error

    def weigh(self, rows: Rows) -> None:
        """Refuse weights that are zero on all ranks."""
        if rows.w is None:
            return
        mine = np.array([rows.w.sum(dtype=np.float64)])
        if self.send(_core.Comm.sum, mine)[0] == 0:
            msg = "Sample weights must contain at least one non-zero number."
            self.refuse(ValueError(msg))

    def send(self, message: Callable[..., Answer], *args: Any) -> Answer:
        """Exchange one message, a method of the communicator."""
        return self._together(lambda: message(self.comm, *args), None)

    def run(self, function: Callable[..., Any], *args: Any, rows: Rows) -> Any:
        """Call a collective function of the core, which agrees on its own errors."""
        try:
            return self.send(function, *args)
        except _core.NotFiniteError:
            pass
        self.begun = self.agreed = not self.distributed
        self.agree(lambda: check_finite(rows, self.name))
        self.refuse(ValueError(TOO_LARGE))

    def total(self, rows: Rows) -> int:
        """Return how many rows all ranks have together: one message."""
        if not self.distributed:
            return len(rows.x)
        return int(self.send(_core.Comm.sum, np.array([float(len(rows.x))]))[0])

    def shortage(self, each: int, once: int) -> tuple[int, int, int] | None:
        """Return bytes needed, bytes free and ranks of the node that lacks most.

        A summary takes ``each`` bytes on every rank, its model ``once``. None where
        all have room. One message, unless it is small.
        """
        if each * self.comm.size + once < LARGE:
            return None
        ranks = ranks_on_node(self.comm.node_info, self.comm.rank, self.comm.size)
        nodes = [(each * ranks + once, free(), ranks)]
        if self.distributed:
            mine = json.dumps(nodes[0]).encode()
            everyone = self.send(_core.Comm.gather, mine)
            nodes = [tuple(json.loads(word)) for word in everyone]
        worst = max(nodes, key=lambda node: node[0] / max(node[1], 1))
        return worst if worst[0] > worst[1] else None

    def check_memory(self, columns: int, each: int, once: int) -> None:
        """Raise MemoryError on all ranks, naming the size, where memory is short."""
        short = self.shortage(each, once)
        if short is not None:
            needed, left, ranks = short
            msg = (
                f"{self.name} of {columns} columns needs {needed:,} bytes for the "
                f"{ranks} rank(s) on a node, of which {left:,} are free; start fewer "
                "ranks on a node, or use fewer columns"
            )
            self.refuse(MemoryError(msg))

    def alike(self, check: Callable[[], Answer]) -> Answer:
        """Do what comes out the same on every rank, so its error is everybody's."""
        try:
            return check()
        except Exception as error:
            self.refuse(error)

    def _checked(
        self, check: Callable[[], Rows]
    ) -> tuple[Rows, Words, BaseException | None]:
        if self.refusal is not None:
            return Rows(None), Words(), self.refusal
        with _RECORDING:
            with warnings.catch_warnings(record=True) as caught:
                try:
                    rows = check()
                    self.threads()
                    words, failure = Words.of(self.params, rows), None
                except BaseException as error:  # Ctrl-C too: the others wait
                    rows, words, failure = Rows(None), Words(), error
            try:
                for warning in caught:
                    text = f"rank {self.comm.rank}: {warning.message}"
                    warnings.warn(text, warning.category, stacklevel=6)
            except Warning as error:  # the user made it an error: it is this rank's
                failure = error
        return rows, words, failure

    def _together(
        self, call: Callable[[], Answer], cause: BaseException | None
    ) -> Answer:
        try:
            return call()
        except BaseException as error:
            self.agreed = True
            if cause is None:
                raise
            raise error from cause

    def _as_agreed(self, rows: Rows, facts: tuple[Any, ...]) -> Rows:
        """Give an empty share the form of the others, and all shares one type."""
        most, least, columns, code, targets, weighted, named = facts
        names = rows.names
        if named and not least:
            everyone = self.send(_core.Comm.gather, json.dumps(names).encode())
            names = next(filter(None, (tuple(json.loads(word)) for word in everyone)))
        if most == 0:
            mine_wide = np.array([rows.x.shape[1]], float)
            columns = int(self.send(_core.Comm.max, mine_wide)[0])
            msg = (
                f"Found array with 0 sample(s) (shape=(0, {columns})) while a minimum "
                f"of 1 is required by {self.name}."
            )
            self.refuse(ValueError(msg))
        dtype = next(dtype for dtype, its in _DTYPES.items() if its == code)
        if not len(rows.x):
            width = max(targets - 1, 1)
            return Rows(
                x=np.empty((0, columns), dtype),
                y=np.empty((0, width), dtype) if targets else None,
                w=np.empty((0, 1), dtype) if weighted else None,
                targets=targets,
                names=names,
                most=most,
            )
        x, y, w = (
            None if part is None else part.astype(dtype, copy=False)
            for part in (rows.x, rows.y, rows.w)
        )
        return replace(rows, x=x, y=y, w=w, names=names, most=most)


@dataclass(frozen=True)
class Local:
    """A call of a method that needs no other rank."""

    #: Whether a batch may have no rows.
    distributed: bool


def check_finite(rows: Rows, name: str) -> Rows:
    """Raise in scikit-learn's words where rows are not finite."""
    with config_context(assume_finite=False):
        for which, part in (("X", rows.x), ("y", rows.y), ("sample_weight", rows.w)):
            if isinstance(part, _core.GpuArray):
                finite_on_gpu(part, which)
            elif part is not None:
                assert_all_finite(part, estimator_name=name, input_name=which)
    return rows


def finite_on_gpu(part: _core.GpuArray, which: str) -> None:
    """Raise in scikit-learn's words where an array on a GPU is not finite."""
    if not part.finite():
        msg = f"Input {which} contains NaN, infinity or a value too large."
        raise ValueError(msg)


def plain(array: Any) -> Any:
    """Copy an array whose numbers do not lie at whole multiples of their size."""
    if array is None or isinstance(array, _core.GpuArray):
        return array
    whole = all(step % array.itemsize == 0 for step in array.strides)
    return array if whole and array.flags.aligned else array.copy()


def portable(error: BaseException) -> tuple[str, str]:
    """Name the nearest type that every rank can raise from a text, and the text."""
    text = str(error) or type(error).__name__
    for kind in type(error).__mro__:
        root = kind.__module__.split(".")[0]
        if root not in ("builtins", "sklearn", "sklearnex_rs", "numpy"):
            continue
        try:
            kind(text)
        except TypeError:
            continue
        name = kind.__qualname__
        return (name if root == "builtins" else f"{kind.__module__}.{name}"), text
    return "RuntimeError", f"{type(error).__name__}: {text}"


def rebuilt(name: str, text: str) -> BaseException:
    """Make the exception that `portable` has taken apart."""
    module, _, name = name.rpartition(".")
    kind = getattr(importlib.import_module(module or "builtins"), name)
    error: BaseException = kind(text)
    return error
