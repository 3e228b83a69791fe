#!/usr/bin/env bash
# One process at a time has a program of its own, two share the tests; from the installed wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
"$VENV/bin/python" -P -m pytest tests/unit -q -p no:cacheprovider -n 2 "$@"
