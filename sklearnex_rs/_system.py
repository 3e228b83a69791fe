"""What was found on this machine."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import numpy
import sklearn

from sklearnex_rs import _core, _cuda
from sklearnex_rs._threads import thread_count


def show_config() -> None:
    """Print versions, the MPI in use, threads and why, the SIMD level, and CUDA.

    MPI is named where the program has loaded it; it is not loaded for this. What
    of CUDA is found is loaded.
    """
    threads, why = thread_count(None, [], 0)
    mpi = sys.modules.get("mpi4py.MPI")
    library = "not loaded"
    if mpi is not None:
        library = mpi.Get_library_version().splitlines()[0].strip("\x00 ,")
        library += f" (mpi4py {sys.modules['mpi4py'].__version__})"
    paths = {name: _cuda.load(name.lower()) for name in ("NVRTC", "cuSOLVER")}
    cuda = dict(_core.cuda())
    for name, path in paths.items():
        if path is not None:
            cuda[name] += f", {path}"
    for name, value in (
        ("sklearnex_rs", version("sklearnex_rs")),
        ("python", platform.python_version()),
        ("scikit-learn", sklearn.__version__),
        ("numpy", numpy.__version__),
        ("MPI", library),
        ("threads", f"{threads} (from {why})"),
        ("SIMD", _core.simd()),
        *cuda.items(),
    ):
        print(f"{name:13} {value}")
