"""Settings that hold inside of a ``with`` block, for one thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Config:
    """What can be set."""

    spmd_timeout: float | None = None
    spmd_message_bytes: int = 1 << 30
    device: str | None = None


_CONFIG: ContextVar[Config] = ContextVar(
    "sklearnex_rs",
    default=Config(),  # noqa: B039 (it is frozen)
)


def get_config() -> Config:
    """Return the settings in force."""
    return _CONFIG.get()


@contextmanager
def config_context(
    *,
    spmd_timeout: float | str | None = "unchanged",
    spmd_message_bytes: int | str = "unchanged",
    device: str | None = "unchanged",
) -> Iterator[None]:
    """Change settings inside of a ``with`` block.

    Parameters
    ----------
    spmd_timeout : float or None
        How long, in seconds, a rank waits at each step of a collective method for
        the others. Then TimeoutError names the method, the step and the ranks that
        did not come, on every rank that waited. ``None`` waits for ever.
    spmd_message_bytes : int
        The largest MPI message, in bytes; longer ones are cut. The same on all
        ranks. At least 16, at most 2**30, the default.
    device : {"cpu", "cuda", "cuda:0", "cuda:1", ...} or None
        Where to compute. None, the default, is where rows are. "cpu" copies rows
        that are on a card to the host; answers go back to the card. "cuda" and
        "cuda:0" copy rows of the host to the first card of NVIDIA, "cuda:1" to the
        second; answers come back to the host. Rows that are on a card stay there.

    Examples
    --------
    >>> from sklearnex_rs import config_context
    >>> with config_context(spmd_timeout=60):
    ...     pass  # model.fit(X, y)
    """
    changes: dict[str, float | int | str | None] = {}
    if spmd_timeout != "unchanged":
        if spmd_timeout is not None and not (
            isinstance(spmd_timeout, int | float) and spmd_timeout > 0
        ):
            msg = f"spmd_timeout must be positive or None, got {spmd_timeout!r}"
            raise ValueError(msg)
        changes["spmd_timeout"] = spmd_timeout
    if spmd_message_bytes != "unchanged":
        if not (
            isinstance(spmd_message_bytes, int) and 16 <= spmd_message_bytes <= 1 << 30
        ):
            msg = f"spmd_message_bytes must be in 16..2**30, got {spmd_message_bytes!r}"
            raise ValueError(msg)
        changes["spmd_message_bytes"] = spmd_message_bytes
    if device != "unchanged":
        if device is not None and not (
            isinstance(device, str) and re.fullmatch("cpu|cuda(:[0-9]+)?", device)
        ):
            msg = f'device must be "cpu", "cuda", "cuda:0", ... or None, got {device!r}'
            raise ValueError(msg)
        changes["device"] = device
    token = _CONFIG.set(replace(_CONFIG.get(), **changes))  # type: ignore[arg-type]
    try:
        yield
    finally:
        _CONFIG.reset(token)
