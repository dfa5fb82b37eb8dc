#!/usr/bin/env bash
# Puts the real server under the load of several clients: kills it, and makes backups meanwhile.
#
#   server.sh [--rounds N] [--seed S]
#
# kills: no acknowledged write is lost, nothing else is there than what was asked for, and a server that is told to end ends well.
# backups: each is exactly the state at its position, and holds everything that was acknowledged before it was asked for.
# replaces: the collection is replaced by its backup again and again: nothing that was acknowledged behind the last replacement is lost.
# Its program, server-storm, also watches latencies and memory over time: tests/long/run.sh does that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rounds=20
seed=1
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 ;;
    --seed) seed=$2 ;;
    *) printf 'server.sh: there is no option %s\n' "$1" >&2 && exit 2 ;;
    esac
    shift 2
done

# With the features of the whole workspace: what its tests were built of is not built a second time.
cargo build --quiet --workspace --bin vectra --bin server-storm
bin=${CARGO_TARGET_DIR:-target}/debug
for load in kills backups replaces; do
    "$bin/server-storm" "$bin/vectra" "$load" --rounds "$rounds" --seed "$seed"
done
