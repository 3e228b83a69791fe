"""Distributed classical machine learning: scikit-learn's estimators over any MPI."""

from importlib.metadata import version

from sklearnex_rs._config import config_context, get_config, set_config
from sklearnex_rs._core import CudaUnavailableError
from sklearnex_rs._system import show_config

__version__ = version("sklearnex_rs")
__all__ = [
    "CudaUnavailableError",
    "__version__",
    "config_context",
    "get_config",
    "set_config",
    "show_config",
]
