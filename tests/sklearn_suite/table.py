"""The estimators and functions that scikit-learn's own tests are run with, one a line.

``python table.py [names]`` prints the files of scikit-learn's tests that name them.
"""

import importlib.util
import re
import sys
from pathlib import Path

#: Where scikit-learn has each; `sklearnex_rs` has it in the package of the same name.
TABLE = [
    "cluster.KMeans",
    "covariance.EmpiricalCovariance",
    "decomposition.IncrementalPCA",
    "decomposition.PCA",
    "decomposition.TruncatedSVD",
    "linear_model.ElasticNet",
    "linear_model.Lasso",
    "linear_model.LinearRegression",
    "linear_model.LogisticRegression",
    "linear_model.Ridge",
    "linear_model.enet_path",
    "linear_model.lasso_path",
]
PLACES = {line.rsplit(".", 1)[1]: line.rsplit(".", 1)[0] for line in TABLE}
SKLEARN = Path(importlib.util.find_spec("sklearn").origin).parent


def files(names, *, quick):
    """Return the test files that name any of them; quickly: of their own packages."""
    unknown = set(names) - PLACES.keys()
    if unknown:
        sys.exit(f"not in {__file__}: {sorted(unknown)}; there are {sorted(PLACES)}")
    word = re.compile(rf"\b({'|'.join(names)})\b")
    packages = {PLACES[name] for name in names}
    return [
        file
        for file in sorted(SKLEARN.rglob("test_*.py"))
        if file.parts[len(SKLEARN.parts)] in packages or not quick
        if word.search(file.read_text())
    ]


if __name__ == "__main__":
    quick = "--quick" in sys.argv[1:]
    names = [name for name in sys.argv[1:] if name != "--quick"] or list(PLACES)
    for file in files(names, quick=quick):
        print(".".join(file.relative_to(SKLEARN.parent).with_suffix("").parts))
