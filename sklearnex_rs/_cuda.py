"""Where NVIDIA's libraries are: the core asks for them by their bare names.

Libraries in pip's wheels are on no search path. But glibc knows one that is loaded
by its name, so to load it once by its full path is enough.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Not every system has these.
_NOW = getattr(os, "RTLD_NOW", 0)
_ONLY_LOADED = getattr(os, "RTLD_NOLOAD", 0)
#: The number in a library's name, by generation of CUDA, where it is another.
_NUMBERS = {"cusolver": {13: 12, 12: 11}, "cusparse": {13: 12, 12: 12}}
#: What a library wants to be loaded first: it finds them itself in toolkits alone.
_PARTS = {"cusolver": ("nvJitLink", "cublasLt", "cublas", "cusparse")}


@functools.cache
def load(name: str) -> str | None:
    """Return where a library is that is loaded now; None where there is none."""
    return _loaded(name) or _by_pathfinder(name) or _by_path(name) or _by_name(name)


def ready() -> int:
    """Make all libraries found that a GPU needs, and count GPUs; or say why not."""
    load("nvrtc")
    from sklearnex_rs import _core

    return _core.gpus()


def solver(columns: int) -> None:
    """Make cuSOLVER found, if rows have so many columns; without it the host solves.

    ``SKLEARNEX_RS_CUSOLVER_COLUMNS`` is how many the host solves at most.
    """
    from sklearnex_rs import _core

    if columns > _core.cusolver_columns():
        load("cusolver")


def _open(path: str, mode: int) -> bool:
    try:
        ctypes.CDLL(path, mode=mode)
    except OSError:
        return False
    return True


def _loaded(name: str) -> str | None:
    """Return the one that torch or CuPy have brought in."""
    if not _ONLY_LOADED:
        return None
    return next((n for n in _names(name) if _open(n, _NOW | _ONLY_LOADED)), None)


def _by_pathfinder(name: str) -> str | None:
    """Return what NVIDIA's own package finds, where that is installed."""
    try:
        pathfinder: Any = importlib.import_module("cuda.pathfinder")
        path: str = pathfinder.load_nvidia_dynamic_lib(name).abs_path
    except Exception:  # it has many of its own
        return None
    return path


def _by_path(name: str) -> str | None:
    """Return the one of a wheel or of a toolkit."""
    for major in _majors():
        for folder in _folders(major):
            path = folder / _name(name, major)
            if not path.exists():
                continue
            # NVRTC 13.0 finds the second half of itself only where that is loaded.
            for part in sorted(folder.glob(f"lib{name}-builtins.so.*")):
                _open(str(part), _NOW)
            for part in _parts(name, major, folder):
                _open(str(part), _NOW)
            if _open(str(path), _NOW | ctypes.RTLD_GLOBAL):
                return str(path)
    return None


def _parts(name: str, major: int, folder: Path) -> Iterator[Path]:
    """Return the libraries of that generation that another one stands on."""
    for part in _PARTS.get(name, ()):
        library = _name(part, major)
        places = (place / library for place in (folder, *_folders(major)))
        found = next((path for path in places if path.exists()), None)
        if found is not None:
            yield found


def _by_name(name: str) -> str | None:
    """Return the one on the search path."""
    mode = _NOW | ctypes.RTLD_GLOBAL
    return next((n for n in _names(name) if _open(n, mode)), None)


@functools.cache
def _majors() -> tuple[int, int]:
    """Return generations of CUDA, the driver's own first: it runs no newer code."""
    driver = ctypes.c_int()
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(driver))
    except (OSError, AttributeError):
        return (13, 12)
    return (12, 13) if driver.value < 13000 else (13, 12)


def _name(name: str, major: int) -> str:
    return f"lib{name}.so.{_NUMBERS.get(name, {}).get(major, major)}"


def _names(name: str) -> list[str]:
    return [_name(name, major) for major in _majors()]


def _folders(major: int) -> Iterator[Path]:
    """Return where libraries of a generation may be, and not those of another."""
    for place in sys.path:
        nvidia = Path(place) / "nvidia"
        if nvidia.is_dir():
            yield nvidia / f"cu{major}" / "lib"
            others = sorted(nvidia.glob("*/lib"))
            yield from (path for path in others if path.parent.name[:3] != "cu1")
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "lib64"
    yield Path("/usr/local/cuda/lib64")
