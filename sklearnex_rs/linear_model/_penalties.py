"""Which solver of logistic regression has which penalty, in scikit-learn's words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from sklearnex_rs import _core
from sklearnex_rs._call import Call


def kind(model: Any) -> str | None:
    """Return the penalty that the parameters mean."""
    if model.penalty != "deprecated":
        return model.penalty
    if model.C == np.inf:
        return None
    if model.l1_ratio is None or model.l1_ratio == 0:
        return "l2"
    return "l1" if model.l1_ratio == 1 else "elasticnet"


def check(model: Any) -> None:
    """Raise and warn as scikit-learn does."""
    if model.penalty != "deprecated":
        msg = (
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To "
            "avoid this warning, leave 'penalty' set to its default value and use "
            "'l1_ratio' or 'C' instead. Use l1_ratio=0 instead of penalty='l2', "
            "l1_ratio=1 instead of penalty='l1', l1_ratio set to a float between 0 and "
            "1 instead of penalty='elasticnet', and C=np.inf instead of penalty=None."
        )
        warnings.warn(msg, FutureWarning, stacklevel=4)
    elif model.l1_ratio is None:
        msg = (
            "'l1_ratio=None' was deprecated in version 1.8 and will trigger an error "
            "in 1.10. Use 0<=l1_ratio<=1 instead."
        )
        warnings.warn(msg, FutureWarning, stacklevel=4)
    penalty = kind(model)
    _check_solver(model, penalty)
    ratio = model.l1_ratio
    if penalty != "elasticnet" and ratio is not None and 0 < ratio < 1:
        msg = (
            "l1_ratio parameter is only used when penalty is 'elasticnet'. Got "
            f"(penalty={penalty})"
        )
        warnings.warn(msg, stacklevel=4)
    if (model.penalty == "l2" and ratio != 0) or (model.penalty == "l1" and ratio != 1):
        msg = (
            f"Inconsistent values: penalty={model.penalty} with l1_ratio={ratio}. "
            "penalty is deprecated. Please use l1_ratio only."
        )
        warnings.warn(msg, stacklevel=4)
    if penalty == "elasticnet" and ratio is None:
        msg = "l1_ratio must be specified when penalty is elasticnet."
        raise ValueError(msg)
    if model.penalty is None and model.C != 1.0:
        msg = "Setting penalty=None will ignore the C and l1_ratio parameters"
        warnings.warn(msg, stacklevel=4)


def _check_solver(model: Any, penalty: str | None) -> None:
    solver, dual = model.solver, model.dual
    if solver not in ("liblinear", "saga") and penalty not in ("l2", None):
        msg = (
            f"Solver {solver} supports only 'l2' or None penalties, got {penalty} "
            "penalty."
        )
        raise ValueError(msg)
    if solver != "liblinear" and dual:
        msg = f"Solver {solver} supports only dual=False, got dual={dual}"
        raise ValueError(msg)
    if penalty == "elasticnet" and solver != "saga":
        msg = f"Only 'saga' solver supports elasticnet penalty, got solver={solver}."
        raise ValueError(msg)
    if solver == "liblinear" and penalty is None:
        msg = (
            "C=np.inf as well as penalty=None is not supported for the liblinear solver"
        )
        raise ValueError(msg)
    if dual and penalty == "l1":
        words = "penalty='l1' and loss='logistic_regression' are not supported"
        msg = (
            f"Unsupported set of arguments: The combination of {words} when "
            "dual=True, Parameters: penalty='l1', loss='logistic_regression', dual=True"
        )
        raise ValueError(msg)


def check_range(X: Any) -> None:
    """Refuse what scikit-learn's 'liblinear' refuses."""
    most = X.largest() if isinstance(X, _core.GpuArray) else np.max(X, initial=0)
    if 1e30 < most < np.inf:
        msg = (
            "Using the 'liblinear' solver while X contains a maximum value > 1e30 "
            "results in a frozen fit. Please choose another solver or rescale the "
            "input X."
        )
        raise ValueError(msg)


def check_classes(call: Call, solver: str, classes: Any) -> None:
    """Refuse a number of classes, of all ranks, that the solver is not for."""
    if solver == "liblinear" and len(classes) != 2:
        msg = (
            "The 'liblinear' solver does not support multiclass classification"
            " (n_classes >= 3). Either use another solver or wrap the "
            "estimator in a OneVsRestClassifier to keep applying a "
            "one-versus-rest scheme."
        )
        call.refuse(ValueError(msg))
    if len(classes) < 2:
        msg = (
            "This solver needs samples of at least 2 classes in the data, but the "
            f"data contains only one class: {classes[0]!r}"
        )
        call.refuse(ValueError(msg))


def strengths(model: Any) -> list[list[float]]:
    """Return penalties of first and second powers, for coefficients and intercepts."""
    penalty = kind(model)
    if penalty is None:
        return [[0.0, 0.0], [0.0, 0.0]]
    share = {"l1": 1.0, "l2": 0.0}.get(penalty, model.l1_ratio)
    first, second = share / model.C, (1.0 - share) / model.C
    if model.solver != "liblinear":
        return [[first, 0.0], [second, 0.0]]
    scale = model.intercept_scaling
    return [[first, first / scale], [second, second / scale**2]]
