#!/usr/bin/env bash
# Usage: [SKIP_DEBIAN=1] [SKIP_TEST=1] ci/full.sh: what takes longer than ci/test.sh may: the wheel that
# ci/test.sh has built (with SKIP_TEST=1: the newest in dist), that file, on Intel's MPI and Debian's,
# on more ranks, and with older scikit-learn.
set -euo pipefail
cd "$(dirname "$0")/.."
mpis="impi-rt debian-openmpi debian-mpich"
if [ "${SKIP_DEBIAN:-0}" = 1 ]; then
  mpis=impi-rt
elif ! type mpicc.openmpi mpirun.openmpi mpicc.mpich mpirun.mpich > /dev/null 2>&1; then
  echo "Debian's MPIs are missing. Run this as root, or set SKIP_DEBIAN=1:" >&2
  echo "  apt-get install openmpi-bin libopenmpi-dev mpich libmpich-dev" >&2
  exit 1
fi
[ "${SKIP_TEST:-0}" = 1 ] || bash ci/test.sh
wheel=$(ls -t "$PWD"/dist/*.whl | head -1)
sha256sum "$wheel"
for mpi in $mpis; do
  (source ci/env.sh "$mpi"; "$VENV/bin/python" -m pip install -q --no-deps --force-reinstall "$wheel")
  LIMIT=900 bash ci/test_spmd.sh "$mpi" 2 3
  bash ci/test_jobs.sh "$mpi"
done
if [ "${SKIP_TEST:-0}" != 1 ]; then
  bash ci/test_spmd.sh mpich 2 4
  # What `pairwise` leaves out, and each unit test from ten other global seeds.
  LIMIT=1800 PYTEST_ADDOPTS=--all-cases bash ci/test_spmd.sh openmpi 3
  bash ci/test_kernels.sh --all-cases
  for seed in 1 2 3 4 5 6 7 8 9 10; do
    SKLEARNEX_RS_TEST_SEED=$seed bash ci/test_unit.sh
  done
  LIMIT=900 bash ci/test_spmd.sh openmpi 6
fi
bash ci/sklearn_suite.sh
for version in 1.8 1.7; do
  echo "== scikit-learn $version"
  old=.venv-sklearn-$version
  [ -e "$old/bin/python" ] || .venv-impi-rt/bin/python -m venv "$old"
  "$old/bin/python" -m pip install -q -r .venv-impi-rt/requirements.txt "scikit-learn~=$version.0"
  "$old/bin/python" -m pip install -q --no-deps --force-reinstall "$wheel"
  # Their parametrize_with_checks hands pytest a generator, with one check twice: not for strict pytest.
  "$old/bin/python" -P -m pytest tests/unit -q -p no:cacheprovider \
    -W "ignore:Passing a non-Collection iterable to parametrize" -o strict_parametrization_ids=false
done
echo "every longer test has passed"
