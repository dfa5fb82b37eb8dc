//! Every target holds on its seeds and on some thousand mutations of them; the canary does not.

use std::path::Path;

use platform::fs::{FileSystem, OsFileSystem, read_file};
use vectra_fuzz::driver::{attack, run_one};
use vectra_fuzz::{CANARY, TARGETS, Target};

/// Inputs of each target; `fuzz/run.sh` goes on from there.
const RUNS: u64 = 2_000;
/// Inputs of the targets that take a whole collection through its life, or through a restore.
const LIVES: u64 = 400;
const SEED: u64 = 20_240_101;

fn hold(targets: &[&str], runs: u64) {
    let chosen: Vec<Target> = TARGETS.iter().filter(|target| targets.contains(&target.name)).copied().collect();
    assert_eq!(chosen.len(), targets.len(), "every name is a target: {targets:?}");
    for target in chosen {
        let name = target.name;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert_eq!(run_one(target, seed), Some(true), "{name} accepts its seed {number}: a seed that is refused attacks nothing");
        }
        match attack(target, SEED, |done, _| done < runs) {
            Ok(tally) => {
                // All refused: the attack stays at the door. All accepted: the door is open.
                let range = runs / 100..runs;
                assert!(range.contains(&tally.accepted), "{name} accepts {} of {runs} inputs of seed {SEED}", tally.accepted);
            }
            Err(finding) => panic!(
                "{name} panics at run {} of seed {SEED}; see it again with: cargo run -p vectra-fuzz -- --target={name} --seed={SEED}",
                finding.run
            ),
        }
    }
}

#[test]
fn small_objects_of_archives_hold() {
    hold(&["archive"], RUNS);
}

#[test]
fn logs_and_payloads_hold() {
    hold(&["log", "payload"], RUNS);
}

#[test]
fn segments_hold() {
    hold(&["segment", "field-index"], RUNS);
}

#[test]
fn codes_of_any_vectors_hold() {
    hold(&["vectors"], RUNS);
}

#[test]
fn manifests_and_catalogs_hold() {
    hold(&["manifest", "catalog"], RUNS);
}

#[test]
fn archives_hold() {
    hold(&["snapshot"], LIVES);
}

#[test]
fn files_of_users_hold() {
    hold(&["npy", "fvecs", "jsonl", "filter"], RUNS);
}

#[test]
fn operations_with_power_cuts_hold() {
    hold(&["operations"], LIVES);
}

#[test]
fn calls_of_a_server_and_files_of_snapshots_hold() {
    hold(&["requests", "upload"], LIVES);
}

#[test]
fn what_was_found_once_holds_now() {
    let (fs, dir) = (OsFileSystem::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions"));
    let mut count = 0;
    for folder in fs.list(&dir).expect("there are regressions") {
        let target = vectra_fuzz::targets::find(&folder.name).expect("a folder has the name of a target");
        for file in fs.list(&dir.join(&folder.name)).expect("a folder lists") {
            let path = dir.join(&folder.name).join(&file.name);
            let input = read_file(&fs, &path).expect("a regression reads");
            assert!(run_one(target, &input).is_some(), "{} panics", path.display());
            count += 1;
        }
    }
    assert!(count >= 3, "the regressions are found");
}

#[test]
fn every_target_is_in_a_test_above() {
    let known = [
        "log",
        "payload",
        "segment",
        "field-index",
        "manifest",
        "snapshot",
        "archive",
        "catalog",
        "npy",
        "fvecs",
        "vectors",
        "jsonl",
        "filter",
        "operations",
        "requests",
        "upload",
    ];
    let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(all, known);
}

#[test]
fn the_canary_dies_and_its_input_kills_it_again() {
    let finding = attack(CANARY, SEED, |runs, _| runs < RUNS).unwrap_err();
    assert_eq!(run_one(CANARY, &finding.input), None, "the input of a finding is the finding");
    assert_eq!(run_one(CANARY, b"harmless"), Some(true));
}
