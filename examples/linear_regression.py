"""Least squares in scikit-learn's pipeline and grid search, beside scikit-learn's own.

python examples/linear_regression.py
"""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression as Theirs
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearnex_rs.linear_model import LinearRegression

X, y = load_diabetes(return_X_y=True, scaled=False)
X_fit, X_test, y_fit, y_test = train_test_split(X, y, random_state=0)

for name, regression in ("sklearnex_rs", LinearRegression()), ("sklearn", Theirs()):
    steps = [("scale", StandardScaler()), ("regression", regression)]
    grid = {"regression__fit_intercept": [True, False]}
    search = GridSearchCV(Pipeline(steps), grid).fit(X_fit, y_fit)
    print(
        f"{name:>12}: R2 on the test rows {search.score(X_test, y_test):.9f}, "
        f"of cross-validation {search.best_score_:.9f}, {search.best_params_}"
    )
