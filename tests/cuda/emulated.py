"""What tests of kernels share: rows as kernels take them, and what is true."""

import ctypes

import numpy as np

REALS = {np.dtype("f4"): "float", np.dtype("f8"): "double"}
PANEL, BATCH = 64, 64


class Rows(ctypes.Structure):
    """As src/device/cuda/common.cuh has it."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "y", "w")),
        *(
            (name, ctypes.c_longlong)
            for name in ("n", "x_row", "x_column", "y_row", "y_column", "w_row")
        ),
        *((name, ctypes.c_int) for name in ("p", "m", "near", "pad")),
    ]

    @classmethod
    def of(cls, x, y, w):
        size = x.itemsize
        return cls(
            x=x.ctypes.data,
            y=y.ctypes.data,
            w=None if w is None else w.ctypes.data,
            n=len(x),
            x_row=x.strides[0] // size,
            x_column=x.strides[1] // size,
            y_row=y.strides[0] // size,
            y_column=y.strides[1] // size,
            w_row=0 if w is None else w.strides[0] // size,
            p=x.shape[1],
            m=y.shape[1],
            near=abs(x.strides[1]) <= abs(x.strides[0]),
        )


def as_parameter(value):
    if value is None:
        return ctypes.c_void_p()
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, np.int32):
        return ctypes.c_int(int(value))
    if isinstance(value, np.float64):
        return ctypes.c_double(float(value))
    return ctypes.c_longlong(value) if isinstance(value, int) else value


def empty(*shape):
    return np.full(shape, np.nan)


def laid(a, layout):
    """Lay an array as C, F, or sliced and backwards."""
    n, p = a.shape
    if layout == "F":
        return np.asfortranarray(a)
    if layout == "sliced":
        room = np.full((2 * n, 3 * p), np.nan if a.dtype.kind == "f" else 1, a.dtype)
        room[::-2, ::3] = a
        return room[::-2, ::3]
    return np.ascontiguousarray(a)


SHAPES = [(1, 1, 1), (5, 3, 2), (33, 31, 1), (130, 65, 2), (200, 7, 5), (64, 130, 1)]


class Case:
    """Rows far from zero, in odd chunks, and what kernels should say of them."""

    def __init__(self, rng, shape, dtype, layout, weighted, offset=1e3):
        n, p, m = shape
        z = (rng.standard_normal((n, p + m)) + offset).astype(dtype)
        w = rng.integers(0, 3, n).astype(dtype) if weighted else np.ones(n, dtype)
        w[-1] = 1
        self.n, self.p, self.m, self.q = n, p, m, p + m
        self.x, self.y = laid(z[:, :p], layout), laid(z[:, p:], layout)
        self.kept = laid(w[:, None], layout) if weighted else None
        self.rows = Rows.of(self.x, self.y, self.kept)
        self.real = REALS[np.dtype(dtype)]
        self.size = max(1, n // 3) if n < 100 else 64
        self.chunks = -(-n // self.size)
        self.z, self.w = z.astype(np.longdouble), w.astype(np.longdouble)
        self.mean = self.w @ self.z / self.w.sum()
        self.tol = 1e-12 if dtype == "f8" else 1e-5

    def comoment(self, mean):
        d = self.z - mean
        return (d * self.w[:, None]).T @ d

    def columns(self, launch, most=None):
        origin, chunks = empty(self.q), self.chunks
        launch(f"origin_{self.real}", (1,), 256, self.rows, origin)
        parts = [empty(chunks), *(empty(chunks, self.q) for _ in range(3))]
        grid = (chunks, -(-self.q // 32))
        args = (self.rows, self.size, origin, *parts, most)
        launch(f"columns_{self.real}", grid, 256, *args)
        total, mean, spread = empty(1), empty(self.q), empty(self.q)
        launch(
            f"means_{self.real}",
            (-(-self.q // 128),),
            128,
            np.int32(self.q),
            chunks,
            origin,
            *parts,
            total,
            mean,
            spread,
        )
        return origin, parts, (total[0], mean, spread)


def close(found, wanted, tol):
    wanted = np.asarray(wanted, float)
    scale = np.abs(wanted).max(initial=0.0) or 1.0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tol * scale)
