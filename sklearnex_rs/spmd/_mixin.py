"""The communicator of an estimator."""

from __future__ import annotations

import copy
from typing import Any, Self

from sklearn.base import clone

from sklearnex_rs.spmd._ranks import Joined, join, one_rank, size_of


class SPMDMixin:
    """Rows are spread over the ranks of ``comm``.

    The communicator is shared by clones and copies, and dropped by pickles: what is
    loaded has the default.
    """

    comm: Any
    _shares = True

    def _join(self, method: str) -> Joined:
        return join(self.comm, method)

    def _alone(self) -> bool:
        return size_of(self.comm) == 1

    def _by_itself(self) -> dict[str, Any]:
        return {"comm": one_rank()}

    def __sklearn_clone__(self) -> Self:
        params = self.get_params(deep=False)  # type: ignore[attr-defined]
        twins = {
            name: value if name == "comm" else clone(value, safe=False)
            for name, value in params.items()
        }
        new = type(self)(**twins)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in self.__dict__:
                setattr(new, name, copy.deepcopy(self.__dict__[name]))
        if "_skl_callbacks" in self.__dict__:  # shared by clones, as in scikit-learn
            new.__dict__["_skl_callbacks"] = self.__dict__["_skl_callbacks"]
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "comm": None}  # type: ignore[dict-item]

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self.comm)] = self.comm
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new
