#!/usr/bin/env bash
# Leaves out one rule of recovery at a time, and shows which tests fail without it. A rule that no test misses is an
# error. The syncs have their controls in tests/power.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

missed=0
for rule in crc durable_upto; do
  out=$(RUSTFLAGS="--cfg counterfoil_without=\"$rule\"" CARGO_TARGET_DIR=target/controls RUST_BACKTRACE=0 \
    cargo test --locked --no-fail-fast -p counterfoil-tests \
    --test flips --test power --test recovery -- --skip every_sync_is_needed 2>&1) && status=0 || status=$?
  failed=$(grep -E '^test .* FAILED$' <<<"$out" | sed -E 's/^test (.*) \.\.\. FAILED$/\1/' || true)
  if [ "$status" -eq 0 ] || [ -z "$failed" ]; then
    echo "without $rule NO test fails (exit $status)" >&2
    tail -20 <<<"$out" >&2
    missed=1
  else
    printf 'without %s:\n' "$rule"
    sed 's/^/  /' <<<"$failed"
  fi
done
exit "$missed"
