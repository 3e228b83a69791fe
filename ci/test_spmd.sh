#!/usr/bin/env bash
# Usage: ci/test_spmd.sh [an MPI of ci/env.sh] [ranks...]: every SPMD test, on every number of
# ranks, from the installed wheel. A hang fails: each run has a time limit. scikit-learn's contract, where
# every rank has all rows, runs on two. PYTEST_ADDOPTS=--all-cases runs what `pairwise` leaves out, too.
set -euo pipefail
cd "$(dirname "$0")/.."
mpi=${1:-openmpi}
shift || true
source ci/env.sh "$mpi"
# A rank of a test run that fails ends with an error of its own; it must not take the report along.
export SKLEARNEX_RS_EXIT_GUARD=0
failed=""
for ranks in ${*:-1 2 3 4}; do
  echo "== $mpi, $ranks ranks"
  contract=()
  [ "$ranks" = 2 ] || contract=(--ignore tests/spmd/test_contract.py)
  timeout -k 5 ${LIMIT:-600} "$VENV/bin/mpirun" -n "$ranks" "$VENV/bin/python" -P -m pytest tests/spmd -q \
    -p no:cacheprovider --timeout 120 --color=no ${contract[@]+"${contract[@]}"} || failed+=" $ranks"
done
if [ -n "$failed" ]; then
  echo "$mpi failed on this many ranks:$failed" >&2
  exit 1
fi
