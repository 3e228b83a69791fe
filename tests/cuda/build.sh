#!/usr/bin/env bash
# Usage: tests/cuda/build.sh FOLDER: kernels for the host, the same with AddressSanitizer, and the stand-in
# for NVIDIA's driver, into that folder; one for cuSOLVER into its `cusolver`, and half of one into `older`.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"
# Sizes of tiles and blocks are those that kernels are launched with.
KERNEL_CONSTANTS=$out/constants cargo test -q --release --locked --no-default-features --features cuda \
  --manifest-path ../../Cargo.toml --test cubins constants
for kind in plain asan; do
  flags=(-I"$out/constants" -std=c++17 -O1 -g -fPIC -ffp-contract=off -Wno-attributes)
  if [ $kind = asan ]; then flags+=(-fsanitize=address,undefined -fno-sanitize-recover=undefined '-fsanitize-sections=emulated_shared'); fi
  g++ "${flags[@]}" -DREAL=float -DEMULATOR_IMPL -c kernels.cpp -o "$out/float-$kind.o"
  g++ "${flags[@]}" -DREAL=double -c kernels.cpp -o "$out/double-$kind.o"
  g++ "${flags[@]}" -shared "$out/float-$kind.o" "$out/double-$kind.o" -o "$out/libkernels-$kind.so"
done
g++ -std=c++17 -O1 -g -fPIC -shared driver.cpp -o "$out/libcuda.so.1" -ldl
mkdir -p "$out/cusolver" "$out/older"
quick=(-O3 -fassociative-math -fno-signed-zeros -fno-trapping-math)
g++ -std=c++17 "${quick[@]}" -fPIC -shared solver.cpp -o "$out/cusolver/libcusolver.so.12" -ldl
g++ -std=c++17 -DOLD -fPIC -shared solver.cpp -o "$out/older/libcusolver.so.12" -ldl
