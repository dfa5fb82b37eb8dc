//! Simulated crashes: thousands of seeds lose nothing and invent nothing, and each deliberate mistake is caught.

use platform::KnownBad;
use platform::clock::{Clock, OsClock};
use vectra_tests::simulate::{KNOWN_BAD, known_bad, run, run_seeds};

/// Seeds of an ordinary run; `cargo run -p vectra-tests --bin crash -- --seeds 100000` goes further.
const SEEDS: u64 = 2_000;
/// Seeds within which every deliberate mistake must show.
const CAUGHT_WITHIN: u64 = 3_000;

#[test]
fn thousands_of_crashes_lose_nothing_acknowledged_and_invent_nothing() {
    let clock = OsClock::new();
    let report = run_seeds(0, SEEDS, KnownBad::default(), 2, 3);
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let sums = report.sums;
    // A suite that met none of its faults would prove nothing.
    assert!(sums.crashes > SEEDS && sums.crashes_in_recovery > SEEDS / 10, "{sums:?}");
    assert!(sums.in_flight.0 > SEEDS / 20 && sums.in_flight.1 > SEEDS / 20, "{sums:?}");
    assert!(sums.refused.0 > SEEDS / 50 && sums.refused.1 > SEEDS / 50 && sums.rot.0 > SEEDS / 10, "{sums:?}");
    assert!(sums.cleanings.0 > SEEDS / 50 && sums.cleanings.1 > SEEDS / 50, "{sums:?}");
    let seconds = clock.monotonic_micros() as f64 / 1e6;
    assert_eq!(report.seeds, SEEDS, "every seed was run, in {seconds:.1} s");
}

#[test]
fn a_seed_names_one_run() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let first = run(seed, KnownBad::default()).map_err(|failure| failure.to_string());
        let second = run(seed, KnownBad::default()).map_err(|failure| failure.to_string());
        assert_eq!(first, second, "seed {seed} gave two different runs");
        traces.extend(first.map(|outcome| outcome.trace));
    }
    assert_eq!(traces.len(), 20, "different seeds are different runs");
}

fn assert_caught(name: &str) {
    let switch = known_bad(name).unwrap_or_else(|| panic!("there is no deliberate mistake {name}"));
    let report = run_seeds(0, CAUGHT_WITHIN, switch, 2, 1);
    assert!(!report.failures.is_empty(), "the suite passes {CAUGHT_WITHIN} seeds with {name} switched on: it does not bite");
}

#[test]
fn an_acknowledgement_before_the_sync_is_caught() {
    assert_caught("ack_before_sync");
}

#[test]
fn a_rename_without_the_sync_of_its_directory_is_caught() {
    assert_caught("rename_without_dir_sync");
}

#[test]
fn a_recovery_that_steps_over_a_bad_record_is_caught() {
    assert_caught("skip_bad_record");
}

#[test]
fn a_recovery_that_takes_a_torn_group_for_corruption_is_caught() {
    assert_caught("valid_after_bad_is_corruption");
}

#[test]
fn a_recovery_that_always_cuts_is_caught() {
    assert_caught("always_cut");
}

#[test]
fn a_cleaning_that_removes_files_before_a_manifest_leaves_them_out_is_caught() {
    assert_caught("unlink_before_manifest");
}

#[test]
fn a_move_over_a_value_that_was_overwritten_is_caught() {
    assert_caught("move_blindly");
}

#[test]
fn every_deliberate_mistake_of_the_log_has_its_test() {
    assert_eq!(
        KNOWN_BAD.map(|(name, _)| name),
        [
            "ack_before_sync",
            "rename_without_dir_sync",
            "skip_bad_record",
            "valid_after_bad_is_corruption",
            "always_cut",
            "unlink_before_manifest",
            "move_blindly"
        ]
    );
}
