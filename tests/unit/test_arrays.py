"""Arrays of any library with DLPack: in without a copy, answers in kind."""

import ctypes
import pickle
import sys

import array_api_strict as xp
import numpy as np
import pytest

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import LinearRegression


class Producer:
    """An array of a library that knows the protocol of today."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def __len__(self):
        return len(self.array)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Legacy(Producer):
    """One that has never heard of versions."""

    def __dlpack__(self, *, stream=None):
        return self.array.__dlpack__()


class Elsewhere(Producer):
    """One whose memory is on a GPU of another maker."""

    def __dlpack_device__(self):
        return (10, 0)

    def __dlpack__(self, **options):
        raise BufferError("cannot export to the host")


class Broken(Producer):
    def __dlpack__(self, **options):
        raise RuntimeError("my library is broken")


KINDS = [Producer, Legacy, xp.asarray]


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((80, 4))
    return X, X @ np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]]).T + 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("positive", [False, True])
def test_answers_are_of_the_library_of_X(rows, dtype, targets, positive):
    X, y = (a.astype(dtype) for a in rows)
    y = y if targets == 2 else y[:, 0]
    w = np.linspace(1, 2, 80, dtype=dtype)
    plain = LinearRegression(positive=positive).fit(X, y, w)
    foreign = [xp.asarray(a) for a in (X, y, w)]
    model = LinearRegression(positive=positive).fit(*foreign)
    names = ["coef_", "intercept_", *([] if positive else ["singular_"])]
    for name in names:
        assert isinstance(getattr(model, name), type(foreign[0])), name
        assert getattr(model, name).dtype == getattr(xp, dtype)
        np.testing.assert_array_equal(getattr(model, name), getattr(plain, name))
    predicted = model.predict(foreign[0])
    assert isinstance(predicted, type(foreign[0]))
    assert predicted.dtype == getattr(xp, dtype)
    np.testing.assert_array_equal(predicted, plain.predict(X))
    assert model.score(*foreign) == plain.score(X, y, w)


def test_answers_follow_the_rows_and_not_the_fit(rows):
    X, y = rows
    foreign = xp.asarray(X)
    of_numpy = LinearRegression().fit(X, y)
    of_foreign = LinearRegression().fit(foreign, y)
    assert isinstance(of_numpy.predict(foreign), type(foreign))
    assert isinstance(of_foreign.predict(X), np.ndarray)
    assert isinstance(LinearRegression().fit(X, xp.asarray(y)).coef_, np.ndarray)
    assert of_foreign.score(X, xp.asarray(y)) == of_numpy.score(foreign, y)


@pytest.mark.parametrize("kind", KINDS)
def test_any_producer_gives_the_same_model(rows, kind):
    X, y = rows
    plain = LinearRegression().fit(X, y)
    model = LinearRegression().fit(kind(X), kind(y), kind(np.ones(80)))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-13)
    np.testing.assert_array_equal(np.asarray(plain.predict(kind(X))), plain.predict(X))


FORMS = {
    "reversed rows": lambda a: a[::-1],
    "reversed both": lambda a: a[::-1, ::-1],
    "strided": lambda a: a[::3, 1::2],
    "strided backwards": lambda a: a[::-2, ::-1],
    "Fortran": np.asfortranarray,
    "one row": lambda a: a[5:6],
    "one column": lambda a: a[:, 2:3],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_strides_are_followed(rng, form, kind, dtype):
    view = FORMS[form]((rng.standard_normal((60, 4)) * 100).astype(dtype))
    if form == "broadcast" and kind is Legacy:
        pytest.skip("NumPy lends no read-only array in the old way")
    if form == "broadcast":
        view = np.lib.stride_tricks.as_strided(view, view.shape, view.strides)
    y = np.arange(len(view), dtype=dtype)
    plain = LinearRegression().fit(view.copy(), y)
    model = LinearRegression().fit(kind(view), kind(y[::-1].copy()[::-1]))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        np.asarray(plain.predict(kind(view))), plain.predict(view)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0, 4), (0,), (4, 0)])
def test_empty_arrays_are_refused_in_scikit_learns_words(kind, shape):
    X, y = np.empty(shape), np.empty(shape[0])
    with pytest.raises(ValueError, match=r"0 (sample|feature)\(s\)|Expected 2D array"):
        LinearRegression().fit(kind(X), kind(y))


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.int8, np.int16, np.int32, np.int64),
        *(np.uint8, np.uint16, np.uint32, np.uint64, bool),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_integers_and_booleans_become_double(rng, dtype, kind):
    X = rng.integers(0, 2 if dtype is bool else 100, (60, 3)).astype(dtype)
    y = rng.integers(0, 2, 60).astype(dtype)
    plain = LinearRegression().fit(X.astype(float), y.astype(float))
    model = LinearRegression().fit(kind(X), kind(y))
    coef = np.asarray(model.coef_)
    assert coef.dtype == np.float64
    np.testing.assert_allclose(coef, plain.coef_, rtol=1e-12)


class Brain(Producer):
    """One of bfloat16, which NumPy has not: of floats the upper halves."""

    def __init__(self, array):
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        super().__init__((bits >> 16).astype(np.uint16))

    def __dlpack__(self, **options):
        capsule = self.array.__dlpack__()
        kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
        pointer = kind(("PyCapsule_GetPointer", ctypes.pythonapi))
        tensor = pointer(capsule, b"dltensor")
        ctypes.c_uint8.from_address(tensor + 20).value = 4  # the code of the type
        return capsule

    def float32(self):
        return (self.array.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("kind", [Producer, Legacy, Brain])
def test_short_floats_become_single(rng, kind):
    X = rng.standard_normal((60, 3)).astype(np.float16)
    y = X @ np.arange(3) + rng.standard_normal(60).astype(np.float16)
    given = kind(X), kind(y.astype(np.float16))
    wide = [
        each.float32() if kind is Brain else each.array.astype(np.float32)
        for each in given
    ]
    model, plain = LinearRegression().fit(*given), LinearRegression().fit(*wide)
    coef = np.asarray(model.coef_)
    assert coef.dtype == np.float32
    np.testing.assert_array_equal(coef, plain.coef_)
    assert model.predict(given[0]).dtype == np.float32


@pytest.mark.parametrize("kind", [Producer, Legacy])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_other_types_are_refused_with_their_name(rows, kind, dtype):
    X, y = rows
    with pytest.raises(TypeError, match=r"(?i)not supported") as caught:
        LinearRegression().fit(kind(X.astype(dtype)), y)
    assert str(np.dtype(dtype).itemsize * 8) in str(caught.value)


def test_numbers_that_are_not_finite_are_found(rows):
    X, y = rows
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        LinearRegression().fit(xp.asarray(X), xp.asarray(y))


def test_an_array_on_a_device_is_refused(rows):
    X, y = rows
    for call in (
        lambda: LinearRegression().fit(Elsewhere(X), y),
        lambda: LinearRegression().fit(X, Elsewhere(y)),
        lambda: LinearRegression().fit(X, y).predict(Elsewhere(X)),
    ):
        with pytest.raises(BufferError, match=r"host"):
            call()


def test_a_device_told_by_the_capsule_alone_is_not_needed(rows):
    """A producer that lies about its device, but lends host memory."""

    class Liar(Elsewhere):
        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

    with pytest.raises((BufferError, ValueError), match=r"host|device"):
        LinearRegression().fit(Liar(rows[0]), rows[1])


def test_an_error_of_the_producer_comes_through(rows):
    with pytest.raises(RuntimeError, match="my library is broken"):
        LinearRegression().fit(Broken(rows[0]), rows[1])


def test_numpys_read_only_arrays_are_lent_too(rows):
    X, y = (a.copy() for a in rows)
    X.flags.writeable = y.flags.writeable = False
    model = LinearRegression().fit(Producer(X), Producer(y))
    np.testing.assert_allclose(model.coef_, [[1, 2, 3, 4], [4, 3, 2, 1]], rtol=1e-12)


def test_pickles_hold_arrays_of_numpy(rows):
    X, y = (xp.asarray(a) for a in rows)
    model = LinearRegression().fit(X, y)
    data = pickle.dumps(model)
    assert b"array_api_strict" not in data
    twin = pickle.loads(data)
    for name in ("coef_", "intercept_", "singular_"):
        assert type(getattr(twin, name)) is np.ndarray
        np.testing.assert_array_equal(getattr(twin, name), getattr(model, name))
    np.testing.assert_array_equal(twin.predict(rows[0]), model.predict(X))
    assert isinstance(model.coef_, type(X))


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_that_the_user_sets_may_be_of_any_library(rows, kind):
    X, y = rows
    model = LinearRegression().fit(X, y)
    model.coef_ = kind(np.array([1.0, 1.0, 1.0, 1.0]))
    model.intercept_ = 2.0
    np.testing.assert_allclose(model.predict(X), X.sum(axis=1) + 2, rtol=1e-12)


@pytest.mark.parametrize("kind", [Producer, Legacy])
@pytest.mark.parametrize("fails", [False, True])
def test_what_was_lent_is_given_back(rows, kind, fails):
    X, y = rows
    if fails:
        X[0, 0] = np.nan
    model = LinearRegression().fit(np.ones_like(rows[0]), y)
    before = sys.getrefcount(X), sys.getrefcount(y)
    for _ in range(5):
        try:
            LinearRegression().fit(kind(X), kind(y))
            model.predict(kind(X))
        except ValueError:
            assert fails
    assert (sys.getrefcount(X), sys.getrefcount(y)) == before


def test_a_change_of_the_source_is_seen_by_the_next_call(rows):
    X, y = rows
    foreign = xp.asarray(X, copy=False)
    model = LinearRegression().fit(foreign, y)
    before = np.array(model.predict(foreign))
    X += 1
    after = np.asarray(model.predict(foreign))
    shift = np.asarray(model.coef_).sum(axis=1)
    np.testing.assert_allclose(after - before, np.tile(shift, (80, 1)), rtol=1e-9)
    np.testing.assert_allclose(
        np.asarray(model.fit(foreign, y).intercept_), 1 - shift, rtol=1e-9
    )


PEAK = """
import re
from pathlib import Path
import array_api_strict as xp
import numpy as np
from sklearnex_rs.linear_model import LinearRegression

def memory(what):
    status = Path("/proc/self/status").read_text()
    return int(re.search(what + r":\\s+(\\d+)", status)[1])

rng = np.random.default_rng(0)
X = rng.standard_normal((200_000, 20))
y = X @ np.ones(20)
rows, target = xp.asarray(X, copy=False), xp.asarray(y, copy=False)
small = xp.asarray(X[:500]), xp.asarray(y[:500])
model = LinearRegression(n_jobs=2).fit(rows[:20_000, :], target[:20_000])
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmHWM")
model.fit(rows, target)
print((memory("VmHWM") - before) * 1024, X.nbytes)
for _ in range(200):
    model.fit(*small).predict(small[0])
before = memory("VmRSS")
for _ in range(2000):
    model.fit(*small).predict(small[0])
print((memory("VmRSS") - before) * 1024)
"""


def test_rows_are_not_copied_and_memory_does_not_grow(python):
    grown, size, leaked = map(int, python(PEAK).split())
    assert grown < 0.1 * size + 2e6
    assert leaked < 4e6


def test_a_share_that_only_speaks_dlpack_may_be_empty(rows):
    X, y = rows
    host = LinearRegression().fit(X, y)

    class Bare:
        """One that has neither a shape nor a length."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    def job(comm):
        mine = slice(0, 0) if comm.rank == 1 else slice(None)
        share = (Bare(part[mine].copy()) for part in rows)
        model = spmd.LinearRegression(comm=comm).fit(*share)
        coef = getattr(model.coef_, "array", model.coef_)
        assert np.allclose(np.from_dlpack(coef), host.coef_, rtol=1e-9)

    spmd.run(2, job)


def test_shares_of_other_libraries_over_ranks(rows):
    X, y = rows
    plain = LinearRegression().fit(X, y)

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        kind = [xp.asarray, np.asarray, Legacy][comm.rank]
        model = spmd.LinearRegression(comm=comm).fit(kind(X[mine]), kind(y[mine]))
        return model.coef_, pickle.dumps(model)

    answers = spmd.run(3, program)
    for coef, data in answers:
        np.testing.assert_allclose(np.asarray(coef), plain.coef_, rtol=1e-12)
        assert b"array_api_strict" not in data
    assert isinstance(answers[0][0], type(xp.asarray(X)))
