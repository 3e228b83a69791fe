#!/usr/bin/env bash
# The wheel elsewhere: a bare environment without mpi4py, from another folder, one fit. And the sources here:
# ci/build.sh has put the same library beside them.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
wheel=$(ls -t "$PWD"/dist/*.whl | head -1)
# Without -P: a Python that is started here finds the sources first.
"$VENV/bin/python" - "$wheel" <<'PY'
import sys
from pathlib import Path
from zipfile import ZipFile

import sklearnex_rs
from sklearnex_rs.linear_model import LinearRegression

sources = Path("sklearnex_rs").resolve()
assert Path(sklearnex_rs.__file__).parent == sources
library = (sources / "_core.abi3.so").read_bytes()
assert library == ZipFile(sys.argv[1]).read("sklearnex_rs/_core.abi3.so")
assert abs(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]).coef_[0] - 1) < 1e-12
print("the sources work where they are")
PY
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
