"""Linear models."""

from sklearnex_rs.linear_model._elastic_net import ElasticNet, Lasso
from sklearnex_rs.linear_model._incremental import (
    IncrementalLinearRegression,
    IncrementalRidge,
)
from sklearnex_rs.linear_model._least_squares import LinearRegression
from sklearnex_rs.linear_model._logistic_regression import LogisticRegression
from sklearnex_rs.linear_model._path import enet_path, lasso_path
from sklearnex_rs.linear_model._ridge import Ridge

__all__ = [
    "ElasticNet",
    "IncrementalLinearRegression",
    "IncrementalRidge",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "Ridge",
    "enet_path",
    "lasso_path",
]
