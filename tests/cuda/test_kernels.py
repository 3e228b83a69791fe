"""Every kernel on the host, in several orders of its threads, against plain loops."""

import ctypes
import os

import numpy as np
import pytest

FOLDER = os.environ["KERNELS"]
KIND = os.environ.get("KERNELS_KIND", "plain")
REALS = {np.dtype("f4"): "float", np.dtype("f8"): "double"}
ORDERS = {"forward": (0, 1), "reverse": (1, 1), "random 7": (2, 7), "random 8": (2, 8)}
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


@pytest.fixture(scope="module")
def library():
    return ctypes.CDLL(f"{FOLDER}/libkernels-{KIND}.so")


@pytest.fixture(params=ORDERS)
def launch(request, library):
    library.emulated_order(*ORDERS[request.param])

    def run(name, grid, block, *args):
        values = [as_parameter(arg) for arg in args]
        each = [ctypes.cast(ctypes.pointer(v), ctypes.c_void_p) for v in values]
        blocks = (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid)))
        getattr(library, f"emulated_launch_{name}")(
            blocks,
            (ctypes.c_uint * 3)(block, 1, 1),
            ctypes.c_size_t(0),
            (ctypes.c_void_p * len(each))(*each),
        )

    return run


def as_parameter(value):
    if value is None:
        return ctypes.c_void_p()
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, np.int32):
        return ctypes.c_int(int(value))
    return ctypes.c_longlong(value) if isinstance(value, int) else value


def empty(*shape):
    return np.full(shape, np.nan)


def laid(a, layout):
    """Lay an array as C, F, sliced or backwards."""
    n, p = a.shape
    if layout == "F":
        return np.asfortranarray(a)
    if layout == "sliced":
        room = np.full((2 * n, 3 * p), np.nan, a.dtype)
        room[::2, ::3] = a
        return room[::2, ::3]
    if layout == "backwards":
        return np.ascontiguousarray(a[::-1])[::-1]
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

    def columns(self, launch):
        origin, chunks = empty(self.q), self.chunks
        launch(f"origin_{self.real}", (1,), 256, self.rows, origin)
        parts = [empty(chunks), *(empty(chunks, self.q) for _ in range(3))]
        grid = (chunks, -(-self.q // 32))
        launch(f"columns_{self.real}", grid, 256, self.rows, self.size, origin, *parts)
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


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


@pytest.fixture(params=["C", "F", "sliced", "backwards"])
def layout(request):
    return request.param


@pytest.fixture(params=["f4", "f8"])
def dtype(request):
    return request.param


def close(found, wanted, tol):
    wanted = np.asarray(wanted, float)
    scale = np.abs(wanted).max(initial=0.0) or 1.0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tol * scale)


@pytest.mark.parametrize("weighted", [False, True])
def test_means_and_spreads(rng, launch, shape, dtype, layout, weighted):
    case = Case(rng, shape, dtype, layout, weighted)
    origin, _, (total, mean, spread) = case.columns(launch)
    assert total == float(case.w.sum())
    wanted = (case.mean - origin).astype(float)
    np.testing.assert_allclose(mean, wanted, rtol=0, atol=1e-12)  # columns spread by 1
    close(spread, np.diag(case.comoment(case.mean)), 1e-12)


@pytest.mark.parametrize("exact", ["", "_exact"])
@pytest.mark.parametrize("centered", [True, False])
def test_products(rng, launch, shape, dtype, layout, centered, exact):
    case = Case(rng, shape, dtype, layout, True, 1e3 if centered else 0.0)
    origin, (weights, centers, sums, _), (_, mean, _) = case.columns(launch)
    panels = -(-case.q // PANEL)
    pairs = panels * (panels + 1) // 2
    parts = empty(case.chunks, pairs, PANEL, PANEL)
    name, place = f"products{exact}_{case.real}", centers if centered else None
    launch(name, (case.chunks, pairs), 256, case.rows, case.size, place, parts)
    out = empty(case.q * (case.q + 1) // 2)
    launch(
        f"joined_{case.real}",
        (-(-len(out) // 128),),
        128,
        np.int32(case.q),
        case.chunks,
        np.int32(pairs),
        origin,
        weights,
        place,
        sums,
        mean,
        parts,
        out,
    )
    wanted = case.comoment(case.mean if centered else 0)[np.tril_indices(case.q)]
    close(out, wanted, 1e-12 if exact else case.tol)


def test_the_gradient_of_residuals(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, True)
    mean, p, m = case.mean.astype(float), case.p, case.m
    coef = rng.standard_normal((p, m))
    parts, out = empty(case.chunks, p, m), empty(p, m)
    grid = (case.chunks, -(-m // 4))
    launch(f"residual_{case.real}", grid, 256, case.rows, case.size, mean, coef, parts)
    blocks = (-(-out.size // 128),)
    launch(f"summed_{case.real}", blocks, 128, out.size, case.chunks, parts, out)
    d = case.z - mean
    rest = d[:, p:] - d[:, :p] @ coef
    close(out, (d[:, :p] * case.w[:, None]).T @ rest, 1e-11)


def test_the_triangle(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, True)
    mean = case.mean.astype(float)
    triangles = np.zeros((case.chunks, case.q, case.q))
    room = empty(case.chunks, BATCH, case.q)
    launch(
        f"triangle_{case.real}",
        (case.chunks,),
        256,
        case.rows,
        case.size,
        mean,
        triangles,
        room,
    )
    assert all(np.all(np.tril(R, -1) == 0) for R in triangles)
    close(sum(R.T @ R for R in triangles), case.comoment(mean), 1e-11)


def test_a_triangle_of_numbers_whose_squares_are_too_large(rng, launch):
    case = Case(rng, (70, 4, 1), "f8", "C", False, 0.0)
    case.x[:] *= 1e250
    triangles = np.zeros((case.chunks, 5, 5))
    room, mean = empty(case.chunks, BATCH, 5), np.zeros(5)
    launch(
        "triangle_double",
        (case.chunks,),
        256,
        case.rows,
        case.size,
        mean,
        triangles,
        room,
    )
    assert np.isfinite(triangles).all()
    z = case.z.astype(float)
    close(sum(R.T @ R for R in triangles * ([1e-250] * 4 + [1])), z.T @ z, 1e-11)


def test_numbers_that_are_not_finite_show_in_the_means(rng, launch, dtype):
    case = Case(rng, (70, 4, 1), dtype, "C", False)
    case.x[40, 2] = np.nan
    *_, (_, mean, _) = case.columns(launch)
    assert np.isnan(mean).tolist() == [False, False, True, False, False]


def test_the_origin_is_of_rows_that_weigh_something(rng, launch):
    case = Case(rng, (700, 2, 1), "f8", "C", True)
    case.kept[:600], case.x[:600] = 0, 1e30
    origin, *_ = case.columns(launch)
    assert abs(origin[:2] - 1e3).max() < 10


@pytest.mark.parametrize("less", [0, 1])
def test_products_with_coefficients(rng, launch, shape, dtype, layout, less):
    case = Case(rng, shape, dtype, layout, False, 1.0)
    n, p, m = shape
    coef = rng.standard_normal((p, m)).astype(dtype)
    intercept, out = np.arange(m).astype(dtype), np.full((n, m), np.nan, dtype)
    grid = (-(-n // 64), -(-m // 4))
    few = (np.int32(m), np.int32(less))
    launch(f"product_{case.real}", grid, 256, case.rows, coef, intercept, *few, out)
    wanted = case.z[:, :p] @ coef + intercept
    close(out, case.z[:, p:] - wanted if less else wanted, case.tol)
