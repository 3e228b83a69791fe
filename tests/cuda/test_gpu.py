"""From an array on a GPU to a fitted model, on a stand-in for NVIDIA's driver."""

import os
import pickle
import subprocess
import sys

import gpus
import numpy as np
import pytest
from gpus import Array, Late, Old, rows

from sklearnex_rs import (
    CudaUnavailableError,
    _core,
    _cuda,
    config_context,
    show_config,
    spmd,
)
from sklearnex_rs.linear_model import LinearRegression

pytestmark = pytest.mark.skipif(
    "STANDIN_KERNELS" not in os.environ, reason="see ci/test_kernels.sh"
)


def laid(X, layout):
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "sliced":
        room = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan, X.dtype)
        room[::2, ::3] = X
        return room[::2, ::3]
    return X


@pytest.mark.parametrize("kind", [Array, Old])
@pytest.mark.parametrize("layout", ["C", "F", "sliced"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_gpu_says_what_the_host_says(
    rng, assert_close, tolerance, dtype, layout, kind
):
    X, y, w = rows(rng, dtype=dtype)
    gpu = kind(laid(X, layout))
    host = LinearRegression().fit(X, y, w)
    model = LinearRegression().fit(gpu, kind(y), kind(w))
    assert all(stream > 2 for stream in gpu.streams)
    for name in ("coef_", "intercept_", "singular_"):
        mine, theirs = getattr(model, name), getattr(host, name)
        assert isinstance(mine, Array)
        assert mine.array.dtype == theirs.dtype
        assert_close(mine.array, theirs, tolerance(dtype))
    assert model.rank_ == host.rank_
    predicted = model.predict(gpu)
    assert isinstance(predicted, Array)
    assert_close(predicted.array, host.predict(X), tolerance(dtype))
    score = model.score(gpu, kind(y), kind(w))
    assert abs(score - host.score(X, y, w)) < tolerance(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("case", ["steep", "bad", "wide", "constant", "far", "alike"])
def test_second_looks(rng, assert_close, tolerance, case, intercept, dtype):
    X, y, _ = rows(rng, offset=0.0 if case != "far" else 1e6)
    if case in ("steep", "bad"):
        X[:, 1] = X[:, 0] + X[:, 1] * (1e-3 if case == "steep" else 1e-6)
    elif case == "wide":
        X, y = np.tile(X[:4], (1, 2)) + rng.standard_normal((4, 10)), y[:4]
    elif case == "constant":
        X[:, 2] = 7
    elif case == "alike":
        X[:, 2] = X[:, 3]
    X = X.astype(dtype).astype("f8")
    y = X @ rng.standard_normal((X.shape[1], 2)) + rng.standard_normal((len(X), 2))
    X, y = X.astype(dtype), y.astype(dtype)
    host = LinearRegression(fit_intercept=intercept).fit(X, y)
    model = LinearRegression(fit_intercept=intercept).fit(Array(X), Array(y))
    assert model.rank_ == host.rank_
    assert_close(model.predict(Array(X)).array, host.predict(X), tolerance(dtype))
    assert_close(model.singular_.array, host.singular_, tolerance(dtype))
    if case not in ("bad", "far") or dtype == "f8":
        assert_close(model.coef_.array, host.coef_, max(tolerance(dtype), 1e-8))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(24,), (8, 3), (3, 1)])
def test_sums_are_those_of_the_host(shape, dtype):
    numbers = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert _cuda.ready()
    array = _core.to_gpu(numbers, 0)
    assert array.sum() == pytest.approx(numbers.sum(dtype=float), rel=1e-14)
    assert array.largest() == numbers.max()
    assert array.finite()


def test_numbers_that_are_on_their_way_are_waited_for(rng, assert_close):
    X, y, _ = rows(rng)
    host = LinearRegression().fit(X, y)
    model = LinearRegression().fit(Late(X), Late(y))
    assert_close(model.coef_.array, host.coef_)
    late = Late(X, waits=False)
    with pytest.raises(ValueError, match="Input X contains NaN"):  # else it would show
        LinearRegression().fit(late, Array(y))
    late.driver.cuStreamSynchronize(late.stream)


def test_one_target_has_one_dimension(rng, assert_close):
    X, y, _ = rows(rng)
    host = LinearRegression().fit(X, y[:, 0])
    model = LinearRegression().fit(Array(X), Array(y[:, 0]))
    assert model.coef_.shape == (5,)
    assert model.intercept_.shape == ()
    assert model.predict(Array(X)).shape == (700,)
    assert_close(model.coef_.array, host.coef_)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ranks_with_gpus(rng, assert_close, monkeypatch, size):
    X, y, w = rows(rng)
    host = LinearRegression().fit(X, y, w)
    ends = [0, 10, 10, 700] if size == 3 else np.linspace(0, 700, size + 1).astype(int)

    def job(comm):
        mine = slice(ends[comm.rank], ends[comm.rank + 1])
        share = [Array(np.ascontiguousarray(part[mine])) for part in (X, y, w)]
        model = spmd.LinearRegression(comm=comm).fit(*share)
        assert_close(model.coef_.array, host.coef_)
        assert_close(model.intercept_.array, host.intercept_)
        return model.coef_.array.tobytes(), model.score(*share)

    found = spmd.run(size, job)
    assert len({bits for bits, _ in found}) == 1
    assert all(abs(score - host.score(X, y, w)) < 1e-9 for _, score in found)


def test_ranks_with_and_without_a_gpu_fit_one_model(rng, assert_close):
    X, y, _ = rows(rng)
    host = LinearRegression().fit(X, y)

    def job(comm):
        kind = Array if comm.rank else np.asarray
        mine = slice(comm.rank * 350, (comm.rank + 1) * 350)
        model = spmd.LinearRegression(comm=comm).fit(kind(X[mine]), kind(y[mine]))
        assert_close(getattr(model.coef_, "array", model.coef_), host.coef_)

    spmd.run(2, job)


def test_a_gpu_that_is_not_there_is_an_error_of_all_ranks(rng):
    X, y, _ = rows(rng)
    said = []

    def job(comm):
        ordinal = 7 * (comm.rank == 1)
        model = spmd.LinearRegression(comm=comm)
        try:
            model.fit(Array(X, ordinal), Array(y, ordinal))
        except CudaUnavailableError as error:
            said.append(str(error))
        model.fit(Array(X), Array(y))

    spmd.run(2, job)
    assert len(said) == 2
    assert all("rank 1" in text and "no GPU 7" in text for text in said), said


def test_numbers_that_are_not_finite_are_found(rng):
    X, y, _ = rows(rng)
    model = LinearRegression().fit(Array(X), Array(y))
    X[600, 2] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LinearRegression().fit(Array(X), Array(y))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(Array(X))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        LinearRegression().fit(Array(y), Array(X))


def test_what_does_not_fit_is_refused(rng):
    X, y, _ = rows(rng)
    for wrong, error, text in (
        ((Array(X), y), ValueError, "y is not"),
        ((Array(X), Array(y, 1)), ValueError, "one GPU"),
        ((Array(X), Array(y[:9])), ValueError, "inconsistent"),
        ((Array(X.astype(complex)), Array(y)), TypeError, "float32 or float64"),
        ((Array(X[0]), Array(y)), ValueError, "2D"),
        ((Array(X[:0]), Array(y[:0])), ValueError, "0 sample"),
    ):
        with pytest.raises(error, match=text):
            LinearRegression().fit(*wrong)
    model = LinearRegression().fit(Array(X), Array(y))
    with pytest.raises(ValueError, match="features"):
        model.predict(Array(X[:, :3].copy()))


@pytest.mark.parametrize("dtype", ["f2", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "?"])
def test_other_numbers_are_widened(rng, assert_close, dtype):
    X = rng.integers(0, 2 if dtype == "?" else 90, (300, 4)).astype(dtype)
    y = X @ rng.integers(1, 9, 4) + rng.integers(0, 5, 300)
    wide = X.astype("f4" if dtype == "f2" else "f8")
    host = LinearRegression().fit(wide, y)
    model = LinearRegression().fit(Array(X), Array(y))
    assert model.coef_.array.dtype == wide.dtype
    assert_close(model.coef_.array, host.coef_, 1e-4 if dtype == "f2" else 1e-9)
    predicted = model.predict(Array(np.asfortranarray(X)))
    assert_close(predicted.array, host.predict(wide), 1e-4 if dtype == "f2" else 1e-9)


def test_the_host_is_asked_for(rng):
    X, y, _ = rows(rng)
    with config_context(device="cpu"):
        model = LinearRegression().fit(Array(X), Array(y))
    assert isinstance(model.coef_, Array)
    assert np.array_equal(model.coef_.array, LinearRegression().fit(X, y).coef_)


def test_a_pickle_holds_arrays_of_the_host(rng):
    X, y, _ = rows(rng)
    model = LinearRegression().fit(Array(X), Array(y))
    again = pickle.loads(pickle.dumps(model))
    assert type(again.coef_) is np.ndarray
    predicted = again.predict(Array(X))
    assert np.array_equal(predicted.array, model.predict(Array(X)).array)
    assert np.allclose(again.predict(X), predicted.array, rtol=1e-12)


BEGINNING = (
    "import ctypes, runpy, numpy as np, sklearnex_rs\n"
    "from sklearnex_rs import _core, _cuda, config_context\n"
    f"Array = runpy.run_path({gpus.__file__!r})['Array']\n"
    "from sklearnex_rs.linear_model import LinearRegression\n"
    "X = np.random.default_rng(0).standard_normal((90, 2))\n"
    "y = X @ [1.0, 2.0] + 3\n"
)


def said(program, **env):
    """Run a program by itself; return what it prints."""
    command = [sys.executable, "-P", "-c", BEGINNING + program]
    env = {**os.environ, **env}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_host_computes_where_no_kernel_can_be_compiled():
    program = (
        "_cuda.load = lambda name: None\n"
        "with config_context(device='cpu'):\n"
        "    rows = Array(np.asfortranarray(X)[::2]), Array(y[::2])\n"
        "    model = LinearRegression().fit(*rows)\n"
        "    print(np.allclose(model.predict(Array(X)).array, y))\n"
        "try:\n    LinearRegression().fit(Array(X), Array(y))\n"
        "except sklearnex_rs.CudaUnavailableError as error: print(error)"
    )
    found = said(program)
    assert found.startswith("True\n"), found
    assert "NVRTC" in found
    assert "sklearnex_rs[cuda13]" in found


def test_the_host_answers_of_attributes_on_a_gpu_without_a_compiler():
    program = (
        "from sklearnex_rs.cluster import KMeans\n"
        "from sklearnex_rs.covariance import EmpiricalCovariance as Covariance\n"
        "from sklearnex_rs.decomposition import PCA\n"
        "_cuda.load = lambda name: None\n"
        "models = [PCA(2), PCA(2, whiten=True), KMeans(3, random_state=0)]\n"
        "models += [Covariance(), Covariance(store_precision=False)]\n"
        "methods = 'transform inverse_transform score_samples score predict'\n"
        "methods += ' mahalanobis get_covariance get_precision'\n"
        "with config_context(device='cpu'):\n"
        "    for model in models:\n"
        "        host = type(model)(**model.get_params()).fit(X)\n"
        "        model.fit(Array(X))\n"
        "        for name in methods.split():\n"
        "            if not hasattr(model, name):\n                continue\n"
        "            for rows in (Array(X), X):\n"
        "                args = () if name.startswith('get_') else (rows,)\n"
        "                found = getattr(model, name)(*args)\n"
        "                found = getattr(found, 'array', found)\n"
        "                wanted = getattr(host, name)(*(X for _ in args))\n"
        "                assert np.allclose(found, wanted, rtol=1e-9), name\n"
        "                print(name)\n"
    )
    assert said(program).count("score") == 14


def test_a_compiler_that_is_newer_than_the_driver():
    program = (
        "try:\n    LinearRegression().fit(Array(X), Array(y))\n"
        "except sklearnex_rs.CudaUnavailableError as error: print(error)"
    )
    found = said(program, STANDIN_VERSION="12080")
    assert "the NVIDIA driver is of CUDA 12.8" in found
    assert "[cuda12]" in found


def test_show_config_names_the_gpu(capsys):
    show_config()
    assert "CUDA          Stand-in GPU (sm_90)" in capsys.readouterr().out


def test_show_config_takes_no_memory_of_gpus():
    program = (
        "sklearnex_rs.show_config()\n"
        "driver = ctypes.CDLL('libcuda.so.1')\n"
        "print(driver.standin_contexts(0), driver.standin_contexts(1))"
    )
    assert said(program).endswith("0 0\n")


def test_a_driver_without_a_gpu(rng):
    program = (
        "import sklearnex_rs; sklearnex_rs.show_config()\n"
        "from sklearnex_rs import _core\n"
        "try:\n    _core.gpus()\n"
        "except sklearnex_rs.CudaUnavailableError as error: print(error)"
    )
    env = {**os.environ, "STANDIN_NODEV": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], env=env, capture_output=True, text=True
    )
    assert done.stdout.count("CUDA_ERROR_NO_DEVICE") == 2, done.stdout + done.stderr


@pytest.mark.parametrize("forgets", [False, True])
def test_a_forgotten_wait_would_show(forgets):
    program = (
        "import runpy, numpy as np\n"
        f"Array = runpy.run_path({gpus.__file__!r})['Array']\n"
        "from sklearnex_rs.linear_model import LinearRegression\n"
        "X = np.random.default_rng(0).standard_normal((90, 2))\n"
        "model = LinearRegression().fit(Array(X), Array(X @ [1.0, 2.0] + 3))\n"
        "assert np.allclose(model.coef_.array, [1, 2])\n"
        "print('right')"
    )
    env = os.environ | ({"STANDIN_FORGETS": "1"} if forgets else {})
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], env=env, capture_output=True, text=True
    )
    assert ("right" in done.stdout) != forgets, done.stdout + done.stderr
