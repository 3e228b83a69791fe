"""scikit-learn's own checks; those of the SPMD class stand in tests/spmd."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnex_rs.basic_statistics import BasicStatistics, IncrementalBasicStatistics
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.covariance import EmpiricalCovariance, IncrementalEmpiricalCovariance
from sklearnex_rs.decomposition import PCA, IncrementalPCA
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    Lasso,
    LinearRegression,
    Ridge,
)

ESTIMATORS = [
    LinearRegression(),
    LinearRegression(positive=True),
    LinearRegression(fit_intercept=False),
    LinearRegression(fit_intercept=False, positive=True),
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
    if type(estimator).__name__ == "Ridge" and estimator.solver == "auto":
        return {"check_non_transformer_estimators_n_iter": "n_iter_ is None"}
    return {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_scikit_learns_contract(estimator, check):
    check(estimator)
