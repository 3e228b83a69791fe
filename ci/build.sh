#!/usr/bin/env bash
# Builds the wheel once, and installs that file into the environments named (default: openmpi).
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
"$VENV/bin/maturin" build --release --locked -q --compatibility linux -o dist -i "$VENV/bin/python"
wheel=$(ls -t dist/*.whl | head -1)
for mpi in "${@:-openmpi}"; do
  source ci/env.sh "$mpi"
  "$VENV/bin/python" -m pip install -q --no-deps --force-reinstall "$wheel"
done
