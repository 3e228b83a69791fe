"""A library whose arrays are on cards: of the stand-in, whose memory is the host's."""

import ctypes

import numpy as np

pointer = ctypes.pythonapi.PyCapsule_GetPointer
pointer.restype = ctypes.c_void_p
pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
HOST, CARD = 1, 2


def moved(capsule, kind, ordinal):
    """Say in a capsule that its memory is elsewhere: the stand-in's is the host's."""
    at = pointer(capsule, b"dltensor_versioned") + 40
    ctypes.c_int32.from_address(at).value = kind
    ctypes.c_int32.from_address(at + 4).value = ordinal
    return capsule


class Array:
    """An array of a library whose arrays are on cards."""

    def __init__(self, array, ordinal=0):
        self.array, self.ordinal, self.streams = np.asarray(array), ordinal, []
        self.shape = self.array.shape

    def __len__(self):
        return len(self.array)

    def __array_namespace__(self):
        return Library

    def __dlpack_device__(self):
        return (CARD, self.ordinal)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        capsule = self.array.__dlpack__(max_version=(1, 0))
        if dl_device == (HOST, 0):
            return capsule
        self.streams.append(stream)
        return moved(capsule, CARD, self.ordinal)


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
    def from_dlpack(array):
        kind, ordinal = array.__dlpack_device__()
        assert kind == CARD
        capsule = array.__dlpack__(stream=1, max_version=(1, 0))
        mine = Array(np.from_dlpack(Host(moved(capsule, HOST, 0))), ordinal)
        mine.kept = array
        return mine
