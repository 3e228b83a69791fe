"""What another library lends on a GPU, and what it is lent: on the stand-in."""

import contextlib
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

import gpus
import numpy as np
import pytest
from gpus import MANAGED, Array, Late, Library, counts, driver, rows, within

from sklearnex_rs import _core, config_context
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import LinearRegression

pytestmark = pytest.mark.skipif(
    "STANDIN_KERNELS" not in os.environ, reason="see ci/test_kernels.sh"
)


def test_memory_that_both_sides_see(rng, assert_close):
    X, y, _ = rows(rng)
    host = LinearRegression().fit(X, y)
    model = LinearRegression().fit(Array(X, kind=MANAGED), Array(y))
    assert_close(model.coef_.array, host.coef_)


def test_copies_are_asked_for(rng):
    X, y, _ = rows(rng)
    kept = LinearRegression().fit(Array(X), Array(y)).coef_.kept
    for copy in (None, False, True):
        there = Library.from_dlpack(kept, copy=copy)
        assert (there.array.ctypes.data == kept_at(kept)) == (copy is not True)
        assert np.array_equal(there.array, kept.host())
    assert np.array_equal(np.from_dlpack(kept, device="cpu"), kept.host())


def kept_at(array):
    return Library.from_dlpack(array).array.ctypes.data


def test_answers_outlive_the_rows_and_memory_comes_back(rng):
    X, y, _ = rows(rng)
    LinearRegression().fit(Array(X), Array(y))
    before = counts()["alive"]
    for _ in range(3):
        model = LinearRegression().fit(Array(X), Array(y))
        predicted = model.predict(Array(X))
        coef = model.coef_
        del model
        assert np.isfinite(coef.array).all()
        assert np.isfinite(predicted.array).all()
        del predicted, coef
    assert counts()["alive"] <= before


def test_answers_live_until_others_have_read_them(rng):
    """What another stream was asked to copy is there when it comes to that."""
    X, y, _ = rows(rng)
    model, stream = LinearRegression().fit(Array(X), Array(y)), ctypes.c_void_p()
    predicted = model.predict(Array(X))
    wanted, found = predicted.array.copy(), np.zeros_like(predicted.array)
    with within(0):
        driver().cuStreamCreate(ctypes.byref(stream), 1)
        at = (ctypes.c_ulonglong(a.ctypes.data) for a in (found, predicted.array))
        size = ctypes.c_size_t(found.nbytes)
        assert driver().cuMemcpyDtoDAsync_v2(*at, size, stream) == 0
    del predicted
    model.predict(Array(X + 1))
    with within(0):
        driver().cuStreamSynchronize(stream)
    assert np.array_equal(found, wanted)


def test_a_lent_array_that_leaves_again_has_been_waited_for(rng):
    X = rng.standard_normal((9, 4))
    late = Late(X)
    again = Library.from_dlpack(_core.borrow(late))
    assert np.array_equal(again.array, X)
    late.driver.cuStreamSynchronize(late.stream)


METHODS = [
    (LinearRegression(), "fit"),
    (KMeans(4, random_state=0), "predict"),
    (KMeans(20, random_state=0), "score"),
    (PCA(2, whiten=True), "inverse_transform"),
    (PCA(2), "score_samples"),
]


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize(("model", "method"), METHODS, ids=str)
def test_work_is_over_when_an_error_is_told(rng, model, method, at):
    X, y, _ = map(Array, rows(rng))
    model.fit(X, y)  # its attributes are on the GPU
    about = X if method != "inverse_transform" else model.transform(X)
    args = (about, y) if method == "fit" else (about,)
    counts()
    driver().standin_fails(at)
    with contextlib.suppress(RuntimeError):  # some methods have fewer launches
        getattr(model, method)(*args)
    found = (ctypes.c_longlong * 6)()
    driver().standin_counts(found)
    driver().standin_fails(0)
    centers = isinstance(model, KMeans) and at > 2
    assert found[5] <= (7 if centers else 2)  # at most memory on its way back
    model.fit(X, y)
    getattr(model, method)(*args)


@pytest.mark.parametrize("place", [Array, np.array])
def test_no_centers(rng, place):
    X = Array(rng.standard_normal((50, 5)))
    model = KMeans(4, random_state=0).fit(X)
    mine, now = ctypes.c_void_p(0x1234), ctypes.c_void_p()
    centers, model.cluster_centers_ = model.cluster_centers_, place(np.empty((0, 5)))
    for method in (model.predict, model.score):
        driver().cuCtxSetCurrent(mine)
        with pytest.raises((ValueError, RuntimeError), match="centers"):
            method(X)
        driver().cuCtxGetCurrent(ctypes.byref(now))
        driver().cuCtxSetCurrent(None)
        assert now.value == mine.value
        assert np.isfinite(LinearRegression().fit(X, X).coef_.array).all()
    model.cluster_centers_ = centers
    assert model.score(X) < 0


def test_the_context_of_the_caller_is_there_again(rng):
    mine, now = ctypes.c_void_p(0x1234), ctypes.c_void_p()
    driver().cuCtxSetCurrent(mine)
    X, y, _ = rows(rng)
    model = LinearRegression().fit(Array(X), Array(y))
    model.predict(Array(X))
    del model
    with pytest.raises(ValueError, match="inconsistent"):
        LinearRegression().fit(Array(X), Array(y[:9]))
    driver().standin_fails(1)
    with pytest.raises(RuntimeError, match="a launch"):
        LinearRegression().fit(Array(X), Array(y))
    driver().cuCtxGetCurrent(ctypes.byref(now))
    driver().cuCtxSetCurrent(None)
    assert now.value == mine.value


def test_a_gpu_that_is_not_the_current_one(rng, assert_close):
    X, y, w = rows(rng)
    host = LinearRegression().fit(X, y, w)
    with within(0):
        model = LinearRegression().fit(*(Array(part, 1) for part in (X, y, w)))
        assert model.coef_.ordinal == 1
        assert_close(model.coef_.array, host.coef_)
        assert_close(model.predict(Array(X, 1)).array, host.predict(X))
        assert driver().standin_here() == 0
        with config_context(device="cpu"):
            model = LinearRegression().fit(*(Array(part, 1) for part in (X, y, w)))
        assert np.array_equal(model.coef_.array, host.coef_)


def test_threads_of_one_process_share_a_gpu(rng, assert_close):
    X, y, _ = rows(rng)
    host = LinearRegression().fit(X, y)

    def job(at):
        model = LinearRegression().fit(Array(X, at % 2), Array(y, at % 2))
        return model.coef_.array, model.predict(Array(X, at % 2)).array

    with ThreadPoolExecutor(4) as pool:
        for coef, predicted in pool.map(job, range(12)):
            assert_close(coef, host.coef_)
            assert_close(predicted, host.predict(X))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_numbers_that_lie_askew(rng, assert_close, tolerance, dtype):
    X, y, _ = rows(rng, dtype=dtype)
    memory = np.zeros(X.nbytes + 1, "u1")
    askew = memory[1:].view(X.dtype).reshape(X.shape)
    askew[:] = X
    host = LinearRegression().fit(X, y)
    model = LinearRegression().fit(Array(askew), Array(y))
    assert model.coef_.array.dtype == X.dtype
    assert_close(model.coef_.array, host.coef_, tolerance(dtype))
    assert np.array_equal(_core.borrow(Array(askew)).host(), X)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("far", [False, True])
def test_any_layout_comes_to_the_host(rng, dtype, far):
    room = rng.integers(0, 2, (4, 3000, 3500) if far else (4, 30, 35)).astype(dtype)
    for part in (
        room[0],
        room[0].T,
        room[0, ::-2, ::3],
        room[0, :, 5],
        room[:, 7, 9],
        room[::3, ::100, 3::-1],
        room[1, 2:2],
    ):
        found = _core.borrow(Array(part)).host()
        assert found.dtype == part.dtype
        assert np.array_equal(found, part)


def test_who_may_not_write_is_told(rng):
    def flags(array):
        capsule = array.__dlpack__(max_version=(1, 0), stream=1)
        at = gpus.pointer(capsule, b"dltensor_versioned") + 24
        return ctypes.c_uint64.from_address(at).value

    X = rng.standard_normal((5, 3))
    assert flags(_core.borrow(Array(X))) == 0
    X.flags.writeable = False
    assert flags(_core.borrow(Array(X))) == 1


class Nobody:
    """A library whose arrays NumPy of long ago would be asked for."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__(dl_device=(1, 0))

    def __dlpack_device__(self):
        return (1, 0)


def test_the_host_is_asked_for_without_a_version(rng):
    X, y, _ = rows(rng)
    kept = LinearRegression().fit(Array(X), Array(y)).coef_.kept
    assert np.array_equal(np.from_dlpack(Nobody(kept)), kept.host())
