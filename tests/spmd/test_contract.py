"""scikit-learn's own checks; every rank has all rows, so models are those of one."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnex_rs import spmd


def expected(estimator):
    """What scikit-learn expects of its own class, for the same reason."""
    if type(estimator).__name__ == "KMeans":
        weights = "draws of rows are not draws of repeated rows"
        return {"check_sample_weight_equivalence_on_dense_data": weights}
    if type(estimator).__name__ == "Ridge" and estimator.solver == "auto":
        return {"check_non_transformer_estimators_n_iter": "n_iter_ is None"}
    return {}


ESTIMATORS = [
    spmd.LinearRegression(),
    spmd.IncrementalLinearRegression(),
    spmd.IncrementalRidge(),
    spmd.Ridge(),
    spmd.ElasticNet(),
    spmd.Lasso(alpha=0.1),
    spmd.KMeans(n_clusters=3),
    spmd.PCA(),
    spmd.BasicStatistics(),
    spmd.IncrementalBasicStatistics(),
    spmd.EmpiricalCovariance(),
    spmd.IncrementalEmpiricalCovariance(),
    spmd.IncrementalPCA(),
    spmd.LogisticRegression(),
    spmd.TruncatedSVD(n_components=1),
]


@pytest.mark.filterwarnings("ignore:.*partial_fit ignores y")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_scikit_learns_contract(estimator, check):
    check(estimator)
