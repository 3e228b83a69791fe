"""Which measurements foretell a disease: fewer of them, the stronger the penalty.

python examples/elastic_net.py
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso as Theirs
from sklearn.preprocessing import StandardScaler

from sklearnex_rs.linear_model import ElasticNet, Lasso, lasso_path

data = load_diabetes(scaled=False)
X, y = StandardScaler().fit_transform(data.data), data.target

alphas, coefs, gaps = lasso_path(X, y - y.mean(), alphas=7, eps=1e-2, tol=1e-8)
for alpha, coef, gap in zip(alphas, coefs.T, gaps, strict=True):
    names = [data.feature_names[j] for j in np.flatnonzero(coef)]
    print(f"alpha {alpha:7.3f}, gap {gap:.0e}: {' '.join(names) or 'nothing'}")

for name, kind in ("sklearnex_rs", Lasso), ("sklearn", Theirs):
    model = kind(alpha=2.0, tol=1e-10).fit(X, y)
    print(
        f"{name:>12}: R2 {model.score(X, y):.9f}, {np.count_nonzero(model.coef_)} "
        f"columns, {model.n_iter_} rounds"
    )

# From one penalty to the next, each descent begins where the last one ended.
net = ElasticNet(warm_start=True, tol=1e-6)
for alpha in (1.0, 0.3, 0.1):
    net.set_params(alpha=alpha).fit(X, y)
    print(f"elastic net, alpha {alpha}: R2 {net.score(X, y):.6f}, {net.n_iter_} rounds")
