"""Which solver, and whether there is room for it."""

from __future__ import annotations

from typing import Any

SPARE = 10  # directions that the range finder looks in, more than components


def choice(shape: tuple[int, int], count: Any) -> str:
    """Return scikit-learn's choice for ``svd_solver='auto'``."""
    if shape[1] <= 1_000 and shape[0] >= 10 * shape[1]:
        return "covariance_eigh"
    if max(shape) <= 500 or count == "mle":
        return "full"
    return "randomized" if 1 <= count < 0.8 * min(shape) else "full"


def memory(solver: str, shape: tuple[int, int]) -> tuple[int, int]:
    """Return what a rank needs for its summary, and the first one for the model."""
    small, p = min(shape), shape[1]
    if solver == "full" or shape[0] < p:
        return 40 * small * p, 32 * small * p
    return 16 * p * p, 32 * p * p


def way_out(
    what: tuple[str, str],
    shape: tuple[int, int],
    count: int | None,
    short: tuple[int, int, int],
) -> str:
    """Return the solver that keeps no summary, if it can find so many components.

    ``what`` is wanted: a class, and the parameter that chose.
    """
    needed, left, ranks = short
    block = 8 * shape[1] * ((count or 0) + SPARE)
    most = min(shape) // 4 - SPARE
    if count is not None and 1 <= count <= most and (6 * ranks + 12) * block < left:
        return "range"
    msg = (
        f"{what[0]} of {shape[1]} columns with {what[1]} needs {needed:,} bytes "
        f"for the {ranks} rank(s) on a node, of which {left:,} are free; ask for fewer "
        f"components (n_components as an int, well below {max(most, 1)}), start fewer "
        "ranks on a node, or use fewer columns"
    )
    raise MemoryError(msg)


def check_truncated(count: Any, smaller: int, solver: str) -> None:
    """Raise in scikit-learn's words where the leading components cannot be had."""
    given = f"n_components={count!r}"
    rest = f"min(n_samples, n_features)={smaller!r} with svd_solver='{solver}'"
    if isinstance(count, str):
        msg = f"{given} cannot be a string with svd_solver='{solver}'"
        raise ValueError(msg)
    if not 1 <= count <= smaller:
        msg = f"{given} must be between 1 and {rest}"
        raise ValueError(msg)
    if solver == "arpack" and count == smaller:
        msg = f"{given} must be strictly less than {rest}"
        raise ValueError(msg)
