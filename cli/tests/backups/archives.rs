//! Archives on the command line: what a command wrote is archived when it ends, any time comes back, and who was taken over is told.

use crate::place::{Place, Ran};
use std::path::Path;

/// A collection of small points that is archived.
fn archived(place: &Place, options: &str) {
    place.ok("collections create products --dim 4 --distance euclid");
    place.ok(&format!("archive enable products --to {} {options}", place.path("archive")));
    place.import_small("products", 0, 200);
}

/// The time now, as a command takes it.
fn now(place: &Place) -> String {
    vectra_cli::time::format_time(place.world.clock.wall_micros())
}

fn count(place: &Place, name: &str) -> u64 {
    place.ok(&format!("collections count {name}")).out.trim().parse().expect("a count is a number")
}

/// Runs a command line on another database.
fn elsewhere(place: &Place, line: &str) -> Ran {
    place.run_with(&[("VECTRA_DATA_DIR".to_owned(), place.path("other"))], line)
}

#[test]
fn a_mistake_is_undone_to_the_moment_before_it_though_the_collection_was_dropped() {
    let place = Place::new();
    let archive = place.path("archive");
    archived(&place, "");
    let before = now(&place);
    let export = place.ok("export products --jsonl -").out;
    place.ok("points delete products --ids 1,2,3");
    place.import_small("products", 100, 50);
    place.ok("collections drop products --purge");
    let status = place.ok("archive status --json").json();
    assert_eq!(status[0]["exists"], false);
    let plan = place.ok(&format!("restore products --source {archive} --to-time {before} --dry-run --json")).json().remove(0);
    assert!(plan["next_time"].is_string() && plan["window"]["from"].is_string(), "{plan}");
    place.run("collections count products").exits(3);
    let report = place.ok(&format!("restore products --source {archive} --to-time {before} --json")).json().pop().unwrap();
    assert_eq!((&report["points"], &report["gap"]["missing_records"]), (&200.into(), &2.into()), "{report}");
    assert_eq!(place.ok("export products --jsonl -").out, export, "every point is as it was then");
    assert_eq!(place.ok("archive status --json").json()[0]["backlog"], 0, "the name keeps its archive");
    let error = place.run(&format!("restore products --source {archive} --to-time 2020-01-01T00:00:00Z --replace --json")).exits(3).error();
    assert!(error["hint"].as_str().unwrap().contains("nearest"), "{error}");
    place.run(&format!("restore products --source {archive} --to-time 2020-01-01T00:00:00 --replace")).exits(2);
}

#[test]
fn every_collection_of_an_archive_comes_back_at_one_instant() {
    let place = Place::new();
    let archive = place.path("archive");
    archived(&place, "");
    place.ok("collections create others --dim 4 --distance euclid");
    place.ok(&format!("archive enable others --to {archive}"));
    place.import_small("others", 0, 30);
    let reports = elsewhere(&place, &format!("restore --source {archive} --latest --json")).exits(0).json();
    let points: Vec<(String, u64)> =
        reports.iter().map(|r| (r["collection"].as_str().unwrap().to_owned(), r["points"].as_u64().unwrap())).collect();
    assert_eq!(points.len(), 2);
    assert!(points.contains(&("products".to_owned(), 200)) && points.contains(&("others".to_owned(), 30)), "{points:?}");
}

#[test]
fn who_was_taken_over_exits_8_and_its_other_collections_are_still_archived() {
    let place = Place::new();
    let archive = place.path("archive");
    archived(&place, "");
    place.ok("collections create others --dim 4 --distance euclid");
    place.ok(&format!("archive enable others --to {archive}"));
    place.import_small("others", 0, 30);
    elsewhere(&place, &format!("restore products --source {archive} --latest --exclusive")).exits(0);
    let error = place.run("points delete products --ids 1 --json").exits(8).error();
    assert_eq!(error["kind"], "fenced");
    place.run("points delete others --ids 1").exits(8);
    let status = place.ok("archive status others --json").json().remove(0);
    assert_eq!(status["backlog"], 0, "{status}");
    elsewhere(&place, "points delete products --ids 2").exits(0);
    place.ok("archive disable products");
    place.ok("points delete others --ids 2");
}

#[test]
fn an_acknowledgement_waits_for_the_archive_where_that_was_asked() {
    let place = Place::new();
    archived(&place, "--durability archive");
    let acks = place.ok("points delete products --ids 5 --json").json();
    assert_eq!(acks[0]["event"], "ack");
    let status = place.ok("archive status products --json").json().remove(0);
    assert_eq!((&status["backlog"], &status["durability"]), (&0.into(), &"archive".into()));
    // The archive is gone: nothing is acknowledged that only this disk has.
    place.world.fs.rename(Path::new(&place.path("archive")), Path::new(&place.path("away"))).unwrap();
    place.write("archive", b"a file in its place");
    let ran = place.run("points delete products --ids 6 --json").exits(7);
    assert_eq!(ran.out, "", "no acknowledgement");
    assert_eq!(count(&place, "products"), 198, "durable here all the same");
}

#[test]
fn what_waited_for_an_archive_that_was_away_is_sent_when_it_is_back() {
    let place = Place::new();
    archived(&place, "");
    place.world.fs.rename(Path::new(&place.path("archive")), Path::new(&place.path("away"))).unwrap();
    place.write("archive", b"a file in its place");
    place.run("points delete products --ids 6").exits(7);
    place.ok("points delete products --ids 7 --no-wait");
    place.remove_file(&place.path("archive"));
    place.world.fs.rename(Path::new(&place.path("away")), Path::new(&place.path("archive"))).unwrap();
    assert_ne!(place.ok("archive status --json").json()[0]["backlog"], 0);
    place.ok("archive run --once");
    assert_eq!(place.ok("archive status --json").json()[0]["backlog"], 0);
    elsewhere(&place, &format!("restore products --source {} --latest", place.path("archive"))).exits(0);
    assert_eq!(elsewhere(&place, "collections count products").out.trim(), "198");
}

#[test]
fn a_rotten_local_file_is_named_and_comes_back_from_the_archive() {
    let place = Place::new();
    archived(&place, "");
    place.ok("collections optimize products");
    place.import_small("products", 200, 1_200);
    let export = place.ok("export products --jsonl -").out;
    let (file, len) =
        place.files("data").into_iter().find(|(path, len)| path.ends_with(".log") && path.contains("collections") && *len > 4_000).unwrap();
    let mut bytes = place.read(&file);
    bytes[len as usize / 2] ^= 4;
    platform::fs::write_file_durably(&*place.world.fs, Path::new(&file), &bytes).unwrap();
    let nowhere = place.path("nowhere");
    place.run(&format!("scrub products --source {nowhere}")).exits(3);
    let report = place.ok("scrub products --json").json().remove(0);
    assert_eq!((&report["ok"], report["repaired"].as_array().unwrap().len()), (&true.into(), 1), "{report}");
    assert_eq!(place.ok("export products --jsonl -").out, export);
    assert!(place.ok("scrub products --json").json()[0]["repaired"].as_array().unwrap().is_empty());
}

#[test]
fn an_encrypted_archive_opens_with_its_key_alone() {
    let place = Place::new();
    let (archive, key) = (place.path("archive"), place.path("key"));
    place.ok(&format!("archive new-key {key}"));
    place.run(&format!("archive new-key {key}")).exits(4);
    place.ok("collections create products --dim 4 --distance euclid");
    place.ok(&format!("archive enable products --to {archive} --encrypt --key-file {key}"));
    let line = "{\"id\":1,\"vector\":[1,2,3,4],\"payload\":{\"secret\":\"pineapple\"}}\n";
    let points = place.write("points.jsonl", line.as_bytes());
    place.ok(&format!("import products --jsonl {points} --key-file {key}"));
    for (path, _) in place.files("archive") {
        let bytes = place.read(&path);
        assert!(!bytes.windows(9).any(|part| part == b"pineapple"), "{path}");
    }
    let error = elsewhere(&place, &format!("restore products --source {archive} --latest --json")).exits(7).error();
    assert!(error["hint"].as_str().unwrap().contains("--key-file"), "{error}");
    let other = place.path("other-key");
    place.ok(&format!("archive new-key {other}"));
    place.ok(&format!("archive rekey {archive} --key-file {key} --new-key-file {other}"));
    elsewhere(&place, &format!("restore products --source {archive} --latest --key-file {key}")).exits(7);
    elsewhere(&place, &format!("restore products --source {archive} --latest --key-file {other}")).exits(0);
}

#[test]
fn retention_says_what_stays_and_the_log_says_what_happened() {
    let place = Place::new();
    let archive = place.path("archive");
    archived(&place, "");
    place.import_small("products", 0, 1_500);
    let entries = place.ok(&format!("archive log {archive} --json")).json();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"create") && kinds.contains(&"archive") && kinds.contains(&"upsert"), "{kinds:?}");
    let rows: u64 = entries.iter().map(|entry| entry["rows"].as_u64().unwrap()).sum();
    assert_eq!(rows, 1_700);
    let files = place.files("archive");
    let dry = place.ok(&format!("archive prune {archive} --keep-window 1s --dry-run --json")).json().remove(0);
    assert_eq!((&dry["dry_run"], place.files("archive")), (&true.into(), files));
    for _ in 0..2 {
        place.ok(&format!("archive prune {archive} --keep-window 1h --grace 0s"));
    }
    elsewhere(&place, &format!("restore products --source {archive} --latest")).exits(0);
    assert_eq!(elsewhere(&place, "collections count products").out.trim(), "1500");
    place.run(&format!("archive prune {archive}")).exits(2);
}

#[test]
fn an_archive_is_verified_with_its_window_and_damage_is_named() {
    let place = Place::new();
    let archive = place.path("archive");
    archived(&place, "");
    let sound = place.ok(&format!("archive verify {archive} --max-age 7d --json")).json().remove(0);
    assert_eq!((&sound["ok"], &sound["windows"][0]["collection"]), (&true.into(), &"products".into()), "{sound}");
    let again = place.ok(&format!("archive verify {archive} --max-age 7d --json")).json().remove(0);
    assert!(again["read"]["bytes"].as_u64() < sound["read"]["bytes"].as_u64(), "what was read lately is not read again: {again}");
    let (file, len) = place.files("archive").into_iter().filter(|(path, _)| path.contains("/log/")).max_by_key(|(_, len)| *len).unwrap();
    let mut bytes = place.read(&file);
    bytes[len as usize / 2] ^= 1;
    platform::fs::write_file_durably(&*place.world.fs, Path::new(&file), &bytes).unwrap();
    let error = place.run(&format!("archive verify {archive} --json")).exits(5).error();
    assert!(error["object"].as_str().unwrap().contains("/log/"), "{error}");
    place.remove_file(&file);
    place.run(&format!("archive verify {archive} --level list")).exits(6);
}
