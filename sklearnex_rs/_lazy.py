"""Fitted attributes that other ranks' batches belong to, read before they are there."""

from __future__ import annotations

import dis
import sys
from types import FrameType
from typing import Any, NoReturn, Self

from sklearn.exceptions import NotFittedError

from sklearnex_rs._base import Estimator
from sklearnex_rs._config import settings

LOCAL = ("n_features_in_", "feature_names_in_")  # known before all ranks agree


class LazyAttributes(Estimator):
    """Fitted attributes are set by ``finalize``, or lazily at their first use."""

    #: What is known of the batches so far.
    _seen: Any = None

    def finalize(self) -> Self:
        """Set the fitted attributes."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        """Raise, in words that name ``finalize``, unless there is something fitted."""
        if not self._is_final() and not (self._is_lazy() and self._seen):
            self._refuse("this method")
        return True

    def _check_is_fitted(self) -> None:
        if self._is_lazy():
            self.finalize()
        super()._check_is_fitted()

    def _is_final(self) -> bool:
        """Say whether there are fitted attributes, of all batches."""
        return any(map(is_fitted_attribute, vars(self)))

    def _is_lazy(self) -> bool:
        """Say whether the next use of a fitted attribute finalizes. No messages."""
        lazy = self._shares and settings().spmd_finalize == "lazy"
        return lazy and not self._is_final() and not self._alone()

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_") and not self._is_final():
            lazy = is_fitted_attribute(name) and self._is_lazy()
            if lazy and not called_by_hasattr(sys._getframe(1)):
                self.finalize()
                return getattr(self, name)
            self._refuse(f"'{name}'")
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg)

    def _refuse(self, what: str) -> NoReturn:
        msg = (
            f"This {type(self).__name__} instance is not fitted yet. Call 'fit', or "
            f"'partial_fit' and then 'finalize' on every rank, before using {what}."
        )
        raise NotFittedError(msg)


def is_fitted_attribute(name: str) -> bool:
    """Say whether a name is that of an attribute which fitting sets."""
    public = name.endswith("_") and not name.startswith("_")
    return public and name not in LOCAL


def called_by_hasattr(frame: FrameType | None) -> bool:
    """Say whether a frame, or one of its callers, is in a call of ``hasattr``.

    ``hasattr`` and an attribute access run the same code of an object; they differ in
    the caller's bytecode. A call stands in the source where the name of its function
    does: so the call of ``hasattr`` is the one that starts where that name is loaded.
    """
    while frame is not None:
        if "hasattr" in frame.f_code.co_names and _is_at_hasattr(frame):
            return True
        frame = frame.f_back
    return False


def _is_at_hasattr(frame: FrameType) -> bool:
    steps = list(dis.get_instructions(frame.f_code))
    here = [step for step in steps if step.offset <= frame.f_lasti][-1]
    names = [step for step in steps if step.argval == "hasattr"]
    return any(_start(step) == _start(here) is not None for step in names)


def _start(step: dis.Instruction) -> tuple[int, int] | None:
    places = step.positions
    if places is None or places.lineno is None or places.col_offset is None:
        return None  # compiled without positions
    return places.lineno, places.col_offset
