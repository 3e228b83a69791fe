"""Kernels of logistic losses and of bases on the host, in several orders of threads."""

import numpy as np
import pytest
from emulated import Case, close, empty

pytestmark = pytest.mark.pairwise


class Losses:
    """Rows with classes, and what is true of them, in double."""

    def __init__(self, rng, case, m):
        n, p = case.n, case.p
        self.m, self.labels = m, rng.integers(0, max(m, 2), n)
        case.y[:, 0] = self.labels
        self.mean = case.mean[:p].astype(float)
        self.coef = rng.standard_normal((m, p + 1)) / np.sqrt(p)
        self.of_classes = rng.random(max(m, 2)) + 0.5
        self.w = case.w.astype(float) * self.of_classes[self.labels]
        self.z = np.column_stack([case.z[:, :p] - self.mean, np.ones(n)]).astype(float)
        scores = self.z @ self.coef.T
        if m == 1:
            scores = np.column_stack([np.zeros(n), scores])
        top = scores.max(axis=1, keepdims=True)
        odds = np.exp(scores - top)
        self.shares = odds / odds.sum(axis=1, keepdims=True)
        own = np.arange(scores.shape[1]) == self.labels[:, None]
        logs = np.log(odds.sum(axis=1)) + top[:, 0] - (scores * own).sum(axis=1)
        self.loss = self.w @ logs
        rest = self.w[:, None] * (self.shares - own)
        self.gradient = (rest[:, 1:] if m == 1 else rest).T @ self.z


def whole(launch, case, of, shares, parts):
    """Look by the kernel for any number of scores."""
    launch(
        f"link_{case.real}",
        (case.chunks,),
        256,
        case.rows,
        case.size,
        of.mean,
        of.coef,
        of.of_classes,
        np.int32(of.m),
        empty(case.chunks, 64 * of.m),
        shares,
        parts,
    )


def few(launch, case, of, shares, parts):
    """Look by the kernel whose tiles stay in shared memory."""
    p, m = case.p, of.m
    pitch = -(-p // 32) * 32 + 8
    launch(
        f"link_few_{case.real}",
        (case.chunks,),
        256,
        case.rows,
        case.size,
        np.int32(pitch),
        of.mean,
        of.coef,
        of.of_classes,
        np.int32(m),
        shares,
        parts,
        shared=8 * (p + m * (p + 1) + 32 * m) + 32 * pitch * case.x.itemsize,
    )


@pytest.mark.parametrize(
    ("m", "look"), [(1, whole), (3, whole), (18, whole), (1, few), (3, few), (4, few)]
)
@pytest.mark.parametrize("curved", [False, True])
def test_losses(rng, launch, shape, dtype, layout, m, look, curved):
    losses(
        launch, Case(rng, (*shape[:2], 1), dtype, layout, True), rng, m, look, curved
    )


def test_losses_of_many_columns(rng, launch, dtype):
    losses(launch, Case(rng, (70, 500, 1), dtype, "C", False), rng, 2, few, False)


def losses(launch, case, rng, m, look, curved):
    of, numbers = Losses(rng, case, m), m * (case.p + 1) + 1
    parts, out = empty(case.chunks, numbers), empty(numbers)
    shares, dtype = empty(m + 1, case.n) if curved else None, case.x.dtype
    look(launch, case, of, shares, parts)
    blocks = (-(-numbers // 128),)
    launch(f"summed_{case.real}", blocks, 128, numbers, case.chunks, parts, out)
    close(out[-1], of.loss, 1e-11)
    close(out[:-1].reshape(m, -1), of.gradient, 1e-11)
    if not curved:
        return
    close(shares[m], of.w, 1e-12)
    for i, j in {(0, 0), (0, m // 2), (m // 2, m // 2)}:
        bent = np.full(case.n, np.nan, dtype)
        pair = (np.int32(m), np.int32(i), np.int32(j))
        blocks = (-(-case.n // 128),)
        launch(f"hessian_weights_{case.real}", blocks, 128, case.n, *pair, shares, bent)
        one, other = of.shares[:, i + (m == 1)], of.shares[:, j + (m == 1)]
        close(bent, of.w * one * ((i == j) - other), case.tol)


def triangle(rng, p):
    return np.asfortranarray(np.triu(rng.standard_normal((p, p))) + 3 * np.eye(p))


def columns(matrix):
    """Lay a matrix column by column."""
    return np.ascontiguousarray(matrix.T)


@pytest.mark.parametrize("turned", [False, True])
def test_rows_over_triangles(rng, launch, shape, dtype, layout, turned):
    case = Case(rng, shape, dtype, layout, False, 1.0)
    n, p = case.n - case.n // 3, case.p
    first, second = triangle(rng, p), triangle(rng, p)
    z, start = empty(p, n), case.n // 3
    for again, r in enumerate([first, second]):
        args = (case.rows, start, n, np.int32(again), columns(r), z)
        launch(f"divided_{case.real}", (-(-n // 256),), 256, *args)
    wanted = case.z[start:, :p].astype(float) @ np.linalg.inv(second @ first)
    scale = np.linalg.cond(second @ first)
    close(z.T, wanted, 1e-14 * scale)
    turn = rng.standard_normal((p, p)) if turned else None
    out = np.full((n, p), np.nan, dtype)
    laid = columns(turn) if turned else None
    args = (n, np.int32(p), z, laid, out)
    launch(f"turned_{case.real}", (-(-n // 256), p), 256, *args)
    close(out, z.T @ turn if turned else z.T, case.tol)


@pytest.mark.parametrize("kind", ["plain", "dependent", "large"])
def test_reflections(rng, launch, shape, dtype, layout, kind):
    case = Case(rng, shape, dtype, layout, False, 1.0)
    n, p = case.n, case.p
    height = max(48, p + 7)  # rows of a block: as many as columns, at least
    if kind == "dependent":
        case.x[:, -1] = case.x[:, 0]
    elif kind == "large":
        case.x[:] *= np.finfo(dtype).max / 100
    X = case.x.astype(float)
    blocks = -(-n // height)
    k, s = min(n, p), n // height * p + min(n % height, p)
    tops, out = empty(p, s), np.full((n, k), np.nan, dtype)
    room = empty(2, (height + 1) * p)
    for first in range(0, blocks, 2):  # as many blocks at a time as there is room for
        args = (case.rows, height, first, room, tops, s, out, np.int32(k))
        launch(f"factored_{case.real}", (min(2, blocks - first),), 256, *args)
    for b in range(blocks):
        rows = slice(b * height, min((b + 1) * height, n))
        width = min(rows.stop - rows.start, p)
        R, Q = tops.T[b * p : b * p + width], out[rows, :width].astype(float)
        assert np.all(np.tril(R, -1) == 0)
        close(Q.T @ Q, np.eye(width), 10 * case.tol)
        scale = np.abs(X).max()
        close(Q @ (R / scale), X[rows] / scale, 10 * case.tol)
    parts, before = rng.standard_normal((s, k)), out.astype(float)
    room = empty(2, 64 * p)
    args = (n, height, np.int32(p), columns(parts), s, np.int32(k), room, out)
    launch(f"assembled_{case.real}", (2,), 256, *args)
    for b in range(blocks):
        rows = slice(b * height, min((b + 1) * height, n))
        width = min(rows.stop - rows.start, p)
        wanted = before[rows, :width] @ parts[b * p : b * p + width]
        close(out[rows], wanted, 10 * case.tol)
