"""Estimators that look at every row once: all rows in one call, or batch by batch."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches, metadata_routing

from sklearnex_rs import _core
from sklearnex_rs._array import as_host, is_foreign, like, stays
from sklearnex_rs._base import Estimator, is_empty
from sklearnex_rs._call import (
    NOT_FINITE,
    TOO_LARGE,
    Call,
    Local,
    Rows,
    check_finite,
    portable,
)
from sklearnex_rs._lazy import LOCAL, LazyAttributes, is_fitted_attribute
from sklearnex_rs._memory import LARGE, free
from sklearnex_rs._threads import ranks_on_node, thread_count


@dataclass(frozen=True)
class Seen:
    """What is known of some rows; it is never changed, so copies may share it."""

    #: As the core keeps it.
    words: NDArray[np.float64]
    #: One row that stands for all: their type, targets and names.
    rows: Rows


class OnePass(Estimator):
    """An estimator of which a class says how it looks at rows, and what follows.

    ``fit`` is: look at my rows, agree (one header tells of my rows and of what went
    wrong), and finish, with the other ranks.
    """

    #: As the core calls the summary that is kept.
    _kind: str

    def _look(
        self, known: NDArray[np.float64], rows: Rows, threads: int
    ) -> NDArray[np.float64]:
        """Return what is known of `rows` as well; local. `known` may be empty."""
        raise NotImplementedError

    def _finish(self, call: Call, rows: Rows, known: NDArray[np.float64]) -> int:
        """Set the fitted attributes, from what the ranks know together. Collective.

        `rows` are one row or none, of the columns, type and targets of all ranks.
        Return how many rows all ranks have seen.
        """
        raise NotImplementedError

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        """Cut a share into pieces that are looked at one after the other."""
        if len(rows.x):
            yield rows

    def _fit(
        self,
        method: str,
        X: Any,
        y: Any = "no_validation",
        sample_weight: Any = None,
    ) -> Rows:
        """Forget, look, finish; return this rank's rows."""
        mine: list[Rows] = []
        known = np.empty(0)

        def check() -> Rows:
            nonlocal known
            self._hold(None)
            self._gpu = None
            self._check_params()
            rows = self._check_rows(call, X, y, sample_weight, reset=True)
            mine.append(rows)
            seen = None
            for batch in self._batches(rows):
                seen = self._absorbed(seen, batch, call.threads())
            self._hold(seen)
            self._like = like(X)
            if seen is None:
                return rows
            known = seen.words
            return seen.rows

        try:
            with Call(self, method) as call:
                rows = call.agree(check)
                self._know(rows)
                self._count(self._finish(call, rows, known))
        except BaseException:
            self._hold(None)
            raise
        return mine[0] if len(mine[0].x) else rows  # that knows its columns

    def _bytes(self, columns: int) -> int:
        """Return what a rank needs to know rows of that many columns."""
        return 8 * columns

    def _check_memory(self, columns: int) -> None:
        """Raise MemoryError before anything is allocated. Local."""
        ranks = ranks_on_node([], 0, 1)
        needed = self._bytes(columns) * ranks
        if needed >= LARGE and needed > (left := free()):
            msg = (
                f"{type(self).__name__} of {columns} columns needs {needed:,} bytes "
                f"for the {ranks} rank(s) on a node, of which {left:,} are free; use "
                "fewer columns or start fewer ranks on a node"
            )
            raise MemoryError(msg)

    def _hold(self, seen: Seen | None) -> None:
        """Keep what is known of my rows, if batches may follow."""

    def _count(self, rows: int) -> None:
        """Keep the number of rows, if batches may follow."""

    def _absorbed(self, seen: Seen | None, rows: Rows, threads: int) -> Seen:
        """Return what is known of these rows as well."""
        known = np.empty(0) if seen is None else seen.words
        if seen is None:
            self._check_memory(rows.x.shape[1])
        if seen is not None and seen.rows.targets != rows.targets:
            msg = "y has another shape than in the batches before"
            raise ValueError(msg)
        try:
            words = self._look(known, rows, threads)
        except ValueError as error:
            if NOT_FINITE not in str(error):
                raise
            check_finite(rows, type(self).__name__)
            raise ValueError(TOO_LARGE) from None
        self._gpu = getattr(rows.x, "ordinal", None)
        dtypes = [rows.x.dtype] if seen is None else [rows.x.dtype, seen.rows.x.dtype]
        return Seen(words, _one(rows, np.result_type(*dtypes)))

    #: Makes arrays of the library of X; not kept by pickles.
    _like: Callable[[Any], Any] = staticmethod(like(None))

    #: Number of the GPU that rows came from last; not kept either.
    _gpu: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state, in NumPy's form."""
        state = super().__getstate__()
        for name in ("_like", "_gpu"):
            state.pop(name, None)
        return state


class IncrementalMixin(LazyAttributes, OnePass):
    """Rows come in batches: ``partial_fit`` any number of times, then ``finalize``.

    Among several ranks ``partial_fit`` is local, and its errors are; ``finalize`` is
    collective, and tells all ranks of them. On one rank ``partial_fit`` finalizes.
    """

    # scikit-learn writes no ``set_partial_fit_request`` for it.
    __metadata_request__partial_fit = {"check_input": metadata_routing.UNUSED}

    _seen: Seen | None = None
    _failure: tuple[str, str] | None = None
    batch_size: int | None = None

    def finalize(self) -> Self:
        """Set the fitted attributes, from the batches of all ranks so far.

        Collective: every rank calls it, also one that had no batch. Other batches may
        follow, and another call. With ``config_context(spmd_finalize="lazy")`` the
        first use of a fitted attribute calls it, which is collective then.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If no rank has seen rows, or ranks differ in columns, names or parameters.
        Exception
            What went wrong in ``partial_fit`` on the lowest rank where something did,
            since the last ``finalize``. Another ``finalize`` does without that batch.
        """

        def check() -> Rows:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise _exception(*failure)
            self._check_params()
            if self._seen is not None:
                return replace(self._seen.rows, w=None)
            if call.distributed:
                return Rows.of(np.empty((0, 0)))
            msg = f"{type(self).__name__}.finalize needs at least one batch of rows"
            raise ValueError(msg)

        with Call(self, "finalize") as call:
            rows = call.agree(check)
            self._know(rows)
            known = np.empty(0) if self._seen is None else self._seen.words
            self._count(self._finish(call, rows, known))
        return self

    def merge(self, other: Any) -> Self:
        """Take in the batches that another estimator has seen. Local.

        Parameters
        ----------
        other : object
            An estimator of the same class, with the same parameters; it stays as it
            is. What went wrong there is not taken over.

        Returns
        -------
        self : object
            The estimator; fitted if it is on one rank.
        """

        def both() -> Seen | None:
            if type(other) is not type(self):
                name = type(self).__name__
                msg = f"{type(other).__name__} cannot be merged into {name}"
                raise TypeError(msg)
            mine, theirs = self._seen, other._seen
            if mine is None or theirs is None:
                if theirs is not None:
                    self._know(theirs.rows)
                return mine or theirs
            if mine.rows.names != theirs.rows.names:
                msg = "the estimators have seen columns of other names"
                raise ValueError(msg)
            words = _core.union(self._kind, mine.words, theirs.words)
            dtype = np.result_type(mine.rows.x.dtype, theirs.rows.x.dtype)
            return Seen(words, _one(mine.rows, dtype))

        return self._advance(both)

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, check_input: bool
    ) -> Self:
        """Take in a batch; the state is as before where that fails."""

        def with_batch() -> Seen | None:
            if isinstance(sample_weight, bool):  # scikit-learn-intelex's third argument
                msg = "sample_weight is True or False; pass check_input by its name"
                raise TypeError(msg)
            call = Local(distributed=self._shares)
            if call.distributed and is_empty(X):
                self._empty_share(*map(as_host, (X, y, sample_weight)))
                return self._seen
            rows = self._checked_batch(call, X, y, sample_weight, check_input)
            threads = thread_count(getattr(self, "n_jobs", None), [], 0)[0]
            seen = self._absorbed(self._seen, rows, threads)
            self._like = like(X) if is_foreign(X) else like(None)
            return seen

        return self._advance(with_batch)

    def _checked_batch(
        self, call: Local, X: Any, y: Any, sample_weight: Any, check_input: bool
    ) -> Rows:
        first = self._seen is None
        if check_input:
            self._check_params()
            return self._check_rows(call, X, y, sample_weight, reset=first)
        if self._on_gpus and stays(X, y, sample_weight):
            return self._check_rows(call, X, y, sample_weight, reset=first)
        unused = isinstance(y, str)
        rows = Rows.of(X, None if unused else y, sample_weight)
        if first:
            self._know(rows)
        return replace(rows, names=tuple(getattr(self, LOCAL[1], ())))

    def _advance(self, step: Callable[[], Seen | None]) -> Self:
        """Go on to what `step` brings to know; finalize on one rank."""
        alone, before = self._alone(), self._seen
        try:
            self._seen = step()
            if alone:
                self._failure = None
                self.finalize()
        except BaseException as error:
            self._seen = before
            if not alone and self._failure is None:
                self._failure = portable(error)
            raise
        if not alone:
            self._drop_model()
        return self

    def _fit(
        self,
        method: str,
        X: Any,
        y: Any = "no_validation",
        sample_weight: Any = None,
    ) -> Rows:
        rows = super()._fit(method, X, y, sample_weight)
        self.batch_size_ = self._size()
        return rows

    def _size(self) -> int:
        return self.batch_size or 5 * int(self.n_features_in_)

    def _batches(self, rows: Rows) -> Iterator[Rows]:
        n = len(rows.x)
        for part in gen_batches(n, self._size()) if n else ():
            yield replace(
                rows,
                x=rows.x[part],
                y=None if rows.y is None else rows.y[part],
                w=None if rows.w is None else rows.w[part],
            )

    def _hold(self, seen: Seen | None) -> None:
        self._seen, self._failure = seen, None

    def _count(self, rows: int) -> None:
        self.n_samples_seen_ = rows

    def _drop_model(self) -> None:
        """Drop what was fitted without the last batches."""
        for name in [name for name in vars(self) if is_fitted_attribute(name)]:
            delattr(self, name)


def _one(rows: Rows, dtype: Any) -> Rows:
    """Return a row that stands for all these, and for others like them."""

    def first(part: Any) -> Any:
        return None if part is None else np.zeros((1, part.shape[1]), dtype)

    x, y, w = map(first, (rows.x, rows.y, rows.w))
    return replace(rows, x=x, y=y, w=w, most=1)


def _exception(kind: str, text: str) -> BaseException:
    """Make the exception that `portable` has taken apart."""
    module, _, name = kind.rpartition(".")
    cls = getattr(importlib.import_module(module) if module else builtins, name)
    return cls(text)
