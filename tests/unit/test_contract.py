"""scikit-learn's own checks; those of the SPMD class stand in tests/spmd."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance, IncrementalEmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)

ESTIMATORS = [
    LinearRegression(),
    LinearRegression(positive=True),
    LinearRegression(fit_intercept=False),
    LinearRegression(fit_intercept=False, positive=True),
    LogisticRegression(),
    LogisticRegression(solver="saga", l1_ratio=0.5),
    LogisticRegression(solver="liblinear"),
    IncrementalLinearRegression(),
    IncrementalRidge(alpha=0.1, batch_size=3),
    Ridge(),
    Ridge(positive=True),
    Ridge(alpha=0.1, fit_intercept=False, solver="lsqr"),
    ElasticNet(),
    ElasticNet(alpha=0.1, positive=True, selection="random", warm_start=True),
    Lasso(),
    Lasso(alpha=0.1, precompute=True),
    KMeans(n_clusters=3),
    PCA(),
    PCA(n_components=1, whiten=True, svd_solver="full"),
    PCA(n_components=0.9, svd_solver="covariance_eigh"),
    TruncatedSVD(n_components=1),
    TruncatedSVD(n_components=1, algorithm="arpack"),
    BasicStatistics(),
    IncrementalBasicStatistics(),
    EmpiricalCovariance(),
    EmpiricalCovariance(assume_centered=True, store_precision=False),
    IncrementalEmpiricalCovariance(),
    IncrementalPCA(),
    IncrementalPCA(n_components=1, whiten=True, svd_solver="full"),
]


def expected(estimator):
    """What scikit-learn expects of its own class, for the same reason."""
    if type(estimator).__name__ == "KMeans":
        weights = "draws of rows are not draws of repeated rows"
        return {"check_sample_weight_equivalence_on_dense_data": weights}
    if getattr(estimator, "solver", None) == "liblinear":
        words = "scikit-learn's own words for other than two classes"
        checks = ("check_classifier_not_supporting_multiclass", "check_fit2d_1sample")
        return dict.fromkeys(checks, words)
    if type(estimator).__name__ == "Ridge" and estimator.solver == "auto":
        return {"check_non_transformer_estimators_n_iter": "n_iter_ is None"}
    return {}


@pytest.mark.filterwarnings("ignore:.*partial_fit ignores y")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_scikit_learns_contract(estimator, check):
    check(estimator)
