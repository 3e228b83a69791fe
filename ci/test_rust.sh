#!/usr/bin/env bash
# The core without Python and without MPI: laws, kernels, and that NVRTC compiles every CUDA kernel for
# sm_80, sm_90 and sm_100. That it builds without CUDA as well, ci/check.sh shows.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
nvrtc=$("$VENV/bin/python" -P -c 'import nvidia.cu13 as n; print(*n.__path__)')/lib
REQUIRE_NVRTC=1 LD_LIBRARY_PATH=$nvrtc cargo test --release --locked --no-default-features --features cuda
