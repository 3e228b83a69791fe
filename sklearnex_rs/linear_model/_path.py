"""Elastic nets along a path of penalties."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import copied, like
from sklearnex_rs._base import FLOATS, Estimator
from sklearnex_rs._call import Call, Rows

NONE = np.empty(0)
SEEDS = 2**31 - 1  # of scikit-learn's generator of columns
POINTS = 100  # of a path, where nobody says


class ElasticNetPath(Estimator):
    """What :func:`enet_path` is told, but for the rows."""

    _on_gpus = True
    _fit_dtype = FLOATS

    _parameter_constraints: dict[str, Any] = {
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "precompute": [StrOptions({"auto"}), "boolean", "array-like"],
        "Xy": ["array-like", None],
        "coef_init": ["array-like", None],
        "positive": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
        "do_screening": ["boolean"],
        "unknown": "no_validation",
    }

    def __init__(
        self,
        *,
        l1_ratio: float = 0.5,
        eps: float = 1e-3,
        alphas: Any = POINTS,
        precompute: Any = "auto",
        Xy: Any = None,
        coef_init: Any = None,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        random_state: Any = None,
        selection: str = "cyclic",
        do_screening: bool = True,
        unknown: tuple[str, ...] = (),
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.precompute = precompute
        self.Xy = Xy
        self.coef_init = coef_init
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.selection = selection
        self.do_screening = do_screening
        self.unknown = unknown

    def trace(self, X: Any, y: Any, verbose: int) -> tuple[Any, Any, Any, list[int]]:
        """Return penalties, coefficients, duality gaps and iterations."""

        def check() -> Rows:
            self._check_params()
            self._check_supported()
            return self._check_rows(call, X, y, None, reset=True)

        with Call(self, "trace") as call:
            rows = call.agree(check)
            call.alike(lambda: self._check_targets(rows))
            check_memory(call, rows)
            start = call.alike(lambda: self._start(rows))
            grid, least = self._grid()
            count = int(grid[0]) if least else len(grid)
            generator = check_random_state(self.random_state)
            found, samples, _ = call.run(
                _core.elastic_net,
                rows.x,
                rows.y,
                None,
                grid,
                [float(self.l1_ratio), float(self.tol), least],
                [False, bool(self.positive), bool(self.do_screening)],
                int(self.max_iter),
                seeds(self, [generator] * count),
                call.alike(lambda: gram(self.precompute, rows)),
                start,
                call.threads(),
                rows=rows,
            )
        alphas, coef, _, gaps, rounds, tolerances = found
        if call.first:
            strengths = alphas * self.l1_ratio * samples
            warn(strengths, gaps, rounds, np.repeat(tolerances, count), level=5)
            report(count, verbose)
        coef = coef.reshape(count, -1).T.astype(rows.x.dtype)
        answers = map(like(X), (alphas, coef, gaps / samples))
        return *answers, [int(abs(n)) for n in rounds]

    def _check_supported(self) -> None:
        if self.unknown:
            msg = f"Unexpected parameters in params: {list(self.unknown)}"
            raise ValueError(msg)
        if self.Xy is not None:
            msg = "Xy: leave it None; it is computed in the pass over the rows"
            raise NotImplementedError(msg)
        if isinstance(self.alphas, Integral) and self.l1_ratio == 0:
            msg = (
                "Automatic alpha grid generation is not supported for l1_ratio=0. "
                "Please supply a grid by providing your estimator with the "
                "appropriate `alphas=` argument."
            )
            raise ValueError(msg)

    def _check_targets(self, rows: Rows) -> None:
        if rows.targets == 1:
            return
        if self.positive:
            msg = "positive=True is not allowed for multi-output (y.ndim != 1)"
            raise ValueError(msg)
        msg = (
            "y of two dimensions: the multi-task elastic net is not supported; call "
            "the function for each column, or fit an ElasticNet"
        )
        raise NotImplementedError(msg)

    def _grid(self) -> tuple[Any, float]:
        """Return penalties, decreasing; or how many, and the share of the last."""
        if isinstance(self.alphas, Integral):
            return np.array([self.alphas], np.float64), float(self.eps)
        return np.sort(np.asarray(self.alphas, np.float64))[::-1].copy(), 0.0

    def _start(self, rows: Rows) -> Any:
        if self.coef_init is None:
            return NONE
        coef, p = np.asarray(copied(self.coef_init), np.float64), rows.x.shape[1]
        if coef.shape != (p,):
            msg = f"coef_init must be of shape ({p},), got {coef.shape}"
            raise ValueError(msg)
        return np.ascontiguousarray(coef)


def check_memory(call: Call, rows: Rows) -> None:
    """Refuse more columns than a node has room for the co-moments of."""
    p, m = rows.x.shape[1], max(rows.targets - 1, 1)
    call.check_memory(p, 12 * (p + m) ** 2, 8 * p * p)


def seeds(estimator: Any, states: Sequence[Any]) -> Any:
    """Draw a seed for each descent, as scikit-learn does; none where none is needed."""
    if estimator.selection == "cyclic":
        return np.empty(0, np.uint32)
    draws = (check_random_state(state).randint(0, SEEDS) for state in states)
    return np.fromiter(draws, np.uint32, len(states))


def gram(precompute: Any, rows: Rows) -> Any:
    """Return the user's Gram matrix, row by row; none where there is none."""
    if isinstance(precompute, bool | np.bool_ | str):
        return NONE
    p = rows.x.shape[1]
    matrix = check_array(copied(precompute), dtype=np.float64, order="C")
    if matrix.shape != (p, p):
        msg = f"precompute must be of shape ({p}, {p}), got {matrix.shape}"
        raise ValueError(msg)
    return np.ascontiguousarray(matrix).ravel()


def report(count: int, verbose: int) -> None:
    """Say how far along the path it went, in scikit-learn's words."""
    for i in range(count if verbose else 0):
        if verbose > 1:
            print(f"Path: {i:03d} out of {count:03d}")
        else:
            sys.stderr.write(".")


def warn(
    strengths: Any, gaps: Any, rounds: Any, tolerances: Any, level: int = 3
) -> None:
    """Warn of every descent that ended too early, in scikit-learn's words."""
    for strength, gap, count, tolerance in zip(
        strengths, gaps, rounds, tolerances, strict=True
    ):
        if count >= 0:
            continue
        msg = (
            "Objective did not converge. You might want to increase the number of "
            "iterations, check the scale of the features or consider increasing "
            f"regularisation. Duality gap: {gap:.6e}, tolerance: {tolerance:.3e}"
        )
        if strength < np.finfo(np.float64).eps:
            msg += (
                "\nLinear regression models with a zero l1 penalization strength are "
                "more efficiently fitted using one of the solvers implemented in "
                "sklearn.linear_model.Ridge/RidgeCV instead."
            )
        warnings.warn(msg, ConvergenceWarning, stacklevel=level)


def points(alphas: Any, n_alphas: Any) -> Any:
    """Return the path that two parameters ask for, of which one is on its way out."""
    if n_alphas != "deprecated":
        msg = (
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11. 'alphas' "
            "now accepts an integer value which removes the need to pass 'n_alphas'. "
            "The default value of 'alphas' will change from None to 100 in 1.11. Pass "
            "an explicit value to 'alphas' and leave 'n_alphas' to its default value "
            "to silence this warning."
        )
        warnings.warn(msg, FutureWarning, stacklevel=3)
    if isinstance(alphas, str) and alphas == "warn":
        return POINTS if n_alphas == "deprecated" else n_alphas
    if alphas is None:
        msg = (
            "'alphas=None' is deprecated and will be removed in 1.11, at which point "
            "the default value will be set to 100. Set 'alphas=100' to silence this "
            "warning."
        )
        warnings.warn(msg, FutureWarning, stacklevel=3)
        return POINTS if n_alphas == "deprecated" else n_alphas
    return alphas


KNOWN = ("tol", "max_iter", "random_state", "selection", "do_screening")


def follow(
    kind: type,
    called: str,
    rows: tuple[Any, Any],
    params: dict[str, Any],
    *,
    verbose: bool | int,
    return_n_iter: bool,
    **named: Any,
) -> tuple[Any, ...]:
    """Return what a function returns: a path of this kind along X and y.

    `params` are those that the function does not name.
    """
    known = {name: params[name] for name in KNOWN if name in params}
    ignored = {"check_input"}  # which lasso_path does not name
    unknown = tuple(sorted(set(params) - set(KNOWN) - ignored))
    path = kind(**named, **known, unknown=unknown)
    path._called = called
    found: tuple[Any, ...] = path.trace(*rows, int(verbose))
    return found if return_n_iter else found[:3]


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,  # noqa: ARG001
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,  # noqa: ARG001
    **params: Any,
) -> tuple[Any, ...]:
    """Compute elastic nets along a path of penalties, without intercept.

    Each begins at the one before; the rows are read once for all of them.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Targets.
    l1_ratio : float, default=0.5
        The share of the penalty on sizes, from 0 to 1; with 1 it is the Lasso.
    eps : float, default=1e-3
        The last penalty over the first, where `alphas` is a number.
    n_alphas : int, default="deprecated"
        How many penalties; use `alphas`.
    alphas : int or array-like, default=100
        How many penalties, or which.
    precompute : 'auto', bool or array-like of shape (n_features, n_features), \
default='auto'
        The Gram matrix of the rows, where you have it; else it is computed.
    Xy : None
        Not supported: it is computed in the pass over the rows.
    copy_X : bool, default=True
        For compatibility: X is never overwritten.
    coef_init : array-like of shape (n_features,), default=None
        Where to begin; None means zeros.
    verbose : bool or int, default=False
        Whether to say how many penalties there were.
    return_n_iter : bool, default=False
        Whether to return the numbers of iterations too.
    positive : bool, default=False
        Whether coefficients are forced to be positive.
    check_input : bool, default=True
        For compatibility: input is always checked, in the pass over the rows.
    **params
        ``tol``, ``max_iter``, ``random_state`` and ``selection``, as of
        :class:`ElasticNet`; ``do_screening``, False to leave no column out.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Penalties, decreasing; in the library of X, as all arrays here are.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients.
    dual_gaps : ndarray of shape (n_alphas,)
        Duality gaps at the end.
    n_iters : list of int
        Iterations taken; where ``return_n_iter=True``.
    """
    return follow(
        ElasticNetPath,
        "enet_path",
        (X, y),
        params,
        l1_ratio=l1_ratio,
        eps=eps,
        alphas=points(alphas, n_alphas),
        precompute=precompute,
        Xy=Xy,
        coef_init=coef_init,
        positive=positive,
        verbose=verbose,
        return_n_iter=return_n_iter,
    )


def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,  # noqa: ARG001
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Compute Lassos along a path of penalties: :func:`enet_path` with l1_ratio=1.

    Parameters
    ----------
    X, y, eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, \
return_n_iter, positive, **params
        As of :func:`enet_path`.

    Returns
    -------
    alphas, coefs, dual_gaps, n_iters
        As of :func:`enet_path`.
    """
    return follow(
        ElasticNetPath,
        "lasso_path",
        (X, y),
        params,
        l1_ratio=1.0,
        eps=eps,
        alphas=points(alphas, n_alphas),
        precompute=precompute,
        Xy=Xy,
        coef_init=coef_init,
        positive=positive,
        verbose=verbose,
        return_n_iter=return_n_iter,
    )
