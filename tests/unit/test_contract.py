"""scikit-learn's own checks; those of the SPMD class stand in tests/spmd."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import LinearRegression

ESTIMATORS = [
    LinearRegression(),
    LinearRegression(positive=True),
    LinearRegression(fit_intercept=False),
    LinearRegression(fit_intercept=False, positive=True),
    PCA(),
    PCA(n_components=1, whiten=True, svd_solver="full"),
    PCA(n_components=0.9, svd_solver="covariance_eigh"),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_contract(estimator, check):
    check(estimator)
