#!/usr/bin/env bash
# The wheel elsewhere: a bare environment without mpi4py, from another folder, one fit.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
wheel=$(ls -t "$PWD"/dist/*.whl | head -1)
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
"$VENV/bin/python" -m venv "$bare/venv"
"$bare/venv/bin/python" -m pip install -q "$wheel"
cd "$bare"
"$bare/venv/bin/python" - <<'PY'
import numpy as np
import sklearnex_rs.spmd
from sklearnex_rs.linear_model import LinearRegression

X = np.random.default_rng(0).standard_normal((100, 3))
model = LinearRegression().fit(X, X @ np.arange(3.0))
assert np.allclose(model.coef_, np.arange(3.0))
assert "libmpi" not in open("/proc/self/maps").read()
try:
    sklearnex_rs.spmd.LinearRegression().fit(X, X[:, 0])
except ImportError as error:
    assert "pip install mpi4py" in str(error)
else:
    raise AssertionError("a fit over ranks without mpi4py")
sklearnex_rs.show_config()
print("the wheel works alone")
PY
