#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: tests/gpu with torch and CuPy, and the kernels under NVIDIA's
# compute-sanitizer, where it is installed. Not part of ci/test.sh, which needs no GPU.
# Usage: ci/test_gpu.sh [python]: one that has sklearnex_rs, pytest, and torch or CuPy.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
"$python" -P -c 'import sklearnex_rs; sklearnex_rs.show_config()'
"$python" -P -m pytest tests/gpu -q -p no:cacheprovider -rs
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
if [ -z "$sanitizer" ]; then
  echo "compute-sanitizer was not found: kernels ran without it"
  exit 0
fi
for tool in memcheck racecheck initcheck synccheck; do
  "$sanitizer" --tool "$tool" --error-exitcode 1 --target-processes all \
    "$python" -P -m pytest tests/gpu -q -p no:cacheprovider -k "every_layout or bases"
done
echo "compute-sanitizer found nothing"
