"""Kernels of classes on the host, in several orders of threads."""

import numpy as np
import pytest
from emulated import REALS, close, empty
from scipy.special import expit, log_expit, log_softmax, softmax

pytestmark = pytest.mark.pairwise
SHAPES = [(1, 1), (700, 1), (1, 2), (7, 3), (130, 17), (33, 32), (64, 33), (5, 200)]
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 750.0, -750.0, 1e-30, 3e38, -3e38]


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


def lanes(m):
    """As many threads as share a row."""
    width = 1
    while width < min(m, 32):
        width *= 2
    return width


def told(launch, name, scores, *args):
    n, m = scores.shape
    few = (np.int32(m), np.int32(lanes(m)))
    blocks = (-(-n * lanes(m) // 256),)
    real = REALS[scores.dtype]
    launch(f"{name}_{real}", blocks, 256, scores, n, *few, *args)


def best(launch, scores, classes=None):
    size = 4 if classes is None else classes.itemsize
    out = np.zeros(len(scores), "i4" if classes is None else classes.dtype)
    out.view("u1")[:] = 85
    told(launch, "best", scores, classes, np.int32(size), out)
    return out


def shares(launch, scores, *, logarithms):
    n, m = scores.shape
    out = np.full((n, max(m, 2)), np.nan, scores.dtype)
    told(launch, "probabilities", scores, np.int32(logarithms), out)
    return out


def highest(scores):
    """The first of the highest of each row, by a plain loop."""
    if scores.shape[1] == 1:
        return [int(score > 0) for (score,) in scores]
    found = []
    for row in scores:
        at = 0
        for c, score in enumerate(row):
            if score > row[at] or (np.isnan(score) and not np.isnan(row[at])):
                at = c
        found.append(at)
    return found


def odd(rng, shape, dtype):
    """Scores with equals, and with what is no number or none that can be summed."""
    scores = rng.integers(-3, 4, shape).astype(dtype)
    few = rng.random(shape) < 0.2
    scores[few] = rng.choice(ODD, few.sum())
    return scores


def test_the_highest_score(rng, launch, shape, dtype):
    for scores in (rng.standard_normal(shape).astype(dtype), odd(rng, shape, dtype)):
        wanted = highest(scores)
        assert best(launch, scores).tolist() == wanted
        if shape[1] > 1:
            assert np.array_equal(scores.argmax(axis=1), wanted)


@pytest.mark.parametrize("kind", ["?", "i1", "u2", "f2", "i4", "f4", "u8", "f8"])
def test_the_class_of_the_highest_score(rng, launch, shape, dtype, kind):
    scores = rng.standard_normal(shape).astype(dtype)
    classes = (3 * np.arange(max(shape[1], 2)) - 9).astype(kind)
    found = best(launch, scores, classes)
    assert np.array_equal(found, classes[highest(scores)])


def naive(scores):
    """Probabilities, and their logarithms, by the definition."""
    z = scores.astype(np.longdouble)
    z = np.hstack([-z, z]) / 2 if z.shape[1] == 1 else z
    z = z - z.max(axis=1, keepdims=True)
    total = np.exp(z).sum(axis=1, keepdims=True)
    return np.exp(z) / total, z - np.log(total)


def test_probabilities_and_their_logarithms(rng, launch, shape, dtype):
    scores = (9 * rng.standard_normal(shape)).astype(dtype)
    rounding = max(4 * np.finfo(dtype).eps, 2e-14)  # scores less the highest, in double
    near = {"rtol": rounding, "atol": np.finfo(dtype).tiny}
    share, logarithm = naive(scores)
    found = shares(launch, scores, logarithms=False)
    np.testing.assert_allclose(found, share.astype(dtype), **near)
    close(found.sum(axis=1), np.ones(len(found)), 1e-6)
    found = shares(launch, scores, logarithms=True)
    near["atol"] = rounding
    np.testing.assert_allclose(found, logarithm.astype(dtype), **near)


def test_scores_without_end_say_what_scipy_says(rng, launch, shape, dtype):
    scores = odd(rng, shape, dtype)
    with np.errstate(all="ignore"):
        if shape[1] == 1:
            share = np.hstack([expit(-scores), expit(scores)])
            logarithm = np.hstack([log_expit(-scores), log_expit(scores)])
        else:
            share, logarithm = softmax(scores, axis=1), log_softmax(scores, axis=1)
    near = {"rtol": 1e-5 if dtype == "f4" else 1e-13, "atol": 1e-30}
    found = shares(launch, scores, logarithms=False)
    np.testing.assert_allclose(found, share, **near)
    found = shares(launch, scores, logarithms=True)
    whole = np.isfinite(logarithm)
    np.testing.assert_allclose(found[whole], logarithm[whole], **near)
    assert np.array_equal(np.isnan(found), np.isnan(logarithm))
    assert np.array_equal(found == 0, logarithm == 0) or dtype == "f4"


def test_a_row_is_not_read_beyond_its_end(rng, launch, dtype):
    scores, room = rng.standard_normal((9, 3)).astype(dtype), empty(11, 3).astype(dtype)
    room[:9] = scores
    assert best(launch, room[:9]).tolist() == scores.argmax(axis=1).tolist()
    found = shares(launch, room[:9], logarithms=False)
    assert np.isfinite(found).all()
