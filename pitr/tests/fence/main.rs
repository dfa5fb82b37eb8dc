//! The fence searched: the machines that production drives, in a small world where everything that can go wrong does, in every order.

mod check;
mod schedules;
mod search;
mod world;

use std::time::Duration;

use platform::clock::{Clock, OsClock};
use search::Search;
use world::{Rules, Variant};

/// Schedules of three epochs that the ordinary run tries; the environment variable asks for another number.
const SCHEDULES: u64 = 5_000;
const SCHEDULES_VARIABLE: &str = "VECTRA_FENCE_SCHEDULES";

/// Two epochs of three records: everything but backups without the lock. 334,499 states.
fn two_epochs(variant: Variant) -> Rules {
    Rules { variant, records: [3, 3, 0], backups: false, patience: 1, eager: true, calm_end: true }
}

/// Two records, and a backup that puts any stretch of the owner's log at any time.
fn with_backups(variant: Variant) -> Rules {
    Rules { records: [2, 2, 0], backups: true, eager: false, ..two_epochs(variant) }
}

fn three_epochs(variant: Variant) -> Rules {
    Rules { variant, records: [3, 3, 3], backups: true, patience: 4, eager: false, calm_end: false }
}

fn search(what: &str, rules: Rules) -> Search {
    let clock = OsClock::new();
    let search = search::breadth_first(rules);
    let elapsed = Duration::from_micros(clock.monotonic_micros());
    #[expect(clippy::disallowed_macros, reason = "a search says how much it searched")]
    {
        println!("{what}: {} states, {} steps, {elapsed:.1?}", search.states, search.steps);
    }
    search
}

fn passes(what: &str, rules: Rules) {
    let found = search(what, rules);
    if let Some(violation) = found.violation {
        panic!("{what}: {violation}");
    }
    // What the search never reached it says nothing about.
    assert!(found.states > 10_000, "{} states", found.states);
    assert!(found.seen.all_of_two_epochs(), "{:?}", found.seen);
}

fn is_caught(what: &str, rules: Rules, how: &str) {
    let violation = search(what, rules).violation.unwrap_or_else(|| panic!("the search does not notice {what}"));
    assert!(violation.contains(how), "{violation}");
}

#[test]
fn every_interleaving_of_two_epochs_loses_nothing() {
    passes("two epochs of three records", two_epochs(Variant::Right));
}

#[test]
fn every_interleaving_with_backups_without_the_lock_loses_nothing() {
    passes("two epochs of two records, and backups", with_backups(Variant::Right));
}

#[test]
fn a_seal_that_counts_without_a_second_look_at_the_boundary_is_caught() {
    is_caught("a seal without a second look", two_epochs(Variant::NoSecondLook), "history");
}

#[test]
fn a_collector_that_deletes_seals_is_caught() {
    is_caught("a deleted seal", two_epochs(Variant::SealsDeleted), "history");
}

#[test]
fn a_successor_that_raises_the_boundary_of_a_timeline_that_it_ended_is_caught() {
    // Up to the fork everything is in the successor's history, so this looks safe. But the owner may sleep before the put for a key that is emptied so.
    is_caught("a successor that raises the boundary", two_epochs(Variant::SuccessorRaises), "history");
}

#[test]
fn seeded_schedules_of_three_epochs_lose_nothing() {
    let count = std::env::var(SCHEDULES_VARIABLE).ok().map_or(SCHEDULES, |text| text.parse().expect("a number of schedules"));
    let run = schedules::run(three_epochs(Variant::Right), 0..count);
    if let Some(violation) = run.violation {
        panic!("{violation}");
    }
    assert!(run.seen.all_of_three_epochs(), "{:?}", run.seen);
}

#[test]
fn seeded_schedules_catch_every_broken_variant() {
    for variant in [Variant::NoSecondLook, Variant::SealsDeleted, Variant::SuccessorRaises] {
        let run = schedules::run(three_epochs(variant), 0..SCHEDULES);
        assert!(run.violation.is_some(), "{SCHEDULES} schedules do not notice {variant:?}");
    }
}
