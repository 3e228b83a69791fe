"""Which library an array is of; answers in kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearnex_rs import _core, _cuda

CUDA = 2  # DLPack's number of that kind of device


def is_foreign(array: Any) -> bool:
    """Say whether an array is of another library that speaks DLPack."""
    return hasattr(array, "__dlpack__") and not isinstance(
        array, np.ndarray | np.generic
    )


def as_host(array: Any) -> Any:
    """View an array of any DLPack library as NumPy's; leave other things alone."""
    if not is_foreign(array):
        return array
    if is_on_card(array):
        _cuda.ready()
    return _core.host(array)


def is_on_card(array: Any) -> bool:
    """Say whether an array of another library is in the memory of a card."""
    device = getattr(array, "__dlpack_device__", None)
    return device is not None and device()[0] == CUDA


def like(array: Any) -> Callable[[Any], Any]:
    """Return what turns NumPy's arrays into arrays of the library of ``array``."""
    if not is_foreign(array):
        return lambda answer: answer
    from_dlpack = _from_dlpack(array)
    return lambda answer: from_dlpack(np.asarray(answer))


def _from_dlpack(array: Any) -> Callable[[Any], Any]:
    spaces = []
    if hasattr(array, "__array_namespace__"):
        spaces.append(array.__array_namespace__())
    name = type(array).__module__.split(".")[0]
    spaces += [sys.modules.get(name), sys.modules.get(f"{name}.dlpack")]
    for space in spaces:
        if hasattr(space, "from_dlpack"):
            return space.from_dlpack
    return np.from_dlpack
