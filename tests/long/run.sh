#!/usr/bin/env bash
# What takes too long for every change: the same checks as .ci/run has for seconds, for longer, and half an hour of mixed load.
#
#   run.sh [--minutes M]     (default 30; the mixed load takes that long, everything else about as long again)
#
# Its last output is kept beside it, in last.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

minutes=30
[ "${1:-}" != --minutes ] || minutes=${2:?--minutes needs a number}
bin=${CARGO_TARGET_DIR:-target}/release

cargo build --quiet --release --workspace --bin vectra --bin server-storm
{
    date -u +%Y-%m-%dT%H:%MZ
    git log -1 --format='commit %h'
    "$bin/server-storm" "$bin/vectra" mixed --seconds "$((minutes * 60))" --writers 2
    "$bin/server-storm" "$bin/vectra" kills --rounds "$((minutes * 10))" --seed 7
    "$bin/server-storm" "$bin/vectra" backups --rounds "$((minutes * 5))" --seed 7
    "$bin/server-storm" "$bin/vectra" replaces --rounds "$((minutes * 5))" --seed 7
} 2>&1 | tee tests/long/last.log
