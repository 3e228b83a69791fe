"""Linear models."""

from sklearnex_rs.linear_model._least_squares import LinearRegression
from sklearnex_rs.linear_model._logistic_regression import LogisticRegression

__all__ = ["LinearRegression", "LogisticRegression"]
