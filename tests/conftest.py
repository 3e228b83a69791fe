"""Data makers and tolerances for all tests."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """Fresh data in every test, the same on every rank."""
    return np.random.default_rng(20261120)


def tolerance(dtype):
    return 1e-9 if np.dtype(dtype) == np.float64 else 1e-4


def assert_close(mine, reference, tol=1e-9):
    """Relative to the largest entry of the reference."""
    mine, reference = np.asarray(mine, float), np.asarray(reference, float)
    assert mine.shape == reference.shape
    scale = np.abs(reference).max(initial=0.0) or 1.0
    error = np.abs(mine - reference).max(initial=0.0) / scale
    assert error <= tol, f"relative error {error:.2e} above {tol:.0e}"


@pytest.fixture(name="assert_close")
def _assert_close():
    return assert_close


@pytest.fixture(name="tolerance")
def _tolerance():
    return tolerance
