"""scikit-learn's own checks; every rank has all rows, so models are those of one."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnex_rs import spmd


@parametrize_with_checks([spmd.LinearRegression(), spmd.PCA()])
def test_scikit_learns_contract(estimator, check):
    check(estimator)
