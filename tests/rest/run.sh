#!/usr/bin/env bash
# Runs the Python client against the server: every call also against the client's own local mode, the frameworks' examples, and the README's story.
#
# And calls both APIs at random, by their documents.
#
# bash tests/rest/run.sh [--seeds N] [--first S] [--steps N] [--fuzz-seconds N]
# It needs python3 with venv, and the network for the first run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CLIENTS=(1.20.0 1.18.0)
FRAMEWORKS=(langchain-qdrant==1.1.0 langchain-core==1.7.2 llama-index-vector-stores-qdrant==0.10.4 llama-index-core==0.14.25 qdrant-haystack==13.1.0 haystack-ai==3.4.0)
SCHEMATHESIS=schemathesis==4.32.5
seeds=5 first=0 steps=40 fuzz_seconds=60
while [ $# -gt 0 ]; do
    case $1 in
    --seeds) seeds=$2 ;;
    --first) first=$2 ;;
    --steps) steps=$2 ;;
    --fuzz-seconds) fuzz_seconds=$2 ;;
    *) printf 'error: unknown word %s\n' "$1" >&2 && exit 2 ;;
    esac
    shift 2
done

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# environment NAME PACKAGE...: gives the interpreter of a virtual environment that has these packages.
environment() {
    local dir=$target/rest-$1
    shift
    if [ ! -f "$dir/installed" ]; then
        python3 -m venv --clear "$dir" || fail "python3 cannot make a virtual environment: install its venv module"
        "$dir/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
        touch "$dir/installed"
    fi
    printf '%s\n' "$dir/bin/python"
}

command -v python3 >/dev/null || fail "python3 is missing: install it, with its venv module"
# Side by side: most of it is waiting for the network. What fails here is tried again, and said, where it is needed.
for version in "${CLIENTS[@]}"; do
    environment "client-$version" "qdrant-client==$version" "numpy<3" >/dev/null &
done
environment frameworks "${FRAMEWORKS[@]}" >/dev/null &
environment fuzz "$SCHEMATHESIS" >/dev/null &
wait
# With the features of the whole workspace: what its tests were built of is not built a second time.
cargo build --quiet --workspace --bin vectra
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

"$target/debug/vectra" serve --listen 127.0.0.1:0 --data-dir "$work/data" 2>"$work/server.log" &
server=$!
for _ in $(seq 150); do
    grep -q '^listening on ' "$work/server.log" && break
    kill -0 "$server" 2>/dev/null || fail "the server ended before it served: $(cat "$work/server.log")"
    sleep 0.2
done
url=$(sed -n 's/^listening on //p' "$work/server.log")
[ -n "$url" ] || fail "the server did not come up within 30 s"

# The newest client's local mode is the oracle; older clients have to get the same answers from the server.
oracle=$work/answers.json
for version in "${CLIENTS[@]}"; do
    python=$(environment "client-$version" "qdrant-client==$version" "numpy<3")
    printf 'client %s: ' "$version"
    if [ ! -f "$oracle" ]; then mode=(--write "$oracle"); else mode=(--against "$oracle"); fi
    "$python" tests/rest/differential.py "$url" --seed "$first" --rounds "$seeds" --steps "$steps" "${mode[@]}"
    "$python" tests/rest/snapshots.py "$url"
done
python=$(environment frameworks "${FRAMEWORKS[@]}")
HAYSTACK_TELEMETRY_ENABLED=False "$python" tests/rest/frameworks.py "$url"
python=$(environment fuzz "$SCHEMATHESIS")
mkdir "$work/typed" "$work/fuzz"
"$python" tests/rest/typed.py "$url" "$work/typed"
"$python" tests/rest/fuzz.py "$url" "$work/fuzz" --seconds "$fuzz_seconds" --seed "$first"

kill -TERM "$server"
wait "$server" || fail "the server ended with an error: $(cat "$work/server.log")"
server=
"$(environment "client-${CLIENTS[0]}" "qdrant-client==${CLIENTS[0]}" "numpy<3")" tests/rest/story.py "$target/debug/vectra"
