"""Batch estimators in scikit-learn's pipeline and grid search, and as ordinary objects.

python examples/pipeline.py
"""

import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA as TheirPCA
from sklearn.linear_model import LinearRegression as TheirRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import LinearRegression

X, y = load_diabetes(return_X_y=True, scaled=False)
X_fit, X_test, y_fit, y_test = train_test_split(X, y, random_state=0)
grid = {"pca__n_components": [2, 5, 8, 0.95], "pca__whiten": [False, True]}
searches = []
for name, pca, line in (
    ("sklearnex_rs", PCA(), LinearRegression()),
    ("sklearn", TheirPCA(), TheirRegression()),
):
    pipe = Pipeline([("scale", StandardScaler()), ("pca", pca), ("line", line)])
    searches.append(GridSearchCV(pipe, grid, n_jobs=2).fit(X_fit, y_fit))
    score = searches[-1].score(X_test, y_test)
    print(f"{name:>12}: R2 on the test rows {score:.9f}, {searches[-1].best_params_}")

best = searches[0].best_estimator_
again = clone(best).fit(X_fit, y_fit)
print("a clone predicts the same:", np.array_equal(again.predict(X), best.predict(X)))

with tempfile.TemporaryDirectory() as folder:
    joblib.dump(best, Path(folder) / "best.joblib")
    loaded = joblib.load(Path(folder) / "best.joblib")
print(
    "joblib's copy predicts the same:",
    np.array_equal(loaded.predict(X), best.predict(X)),
)

frame = clone(best[:-1]).set_output(transform="pandas").fit_transform(X)
print("a frame of", len(frame), "rows:", ", ".join(frame.columns))
