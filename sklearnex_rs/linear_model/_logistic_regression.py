"""Logistic regression."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import Hidden, Interval, StrOptions

from sklearnex_rs import _core
from sklearnex_rs._array import copied, like
from sklearnex_rs._base import FLOATS
from sklearnex_rs._call import Call, Rows
from sklearnex_rs._callbacks import FitTasks
from sklearnex_rs._compat import CallbackSupportMixin, with_callbacks
from sklearnex_rs._labels import Labels
from sklearnex_rs.linear_model import _penalties
from sklearnex_rs.linear_model._classifier import LinearClassifier, dense

SOLVERS = set(_penalties.FAILED)
#: Unknowns up to which second derivatives have room.
_ROOM = 2000
#: Part of `tol` that ends a fit, so that no gradient is larger than scikit-learn's:
#: its other solvers often end far below their `tol`.
_SURE = {"lbfgs": 0.02}
_SURER = 1e-5


class LogisticRegression(CallbackSupportMixin, LinearClassifier):
    """Logistic regression (aka logit, MaxEnt) classifier.

    Minimises ``sum_i w_i loss_i + penalty / C``. Rows are read once for each round,
    for the loss, its gradient and where that pays its second derivatives, around
    the means of the columns: so nothing is lost far from the origin.

    Parameters
    ----------
    penalty : {'l1', 'l2', 'elasticnet', None}, default='l2'
        Deprecated as in scikit-learn 1.8: use `l1_ratio`, and ``C=np.inf`` for None.
    C : float, default=1.0
        Inverse of the strength of the penalty; ``np.inf`` for none.
    l1_ratio : float, default=0.0
        The penalty is ``l1_ratio * sum |coef| + (1 - l1_ratio) / 2 * sum coef**2``.
    dual : bool, default=False
        Only True with ``solver='liblinear'`` and without l1, where it is another
        way to the same optimum.
    tol : float, default=1e-4
        A fit has converged when no entry of the gradient of the mean loss is larger.
        It goes on, as far as `max_iter` and rounding let it, to a fiftieth of that,
        with solvers but 'lbfgs' to 1e-5 of it: so it is not larger than
        scikit-learn's.
    fit_intercept : bool, default=True
        Whether to fit an intercept; it has no penalty, but for 'liblinear'.
    intercept_scaling : float, default=1
        With ``solver='liblinear'``, the penalty is on
        ``intercept / intercept_scaling`` too.
    class_weight : dict or 'balanced', default=None
        Weights of classes, which multiply those of rows. 'balanced': the inverse of
        their part of all rows, by weight.
    random_state : int, RandomState instance, default=None
        For compatibility: nothing is drawn.
    solver : {'lbfgs', 'liblinear', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, \
            default='lbfgs'
        Which penalties there are: l1 with 'liblinear' and 'saga', elastic-net with
        'saga'. All but 'liblinear' are one native path to one optimum, chosen by
        shapes and penalty: Newton's steps by Cholesky, limited memory (L-BFGS)
        from the columns' co-moments, or for l1 Newton's steps by coordinate
        descent, and proximal gradients with more than 2,000 unknowns. 'liblinear',
        for two classes, differs in its penalty on the intercept alone.
    max_iter : int, default=100
        Steps at most.
    verbose : int, default=0
        Whether to print how the fit ended.
    warm_start : bool, default=False
        Whether to begin at the last fit's coefficients. Not for 'liblinear'.
    n_jobs : int, default=None
        Threads to use, as of :class:`sklearnex_rs.linear_model.LinearRegression`.
        The result does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in order.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients: one row for two classes; of float32 where X is. Of the library
        of X where that is a DLPack array.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; zeros if ``fit_intercept=False``, with 'liblinear' the float 0.0.
    n_iter_ : ndarray of shape (1,)
        Number of steps.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearnex_rs.spmd.LogisticRegression : The same, with rows distributed over
        ranks.
    sklearn.linear_model.LogisticRegression : Whose optimum this is.

    Notes
    -----
    Nocedal and Wright, "Numerical Optimization" (2006), chapters 3 and 7, for steps
    and line search; Böhning, "Multinomial logistic regression algorithm" (1992), for
    the curvature that limited memory begins with; Lee, Sun and Saunders, "Proximal
    Newton-type methods" (2014); Beck and Teboulle, "A fast iterative
    shrinkage-thresholding algorithm" (2009).

    Sparse X is refused: use ``.toarray()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnex_rs.linear_model import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = LogisticRegression().fit(X, ["low", "low", "high", "high"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['low', 'high']
    """

    _on_gpus = True
    _fit_dtype = FLOATS

    _parameter_constraints: dict[str, list[Any]] = {
        "penalty": [
            StrOptions({"l1", "l2", "elasticnet"}),
            None,
            Hidden(StrOptions({"deprecated"})),
        ],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(SOLVERS)],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: dict[Any, float] | str | None = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, float32 or float64 (others become float64); of NumPy, pandas, or
            any library with DLPack, on the host or on an NVIDIA GPU.
        y : array-like of shape (n_samples,)
            Labels: numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, none negative. A weight of two is two equal rows.

        Returns
        -------
        self : LogisticRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input is empty, has NaN or infinity, shapes do not fit, there is
            one class only, or solver and penalty do not go together.
        """
        labels = Labels()

        def check() -> Rows:
            self._check_params()
            _penalties.check(self)
            rows = labels.check(call, self, X, y, sample_weight)
            if self.solver == "liblinear":
                _penalties.check_range(rows.x)
            return rows

        with Call(self, "fit") as call:
            rows = call.agree(check)
            self._know(rows)
            labels.warn()
            rows, sums = labels.join(call, rows)
            classes = labels.classes
            _penalties.check_classes(call, self.solver, classes)
            weights, total = self._weights(call, classes, sums)
            free = self.solver != "liblinear"
            tol = float(self.tol)
            tols = [tol, _SURE.get(self.solver, _SURER) * tol]
            attributes = partial(self._attributes, classes, like(X), rows.x.dtype)
            tasks = FitTasks(
                self, call, (X, y, sample_weight), max(int(self.max_iter), 1) + 1
            )
            start = self._start(call, rows, len(classes))
            coef, steps, converged, value, steepness = tasks.run(
                _core.logistic,
                rows.x,
                rows.y,
                rows.w,
                weights,
                total,
                start,
                _penalties.strengths(self),
                [bool(self.fit_intercept), bool(self.fit_intercept) and free],
                (tols, int(self.max_iter), _ROOM),
                call.threads(),
                rows=rows,
                iteration=f"{self.solver}-iter",
                attributes=attributes,
                start=start,
            )
            if call.first:
                self._tell(steps, converged, [value, steepness])
            steps_taken = like(X)(np.array([steps], np.int32))
            self.__dict__.update(attributes(coef), n_iter_=steps_taken)
            tasks.end()
        return self

    def _attributes(
        self, classes: Any, kind: Any, dtype: Any, coef: Any
    ) -> dict[str, Any]:
        """Return the fitted attributes that follow from coefficients."""
        coef = coef.reshape(-1, self.n_features_in_ + 1)
        dtype = np.float64 if self.solver == "liblinear" else dtype
        intercept = kind(np.ascontiguousarray(coef[:, -1], dtype))
        if self.solver == "liblinear" and not self.fit_intercept:
            intercept = 0.0  # as scikit-learn has it
        coef = kind(np.ascontiguousarray(coef[:, :-1], dtype))
        return {"classes_": classes, "coef_": coef, "intercept_": intercept}

    def _weights(self, call: Call, classes: Any, sums: Any) -> tuple[Any, float]:
        """Return what rows of each class weigh, beside their own, and all together."""
        weights = np.ones(len(classes))
        if isinstance(self.class_weight, str):
            np.divide(sums.sum(), len(classes) * sums, out=weights, where=sums > 0)
        elif self.class_weight is not None:
            weights = call.alike(
                lambda: compute_class_weight(
                    self.class_weight, classes=classes, y=classes
                )
            )
        weights = np.ascontiguousarray(weights, np.float64)
        total = float((sums * weights).sum())
        if not total > 0:
            msg = "Sample weights must contain at least one non-zero number."
            call.refuse(ValueError(msg))
        return weights, total

    def _start(self, call: Call, rows: Rows, n_classes: int) -> Any:
        """Return coefficients to begin with, intercepts last."""
        shape = (1 if n_classes == 2 else n_classes, rows.x.shape[1] + 1)
        if not self.warm_start or self.solver == "liblinear":
            return np.zeros(shape)
        return call.check(lambda: self._last(shape), rows)

    def _last(self, shape: tuple[int, int]) -> Any:
        """Return the last fit's coefficients, which must be of that shape."""
        start = np.zeros(shape)
        if not hasattr(self, "coef_"):
            return start
        coef = np.asarray(copied(dense(self.coef_)))
        if coef.shape != (shape[0], shape[1] - 1):
            more = int(self.fit_intercept)
            found = (coef.shape[0], coef.shape[1] + more)
            expected = (shape[0], shape[1] - 1 + more)
            msg = f"Initialization coef is of shape {found}, expected shape {expected}"
            raise ValueError(msg)
        start[:, :-1] = coef
        if self.fit_intercept:
            start[:, -1] = copied(self.intercept_)
        if not np.isfinite(start).all():
            msg = (
                "Floating-point under-/overflow occurred: coef_ or intercept_, where "
                "warm_start=True begins, has NaN or infinity"
            )
            raise ValueError(msg)
        return start

    def _tell(self, steps: int, converged: bool, found: list[float]) -> None:
        if self.verbose:
            print(
                f"{steps} steps, objective {found[0]:.6g}, "
                f"largest entry of its gradient {found[1]:.3g}"
            )
        if not converged:
            most = int(self.max_iter)
            text = _penalties.failure(self.solver, steps, most, found[0])
            limits = f"tol={self.tol} (max_iter={most})"
            msg = f"{text}\nThe gradient is {found[1]:.3g}, above {limits}."
            warnings.warn(msg, ConvergenceWarning, stacklevel=3)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: 'liblinear' is for two classes."""
        tags = super().__sklearn_tags__()
        if self.solver == "liblinear":
            tags.classifier_tags.multi_class = False
        return tags
