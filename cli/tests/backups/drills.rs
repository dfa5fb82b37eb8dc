//! Drills by the real program: exit codes, reports, and that nothing but those stays.

use crate::place::Place;
use serde_json::Value;

/// The folder of reports: files and folders.
fn kept(place: &Place) -> Vec<String> {
    let folder = place.root.join("data/drills");
    if place.world.fs.metadata(&folder).expect("a path can be looked at").is_none() {
        return Vec::new();
    }
    let entries = place.world.fs.list(&folder).expect("a folder can be listed");
    entries.into_iter().map(|entry| entry.name).filter(|name| name != "LOCK").collect()
}

fn report_of(place: &Place, path: &str) -> Value {
    serde_json::from_slice(&place.read(path)).expect("a report is JSON")
}

#[test]
fn a_drill_of_a_backup_passes_reports_and_leaves_the_database_as_it_was() {
    let place = Place::new();
    place.import_real_points();
    let backups = format!("{}/vectra/products", place.backups());
    place.ok(&format!("collections backup products --destination {backups} --snapshot-id monday --wait"));
    let (before, file) = (place.ok("collections list --json").out, place.path("reports/drill.json"));
    let ran = place.ok(&format!("drill run products --source {backups} --report {file} --json"));
    let report = ran.json().remove(0);
    assert_eq!(
        (&report["outcome"], &report["restored"]["points"], &report["misses"]),
        (&"passed".into(), &5000.into(), &Value::Array(vec![]))
    );
    let checks = report["checks"].as_array().expect("a list");
    for wanted in ["answers backup", "content live", "recall goal"] {
        let is_it = |check: &&Value| format!("{} {}", check["check"].as_str().unwrap(), check["with"].as_str().unwrap()) == wanted;
        assert_eq!(checks.iter().find(is_it).map(|check| &check["result"]), Some(&"passed".into()), "{wanted}: {report}");
    }
    assert!(report["rto"]["first_answer_s"].as_f64() > Some(0.0) && report["rpo"]["seconds"] == 0.0, "{report}");
    assert_eq!(report_of(&place, &file), report);
    let id = report["id"].as_str().expect("a text");
    assert_eq!(kept(&place), [format!("{id}.json"), format!("{id}.md")]);
    assert!(String::from_utf8_lossy(&place.read(&place.path("reports/drill.md"))).starts_with("# Restore drill of products: PASSED"));
    assert_eq!(place.ok("collections list --json").out, before);
    assert_eq!(place.ok("drill history --json").json(), std::slice::from_ref(&report));
    assert_eq!(place.ok(&format!("drill show {id} --json")).json(), std::slice::from_ref(&report));
    assert!(place.ok(&format!("drill show {id}")).out.contains("check        recall against goal: ok"));
    place.run("drill show 20200101T000000Z-00000000").exits(3);
}

#[test]
fn a_mistyped_source_exits_3_with_a_question_and_leaves_nothing() {
    let place = Place::new();
    place.import_small("products", 0, 50);
    let backups = format!("{}/vectra/products", place.backups());
    place.ok(&format!("collections backup products --destination {backups} --snapshot-id monday --wait"));
    let mistyped = format!("{}/vectro/products", place.backups());
    let error = place.run(&format!("drill run products --source {mistyped} --json")).exits(3).error();
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("did you mean")), "{error}");
    place.run(&format!("drill run products --source {} --json", place.backups())).exits(3);
    assert!(kept(&place).is_empty());
    place.run(&format!("drill run others --source {backups}")).exits(3);
    place.run(&format!("drill run products --source {backups} --scratch-name products")).exits(4);
    place.run(&format!("drill run products --source {backups} --report a.md")).exits(2);
    place.run(&format!("drill run products --source {backups} --to-time 2026-11-20T10:00:00")).exits(2);
}

#[test]
fn a_damaged_source_exits_5_and_a_report_is_written_all_the_same() {
    let place = Place::new();
    place.import_small("products", 0, 2_000);
    let backups = format!("{}/products", place.backups());
    place.ok(&format!("collections backup products --destination {backups} --snapshot-id monday --wait"));
    let files = place.files(&backups);
    let (path, _) = files.iter().filter(|(path, _)| path.contains("/log/")).max_by_key(|(_, len)| *len).expect("a log was sent");
    let mut bytes = place.read(path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.remove_file(path);
    place.write(path, &bytes);
    let file = place.path("drill.json");
    let error = place.run(&format!("drill run products --source {backups} --report {file} --json")).exits(5).error();
    assert_eq!(error["kind"], "corrupt");
    let report = report_of(&place, &file);
    assert_eq!((&report["outcome"], &report["failed"]["kind"]), (&"failed".into(), &"corrupt".into()));
    assert_eq!(kept(&place).len(), 2, "the report, twice, and nothing of what was restored");
    assert_eq!(place.ok("drill history --json").json()[0]["outcome"], "failed");
}

#[test]
fn a_random_moment_of_an_archive_is_drilled_on_a_machine_that_never_saw_it() {
    let place = Place::new();
    let archive = place.path("archive");
    place.ok("collections create products --dim 4 --distance euclid");
    place.ok(&format!("archive enable products --to {archive}"));
    place.import_small("products", 0, 300);
    place.import_small("products", 300, 300);
    let elsewhere = [("VECTRA_DATA_DIR".to_owned(), place.path("other"))];
    for time in ["random", "latest", "now"] {
        let ran = place.run_with(&elsewhere, &format!("drill run products --source {archive} --to-time {time} --json"));
        // What was closed last is a moment ago.
        if time != "now" {
            let report = ran.exits(0).json().remove(0);
            assert_eq!(report["outcome"], "passed", "{report}");
        }
    }
    assert!(place.files("archive/readers").is_empty(), "no pin stays");
    let text = place.run_with(&elsewhere, "drill history").exits(0).out;
    assert_eq!(text.lines().filter(|line| line.contains("drill of products: passed")).count(), 2, "{text}");
}

#[test]
fn an_exercise_is_printed_with_this_deployments_names_and_recorded() {
    let place = Place::new();
    let archive = place.path("archive");
    place.import_small("products", 0, 20);
    place.ok(&format!("archive enable products --to {archive}"));
    assert_eq!(place.ok("drill tabletop").out.lines().count(), 6);
    assert!(kept(&place).is_empty());
    let page = place.ok("drill tabletop --scenario dropped --participants Ada,Grace --notes quick").out;
    assert!(page.contains("vectra collections undrop products") && page.contains(&archive) && page.contains("Ada, Grace"), "{page}");
    let recorded = place.ok("drill history --json").json().remove(0);
    assert_eq!((&recorded["kind"], &recorded["scenario"]), (&"tabletop".into(), &"dropped".into()));
    assert_eq!(recorded["participants"], serde_json::json!(["Ada", "Grace"]));
    let error = place.run("drill tabletop --scenario flood --json").exits(3).error();
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("region-lost")), "{error}");
}
