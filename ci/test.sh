#!/usr/bin/env bash
# Every test: the same set-up as the demo, then Rust, Python, SPMD on 1 to 4 ranks, examples.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
source ci/env.sh mpich
bash ci/build.sh openmpi mpich
bash ci/check.sh
bash ci/test_rust.sh
bash ci/test_kernels.sh
bash ci/test_unit.sh
bash ci/test_spmd.sh openmpi 1 2 3 4
bash ci/test_spmd.sh mpich 3
bash ci/test_jobs.sh openmpi
bash ci/test_jobs.sh mpich
bash ci/test_examples.sh
bash ci/test_wheel.sh
bash ci/test_skeleton.sh
echo "every test has passed"
