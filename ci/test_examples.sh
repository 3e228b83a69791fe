#!/usr/bin/env bash
# Each example, alone or under mpirun by its name.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
"$VENV/bin/python" -P -m pytest tests/examples -q -p no:cacheprovider
