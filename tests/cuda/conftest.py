"""Tests of GPUs share a library of arrays, and kernels on the host."""

import ctypes
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from emulated import SHAPES, as_parameter

KIND = os.environ.get("KERNELS_KIND", "plain")
ORDERS = {"forward": (0, 1), "reverse": (1, 1), "random": (2, 7)}
if KIND == "asan":  # where a kernel reads and writes is the same in any order
    del ORDERS["forward"], ORDERS["reverse"]


@pytest.fixture(scope="module")
def library():
    path = f"{os.environ['KERNELS']}/libkernels-{KIND}.so"
    return ctypes.CDLL(path)


@pytest.fixture(params=ORDERS)
def launch(request, library):
    library.emulated_order(*ORDERS[request.param])

    def run(name, grid, block, *args, shared=0):
        values = [as_parameter(arg) for arg in args]
        each = [ctypes.cast(ctypes.pointer(v), ctypes.c_void_p) for v in values]
        blocks = (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid)))
        getattr(library, f"emulated_launch_{name}")(
            blocks,
            (ctypes.c_uint * 3)(block, 1, 1),
            ctypes.c_size_t(shared),
            (ctypes.c_void_p * len(each))(*each),
        )

    return run


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


@pytest.fixture(params=["C", "F", "sliced"])
def layout(request):
    return request.param


@pytest.fixture(params=["f4", "f8"])
def dtype(request):
    return request.param
