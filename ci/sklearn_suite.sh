#!/usr/bin/env bash
# Usage: ci/sklearn_suite.sh [--quick] [estimators]: scikit-learn's own tests, which its wheel has, with our
# classes in the place of its own (default: all of tests/sklearn_suite/table.py). --quick: only the tests of
# the packages that the estimators are in, without the slow ones. Every difference that is expected stands in
# tests/sklearn_suite/expected.toml, with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
quick=()
[ "${1:-}" != --quick ] || { quick=(--quick); shift; }
export PYTHONPATH=$PWD/tests/sklearn_suite SCIPY_ARRAY_API=1 SKLEARN_TESTS_GLOBAL_RANDOM_SEED=42
modules=$("$VENV/bin/python" -P tests/sklearn_suite/table.py "${quick[@]}" "$@")
"$VENV/bin/python" -P -m pytest -q -c tests/sklearn_suite/pytest.ini --estimators "$*" "${quick[@]}" --pyargs $modules
