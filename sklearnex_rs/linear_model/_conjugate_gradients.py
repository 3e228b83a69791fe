"""Least squares by conjugate gradients, where there is no memory for co-moments."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from sklearnex_rs import _core
from sklearnex_rs._call import Call, Rows


def exceeds_memory(call: Call, rows: Rows, positive: bool) -> bool:
    """Say whether a node has too little memory for co-moments, but some for iterations.

    Where it has none for these either, or they cannot give the answer, all ranks
    raise the same MemoryError.
    """
    p, m = rows.x.shape[1], max(rows.targets - 1, 1)
    short = call.shortage(*_memory(rows.most * call.comm.size, p, m))
    if short is None:
        return False
    needed, left, ranks = short
    if not positive and (24 * ranks + 24) * 8 * p * (m + 1) < left:
        return True
    way_out = "" if not positive else "set positive=False, which is found iteratively, "
    msg = (
        f"{call.name} of {p} columns needs {needed:,} bytes for the {ranks} rank(s) "
        f"on a node, of which {left:,} are free; {way_out}start fewer ranks on a node, "
        "or use fewer columns"
    )
    call.refuse(MemoryError(msg))


def _memory(most: int, p: int, m: int) -> tuple[int, int]:
    """Return what a rank needs for its summary, and the first one for the model."""
    if most <= p:
        return 40 * most * (p + m), 32 * most * p
    return 16 * (p + m) ** 2, 32 * p * p


def by_conjugate_gradients(
    call: Call, rows: Rows, aim: tuple[bool, float, Any]
) -> tuple[Any, Any]:
    """Return coefficients, columns by targets, and intercepts.

    ``aim`` is whether these are sought, below which part of the largest a singular
    value counts as zero, and the penalty of each target.
    """
    args = (rows.x, rows.y, rows.w, *aim, call.threads())
    coef, intercept, converged = call.run(_core.conjugate_gradients, *args, rows=rows)
    if not converged and call.first:
        msg = (
            f"{call.name} had too little memory for co-moments, and did not "
            "converge; scale the columns, leave out those that depend on others, or "
            "start fewer ranks on a node"
        )
        warnings.warn(msg, ConvergenceWarning, stacklevel=3)
    return coef, intercept
