"""Kernels of moments and products on the host, in several orders of threads."""

import ctypes

import numpy as np
import pytest
from emulated import BATCH, PANEL, Case, close, empty, laid

pytestmark = pytest.mark.pairwise


@pytest.mark.parametrize("weighted", [False, True])
def test_means_and_spreads(rng, launch, shape, dtype, layout, weighted):
    case = Case(rng, shape, dtype, layout, weighted)
    origin, _, (total, mean, spread) = case.columns(launch)
    assert total == float(case.w.sum())
    wanted = (case.mean - origin).astype(float)
    np.testing.assert_allclose(mean, wanted, rtol=0, atol=1e-12)  # columns spread by 1
    close(spread, np.diag(case.comoment(case.mean)), 1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_extremes(rng, launch, shape, dtype, layout, weighted):
    case = Case(rng, shape, dtype, layout, weighted)
    most, out = empty(case.chunks, 2 * case.q), empty(2 * case.q)
    case.columns(launch, most)
    blocks = (-(-out.size // 128),)
    launch(f"largest_{case.real}", blocks, 128, out.size, case.chunks, most, out)
    kept = case.z[case.w > 0]
    wanted = np.concatenate([(-kept).max(axis=0), kept.max(axis=0)])
    assert np.array_equal(out, wanted.astype(float))


@pytest.mark.parametrize("exact", ["", "_exact", "_tf32", "_f64"])
@pytest.mark.parametrize("centered", [True, False])
def test_products(rng, launch, shape, dtype, layout, centered, exact):
    dtype = "f4" if exact == "_tf32" else dtype  # it is of floats alone
    case = Case(rng, shape, dtype, layout, True, 1e3 if centered else 0.0)
    origin, (weights, centers, sums, _), (_, mean, _) = case.columns(launch)
    panels = -(-case.q // PANEL)
    pairs = panels * (panels + 1) // 2
    parts = empty(case.chunks, pairs, PANEL, PANEL)
    name, place = f"products{exact}_{case.real}", centers if centered else None
    launch(name, (pairs, case.chunks), 256, case.rows, case.size, place, parts)
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
    tol = {"": case.tol, "_tf32": 1e-5}.get(exact, 1e-12)
    close(out, wanted, tol)


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
        f"r_factor_{case.real}",
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
        "r_factor_double",
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


def placed(mean, along, coef, intercept, across):
    """Coefficients where they lie, as `product` takes them."""
    steps = [step // coef.itemsize for step in coef.strides]
    start = ctypes.c_void_p(coef.ctypes.data)
    return mean, along, start, *steps, intercept, across


def test_one_intercept_for_all_and_numbers_far_apart(rng, launch, shape, dtype):
    case = Case(rng, shape, dtype, "C", False)
    n, p, m = shape
    coef, mean = rng.standard_normal((p, m)).astype(dtype), np.full(3 * p, np.nan)
    mean[::3] = case.mean[:p]
    intercept, out = np.array([2.5], dtype), np.full((n, m), np.nan, dtype)
    args = (*placed(mean, 3, coef, intercept, 0), np.int32(m), np.int32(0), out)
    grid = (-(-n // 64), -(-m // 16))
    launch(f"product_{case.real}", grid, 256, case.rows, *args)
    close(out, (case.z[:, :p] - mean[::3]) @ coef + 2.5, case.tol)


@pytest.mark.parametrize("less", [0, 1])
@pytest.mark.parametrize("centered", [False, True])
def test_products_with_coefficients(rng, launch, shape, dtype, layout, less, centered):
    case = Case(rng, shape, dtype, layout, False, 1e3 if centered else 1.0)
    n, p, m = shape
    coef = rng.standard_normal((p, m)).astype(dtype)
    mean = case.mean[:p].astype(float) if centered else None
    intercept = None if centered else np.arange(m).astype(dtype)
    out = np.full((n, m), np.nan, dtype)
    grid = (-(-n // 64), -(-m // 16))
    few = (np.int32(m), np.int32(less))
    parts = (mean, 1, laid(coef, layout), intercept, 1)
    launch(f"product_{case.real}", grid, 256, case.rows, *placed(*parts), *few, out)
    wanted = (case.z[:, :p] - (mean if centered else 0)) @ coef
    wanted += 0 if centered else intercept
    close(out, case.z[:, p:] - wanted if less else wanted, case.tol)


def test_forms(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, False)
    n, p, _ = shape
    mean, matrix = case.mean[:p].astype(float), rng.standard_normal((p, p))
    matrix, out = matrix @ matrix.T + np.triu(matrix), empty(n)
    parts, line = (mean, 1, laid(matrix, layout), None, 1), (2.0, -0.5)
    args = (*placed(*parts)[:5], *map(np.float64, line), out)
    launch(f"quadratic_form_{case.real}", (-(-n // 64),), 256, case.rows, *args)
    d = case.z[:, :p] - mean
    close(out, 2.0 - 0.5 * ((d @ matrix) * d).sum(axis=1), 1e-12)


@pytest.mark.parametrize("least", [None, 0.0, 0.75])
def test_rows_by_roots(rng, launch, shape, dtype, layout, least):
    n, p, _ = shape
    x = laid(rng.standard_normal((n, p)).astype(dtype), layout)
    squares = laid(rng.random((n, 1)).astype(dtype), layout)
    out = np.full((n, p), np.nan, dtype)
    steps = tuple(step // x.itemsize for step in x.strides)
    step = squares.strides[0] // x.itemsize
    by = (np.int32(least is not None), np.float64(least or 0.0))
    args = (x, n, p, *steps, squares, step, *by, out)
    name = {"f4": "scaled_float", "f8": "scaled_double"}[dtype]
    launch(name, (-(-n * p // 128),), 128, *args)
    roots = np.sqrt(squares)
    wanted = x * roots if least is None else x / roots.clip(least)
    close(out, wanted, 1e-6 if dtype == "f4" else 1e-15)


def test_scatter_along_directions(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, True)
    mean, p, m = case.mean[: case.p].astype(float), case.p, case.m + 3
    coef = rng.standard_normal((p, m))
    parts, out = empty(case.chunks, p * m + 1), empty(p * m + 1)
    grid = (case.chunks, -(-m // 4))
    args = (case.rows, case.size, mean, coef, np.int32(m), parts)
    launch(f"scatter_{case.real}", grid, 256, *args)
    blocks = (-(-out.size // 128),)
    launch(f"summed_{case.real}", blocks, 128, out.size, case.chunks, parts, out)
    d = case.z[:, :p] - mean
    weighted = d * case.w[:, None]
    close(out[:-1].reshape(m, p).T, weighted.T @ (d @ coef), 1e-11)
    close(out[-1], (weighted * d).sum(), 1e-11)


KINDS = [("i1", 0), ("i8", 0), ("u2", 1), ("?", 1), ("f2", 2), ("f4", 2), ("f8", 2)]


@pytest.mark.parametrize(("kind", "code"), KINDS)
def test_numbers_of_other_kinds(rng, launch, shape, dtype, layout, kind, code):
    n, p, _ = shape
    x = (200 * rng.standard_normal((n, p))).astype("i8").astype(kind)
    if kind.startswith("f"):
        extreme = [np.inf, -np.inf, 0.0, 6e-8, -6e-8, 65504.0][: x.size]
        x.flat[: len(extreme)] = extreme
    x = laid(x, layout)
    out = np.full((n, p), np.nan, dtype)
    steps = (step // x.itemsize for step in x.strides)
    args = (n, p, *steps, np.int32(code), np.int32(x.itemsize), out)
    start = ctypes.c_void_p(x.ctypes.data)
    real = {"f4": "float", "f8": "double"}[dtype]
    launch(f"cast_{real}", (-(-n * p // 128),), 128, start, *args)
    assert np.array_equal(out, x.astype(dtype))


def test_short_floats_of_a_wide_range(launch):
    x = np.array([1.0, -2.5, 1e38, 1e-38, np.inf, -0.0], "f4")
    short = (x.view("u4") >> 16).astype("u2")
    out = np.full(len(x), np.nan)
    args = (len(x), 1, 1, 1, np.int32(4), np.int32(2), out)
    launch("cast_double", (1,), 128, short, *args)
    assert np.array_equal(out, (short.astype("u4") << 16).view("f4").astype(float))


def test_shared_memory_is_not_a_number_before_it_is_written(launch, dtype):
    """The emulator's own test: else what is forgotten might be zero by chance."""
    out = np.zeros(12, dtype)
    launch(f"unwritten_{'float' if dtype == 'f4' else 'double'}", (3,), 4, out)
    assert np.isnan(out).all()
