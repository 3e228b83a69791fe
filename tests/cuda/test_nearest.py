"""Kernels of nearest centres on the host, in several orders of threads."""

import ctypes

import numpy as np
import pytest
from emulated import Case, close, empty, laid

pytestmark = pytest.mark.pairwise
PIECE = 1024
DOUBT = ("share", "least", "coarse")
COARSE = 2 * (2**-10 + 2**-22)  # of gaps: both scores, by two factors of 11 bits
CENTERS = [(1, 1.0), (3, 1.0), (70, 1.0), (5, 0.0)]  # how many, how far apart


class Centers:
    """Centers around a place, as the kernels take them."""

    def __init__(self, rng, case, k, spread):
        p, real = case.p, case.x.dtype
        self.k, self.place = k, case.mean[:p].astype(float)
        self.exact = spread * rng.standard_normal((k, p))
        self.packed = self.exact.astype(real)
        self.square = (self.exact**2).sum(axis=1)
        self.halves = (self.square / 2).astype(real)
        self.longest = np.sqrt(self.square.max(keepdims=True))
        self.share = 2 * (p + 4) * float(np.finfo(real).eps) + 1e-12
        self.least = 2 * (p + 4) * float(np.finfo(real).smallest_subnormal)
        self.z = case.z[:, :p] - self.place
        self.squares = ((self.z[:, None] - self.exact) ** 2).sum(axis=2)


def rechecked(launch, case, of, labels):
    marked, wrong = labels < 0, np.zeros(1, np.int32)
    args = (case.rows, of.place, of.exact, np.int32(of.k), of.longest)
    launch(f"recheck_{case.real}", (3,), 256, *args, labels, wrong)
    return labels, marked, wrong[0]


def labelled(launch, case, of):
    labels, double = np.full(case.n, -7, np.int32), np.float64
    launch(
        f"nearest_{case.real}",
        (-(-case.n // 64),),
        256,
        case.rows,
        of.place,
        of.packed,
        of.halves,
        np.int32(of.k),
        double(of.share),
        double(of.least),
        of.longest,
        labels,
    )
    return rechecked(launch, case, of, labels)


class Doubt(ctypes.Structure):
    """As src/device/cuda/centers.cu has it."""

    _fields_ = [(name, ctypes.c_double) for name in DOUBT]
    _fields_.append(("longest", ctypes.c_void_p))


class Some(ctypes.Structure):
    """As src/device/cuda/centers.cu has it."""

    _fields_ = [("list", ctypes.c_void_p), ("many", ctypes.c_void_p)]


class Tiles:
    """What kernels for tensor cores take: whole tiles of centers, as floats."""

    def __init__(self, case, of, wide):
        p, k = 16 * -(-case.p // 16), 128 * -(-of.k // 128)
        centers = np.zeros((k, p), "f4")
        centers[: of.k, : case.p] = of.exact
        self.centers = aligned(centers)
        self.halves = np.full(k, np.inf, "f4")
        self.halves[: of.k] = of.square / 2
        self.wide = min(p, wide)
        self.shared = 4 * (128 * (self.wide + 4) + 2 * 128 * 20)
        self.case, self.of = case, of

    def find(self, launch, blocks, labels, some=None):
        """Find labels: of all rows by single products, of some by three."""
        case, of = self.case, self.of
        roundings = 4 * (case.p + 8)
        doubt = Doubt(
            share=roundings * float(np.finfo("f4").eps) + 1e-12,
            least=roundings * float(np.finfo("f4").tiny),
            coarse=COARSE if some is None else 0.0,
            longest=of.longest.ctypes.data,
        )
        args = (of.place, self.centers, self.halves, np.int32(of.k))
        args = (*args, np.int32(self.wide), doubt, labels)
        if some is not None:
            name, args = "nearest_tf32x3", (case.rows, some, *args)
            launch(f"{name}_{case.real}", (blocks,), 256, *args, shared=self.shared)
            return None
        listed, many = np.full(case.n, -1, np.int32), np.zeros(1, np.int32)
        name, args = "nearest_tf32", (case.rows, *args, listed, many)
        launch(f"{name}_{case.real}", (blocks,), 256, *args, shared=self.shared)
        return listed, many


def aligned(array):
    """Copy an array to where a GPU could have it."""
    room = np.empty(array.nbytes + 16, np.uint8)
    first = -room.ctypes.data % 16
    to = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    to[:] = array
    return to


@pytest.mark.parametrize(("k", "spread"), CENTERS)
def test_the_nearest_center(rng, launch, shape, dtype, layout, k, spread):
    case = Case(rng, shape, dtype, layout, False)
    of = Centers(rng, case, k, spread)
    labels, marked, wrong = labelled(launch, case, of)
    assert wrong == 0
    least = of.squares.min(axis=1)
    mine = of.squares[np.arange(case.n), labels]
    size = (np.sqrt((of.z**2).sum(axis=1)) + of.longest) ** 2
    assert (mine <= least + 1e-11 * size).all()
    if spread == 0:  # all are as near
        assert (labels == 0).all()
        assert marked.all()
    elif dtype == "f8":
        assert not marked.any()


@pytest.mark.parametrize("wide", [16, 128])
@pytest.mark.parametrize(("k", "spread"), [(16, 1.0), (150, 1.0), (17, 0.0)])
def test_the_nearest_center_by_tensor_cores(rng, launch, shape, dtype, wide, k, spread):
    case = Case(rng, shape, dtype, "F" if shape[0] == 33 else "C", False)
    of = Centers(rng, case, k, spread)
    tiles = Tiles(case, of, wide)
    once, thrice = (np.full(case.n, -7, np.int32) for _ in range(2))
    listed, many = tiles.find(launch, 1, once)
    doubtful = np.flatnonzero(once < 0)
    assert many[0] == len(doubtful)
    assert np.array_equal(np.sort(listed[: many[0]]), doubtful)
    assert (listed[many[0] :] == -1).all()
    right = of.squares.argmin(axis=1)
    assert np.array_equal(once[once >= 0], right[once >= 0])
    tiles.find(launch, -(-case.n // 128), thrice, Some())
    assert (thrice[once >= 0] >= 0).all()
    assert np.array_equal(thrice[thrice >= 0], right[thrice >= 0])
    some = Some(listed.ctypes.data, many.ctypes.data)
    tiles.find(launch, 2, once, some)  # of the list alone
    assert np.array_equal(once, thrice)
    labels, marked, wrong = rechecked(launch, case, of, once)
    assert wrong == 0
    mine = of.squares[np.arange(case.n), labels]
    size = (np.sqrt((of.z**2).sum(axis=1)) + of.longest) ** 2
    assert (mine <= of.squares.min(axis=1) + 1e-11 * size).all()
    if spread == 0:
        assert marked.all()
    elif case.p > 1:
        assert marked.mean() < 0.1
    if case.p > 60 and spread:
        assert len(doubtful) < 0.5 * case.n


def test_roundings_that_agree(rng, launch, dtype):
    case = Case(rng, (260, 40, 1), dtype, "C", False, 0.0)
    down = 1 + 0.9 * 2**-11  # 1 in 11 bits
    case.x[:] = down + 1e-5 * rng.standard_normal(case.x.shape)
    case.x[130:] = rng.standard_normal((130, 40))
    case.mean, case.z = 0 * case.mean, case.x.astype(np.longdouble)
    of = Centers(rng, case, 130, 1.0)
    of.exact[3], of.exact[70] = down, 1 + 2**-10  # the second by 11 bits
    of.square = (of.exact**2).sum(axis=1)
    right = ((case.z[:, None] - of.exact) ** 2).sum(axis=2).argmin(axis=1)
    assert (right[:130] == 3).all()
    labels, tiles = np.full(case.n, -7, np.int32), Tiles(case, of, 128)
    listed, many = tiles.find(launch, 3, labels)
    assert (labels[:130] == -71).all()
    sure = labels >= 0
    assert np.array_equal(labels[sure], right[sure])
    assert sure[130:].mean() > 0.5
    tiles.find(launch, 3, labels, Some(listed.ctypes.data, many.ctypes.data))
    labels = rechecked(launch, case, of, labels)[0]
    assert np.array_equal(labels, right)


@pytest.mark.parametrize("k", [1, 7, 130])
def test_centers_around_their_mean(rng, launch, shape, dtype, layout, k):
    p, real = shape[1], {"f4": "float", "f8": "double"}[dtype]
    centers = laid(1e6 + rng.standard_normal((k, p)), layout)
    row, column = (step // 8 for step in centers.strides)
    place, exact = empty(p), empty(k, p)
    args = (centers, row, column, np.int32(k), np.int32(p), place, exact)
    launch(f"pack_centers_{real}", (-(-p // 4),), 128, *args)
    close(place, centers.mean(axis=0), 1e-14)
    assert np.array_equal(exact, centers - place)
    square = (exact**2).sum(axis=1)
    for floats, high, wide in ((1, 128 * -(-k // 128), 16 * -(-p // 16)), (0, k, p)):
        kind = "f4" if floats else dtype
        tiles, halves = np.full((high, wide), np.nan, kind), np.full(high, np.nan, kind)
        longest = np.zeros(1)
        sizes = map(np.int32, (k, p, high, wide, floats))
        args = (exact, *sizes, tiles, halves, longest)
        launch(f"pack_{real}", (-(-high // 4),), 128, *args)
        assert np.array_equal(tiles[:k, :p], exact.astype(kind))
        assert not tiles[k:].any()
        assert not tiles[:, p:].any()
        close(halves[:k], square / 2, 1e-6 if kind == "f4" else 1e-13)
        assert (halves[k:] == np.inf).all()
        close(longest, [np.sqrt(square.max())], 1e-13)


def small(rng):
    case = Case(rng, (200, 6, 1), "f4", "C", False, 0.0)
    case.x[:] *= 1e-24
    case.z = np.array(case.x, np.longdouble)
    case.mean = case.mean * 1e-24
    return case, Centers(rng, case, 17, 1e-24)


def test_numbers_whose_squares_are_too_small(rng, launch):
    case, of = small(rng)
    labels, marked, wrong = labelled(launch, case, of)
    assert wrong == 0
    assert marked.all()
    assert np.array_equal(labels, of.squares.argmin(axis=1))


def test_squares_that_are_too_small_for_tensor_cores(rng, launch):
    case, of = small(rng)
    labels, tiles = np.full(case.n, -7, np.int32), Tiles(case, of, 128)
    assert tiles.find(launch, 2, labels)[1][0] == case.n
    tiles.find(launch, 2, labels, Some())
    labels, marked, wrong = rechecked(launch, case, of, labels)
    assert wrong == 0
    assert marked.all()
    assert np.array_equal(labels, of.squares.argmin(axis=1))


def test_terms_above_the_largest_float(rng, launch):
    case = Case(rng, (200, 6, 1), "f4", "C", False, 0.0)
    case.x[:] *= 4e18
    case.z, case.mean = case.x.astype(np.longdouble), case.mean * 4e18
    of = Centers(rng, case, 17, 4e18)
    right = of.squares.argmin(axis=1)
    assert np.array_equal(labelled(launch, case, of)[0], right)
    labels, tiles = np.full(case.n, -7, np.int32), Tiles(case, of, 128)
    listed, many = tiles.find(launch, 2, labels)
    tiles.find(launch, 2, labels, Some(listed.ctypes.data, many.ctypes.data))
    assert np.array_equal(rechecked(launch, case, of, labels)[0], right)


def test_rows_that_are_not_finite_are_told(rng, launch):
    case = Case(rng, (70, 4, 1), "f8", "C", False)
    of = Centers(rng, case, 5, 1.0)
    case.x[40, 2] = np.nan
    assert labelled(launch, case, of)[2] == 1


@pytest.mark.parametrize(("weighted", "every"), [(False, 0), (False, 1), (True, 1)])
def test_what_centers_have(rng, launch, shape, dtype, layout, weighted, every):
    case = Case(rng, shape, dtype, layout, weighted)
    of = Centers(rng, case, 5, 1.0)
    labels = rng.integers(0, 5, case.n).astype(np.int32)
    before = np.where(rng.random(case.n) < 0.5, labels, rng.integers(-1, 5, case.n))
    before = before.astype(np.int32)
    p, numbers = case.p, 5 * (case.p + 2) + 1
    width = max(32, 1 << (p - 1).bit_length())
    parts, out = np.zeros((case.chunks, numbers)), empty(numbers)
    launch(
        f"assign_{case.real}",
        (-(-case.chunks * width // 256),),
        256,
        case.rows,
        case.size,
        case.chunks,
        np.int32(width),
        of.place,
        labels,
        before,
        np.int32(every),
        np.int32(5),
        parts,
    )
    blocks = (-(-numbers // 128),)
    launch(f"summed_{case.real}", blocks, 128, numbers, case.chunks, parts, out)
    own = (labels[:, None] == np.arange(5)).astype(float)
    if not every:
        own -= before[:, None] == np.arange(5)
    weight = own * case.w[:, None]
    close(out[: 5 * p].reshape(5, p), weight.T @ of.z, case.tol)
    assert np.array_equal(out[5 * p : 5 * p + 5], weight.sum(axis=0).astype(float))
    assert np.array_equal(out[5 * p + 5 : -1], own.sum(axis=0))
    assert out[-1] == (labels != before).sum()
    parts, args = empty(case.chunks), (np.int32(width), of.place, of.exact, labels)
    args = (case.rows, case.size, *args, parts)
    launch(f"inertia_{case.real}", (case.chunks,), 256, *args)
    away = of.squares[np.arange(case.n), labels]
    close(parts.sum(), case.w @ away, case.tol)
    apart = empty(case.n)
    args = (case.rows, of.place, of.exact, labels, apart)
    launch(f"apart_{case.real}", (-(-case.n // 128),), 128, *args)
    close(apart, away, 1e-12)


@pytest.mark.parametrize(("new", "many"), [(1, 0), (0, 0), (2, 3), (17, 18)])
def test_potentials(rng, launch, dtype, layout, new, many):
    case = Case(rng, (1100, 7, 1), dtype, layout, True)
    points = (case.z[:, :7].mean(axis=0) + rng.standard_normal((new + many, 7))).astype(
        dtype
    )
    nearest = (rng.random(case.n) * 20).astype(dtype)
    squares = ((case.z[:, None, :7] - points) ** 2).sum(axis=2)
    wanted = np.minimum(nearest, squares[:, :new].min(axis=1, initial=np.inf))
    each = empty(case.n - PIECE)
    few = np.int32(new)
    args = (case.rows, nearest, points, few, PIECE, each)
    launch(f"potentials_{case.real}", (2,), 256, *args)
    close(each, (case.w * wanted)[PIECE:], case.tol)
    out = empty(2, max(many, 1))
    args = (case.rows, nearest, points, few, np.int32(many), out)
    launch(f"update_min_distance_{case.real}", (2,), 256, *args)
    close(nearest, wanted, case.tol)
    each = np.minimum(wanted[:, None], squares[:, new:]) if many else wanted[:, None]
    each = each * case.w[:, None]
    close(out, [each[:PIECE].sum(axis=0), each[PIECE:].sum(axis=0)], case.tol)


def test_distances_to_points(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, False)
    points = (case.mean[: case.p] + rng.standard_normal((19, case.p))).astype(dtype)
    out = np.full((case.n, 19), np.nan, dtype)
    grid = (-(-case.n // 64), 2)
    args = (case.rows, points, np.int32(19), out)
    launch(f"distances_{case.real}", grid, 256, *args)
    squares = ((case.z[:, None, : case.p] - points) ** 2).sum(axis=2)
    close(out, np.sqrt(squares), case.tol)


def test_single_rows_and_columns(rng, launch, shape, dtype, layout):
    case = Case(rng, shape, dtype, layout, True)
    row, column = empty(case.p + 1), np.full(case.n, np.nan, dtype)
    last = case.n - 1
    launch(f"gather_{case.real}", (1 + case.p // 128,), 128, case.rows, last, None, row)
    assert np.array_equal(row[:-1], case.x[last].astype(float))
    assert row[-1] == case.w[last]
    blocks = (-(-case.n // 128),)
    launch(f"filled_{case.real}", blocks, 128, case.n, np.float64(2.5), column)
    assert (column == 2.5).all()
    some = np.unique(rng.integers(0, case.n, 3))
    launch(f"erased_{case.real}", (1,), 128, len(some), some, column)
    assert np.array_equal(np.flatnonzero(column == 0), some)
