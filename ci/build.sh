#!/usr/bin/env bash
# Builds the wheel once, and installs that file into the environments named (default: openmpi).
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
"$VENV/bin/maturin" build --release --locked -q --compatibility linux -o dist -i "$VENV/bin/python"
wheel=$(ls -t dist/*.whl | head -1)
for mpi in "${@:-openmpi}"; do
  source ci/env.sh "$mpi"
  "$VENV/bin/python" -m pip install -q --no-deps --force-reinstall "$wheel"
done
# Its library also lies beside the sources, so that a Python started here imports them; tests never do:
# they run with -P. Renamed into its place, for a process that has the last one mapped.
library=sklearnex_rs/_core.abi3.so
"$VENV/bin/python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
  "$wheel" "$library" > "$library.new"
mv "$library.new" "$library"
