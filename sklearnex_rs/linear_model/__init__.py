"""Linear models."""

from sklearnex_rs.linear_model._least_squares import LinearRegression

__all__ = ["LinearRegression"]
