#!/usr/bin/env bash
# Runs the tests of stores in buckets against an S3 server that is not ours: moto, in a virtual environment of its own.
#
# bash tests/s3/run.sh
# It needs python3 with venv, and the network for the first run. A server that does not come up is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

MOTO="moto[s3,server]==5.2.5"
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
environment=$target/moto

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

command -v python3 >/dev/null || fail "python3 is missing: install it, with its venv module"
if [ ! -f "$environment/installed" ]; then
    python3 -m venv --clear "$environment" || fail "python3 cannot make a virtual environment: install its venv module"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$MOTO"
    touch "$environment/installed"
fi

address=$(mktemp)
"$environment/bin/python" tests/s3/serve.py >"$address" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$address"' EXIT
for _ in $(seq 150); do
    [ -s "$address" ] && break
    kill -0 "$server" 2>/dev/null || fail "the server ended before it served"
    sleep 0.2
done
[ -s "$address" ] || fail "the server did not come up within 30 s"

VECTRA_TEST_S3=$(cat "$address")
export VECTRA_TEST_S3
printf 'server %s\n' "$VECTRA_TEST_S3"
cargo test --workspace --quiet --test store --test backups another_server
