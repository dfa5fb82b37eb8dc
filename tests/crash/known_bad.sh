#!/usr/bin/env bash
# Switches each deliberate mistake on and fails if the suite still passes: a suite that does not bite proves nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seeds=${1:-3000}
# Its own output tells a build that failed from a mistake that was caught.
# With the features of the whole workspace: what its tests were built of is not built a second time.
cargo build --quiet --workspace --bin crash --bin archiving
bin=${CARGO_TARGET_DIR:-target}/debug

crash() {
    "$bin/crash" "$@"
}

printf 'control: no mistake is on\n'
crash --seeds 200

escaped=0
for name in ack_before_sync rename_without_dir_sync skip_bad_record valid_after_bad_is_corruption always_cut unlink_before_manifest move_blindly; do
    status=0
    report=$(crash --seeds "$seeds" --known-bad "$name" 2>&1) || status=$?
    case $status in
    1) printf '%s: caught; %s\n' "$name" "$(printf '%s\n' "$report" | grep -m1 '^seed ' | cut -c1-160)" ;;
    0)
        printf '%s: NOT caught in %s seeds\n' "$name" "$seeds"
        escaped=1
        ;;
    *)
        printf '%s: the suite did not run (exit %s):\n%s\n' "$name" "$status" "$report"
        escaped=1
        ;;
    esac
done

# Those of the archiver have a suite of their own.
for name in close_before_sent archive_unsynced base_before_objects unlink_unarchived; do
    status=0
    report=$("$bin/archiving" --seeds 150 --known-bad "$name" 2>&1) || status=$?
    case $status in
    1) printf '%s: caught; %s\n' "$name" "$(printf '%s\n' "$report" | grep -m1 '^seed ' | cut -c1-160)" ;;
    0)
        printf '%s: NOT caught in 150 seeds\n' "$name"
        escaped=1
        ;;
    *)
        printf '%s: the suite did not run (exit %s):\n%s\n' "$name" "$status" "$report"
        escaped=1
        ;;
    esac
done

# The mistake of the object store is caught where backups are tested: the test passes when the suite notices.
if cargo test --quiet --workspace --test backups a_store_that_does_not_sync_is_caught >/dev/null 2>&1; then
    printf 'objects_not_synced: caught\n'
else
    printf 'objects_not_synced: NOT caught\n'
    escaped=1
fi
exit "$escaped"
