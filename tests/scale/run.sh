#!/bin/sh
# The product's commands word for word, on the real path, at full size: sh tests/scale/run.sh [POINTS]
#
# Makes /mnt/backups (which must not exist yet, so run it as a user who may) and removes it in the end. Input, database and
# log of the work lie in a new folder below TMPDIR, which needs about 6 KB a point of 128 dimensions. What is printed, with
# times, sizes and processor time, is also written to benches/results/scale-POINTS.log. Exits 1 at the first broken promise.
set -u
points=${1:-1500000}
case $points in *[!0-9]* | '' | 0*) echo "usage: sh tests/scale/run.sh [POINTS]" >&2; exit 2 ;; esac
cd "$(dirname "$0")/../.." || exit 1
log=$PWD/benches/results/scale-$points.log
target=${CARGO_TARGET_DIR:-$PWD/target}
backups=/mnt/backups
broken=0

fail() {
    say "FAILED: $1"
    exit 1
}

say() {
    printf '%s\n' "$1" | tee -a "$log"
}

[ -e "$backups" ] && { echo "error: $backups exists; this script makes and removes it, and touches nobody's backups" >&2; exit 1; }
mkdir "$backups" || { echo "error: cannot make $backups: run this as a user who may" >&2; exit 1; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work" "$backups"' EXIT
trap 'exit 130' INT TERM
: >"$log" || exit 1

say "# machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
say "# date: $(date -u +%Y-%m-%dT%H:%M:%SZ), commit: $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- '*.rs' '*.toml' || echo ' with changes')"
say "# command: sh tests/scale/run.sh $points"
cargo build --release -p vectra -p vectra-benches || fail "the build"
PATH=$target/release:$PATH
VECTRA_DATA_DIR=$work/data
export PATH VECTRA_DATA_DIR
say "# $(vectra version)"

# Processor time of children so far, user and system, in seconds. In a substitution a shell would tell that of another process.
children_cpu() {
    times >"$work/times"
    sed -n 2p "$work/times" | tr 'ms' '  ' | awk '{ printf "%.2f %.2f", $1 * 60 + $2, $3 * 60 + $4 }' >"$work/cpu"
    read -r user system <"$work/cpu" || true
}

# step NAME EXPECTED_EXIT: runs the script on stdin as a user would, in this shell's environment, and logs what it took.
step() {
    cat >"$work/script"
    say ""
    say "== $1"
    sed 's/^/$ /' "$work/script" | tee -a "$log"
    children_cpu
    user_before=$user system_before=$system started=$(date +%s.%N)
    sh "$work/script" >"$work/out" 2>"$work/err"
    got=$?
    ended=$(date +%s.%N)
    children_cpu
    user_took=$(awk -v a="$user_before" -v b="$user" 'BEGIN { printf "%.2f", b - a }')
    system_took=$(awk -v a="$system_before" -v b="$system" 'BEGIN { printf "%.2f", b - a }')
    cat "$work/out" "$work/err" | head -n 40 | tee -a "$log"
    say "exit $got, $(awk -v a="$started" -v b="$ended" 'BEGIN { printf "%.2f", b - a }') s, user CPU $user_took s, system CPU $system_took s"
    [ "$got" -eq "$2" ] || fail "$1 exits $got instead of $2"
}

# expect TEXT: the last step printed a line that is exactly this.
expect() {
    grep -Fqx -- "$1" "$work/out" || fail "expected the line \"$1\""
}

# check NAME CONDITION...: a promise; the run goes on so that all of them are told.
check() {
    name=$1
    shift
    if "$@"; then
        say "holds: $name"
    else
        say "BROKEN: $name"
        broken=1
    fi
}

# pairs FILE: "query id" of each hit that a search printed, sorted.
pairs() {
    awk '$1 == "query" { query = $2; next } { print query, $2 }' "$1" | sort
}

segments() {
    vectra collections info products --json | sed 's/.*"segments":\(\[[^]]*\]\).*/\1/'
}

"$target/release/make-data" "$work/input" "$points" 128 100 || fail "making the data"
say "input: $(du -sm "$work/input" | cut -f 1) MiB"

step "create" 0 <<END
vectra collections create products --dim 128 --distance cosine
END
step "import, and wait for the graph" 0 <<END
vectra import products --vectors $work/input/vectors.npy --payload $work/input/payload.jsonl
END
build_user=$user_took
vectra collections info products --json | tee -a "$log"
say "database: $(du -sm "$VECTRA_DATA_DIR" | cut -f 1) MiB"
step "search through the graph" 0 <<END
vectra search products --vectors $work/input/queries.npy --top 10 --ef 128 > $work/before
END
vectra search products --vectors "$work/input/queries.npy" --top 10 --exact >"$work/exact" || fail "exact search"
segments >"$work/segments_before"

step "full backup" 0 <<'END'
vectra-cli collections backup products --destination /mnt/backups/vectra/products_full_20231027 --snapshot-id products_20231027_1000 --wait
END
say "backup: $(du -sm $backups/vectra/products_full_20231027 | cut -f 1) MiB"
step "the same backup again" 4 <<'END'
vectra-cli collections backup products --destination /mnt/backups/vectra/products_full_20231027 --snapshot-id products_20231027_1000 --wait
END
step "verify" 0 <<'END'
vectra-cli collections backup verify --source /mnt/backups/vectra/products_full_20231027
END
step "daily backup" 0 <<'END'
vectra-cli collections backup products --destination /mnt/backups/vectra/products_daily_$(date +%Y%m%d) --snapshot-id products_daily_$(date +%Y%m%d) --wait
END
step "list" 0 <<'END'
vectra-cli collections list
END
expect "products (contains vectors and metadata)"
step "drop" 0 <<'END'
vectra-cli collections drop products
END
step "restore from a mistyped path" 3 <<'END'
vectra-cli collections restore products --source /mnt/backups/backups/vectra/products_full_20231027 --wait
END
check "the right path is asked for" grep -Fq 'did you mean "/mnt/backups/vectra/products_full_20231027"' "$work/err"
step "restore" 0 <<'END'
vectra-cli collections restore products --source /mnt/backups/vectra/products_full_20231027 --wait
END
restore_user=$user_took
step "count" 0 <<'END'
vectra-cli collections count products
END
expect "$points"
step "search the restored collection" 0 <<END
vectra search products --vectors $work/input/queries.npy --top 10 --ef 128 > $work/after
END
segments >"$work/segments_after"
check "the same ids and scores in the same order" cmp -s "$work/before" "$work/after"
check "the same segments with the same hashes" cmp -s "$work/segments_before" "$work/segments_after"
check "there are segments" grep -q blake3 "$work/segments_after"
pairs "$work/after" >"$work/after_pairs"
pairs "$work/exact" >"$work/exact_pairs"
found=$(comm -12 "$work/after_pairs" "$work/exact_pairs" | wc -l) true_ones=$(wc -l <"$work/exact_pairs")
say "recall@10: $(awk -v f="$found" -v t="$true_ones" 'BEGIN { printf "%.4f", f / t }') (--ef 128, $found of $true_ones)"
check "recall@10 is at least 0.95" [ $((found * 100)) -ge $((true_ones * 95)) ]
say "user CPU: restore $restore_user s, build $build_user s"
check "the restore takes less than 10% of the user CPU of the build" awk -v r="$restore_user" -v b="$build_user" 'BEGIN { exit !(r < 0.1 * b) }'

step "the restore test" 0 <<'END'
BACKUP_PATH="/mnt/backups/vectra/products_full_20231027"
RESTORE_TARGET="products_restored_test"
echo "Attempting to restore from ${BACKUP_PATH} to ${RESTORE_TARGET}..."
vectra-cli collections restore products \
  --source ${BACKUP_PATH} \
  --new-collection-name ${RESTORE_TARGET} \
  --wait
if [ $? -eq 0 ]; then
  echo "Restore to ${RESTORE_TARGET} successful."
  COUNT=$(vectra-cli collections count ${RESTORE_TARGET} 2>/dev/null)
  if [ -n "$COUNT" ]; then
    echo "Restored collection ${RESTORE_TARGET} has ${COUNT} items."
    # Clean up the test restore
    vectra-cli collections drop ${RESTORE_TARGET}
  else
    echo "Error: Could not get count from ${RESTORE_TARGET}."
  fi
else
  echo "Error: Restore from ${BACKUP_PATH} failed."
fi
END
expect "Restored collection products_restored_test has $points items."
step "list after the restore test" 0 <<'END'
vectra-cli collections list
END
expect "products (contains vectors and metadata)"
say ""
[ "$broken" -eq 0 ] || fail "a promise is broken"
say "all passed"
