#!/usr/bin/env bash
# Kills the real process at random moments of import, backup and restore, and checks what is left.
#
#   kill.sh [--rounds N] [--seed S] [--only import|backup|restore]
#
# import: every acknowledged row is there, as it was written, and the rows are the first ones of the input.
# backup: the backup is complete or called incomplete; the same command again makes it complete; it restores to the same points.
# restore: the collection is there whole or not at all; the same command again ends with it there.
# Fails on any miss, and when more than a fifth of the rounds hit a process that had already finished.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rounds=100
seed=1
only=""
rows=12000
dim=16

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --rounds) rounds=$2 ;;
        --seed) seed=$2 ;;
        --only) only=$2 ;;
        *) die "there is no option $1" ;;
        esac
        shift 2
    done
    RANDOM=$seed
    cargo build --quiet -p vectra --bin vectra
    cargo build --quiet -p vectra-tests --bin make-points
    bin=${CARGO_TARGET_DIR:-target}/debug
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    points --seed "$seed" >"$work/points.jsonl"
    [ -z "$only" ] || [ "$only" = import ] && kill_rounds import
    prepare_backup
    [ -z "$only" ] || [ "$only" = backup ] && kill_rounds backup
    [ -z "$only" ] || [ "$only" = restore ] && kill_rounds restore
    return 0
}

die() {
    printf 'kill.sh: %s\n' "$*" >&2
    exit 1
}

points() {
    "$bin/make-points" --rows "$rows" --dim "$dim" "$@"
}

# vectra_in DIR ARGUMENTS...: the program on the database in DIR.
vectra_in() {
    local dir=$1
    shift
    "$bin/vectra" --data-dir "$dir" "$@"
}

# A database with all points, sealed and indexed, and a complete backup of it.
prepare_backup() {
    vectra_in "$work/source" collections create c --dim "$dim" --distance euclid --quiet >/dev/null
    vectra_in "$work/source" import c --jsonl "$work/points.jsonl" --quiet >/dev/null
    vectra_in "$work/source" collections backup c --destination "$work/complete" --snapshot-id whole --wait --quiet >/dev/null 2>&1
}

# whole_run WHAT: prints how many milliseconds the fastest of three runs takes that nobody kills, and checks what they leave.
whole_run() {
    local what=$1 started took fastest=0
    for _ in 1 2 3; do
        "before_$what" measure
        started=$(date +%s%N)
        "start_$what" measure || die "$what fails without being killed"
        took=$((($(date +%s%N) - started) / 1000000))
        [ "$fastest" -ne 0 ] && [ "$fastest" -le "$took" ] || fastest=$took
    done
    "after_$what" measure 0 || die "$what is wrong without being killed"
    printf '%s\n' "$fastest"
}

# kill_rounds WHAT: kills as many runs as asked for, each at a moment drawn from the time that a whole one takes.
kill_rounds() {
    local what=$1 round hits=0 idle=0 whole window delay status victim
    whole=$(whole_run "$what")
    # In a few rounds one or two processes that finish early would be more than a fifth: those rounds keep farther from the end.
    window=$((whole * (rounds < 20 ? 6 : 8) / 10 + 1))
    for round in $(seq "$rounds"); do
        "before_$what" "$round"
        delay=$(((RANDOM * 32768 + RANDOM) % window))
        "start_$what" "$round" &
        victim=$!
        sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
        kill -KILL "$victim" 2>/dev/null || true
        status=0
        wait "$victim" 2>/dev/null || status=$?
        if [ "$status" -eq 137 ]; then
            hits=$((hits + 1))
        else
            # The machine is faster now than when it was measured.
            idle=$((idle + 1))
            window=$((window * 3 / 4 + 1))
        fi
        "after_$what" "$round" "$status" || die "$what, round $round of seed $seed, killed after $delay ms of $whole"
        rm -rf "$work/round"
    done
    printf '%s: %d rounds from seed %d, %d killed at work, %d already finished (a whole run takes %d ms)\n' \
        "$what" "$rounds" "$seed" "$hits" "$idle" "$whole"
    [ $((idle * 5)) -le "$rounds" ] || die "$what: more than a fifth of the rounds hit a process that had finished"
}

# check_points DIR NAME AT_LEAST: the collection holds the first rows of the input, at least so many; prints how many.
check_points() {
    local found counted
    vectra_in "$1" export "$2" --jsonl - --quiet >"$work/export.jsonl" || die "the export of $2 fails"
    found=$(points --seed "$seed" --check "$3" <"$work/export.jsonl") || return 1
    counted=$(vectra_in "$1" collections count "$2") || die "the count of $2 fails"
    [ "$found" = "$counted" ] || die "$2 counts $counted points and exports $found"
    printf '%s\n' "$found"
}

before_import() {
    rm -rf "$work/round"
    vectra_in "$work/round/data" collections create c --dim "$dim" --distance euclid --quiet >/dev/null
}

start_import() {
    exec_or_run "$1" --data-dir "$work/round/data" import c --jsonl "$work/points.jsonl" --batch 40 --no-wait --json
}

after_import() {
    local acknowledged
    # A line that the kill cut off acknowledges nothing.
    acknowledged=$(grep -o '"event":"ack".*"last_row":[0-9]*.*}$' "$work/round/out" | grep -o '"last_row":[0-9]*' | tail -1 | cut -d: -f2 || true)
    acknowledged=$((${acknowledged:--1} + 1))
    check_points "$work/round/data" c "$acknowledged" >/dev/null || return 1
    # The same import again, from the first row, ends with every point there once.
    if [[ $1 == *[05] ]]; then
        vectra_in "$work/round/data" import c --jsonl "$work/points.jsonl" --no-wait --quiet >/dev/null || return 1
        check_points "$work/round/data" c "$rows" >/dev/null || return 1
    fi
}

before_backup() {
    rm -rf "$work/round"
    mkdir -p "$work/round"
}

start_backup() {
    exec_or_run "$1" --data-dir "$work/source" collections backup c --destination "$work/round/backup" --snapshot-id s --wait --json
}

after_backup() {
    local status=0 again=0
    "$bin/vectra" collections backup verify --source "$work/round/backup" >/dev/null 2>&1 || status=$?
    start_backup again >/dev/null 2>"$work/again" || again=$?
    case $status:$again in
    # Complete already: the same id is refused. Nothing, or an unfinished attempt: the second run completes it.
    0:4 | 3:0 | 6:0) ;;
    *)
        cat "$work/again" >&2
        printf 'verify gave %s, the second backup %s\n' "$status" "$again" >&2
        return 1
        ;;
    esac
    "$bin/vectra" collections backup verify --source "$work/round/backup" >/dev/null || return 1
    vectra_in "$work/round/data" collections restore c --source "$work/round/backup" --wait --quiet >/dev/null || return 1
    check_points "$work/round/data" c "$rows" >/dev/null || return 1
    [ "$(vectra_in "$work/source" collections count c)" = "$rows" ] || return 1
}

before_restore() {
    before_backup
}

start_restore() {
    exec_or_run "$1" --data-dir "$work/round/data" collections restore c --source "$work/complete" --wait --json
}

after_restore() {
    local there again=0
    there=$(vectra_in "$work/round/data" collections list --quiet) || return 1
    start_restore again >/dev/null 2>"$work/again" || again=$?
    case $there:$again in
    c:4 | :0) ;;
    *)
        cat "$work/again" >&2
        printf 'the list said "%s", the second restore gave %s\n' "$there" "$again" >&2
        return 1
        ;;
    esac
    check_points "$work/round/data" c "$rows" >/dev/null || return 1
}

# exec_or_run ROUND ARGUMENTS...: in a round the program takes the place of this shell, so that the signal meets it and nothing else.
exec_or_run() {
    local round=$1
    shift
    case $round in
    measure) "$bin/vectra" "$@" >"$work/round/out" 2>"$work/round/err" ;;
    again) "$bin/vectra" "$@" ;;
    *) exec "$bin/vectra" "$@" >"$work/round/out" 2>"$work/round/err" ;;
    esac
}

main "$@"
