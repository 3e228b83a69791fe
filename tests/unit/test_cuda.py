"""Where there is no CUDA: what is said, and that nothing breaks."""

import pickle
from pathlib import Path

import pytest

import sklearnex_rs

pytestmark = pytest.mark.skipif(
    Path("/proc/driver/nvidia").exists(), reason="this machine has a GPU"
)

CARD = """
import numpy as np
from sklearnex_rs import CudaUnavailableError, spmd
from sklearnex_rs.linear_model import LinearRegression

class OnGpu:
    "An array of a library that says it is on a gpu."

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __len__(self):
        return len(self.array)

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **options):
        raise AssertionError("nobody asked whether there is a gpu")

X, y = np.random.default_rng(0).standard_normal((30, 2)), np.ones(30)
"""
REFUSED = """
fitted = LinearRegression().fit(X, y)
for call in (
    lambda: LinearRegression().fit(OnGpu(X), y),
    lambda: LinearRegression().fit(X, OnGpu(y)),
    lambda: fitted.predict(OnGpu(X)),
    lambda: fitted.score(OnGpu(X), y),
):
    try:
        call()
    except CudaUnavailableError as error:
        assert "libcuda" in str(error) and "driver" in str(error), error
        assert "sklearnex_rs[cuda13]" in str(error), error
        assert isinstance(error, RuntimeError)
    else:
        raise SystemExit("there was a GPU")
assert fitted.fit(X, y).predict(X).shape == (30,)
print("refused")
"""
OVER_RANKS = """
said = []

def job(comm):
    model = spmd.LinearRegression(comm=comm)
    rows = OnGpu(X) if comm.rank == 1 else X
    try:
        model.fit(rows, y)
    except CudaUnavailableError as error:
        said.append(str(error))
    model.fit(X, y)  # estimator and communicator can be used again

spmd.run(3, job)
assert len(said) == 3 and all(text.startswith("rank 1: CUDA") for text in said), said
print("refused")
"""


def test_an_array_on_a_gpu_is_refused_with_the_reason(python):
    assert python(CARD + REFUSED) == "refused\n"


def test_a_gpu_that_is_asked_for_is_refused_with_the_reason(python):
    program = (
        "from sklearnex_rs import config_context\n"
        "fitted = LinearRegression().fit(X, y)\n"
        "with config_context(device='cuda'):\n"
        "    for call in (lambda: fitted.fit(X, y), lambda: fitted.predict(X)):\n"
        "        try:\n"
        "            call()\n"
        "        except CudaUnavailableError as error:\n"
        "            print('sklearnex_rs[cuda13]' in str(error))"
    )
    assert python(CARD + program) == "True\nTrue\n"


def test_all_ranks_raise_what_one_has_no_gpu_for(python):
    assert python(CARD + OVER_RANKS) == "refused\n"


def test_the_error_can_be_pickled():
    error = sklearnex_rs.CudaUnavailableError("why")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is sklearnex_rs.CudaUnavailableError
    assert again.args == ("why",)


def test_show_config_says_why_there_is_none(python):
    said = python("import sklearnex_rs; sklearnex_rs.show_config()")
    assert "CUDA          the NVIDIA driver (libcuda.so.1) was not found" in said


def test_the_compiler_is_found_in_its_wheel(python):
    pytest.importorskip("nvidia.cu13")
    said = python("import sklearnex_rs; sklearnex_rs.show_config()")
    line = next(line for line in said.splitlines() if line.startswith("NVRTC"))
    assert "13." in line
    assert "libnvrtc.so.13" in line


def test_show_config_says_who_decomposes_without_cusolver(python):
    program = (
        "import sklearnex_rs; from sklearnex_rs import _cuda\n"
        "load = _cuda.load\n"
        "_cuda.load = lambda name: None if name == 'cusolver' else load(name)\n"
        "sklearnex_rs.show_config()"
    )
    line = next(x for x in python(program).splitlines() if x.startswith("cuSOLVER"))
    assert line == "cuSOLVER      not found; the host decomposes matrices"


def test_no_library_of_nvidia_is_loaded_by_a_fit_on_the_host(python):
    program = (
        "LinearRegression().fit(X, y)\n"
        "loaded = open('/proc/self/maps').read()\n"
        "assert not any(name in loaded for name in ('libcuda', 'nvrtc', 'cusolver'))"
    )
    python(CARD + program)
