"""A library whose arrays are on GPUs: of the stand-in, whose memory is the host's."""

import ctypes
import functools
from contextlib import contextmanager

import numpy as np

pointer = ctypes.pythonapi.PyCapsule_GetPointer
pointer.restype = ctypes.c_void_p
pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
HOST, CARD, MANAGED = 1, 2, 13


@functools.cache
def driver():
    return ctypes.CDLL("libcuda.so.1")


@contextmanager
def within(ordinal):
    """Make the context of a GPU the current one, as its library has it at work."""
    before, mine = ctypes.c_void_p(), ctypes.c_void_p()
    driver().cuCtxGetCurrent(ctypes.byref(before))
    assert driver().cuDevicePrimaryCtxRetain(ctypes.byref(mine), ordinal) == 0
    driver().cuCtxSetCurrent(mine)
    try:
        yield
    finally:
        driver().cuCtxSetCurrent(before)


def counts():
    """Return what the driver counts: launches, allocations, memory that lives, ..."""
    found = (ctypes.c_longlong * 6)()
    for ordinal in range(2):
        with within(ordinal):  # memory goes back when its stream comes to that
            driver().cuCtxSynchronize()
    driver().standin_counts(found)
    names = ("launches", "allocations", "frees", "waits", "alive", "waiting")
    return dict(zip(names, found, strict=True))


@contextmanager
def travels():
    """Count the bytes that go to GPUs, and that come from them, meanwhile."""
    sums = {"to": 0, "from": 0}
    before, after = (ctypes.c_longlong * 2)(), (ctypes.c_longlong * 2)()
    driver().standin_moved(before)
    yield sums
    driver().standin_moved(after)
    sums["to"], sums["from"] = (a - b for a, b in zip(after, before, strict=True))


def moved(capsule, kind, ordinal):
    """Say in a capsule that its memory is elsewhere: the stand-in's is the host's."""
    at = pointer(capsule, b"dltensor_versioned") + 40
    ctypes.c_int32.from_address(at).value = kind
    ctypes.c_int32.from_address(at + 4).value = ordinal
    return capsule


class Array:
    """An array of a library whose arrays are on GPUs."""

    def __init__(self, array, ordinal=0, kind=CARD):
        self.array, self.ordinal, self.streams = np.asarray(array), ordinal, []
        self.kind = kind
        self.shape = self.array.shape

    def __len__(self):
        return len(self.array)

    def __array_namespace__(self):
        return Library

    def __dlpack_device__(self):
        return (self.kind, self.ordinal)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        now = max(driver().standin_here(), 0)
        if now != self.ordinal:
            msg = f"tensor is on GPU {self.ordinal}, but the current one is {now}"
            raise BufferError(msg)  # as torch does
        capsule = self.array.__dlpack__(max_version=(1, 0))
        if dl_device == (HOST, 0):
            return capsule
        self.streams.append(stream)
        return moved(capsule, self.kind, self.ordinal)


class Late(Array):
    """One whose numbers are still on their way, on a stream of its library."""

    def __init__(self, array, *, waits=True):
        super().__init__(np.full(array.shape, np.nan))
        self.driver, self.stream = driver(), ctypes.c_void_p()
        self.waits = waits
        to, origin = ctypes.c_ulonglong(self.array.ctypes.data), np.array(array, float)
        at, size = ctypes.c_void_p(origin.ctypes.data), ctypes.c_size_t(origin.nbytes)
        with within(0):
            self.driver.cuStreamCreate(ctypes.byref(self.stream), 1)
            self.driver.cuMemcpyHtoDAsync_v2(to, at, size, self.stream)

    def __dlpack__(self, *, stream=None, **options):
        if self.waits and stream is not None:  # as torch and CuPy do
            event = ctypes.c_void_p()
            self.driver.cuEventCreate(ctypes.byref(event), 0)
            self.driver.cuEventRecord(event, self.stream)
            self.driver.cuStreamWaitEvent(ctypes.c_void_p(stream), event, 0)
        return super().__dlpack__(stream=stream, **options)


class Old(Array):
    """One that has never heard of versions."""

    def __dlpack__(self, *, stream=None):
        self.streams.append(stream)
        return moved(self.array.__dlpack__(max_version=(1, 0)), CARD, self.ordinal)


class Host:
    """A capsule of the host."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack_device__(self):
        return (HOST, 0)

    def __dlpack__(self, **options):
        return self.capsule


class Library:
    """That library."""

    @staticmethod
    def from_dlpack(array, copy=None):
        kind, ordinal = array.__dlpack_device__()
        assert kind == CARD
        capsule = array.__dlpack__(stream=1, max_version=(1, 0), copy=copy)
        mine = Array(np.from_dlpack(Host(moved(capsule, HOST, 0))), ordinal)
        mine.kept = array
        return mine


def rows(rng, n=700, p=5, m=2, dtype="f8", offset=100.0):
    X = (rng.standard_normal((n, p)) + offset).astype(dtype)
    y = X @ rng.standard_normal((p, m)) + 0.1 * rng.standard_normal((n, m)) + 3
    return X, y.astype(dtype), rng.integers(1, 4, n).astype(dtype)
