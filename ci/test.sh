#!/usr/bin/env bash
# Usage: ci/test.sh [part...]: every test, or the parts named. A part that fails lets the others run; the
# last lines repeat what the runners of all parts said, the seconds of each, and the names of all that failed.
set -uo pipefail
cd "$(dirname "$0")/.."

# One line a part: its name, and its command.
parts=(
  "environment  ci/env.sh mpich"
  "build        ci/build.sh openmpi mpich"
  "check        ci/check.sh"
  "rust         ci/test_rust.sh"
  "kernels      ci/test_kernels.sh"
  "unit         ci/test_unit.sh"
  "spmd         ci/test_spmd.sh openmpi 1 2 3 4"
  "spmd-mpich   ci/test_spmd.sh mpich 3"
  "jobs         ci/test_jobs.sh openmpi"
  "jobs-mpich   ci/test_jobs.sh mpich"
  "examples     ci/test_examples.sh"
  "wheel        ci/test_wheel.sh"
  "skeleton     ci/test_skeleton.sh"
)
# How the runners close: pytest, cargo test, and our own scripts.
closing='^(=+ )?[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s|^test result: |^FAILED |^ERROR '

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
summary="" failed="" started=$SECONDS
for part in "${parts[@]}"; do
  read -r name command <<< "$part"
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  echo "==== $name: $command"
  start=$SECONDS
  bash $command 2>&1 | tee "$logs/$name" && state="" || state=FAILED
  if [ -n "$state" ]; then failed+=" $name"; fi
  printf -v line '%-12s %5d s  %s' "$name" $((SECONDS - start)) "$state"
  summary+="$line"$'\n'
  summary+=$(grep -aE "$closing" "$logs/$name" | sed 's/^/    /')$'\n'
  # Without the wheel of this tree the rest would test another one.
  if [ "$name" = build ] && [ -n "$state" ]; then failed+=" (the parts after it did not run)"; break; fi
done

echo "==== summary"
grep -v '^ *$' <<< "$summary"
echo "$((SECONDS - started)) s in all"
if [ -n "$failed" ]; then
  echo "failed:$failed"
  exit 1
fi
echo "every test has passed"
