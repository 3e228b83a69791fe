"""Which library an array is of; answers in kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearnex_rs import _core, _cuda
from sklearnex_rs._config import settings

CUDA = (2, 13)  # DLPack's numbers of devices: a GPU's memory, managed memory


def is_foreign(array: Any) -> bool:
    """Say whether an array is of another library that speaks DLPack."""
    return hasattr(array, "__dlpack__") and not isinstance(
        array, np.ndarray | np.generic
    )


def as_host(array: Any) -> Any:
    """View an array of any DLPack library as NumPy's; leave other things alone.

    What is on a GPU is copied, where the user has asked for it.
    """
    if not is_foreign(array):
        return array
    if not is_on_gpu(array):
        return _core.host(array)
    if 0 in getattr(array, "shape", ()):
        return np.empty(array.shape)
    if not falls_back():
        _cuda.ready()  # first of all, whether there are GPUs
        raise NotImplementedError(no_kernel("this"))
    return copied(array)


def falls_back() -> bool:
    """Say whether the user lets arrays on a GPU be copied to the host."""
    return settings().device == "cpu" or settings().allow_fallback_to_host


def no_kernel(what: str) -> str:
    """Say that something is not computed on GPUs, and the way out."""
    return (
        f"{what} is not computed on GPUs yet; "
        'sklearnex_rs.config_context(device="cpu") copies rows to the host'
    )


def copied(array: Any) -> Any:
    """View an array of the host; copy one of a GPU."""
    if not is_on_gpu(array):
        return as_host(array)
    borrowed = isinstance(array, _core.GpuArray)
    return (array if borrowed else _core.borrow(array)).host()


def empty(X: Any, columns: int, dtype: Any) -> Any:
    """Return room for answers about rows: of NumPy, or on their GPU."""
    if isinstance(X, _core.GpuArray):
        return X.empty(columns, dtype)
    return np.empty((len(X), columns), dtype)


def to_device_of(X: Any, array: Any) -> Any:
    """View numbers where rows are; move those that are elsewhere."""
    if not isinstance(X, _core.GpuArray):
        return np.require(np.asarray(copied(array)), requirements="A")
    if is_on_gpu(array) and array.__dlpack_device__()[1] == X.ordinal:
        return on_gpu(array)
    return to_gpu(copied(array), X.ordinal).widened()


def double(X: Any, array: Any) -> Any:
    """View numbers where rows are, in double."""
    if not is_on_gpu(array):
        array = np.asarray(as_host(array), np.float64)
    return to_device_of(X, array).astype(np.float64, copy=False)


def dtype_of(array: Any) -> Any:
    """Return the type of numbers, wherever they are."""
    borrowed = _core.borrow(array) if is_on_gpu(array) else np.asarray(as_host(array))
    return borrowed.dtype


def on_gpu(array: Any) -> Any:
    """View an array of any DLPack library where it is, on a GPU.

    What is neither float32 nor float64 is widened there.
    """
    _cuda.ready()
    borrowed = isinstance(array, _core.GpuArray)
    return array if borrowed else _core.borrow(array).widened()


def is_on_gpu(array: Any) -> bool:
    """Say whether an array of another library is in the memory of a GPU."""
    device = getattr(array, "__dlpack_device__", None)
    return is_foreign(array) and device is not None and device()[0] in CUDA


def stays(*arrays: Any) -> bool:
    """Say whether rows are on a GPU, and shall stay there."""
    return settings().device != "cpu" and any(map(is_on_gpu, arrays))


def like(array: Any) -> Callable[[Any], Any]:
    """Return what turns NumPy's arrays into arrays of the library of ``array``.

    On a GPU these are there as well.
    """
    if not is_foreign(array):
        return lambda answer: copied(answer) if is_on_gpu(answer) else answer
    from_dlpack = _from_dlpack(array)
    if not is_on_gpu(array):
        return lambda answer: from_dlpack(np.asarray(copied(answer)))
    ordinal = array.__dlpack_device__()[1]

    def there(answer: Any) -> Any:
        if not isinstance(answer, _core.GpuArray):
            answer = to_gpu(answer, ordinal)
        return from_dlpack(answer)

    return there


def to_gpu(array: Any, ordinal: int) -> Any:
    """Copy an array of the host to a GPU, in the nearest type that DLPack has."""
    array = np.asarray(array, order="C")
    if not (array.dtype.isnative and array.itemsize <= 8):
        kinds = {"f": np.float64, "i": np.int64, "u": np.uint64}
        array = array.astype(kinds[array.dtype.kind])
    return _core.to_gpu(array, ordinal)


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
