#!/usr/bin/env bash
# The skeleton of .github/CONTRIBUTING.md, in a copy of the tree: builds, and passes its own tests.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/env.sh openmpi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$copy"
"$VENV/bin/python" ci/skeleton.py "$copy"

# Under a name of its own, and unoptimised: nothing in target/ is taken for ours, and the crates that
# we depend on are there already.
sed -i '/^\[lib\]$/a name = "skeleton"' "$copy/Cargo.toml"
CARGO_TARGET_DIR=$PWD/target cargo build -q --release --locked --manifest-path "$copy/Cargo.toml" \
  --config profile.release.package.sklearnex_rs.opt-level=0
cp target/release/libskeleton.so "$copy/sklearnex_rs/_core.abi3.so"

cd "$copy"
export PYTHONPATH=$copy SKLEARNEX_RS_EXIT_GUARD=0
rustfmt --check src/*/centerer.rs
"$VENV/bin/ruff" check -q --no-cache $(find sklearnex_rs tests -name '*centerer.py')
"$VENV/bin/ruff" format -q --no-cache --check $(find sklearnex_rs tests -name '*centerer.py')
"$VENV/bin/mypy"
"$VENV/bin/python" -P -m mypy.stubtest sklearnex_rs._core --mypy-config-file pyproject.toml
"$VENV/bin/python" -P -m pytest tests/unit -k "centerer or rooms" -q -p no:cacheprovider
timeout -k 5 120 "$VENV/bin/mpirun" -n 2 "$VENV/bin/python" -P -m pytest tests/spmd/test_centerer.py \
  -q -p no:cacheprovider --timeout 60
echo "the skeleton of CONTRIBUTING.md builds and passes its tests"
