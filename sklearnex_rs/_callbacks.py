"""scikit-learn's callbacks (since 1.9), called at each iteration of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearnex_rs._call import Call, Rows

#: The fitted attributes of an estimator that stopped at an iterate of the core.
Attributes = Callable[[Any], dict[str, Any]]


class FitTasks:
    """The tasks of one fit that callbacks are told of, on the first rank alone.

    The fit is one task, which has a subtask for each iteration, as scikit-learn's
    'lbfgs' has them: the next one begins where one ends, so the last stays empty.

    Parameters
    ----------
    estimator : estimator
        With scikit-learn's ``CallbackSupportMixin``.
    call : Call
        Its call of `fit`.
    data : tuple of (X, y, sample_weight)
        As the user passed them.
    max_subtasks : int
        How many subtasks there are at most.
    """

    def __init__(
        self, estimator: Any, call: Call, data: tuple[Any, Any, Any], max_subtasks: int
    ) -> None:
        self.estimator, self.call = estimator, call
        X, y, sample_weight = data
        weights = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        self._failure: BaseException | None = None
        self._wanted = call.first and hasattr(estimator, "_skl_callbacks")
        if call.first and (self._wanted or hasattr(estimator, "_parent_callback_ctx")):
            self._fit = estimator._init_callback_context(max_subtasks=max_subtasks)
            self._fit.call_on_fit_task_begin(**self._data)

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        rows: Rows,
        iteration: str,
        attributes: Attributes,
        start: Any = None,
    ) -> Any:
        """Call a collective function of the core, whose last argument is an observer.

        Parameters
        ----------
        function, *args, rows
            As of :meth:`Call.run`.
        iteration : str
            Name of the subtasks.
        attributes : callable
            Returns the fitted attributes that follow from an iterate.
        start : ndarray, default=None
            The first iterate, where it is known.
        """
        if not self._wanted:
            return self.call.run(function, *args, None, rows=rows)

        def fitted(iterate: Any) -> dict[str, Any]:
            return {**attributes(iterate), **self.estimator._by_itself()}

        def begin(iterate: Any) -> Any:
            task = self._fit.subcontext(task_name=iteration)
            reached = None if iterate is None else fitted(iterate)
            task.call_on_fit_task_begin(**self._data, reconstruction_attributes=reached)
            return task

        task = begin(start)
        iterations = 0

        def observe(iterate: Any) -> bool:
            nonlocal task, iterations
            iterations += 1
            reached = fitted(iterate)
            try:
                stop = task.call_on_fit_task_end(
                    **self._data, reconstruction_attributes=reached
                )
                task = begin(iterate)
            except BaseException as error:
                self._failure = error
                raise
            return bool(stop)

        answer = self._called(function, *args, observe, rows=rows)
        if not iterations:  # one at least, as in scikit-learn
            task.call_on_fit_task_end(**self._data)
            task = begin(start)
        task.call_on_fit_task_end(estimator=self.estimator)
        return answer

    def _called(self, function: Callable[..., Any], *args: Any, rows: Rows) -> Any:
        """Call the core; what a callback raised is the error, or its cause."""
        try:
            return self.call.run(function, *args, rows=rows)
        except BaseException as error:
            if self._failure is None:
                raise
            if not self.call.distributed:
                raise self._failure from None
            raise error from self._failure

    def end(self) -> None:
        """Tell callbacks of the end of the fit, with its attributes set."""
        if hasattr(self, "_fit"):
            self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes={})
