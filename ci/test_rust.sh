#!/usr/bin/env bash
# The core without Python and without MPI: laws and kernels.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --release --locked --no-default-features
