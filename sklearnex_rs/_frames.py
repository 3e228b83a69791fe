"""Who reads an attribute: an expression of the program, or ``hasattr``."""

from __future__ import annotations

import dis
from types import FrameType


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
