"""Wide matrices are decomposed by cuSOLVER where it is found, else by the host."""

import ctypes
import os
import pickle
import subprocess
import sys

import gpus
import numpy as np
import pytest
from gpus import Array, within

from sklearnex_rs import _cuda, config_context, show_config, spmd
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linear_model import LinearRegression, Ridge

pytestmark = pytest.mark.skipif(
    "STANDIN_KERNELS" not in os.environ, reason="see ci/test_kernels.sh"
)
# Columns up to which the host decomposes.
WIDE = int(os.environ.get("SKLEARNEX_RS_CUSOLVER_COLUMNS", "1024"))
LIBRARY = "libcusolver.so.12"


def solved():
    """Return how many matrices the stand-in for cuSOLVER has decomposed."""
    return ctypes.CDLL(LIBRARY).standin_solved()


def rows(n, p=WIDE + 3):
    rng = np.random.default_rng(n)
    return rng.standard_normal((n, p)) * np.linspace(1, 9, p) ** 2 + 7


@pytest.fixture(scope="module")
def few():
    """Few rows, and what the host knows of them."""
    X = rows(12)
    return X, EmpiricalCovariance().fit(X)


@pytest.fixture
def asked(monkeypatch):
    """Names of libraries that are asked for."""
    found, load = [], _cuda.load
    monkeypatch.setattr(_cuda, "load", lambda name: found.append(name) or load(name))
    return found


def same(gpu, host, assert_close):
    names = [name for name in vars(host) if name.endswith("_")]
    arrays = [name for name in names if isinstance(getattr(host, name), np.ndarray)]
    assert arrays
    for name in arrays:
        found = getattr(gpu, name)
        assert_close(getattr(found, "array", found), getattr(host, name), 1e-9)


@pytest.mark.parametrize(
    "model",
    [
        PCA(n_components=5, svd_solver="covariance_eigh"),
        IncrementalPCA(n_components=5),
        TruncatedSVD(n_components=5),
        Ridge(alpha=2.0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_gpu_says_what_the_host_says(assert_close, asked, model):
    X = rows(60 if isinstance(model, IncrementalPCA) else WIDE + 30)
    given = (X, X[:, ::10].sum(axis=1)) if isinstance(model, Ridge) else (X,)
    host = type(model)(**model.get_params()).fit(*given)
    before = solved()
    gpu = model.fit(*map(Array, given))
    assert solved() == before + 1
    assert "cusolver" in asked
    same(gpu, host, assert_close)


@pytest.mark.parametrize("ordinal", [0, 1])
def test_rows_of_either_gpu(few, assert_close, ordinal):
    X, host = few
    before = solved()
    with within(1):
        gpu = EmpiricalCovariance().fit(Array(X, ordinal=ordinal))
        assert gpus.driver().standin_here() == 1
    assert solved() == before + 1
    same(gpu, host, assert_close)


def test_rows_that_are_put_on_a_gpu(few, assert_close):
    X, host = few
    before = solved()
    with config_context(device="cuda:1"):
        gpu = EmpiricalCovariance().fit(X)
    assert solved() == before + 1
    same(gpu, host, assert_close)


def test_the_host_decomposes_its_own_rows_and_few_columns(few, asked):
    X, _ = few
    before = solved()
    EmpiricalCovariance().fit(X)
    EmpiricalCovariance().fit(Array(X[:, :WIDE].copy()))
    assert solved() == before
    assert "cusolver" not in asked


@pytest.mark.parametrize("model", [KMeans(2), LinearRegression()], ids=str)
def test_it_is_loaded_for_those_that_may_decompose(few, asked, model):
    X, _ = few
    model.fit(Array(X), Array(X[:, 0].copy()))
    assert ("cusolver" in asked) == isinstance(model, LinearRegression)


def test_the_first_rank_decomposes(few, assert_close):
    X, host = few
    before, ends = solved(), [0, 5, 5, 12]

    def job(comm):
        mine = X[ends[comm.rank] : ends[comm.rank + 1]]
        mine = mine if comm.rank == 1 else Array(mine.copy(), comm.rank // 2)
        model = spmd.EmpiricalCovariance(comm=comm).fit(mine)
        same(model, host, assert_close)
        precision = model.precision_
        return getattr(precision, "array", precision).tobytes()

    assert len(set(spmd.run(3, job))) == 1
    assert solved() == before + 1


def test_a_stream_goes_on_elsewhere(few, assert_close):
    X, host = few
    model = spmd.IncrementalEmpiricalCovariance(store_precision=True)

    def job(comm):
        model.comm = comm
        for part in np.split(X, 3):
            model.partial_fit(Array(part.copy()))
        again, before = pickle.loads(pickle.dumps(model)), solved()
        again.comm = comm
        same(again.finalize(), host, assert_close)  # without the GPU
        assert solved() == before
        same(model.finalize(), host, assert_close)
        assert solved() == before + 1

    spmd.run(1, job)


@pytest.mark.parametrize("trouble", ["STANDIN_UNSETTLED", "STANDIN_GREEDY"])
def test_the_host_decomposes_what_cusolver_does_not(
    few, assert_close, monkeypatch, trouble
):
    X, host = few
    monkeypatch.setenv(trouble, "1")
    before = solved()
    gpu = EmpiricalCovariance().fit(Array(X))
    assert solved() - before == (trouble == "STANDIN_UNSETTLED")
    same(gpu, host, assert_close)
    monkeypatch.delenv(trouble)
    same(EmpiricalCovariance().fit(Array(X)), host, assert_close)
    assert solved() - before == 1 + (trouble == "STANDIN_UNSETTLED")


PROGRAM = f"""
import runpy, numpy as np
names = runpy.run_path({__file__!r}.replace("test_solver", "gpus"))
from sklearnex_rs import show_config
from sklearnex_rs.covariance import EmpiricalCovariance
rng = np.random.default_rng(0)
X = rng.standard_normal((9, {WIDE + 1}))
host = EmpiricalCovariance().fit(X).precision_
gpu = EmpiricalCovariance().fit(names["Array"](X)).precision_
assert isinstance(gpu, names["Array"])
assert np.abs(gpu.array - host).max() < 1e-9 * np.abs(host).max()
show_config()
"""


def said(program, **env):
    env = os.environ | env
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "panicked" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("which", ["absent", "older", "unstarted"])
def test_the_host_decomposes_where_there_is_no_cusolver(which):
    """Or one without what is asked of it, or one that does not start."""
    folder = os.environ["KERNELS"]
    path = {"absent": folder, "older": f"{folder}:{folder}/older"}.get(which)
    env = {"STANDIN_UNSTARTED": "1"} if path is None else {"LD_LIBRARY_PATH": path}
    found = said(PROGRAM, **env)
    missing = "cuSOLVER      not found; the host decomposes matrices" in found
    assert missing == (which != "unstarted"), found


def test_show_config_names_it(capsys):
    show_config()
    assert f"cuSOLVER      12.4.1, {LIBRARY}\n" in capsys.readouterr().out


def test_its_name_for_cuda_12(tmp_path):
    folder = os.environ["KERNELS"]
    (tmp_path / "libcusolver.so.11").symlink_to(f"{folder}/cusolver/{LIBRARY}")
    program = "import sklearnex_rs; sklearnex_rs.show_config()"
    found = said(program, LD_LIBRARY_PATH=f"{folder}:{tmp_path}")
    assert "cuSOLVER      12.4.1, libcusolver.so.11\n" in found


@pytest.mark.parametrize("major", [12, 13])
def test_it_is_found_in_wheels_with_what_it_stands_on(tmp_path, major):
    numbers = {name: major for name in ("nvJitLink", "cublasLt", "cublas")}
    numbers |= {"cusparse": 12, "cusolver": 12 if major == 13 else 11}
    before = []
    for name, number in numbers.items():
        of = name.lower() if major == 12 else "cu13"
        path = tmp_path / "nvidia" / of / "lib" / f"lib{name}.so.{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = ["-shared", f"-Wl,-soname,{path.name}", "-Wl,--no-as-needed", *before]
        subprocess.run(["gcc", "-xc", os.devnull, *flags, "-o", path], check=True)
        before.extend(["-xnone", path])
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from sklearnex_rs import _cuda; print(_cuda.load('cusolver'))"
    )
    env = {"LD_LIBRARY_PATH": os.environ["KERNELS"]}
    found = said(program, **env, STANDIN_VERSION=f"{major}000")
    assert found.strip() == str(path)


@pytest.mark.parametrize("text", ["many", "-1", "1e3", "+ 9", "2000 "])
def test_a_size_that_is_no_number(monkeypatch, few, text):
    monkeypatch.setenv("SKLEARNEX_RS_CUSOLVER_COLUMNS", text)
    model = EmpiricalCovariance()
    said = "SKLEARNEX_RS_CUSOLVER_COLUMNS must be"
    with pytest.raises(ValueError, match=said):
        model.fit(Array(few[0]))

    def job(comm):
        with pytest.raises(ValueError, match=said):
            spmd.EmpiricalCovariance(comm=comm).fit(Array(few[0]))

    spmd.run(2, job)
    for text in ("", "2000"):
        monkeypatch.setenv("SKLEARNEX_RS_CUSOLVER_COLUMNS", text)
        model.fit(Array(few[0][:, :9]))
