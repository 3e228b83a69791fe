#!/usr/bin/env bash
# Usage: ci/check.sh: what needs no run: formats, lints, types, the stub, and who may name whom.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi

cargo fmt --all --check
cargo clippy -q --release --locked --workspace --all-targets -- -D warnings
cargo clippy -q --release --locked --workspace --no-default-features -- -D warnings
"$VENV/bin/ruff" check -q .
"$VENV/bin/ruff" format -q --check .
"$VENV/bin/mypy"
"$VENV/bin/python" -P -m mypy.stubtest sklearnex_rs._core --mypy-config-file pyproject.toml
"$VENV/bin/python" -P -m pytest -q tests/unit/test_rooms.py -p no:cacheprovider
