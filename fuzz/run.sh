#!/usr/bin/env bash
# Attacks every reader of bytes: fuzz/run.sh --seconds N [--target NAME] [--driver libfuzzer|built-in]
#
# Under libFuzzer with AddressSanitizer where a C++ compiler is there, with the built-in driver (seeded mutations, no coverage)
# otherwise. First the canary, a target that must fail. A panic, an input that takes longer than 20 s, or memory beyond the limit ends
# the run with exit code 1, the file that did it and the command that repeats it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=10
only=""
driver=""
target_dir="${CARGO_TARGET_DIR:-target}"
work="$target_dir/fuzz"
# An input may take 256 MiB over what the program takes without one; the sanitizer keeps shadows, redzones and freed memory besides.
malloc_limit_mb=256
rss_limit_mb=384
address_space_kb=$((1024 * 1024))
input_timeout=20

main() {
    read_arguments "$@"
    mkdir -p "$work"
    if [ -z "$driver" ]; then
        driver=$(choose_driver)
    fi
    "build_${driver//-/_}"
    canary_dies
    run_all
    printf 'fuzz: %s targets held, %s s each, driver %s\n' "$(targets | wc -w)" "$seconds" "$driver"
}

# As many at a time as there are processors; all of a batch end before a failure ends the run.
run_all() {
    local jobs name pid failed=0 batch=()
    jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    for name in $(targets) ""; do
        [ -z "$name" ] || { run_target "$name" & batch+=($!); }
        if [ -z "$name" ] || [ "${#batch[@]}" -ge "$jobs" ]; then
            for pid in ${batch[@]+"${batch[@]}"}; do wait "$pid" || failed=1; done
            [ "$failed" -eq 0 ] || exit 1
            batch=()
        fi
    done
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
            --target) only=${2:?--target needs a name}; shift 2 ;;
            --driver) driver=${2:?--driver needs libfuzzer or built-in}; shift 2 ;;
            *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
        esac
    done
    case "$driver" in "" | libfuzzer | built-in) ;; *) fail "unknown driver $driver: libfuzzer or built-in" ;; esac
}

choose_driver() {
    local compiler="${CXX:-c++}"
    if command -v "$compiler" >/dev/null || command -v g++ >/dev/null; then
        echo libfuzzer
    else
        echo "fuzz: no C++ compiler here, so no libFuzzer: the built-in driver runs instead, without coverage" >&2
        echo built-in
    fi
}

# The flags of cargo-fuzz, on the stable toolchain. A target triple keeps them away from build scripts.
build_libfuzzer() {
    local host flags
    host=$(rustc -vV | sed -n 's/^host: //p')
    flags="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks"
    if ! RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" cargo build --quiet -p vectra-fuzz --features libfuzzer --target "$host" \
        --target-dir "$work/build" --release --config profile.release.opt-level=2 --config profile.release.debug='"line-tables-only"'; then
        fail "the build for libFuzzer failed; --driver built-in needs none"
    fi
    binary="$work/build/$host/release/vectra-libfuzzer"
    helper="$work/build/$host/release/vectra-fuzz"
    export ASAN_OPTIONS="quarantine_size_mb=16:detect_leaks=0:allocator_may_return_null=0:symbolize=1"
}

build_built_in() {
    # With the features of the whole workspace: what its tests were built of is not built a second time.
    cargo build --quiet --workspace --bin vectra-fuzz
    binary="$target_dir/debug/vectra-fuzz"
    helper=$binary
}

targets() {
    if [ -n "$only" ]; then echo "$only"; else "$helper" --list; fi
}

canary_dies() {
    if attack canary 60 >"$work/canary.log" 2>&1; then
        cat "$work/canary.log"
        fail "the canary lives: this fuzzer finds nothing"
    fi
    grep -q "the canary is dead" "$work/canary.log" || { cat "$work/canary.log"; fail "the canary did not die of its own mistake"; }
    rm -f "$work"/canary/crash-*
    echo "canary: found, as it must be"
}

# attack NAME SECONDS: what it finds lies in $work/NAME/crash-* or $work/NAME/current
attack() {
    local name=$1 duration=$2 place="$work/$1"
    mkdir -p "$place/corpus"
    "$helper" --target="$name" --write-seeds="$place/seeds"
    if [ -d "fuzz/regressions/$name" ]; then cp "fuzz/regressions/$name"/* "$place/seeds/"; fi
    if [ "$driver" = libfuzzer ]; then
        "$binary" --target="$name" -seed="$(seed)" -max_total_time="$duration" -timeout="$input_timeout" -rss_limit_mb="$rss_limit_mb" \
            -malloc_limit_mb="$malloc_limit_mb" -max_len=65536 -artifact_prefix="$place/crash-" -print_final_stats=1 \
            "$place/corpus" "$place/seeds"
    else
        (ulimit -v "$address_space_kb"; limited $((duration + input_timeout)) "$binary" --target="$name" --seconds="$duration" \
            --seed="$(seed)" --save="$place/current" --crashes="$place")
    fi
}

# The same seed every time, so that the short run of a check judges the change and not the day's luck; a long run takes another one.
seed() {
    printf '%s' "${VECTRA_FUZZ_SEED:-1}"
}

limited() {
    if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi
}

run_target() {
    local name=$1 log="$work/$1.log" input=""
    if attack "$name" "$seconds" >"$log" 2>&1; then
        printf '%s: %s\n' "$name" "$(summary "$log")"
        return
    fi
    tail -n 60 "$log"
    input=$(ls -t "$work/$name"/crash-* 2>/dev/null | head -n 1 || true)
    [ -n "$input" ] || input="$work/$name/current"
    printf 'fuzz: %s fell (log: %s)\n' "$name" "$log"
    printf 'repeat it: cargo run -p vectra-fuzz -- --target=%s %s\n' "$name" "$input"
    exit 1
}

summary() {
    if [ "$driver" = libfuzzer ]; then
        awk '/stat::number_of_executed_units/ { runs = $2 } /stat::peak_rss_mb/ { rss = $2 } / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
             END { printf "%d runs, %d edges, at most %d MiB", runs, cov, rss }' "$1"
    else
        tail -n 1 "$1" | sed 's/^[^:]*: //'
    fi
}

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

main "$@"
