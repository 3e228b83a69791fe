#!/usr/bin/env bash
# Usage: ci/test_jobs.sh [an MPI of ci/env.sh]: whole jobs, as users start them.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh "${1:-openmpi}"
"$VENV/bin/python" -P -m pytest tests/jobs -q -p no:cacheprovider --timeout 120
