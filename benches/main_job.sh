#!/usr/bin/env bash
# The main job at full size: ingest, backup, restore, open and incremental backup, beside what the disk gives in the same run.
#
# Usage: benches/main_job.sh [POINTS] [DIM] [ROUNDS] [WORK_DIR]   (default 1000000 128 5, a new folder below the system's temporary one)
# Prints JSON lines; benches/results/ keeps the runs. Needs a release build: cargo build --release --workspace.
set -euo pipefail
points=${1:-1000000} dim=${2:-128} rounds=${3:-5}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}/release
vectra=$target/vectra
work=${4:-$(mktemp -d)}
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
export VECTRA_DATA_DIR=$work/data

now() { date +%s.%N; }
# timed NAME COMMAND...: runs the command, prints its seconds and user CPU as a JSON line, its output to a file beside.
timed() {
    local name=$1 start end times
    shift
    start=$(now)
    TIMEFORMAT='%U %S'
    times=$( { time "$@" >"$work/out" 2>"$work/err"; } 2>&1 ) || { cat "$work/err" >&2; exit 1; }
    end=$(now)
    awk -v n="$name" -v s="$start" -v e="$end" -v t="$times" 'BEGIN{split(t,c," ");printf "{\"name\":\"%s\",\"seconds\":%.3f,\"user_s\":%s,\"system_s\":%s}\n",n,e-s,c[1],c[2]}'
}
copy_and_sync() { cp -r "$1" "$2" && sync -f "$2"; }

printf '{"name":"machine","cpu":"%s","cores":%s,"commit":"%s","date":"%s","points":%s,"dim":%s}\n' \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(git rev-parse --short HEAD)" "$(date -u +%F)" "$points" "$dim"
"$target/make-data" "$work/input" "$points" "$dim" 100
"$target/make-data" "$work/one_percent" $((points / 100)) "$dim" 1
"$target/make-data" "$work/twenty_thousand" 20000 "$dim" 1

"$vectra" collections create built --dim "$dim" --distance euclid >/dev/null
timed build_and_import "$vectra" import built --vectors "$work/input/vectors.npy" --payload "$work/input/payload.jsonl" --batch 1000
"$vectra" collections info built --json

batch_bytes=$((100 * (4 * dim + 90)))
for round in $(seq "$rounds"); do
    "$target/disk-floor" "$work" "$batch_bytes" 10000
    "$target/disk-floor" "$work" $((4 * dim + 320)) 20000
    "$vectra" collections create ingest --dim "$dim" --distance euclid >/dev/null
    timed ingest_batches_of_100 "$vectra" import ingest --vectors "$work/input/vectors.npy" --payload "$work/input/payload.jsonl" --batch 100 --no-wait
    "$vectra" collections drop ingest --purge 2>/dev/null >/dev/null
    "$vectra" collections create single --dim "$dim" --distance euclid >/dev/null
    timed ingest_single_points_20000 "$vectra" import single --vectors "$work/twenty_thousand/vectors.npy" --batch 1 --no-wait
    "$vectra" collections drop single --purge 2>/dev/null >/dev/null
    rm -rf "$work/copy" "$work/backup"
    sync
    timed floor_cp_and_sync copy_and_sync "$VECTRA_DATA_DIR" "$work/copy"
    timed backup_full "$vectra" collections backup built --destination "$work/backup" --snapshot-id full --wait --json
    cat "$work/out"
    timed restore "$vectra" collections restore built --source "$work/backup" --snapshot-id full --new-collection-name restored --wait --json
    cat "$work/out"
    timed open_and_search "$vectra" search restored --vectors "$work/input/queries.npy" --rows 0..1 --ef 64 --json
    "$vectra" collections drop restored --purge 2>/dev/null >/dev/null
    rm -rf "$work/copy"
done

# 1% of the points again, sealed and indexed: what an incremental backup sends.
timed change_1_percent "$vectra" import built --vectors "$work/one_percent/vectors.npy" --batch 1000
timed backup_incremental "$vectra" collections backup built --destination "$work/backup" --snapshot-id incremental --wait --json
cat "$work/out"
timed verify_data "$vectra" collections backup verify --source "$work/backup" --json
cat "$work/out"
