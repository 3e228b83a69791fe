"""Configuration: this package's settings beside those of scikit-learn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from typing import Any

import sklearn


@dataclass(frozen=True)
class Config:
    """The settings of this package; those of scikit-learn are scikit-learn's."""

    spmd_timeout: float | None = None
    spmd_message_bytes: int = 1 << 30
    spmd_finalize: str = "explicit"
    device: str | None = None
    allow_fallback_to_host: bool = False


_CONFIG: ContextVar[Config] = ContextVar(
    "sklearnex_rs",
    default=Config(),  # noqa: B039 (it is frozen)
)


def settings() -> Config:
    """Return the settings of this package that are in force."""
    return _CONFIG.get()


def get_config() -> dict[str, Any]:
    """Return the configuration in force.

    Returns
    -------
    config : dict
        The settings of :func:`config_context` by name, those of scikit-learn
        included. ``target_offload`` is "cpu" where `device` is, else "auto".

    Examples
    --------
    >>> import sklearnex_rs
    >>> sklearnex_rs.get_config()["spmd_finalize"]
    'explicit'
    """
    mine = settings()
    offload = "cpu" if mine.device == "cpu" else "auto"
    return {**sklearn.get_config(), **asdict(mine), "target_offload": offload}


def set_config(**settings: Any) -> None:
    """Set the configuration of the current thread.

    Parameters
    ----------
    **settings
        As of :func:`config_context`; what is not named stays as it is.

    Raises
    ------
    TypeError
        If there is no setting of that name.
    ValueError
        If a value is not allowed. Then nothing is changed.
    NotImplementedError
        If `target_offload` names a device.

    Examples
    --------
    >>> import sklearnex_rs
    >>> sklearnex_rs.set_config(spmd_timeout=60)
    >>> sklearnex_rs.set_config(spmd_timeout=None)
    """
    mine, theirs = _divided(settings)
    sklearn.set_config(**theirs)
    _CONFIG.set(replace(_CONFIG.get(), **mine))


@contextmanager
def config_context(**settings: Any) -> Iterator[None]:
    """Change the configuration inside a ``with`` block, for the current thread.

    Parameters
    ----------
    **settings
        Any of the following. What is not named stays as it is.

        spmd_timeout : float or None, default=None
            How long, in seconds, a rank waits at each step of a collective method
            for the others. Then TimeoutError names the method, the step and the
            ranks that did not come, on every rank that waited. None waits for ever.
        spmd_finalize : {"explicit", "lazy"}, default="explicit"
            When the incremental estimators of :mod:`sklearnex_rs.spmd` bring
            together the batches of all ranks. "explicit": when ``finalize`` is
            called. "lazy": also when a fitted attribute is first read, or a method
            that needs one is first called, after ``partial_fit``. That first use is
            **collective**: every rank of the communicator must make it, at the same
            place of the program, so ``if rank == 0: print(model.coef_)`` waits for
            ever. ``repr``, ``hasattr``, ``clone``, ``pickle`` and
            ``check_is_fitted`` never communicate; until the first use ``hasattr``
            says that a fitted attribute is not there.
        spmd_message_bytes : int, default=2**30
            The largest MPI message, in bytes; longer ones are cut. The same on all
            ranks. At least 16, at most 2**30.
        device : {"cpu", "cuda", "cuda:0", "cuda:1", ...} or None, default=None
            Where to compute. None: where the data are. "cpu" copies arrays on a GPU
            to the host; results go back to the GPU. "cuda" and "cuda:0" copy arrays
            on the host to the first NVIDIA GPU, "cuda:1" to the second; results
            come back to the host. Arrays that are on a GPU stay there.
        target_offload : {"auto", "cpu"}
            scikit-learn-intelex's name for the same: "auto" is ``device=None``,
            "cpu" is ``device="cpu"``. Other targets raise NotImplementedError; use
            ``device="cuda"`` for an NVIDIA GPU.
        allow_fallback_to_host : bool, default=False
            Whether arrays on a GPU are copied to the host where an operation has no
            GPU implementation. False: NotImplementedError is raised.
        array_api_dispatch, assume_finite, enable_metadata_routing, transform_output, \
...
            Any setting of :func:`sklearn.config_context`, as documented there.

    Raises
    ------
    TypeError
        If there is no setting of that name.
    ValueError
        If a value is not allowed.
    NotImplementedError
        If `target_offload` names a device.

    Examples
    --------
    >>> from sklearnex_rs import config_context
    >>> with config_context(spmd_timeout=60, transform_output="pandas"):
    ...     pass  # model.fit(X, y)
    """
    mine, theirs = _divided(settings)
    with sklearn.config_context(**theirs):
        token = _CONFIG.set(replace(_CONFIG.get(), **mine))
        try:
            yield
        finally:
            _CONFIG.reset(token)


def _divided(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of this package, checked, and those of scikit-learn."""
    settings = dict(settings)
    if "target_offload" in settings:
        device = _device(settings.pop("target_offload"))
        if settings.setdefault("device", device) != device:
            msg = "target_offload and device are two names of one setting; pass one"
            raise ValueError(msg)
    known = sklearn.get_config()
    theirs = {name: settings.pop(name) for name in known if name in settings}
    for name, value in settings.items():
        if name not in _ALLOWED:
            msg = (
                f"{name!r} is not a setting; those of this package are "
                f"{', '.join([*_ALLOWED, 'target_offload'])}, and those of "
                f"scikit-learn {', '.join(known)}"
            )
            raise TypeError(msg)
        check, what = _ALLOWED[name]
        if not check(value):
            msg = f"{name} must be {what}, got {value!r}"
            raise ValueError(msg)
    return settings, theirs


def _device(target: Any) -> str | None:
    """Return the device of scikit-learn-intelex's ``target_offload``."""
    if isinstance(target, str) and target in ("auto", "cpu"):
        return None if target == "auto" else "cpu"
    msg = (
        f"target_offload={target!r} is not supported, only 'auto' and 'cpu' are; "
        'config_context(device="cuda") computes on an NVIDIA GPU'
    )
    raise NotImplementedError(msg)


def _is_device(value: Any) -> bool:
    named = isinstance(value, str) and re.fullmatch("cpu|cuda(:[0-9]+)?", value)
    return value is None or bool(named)


def _is_timeout(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value > 0)


def _is_message_size(value: Any) -> bool:
    return isinstance(value, int) and 16 <= value <= 1 << 30


#: For each setting of this package the check of a value, and what it must be.
_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "spmd_timeout": (_is_timeout, "positive or None"),
    "spmd_message_bytes": (_is_message_size, "in 16..2**30"),
    "spmd_finalize": (lambda value: value in ("explicit", "lazy"), "explicit or lazy"),
    "device": (_is_device, '"cpu", "cuda", "cuda:0", ... or None'),
    "allow_fallback_to_host": (lambda value: isinstance(value, bool), "True or False"),
}
