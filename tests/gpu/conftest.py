"""Tests on a real GPU: of torch and of CuPy, whichever there is."""

import importlib.util

import numpy as np
import pytest

from sklearnex_rs import CudaUnavailableError, config_context
from sklearnex_rs.basic_statistics import BasicStatistics


class Torch:
    """Arrays of torch."""

    def __init__(self):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch finds no GPU")
        self.torch = torch

    def put(self, array):
        return self.torch.as_tensor(np.asarray(array), device="cuda")

    def get(self, array):
        assert array.is_cuda
        return array.cpu().numpy()

    def layouts(self, array):
        room = self.torch.empty((2 * len(array), 3 * array.shape[1]), device="cuda")
        room = room.to(self.put(array).dtype)
        sliced = room[::2, ::3]
        sliced.copy_(self.put(array))
        return {"C": self.put(array), "F": self.put(array.T).T, "sliced": sliced}

    def busy(self, array):
        """Return an array whose own stream is still at work on it."""
        stream = self.torch.cuda.Stream()
        there = self.put(array)
        with self.torch.cuda.stream(stream):
            self.torch.cuda._sleep(200_000_000)
            late = there + 0
        return late, stream


class Cupy:
    """Arrays of CuPy."""

    def __init__(self):
        import cupy

        try:
            cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError:
            pytest.skip("CuPy finds no GPU")
        self.cupy = cupy

    def put(self, array):
        return self.cupy.asarray(array)

    def get(self, array):
        assert isinstance(array, self.cupy.ndarray)
        return array.get()

    def layouts(self, array):
        room = self.cupy.empty((2 * len(array), 3 * array.shape[1]), array.dtype)
        room[::2, ::3] = self.put(array)
        fortran = self.cupy.asfortranarray(self.put(array))
        return {"C": self.put(array), "F": fortran, "sliced": room[::2, ::3]}


LIBRARIES = {"torch": Torch, "cupy": Cupy}


@pytest.fixture
def gpu():
    try:
        with config_context(device="cuda"):
            BasicStatistics().fit(np.eye(2))
    except CudaUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(params=LIBRARIES)
def library(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return LIBRARIES[request.param]()
