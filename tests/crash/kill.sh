#!/usr/bin/env bash
# Kills the real process at random moments of imports, backups, restores and archiving, and checks what is left.
#
#   kill.sh [--rounds N] [--seed S] [--only import|backup|restore|archive|send|rewind|prune|clean]
#
# import: every acknowledged row is there, as it was written, and the rows are the first ones of the input.
# backup: the backup is complete or called incomplete; the same command again makes it complete; it restores to the same points.
# restore: the collection is there whole or not at all; the same command again ends with it there.
# archive: an import that is archived meanwhile: every acknowledged row is restored from the archive once the next run has sent what was left;
#          in every other round rows are acknowledged when they are archived, and the archive alone has them.
# send: everything that a collection holds is sent: the same command again ends with all of it restorable.
# rewind: a collection is restored to a time in place: it is what it was or what it is to be; the same command again ends with the latter.
# prune: garbage of an archive is collected, in every other round its second phase: everything is still restored, and the same command ends well.
# clean: the space of dead rows is given back: every point is there as it was written; the same command again ends with a smaller log.
# Fails on any miss, and when more than a fifth of the rounds, and more than one, hit a process that had already finished.
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
    # With the features of the whole workspace: what its tests were built of is not built a second time.
    cargo build --quiet --workspace --bin vectra --bin make-points
    bin=${CARGO_TARGET_DIR:-target}/debug
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    points --seed "$seed" >"$work/points.jsonl"
    [ -z "$only" ] || [ "$only" = import ] && kill_rounds import
    prepare_backup
    [ -z "$only" ] || [ "$only" = backup ] && kill_rounds backup
    [ -z "$only" ] || [ "$only" = restore ] && kill_rounds restore
    [ -z "$only" ] || [ "$only" = archive ] && kill_rounds archive
    [ -z "$only" ] || [ "$only" = send ] && kill_rounds send
    prepare_archive
    [ -z "$only" ] || [ "$only" = rewind ] && kill_rounds rewind
    prepare_garbage
    [ -z "$only" ] || [ "$only" = prune ] && kill_rounds prune
    prepare_dead
    [ -z "$only" ] || [ "$only" = clean ] && kill_rounds clean
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

# An archive with all points, and the time at which there was half of them.
prepare_archive() {
    vectra_in "$work/archived" collections create c --dim "$dim" --distance euclid --quiet >/dev/null
    vectra_in "$work/archived" archive enable c --to "$work/archive" --quiet >/dev/null
    vectra_in "$work/archived" import c --jsonl "$work/points.jsonl" --batch "$((rows / 20))" --json >"$work/acks"
    half_time=$(grep -o "\"event\":\"ack\".*\"last_row\":$((rows / 2 - 1))[,}].*" "$work/acks" | grep -o '"commit_time":"[^"]*"' | cut -d'"' -f4)
    [ -n "$half_time" ] || die "no batch ended with half of the points"
}

# An archive with manifests, extents and backups that nothing needs any more: every point was written four times.
prepare_garbage() {
    vectra_in "$work/written" collections create c --dim "$dim" --distance euclid --quiet >/dev/null
    vectra_in "$work/written" archive enable c --to "$work/garbage" --quiet >/dev/null
    for _ in 1 2 3 4; do
        vectra_in "$work/written" import c --jsonl "$work/points.jsonl" --quiet >/dev/null
        vectra_in "$work/written" collections backup c --destination "$work/garbage" --full --wait --quiet >/dev/null 2>&1
    done
    vectra_in "$work/written" archive run --once --quiet >/dev/null
    # What is left of the window is the end of the history.
    sleep 1.1
}

# A database of which all but every tenth point was written again: files with little that is alive, and nothing cleaned yet.
prepare_dead() {
    vectra_in "$work/dead" collections create c --dim "$dim" --distance euclid --index flat --quiet >/dev/null
    vectra_in "$work/dead" import c --jsonl "$work/points.jsonl" --no-wait --quiet >/dev/null
    awk 'NR % 10' "$work/points.jsonl" >"$work/most.jsonl"
    for _ in 1 2; do
        vectra_in "$work/dead" import c --jsonl "$work/most.jsonl" --no-wait --quiet >/dev/null
    done
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
    # A run that is this short is mostly the start of a process, which takes now longer and now less.
    [ "$whole" -ge 50 ] || window=$((whole * 4 / 10 + 1))
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
    [ "$idle" -le 1 ] || [ $((idle * 5)) -le "$rounds" ] || die "$what: more than a fifth of the rounds hit a process that had finished"
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
    acknowledged=$(acknowledged_rows)
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

before_archive() {
    local durability=fsync
    [[ $1 != *[02468] ]] || durability=archive
    rm -rf "$work/round"
    vectra_in "$work/round/data" collections create c --dim "$dim" --distance euclid --quiet >/dev/null
    vectra_in "$work/round/data" archive enable c --to "$work/round/archive" --durability "$durability" --delay 0 --quiet >/dev/null
}

start_archive() {
    start_import "$1"
}

after_archive() {
    local acknowledged
    acknowledged=$(acknowledged_rows)
    # What is acknowledged once it is archived needs no other machine than a new one.
    [[ $1 == *[02468] ]] || vectra_in "$work/round/data" archive run --once --quiet >/dev/null || return 1
    vectra_in "$work/round/other" restore c --source "$work/round/archive" --latest --wait --quiet >/dev/null || return 1
    check_points "$work/round/other" c "$acknowledged" >/dev/null || return 1
    # The machine itself goes on.
    vectra_in "$work/round/data" archive run --once --quiet >/dev/null || return 1
    check_points "$work/round/data" c "$acknowledged" >/dev/null || return 1
}

before_send() {
    rm -rf "$work/round"
    mkdir -p "$work/round"
    cp -r "$work/source" "$work/round/data"
}

start_send() {
    exec_or_run "$1" --data-dir "$work/round/data" archive enable c --to "$work/round/archive" --json
}

after_send() {
    start_send again >/dev/null 2>"$work/again" || return 1
    vectra_in "$work/round/data" archive run --once --quiet >/dev/null || return 1
    vectra_in "$work/round/other" restore c --source "$work/round/archive" --latest --wait --quiet >/dev/null || return 1
    check_points "$work/round/other" c "$rows" >/dev/null || return 1
}

before_rewind() {
    rm -rf "$work/round"
    vectra_in "$work/round/data" restore c --source "$work/archive" --latest --wait --quiet >/dev/null
}

start_rewind() {
    exec_or_run "$1" --data-dir "$work/round/data" restore c --source "$work/archive" --to-time "$half_time" --replace --wait --json
}

after_rewind() {
    local found
    found=$(check_points "$work/round/data" c "$((rows / 2))") || return 1
    [ "$found" = "$rows" ] || [ "$found" = "$((rows / 2))" ] || return 1
    start_rewind again >/dev/null 2>"$work/again" || return 1
    [ "$(check_points "$work/round/data" c "$((rows / 2))")" = "$((rows / 2))" ] || return 1
}

before_prune() {
    rm -rf "$work/round"
    mkdir -p "$work/round"
    cp -r "$work/garbage" "$work/round/archive"
    # The first phase is the shorter one: it is the one that is measured.
    [[ $1 != *[02468] ]] || collect_garbage again >/dev/null
}

collect_garbage() {
    exec_or_run "$1" archive prune "$work/round/archive" --keep-window 1s --keep-full 1 --grace 0s --json
}

start_prune() {
    collect_garbage "$1"
}

after_prune() {
    vectra_in "$work/round/first" restore c --source "$work/round/archive" --latest --wait --quiet >/dev/null || return 1
    check_points "$work/round/first" c "$rows" >/dev/null || return 1
    collect_garbage again >/dev/null || return 1
    collect_garbage again >/dev/null || return 1
    [ "$(du -s "$work/round/archive" | cut -f1)" -lt "$(du -s "$work/garbage" | cut -f1)" ] || return 1
    vectra_in "$work/round/other" restore c --source "$work/round/archive" --latest --wait --quiet >/dev/null || return 1
    check_points "$work/round/other" c "$rows" >/dev/null || return 1
}

before_clean() {
    rm -rf "$work/round"
    mkdir -p "$work/round"
    cp -r "$work/dead" "$work/round/data"
}

start_clean() {
    exec_or_run "$1" --data-dir "$work/round/data" collections optimize c --json
}

after_clean() {
    check_points "$work/round/data" c "$rows" >/dev/null || return 1
    start_clean again >/dev/null 2>"$work/again" || return 1
    check_points "$work/round/data" c "$rows" >/dev/null || return 1
    vectra_in "$work/round/data" collections info c --json | grep -q '"moved":[1-9]' || return 1
    [ "$(du -s "$work/round/data" | cut -f1)" -lt "$(du -s "$work/dead" | cut -f1)" ] || return 1
}

# acknowledged_rows: prints how many rows the killed import acknowledged; a line that the kill cut off acknowledges nothing.
acknowledged_rows() {
    local last
    last=$(grep -o '"event":"ack".*"last_row":[0-9]*.*}$' "$work/round/out" | grep -o '"last_row":[0-9]*' | tail -1 | cut -d: -f2 || true)
    printf '%s\n' "$((${last:--1} + 1))"
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
