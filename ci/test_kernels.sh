#!/usr/bin/env bash
# Usage: ci/test_kernels.sh [options of pytest]: CUDA without a GPU: every kernel is run on the host against
# plain loops, in several orders of its threads and under AddressSanitizer; and the way from an array on a
# GPU to a fitted model, on a stand-in for NVIDIA's driver. (ci/test_rust.sh compiles them for real ones.)
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
export KERNELS=$PWD/target/cuda
bash tests/cuda/build.sh "$KERNELS"
pytest=("$VENV/bin/python" -P -m pytest -q -p no:cacheprovider "$@")
kernels=(tests/cuda/test_{kernels,nearest,losses,classes}.py -n 2)
"${pytest[@]}" "${kernels[@]}"
# Python itself leaks; and a sanitizer wants to be loaded first.
KERNELS_KIND=asan LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" \
  ASAN_OPTIONS=detect_leaks=0 "${pytest[@]}" "${kernels[@]}"
export STANDIN_NDEV=2 STANDIN_KERNELS=$KERNELS/libkernels-plain.so SKLEARNEX_RS_CACHE=$KERNELS/cache
export LD_LIBRARY_PATH=$KERNELS:$KERNELS/cusolver
"${pytest[@]}" tests/cuda/test_{gpu,borrowing,estimators,answers}.py -n 2
# A stand-in is no quicker than the host, so it gets smaller matrices.
SKLEARNEX_RS_CUSOLVER_COLUMNS=90 "${pytest[@]}" tests/cuda/test_solver.py -n 2
timeout 120 "$VENV/bin/mpirun" -n 3 "$VENV/bin/python" -P tests/cuda/job.py
