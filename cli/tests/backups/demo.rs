//! The demo of the product: passes, shows its commands, and leaves nothing behind.

use crate::place::{Place, Ran};
use serde_json::Value;

/// Runs a demo with no home, no path and no terminal; temporary files go to a folder of the place, which has to be empty afterwards.
fn run(place: &Place, line: &str, below: &str) -> Ran {
    let below = place.root.join(below);
    let output = place.vectra(line).env_clear().env("TMPDIR", below).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn the_demo_passes_on_real_points_and_leaves_nothing_behind() {
    let place = Place::new();
    let ran = run(&place, "demo --json", "mnt").exits(0);
    let lines = ran.json();
    let last = lines.last().unwrap();
    assert_eq!((&last["ok"], &last["points"], &last["index"]), (&true.into(), &4_990.into(), &"kept".into()));
    assert!(last["recall"].as_f64().unwrap() >= 0.95 && last["recall_restored"].as_f64().unwrap() >= 0.95, "{last}");
    assert!(last["indexed_points"].as_u64().unwrap() > 0);
    assert!(last["bytes_incremental"].as_u64().unwrap() * 10 < last["bytes_full"].as_u64().unwrap(), "{last}");
    let commands: Vec<&Value> = lines.iter().map(|line| &line["command"]).filter(|command| !command.is_null()).collect();
    let starts = [
        "vectra collections create",
        "vectra import",
        "vectra search",
        "vectra collections backup",
        "vectra collections drop",
        "vectra collections restore",
        "vectra archive enable",
        "vectra restore products",
    ];
    for start in starts {
        assert!(commands.iter().any(|command| command.as_str().unwrap().starts_with(start)), "{start}: {commands:?}");
    }
    assert_eq!(place.world.fs.list(&place.root.join("mnt")).unwrap(), []);
    assert!(place.world.fs.metadata(&place.root.join("data")).unwrap().is_none());
}

#[test]
fn the_demo_runs_on_generated_points_and_prints_for_people() {
    let place = Place::new();
    let ran = run(&place, "demo --points 3000 --dim 16", "mnt").exits(0);
    assert!(ran.out.contains("$ vectra collections restore products --source"), "{}", ran.out);
    assert!(ran.out.lines().last().unwrap().starts_with("demo passed"), "{}", ran.out);
    assert_eq!(place.world.fs.list(&place.root.join("mnt")).unwrap(), []);
}

#[test]
fn a_demo_that_cannot_run_exits_1_and_leaves_nothing_behind() {
    let place = Place::new();
    place.write("file", b"no directory");
    let ran = run(&place, "demo --json", "file").exits(1);
    assert_eq!(ran.error()["exit"], 1);
    let large = run(&place, "demo --points 1000000000 --dim 16384 --json", "mnt").exits(1);
    assert_eq!(large.error()["kind"], "no_space");
    assert_eq!(place.world.fs.list(&place.root.join("mnt")).unwrap(), []);
}
