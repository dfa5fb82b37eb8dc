//! Lazy restores, branches and searches of the past, on an archive in a directory.

use crate::commands::testing::{Place, payload, vectors};
use serde_json::Value;

const POINTS: usize = 1_500;

/// An archived collection `docs` that was damaged after a time; gives that time and the answers of then.
fn damaged(place: &Place) -> (String, Vec<Value>) {
    let file = place.npy("v.npy", &vectors(POINTS, 8));
    place.npy("q.npy", &vectors(20, 8));
    place.ok("collections create docs --dim 8 --distance euclid");
    place.ok(&format!("archive enable docs --to {}", place.file("archive")));
    place.ok(&format!("import docs --vectors {file} --payload {}", place.write("p.jsonl", payload(POINTS).as_bytes())));
    place.ok("collections optimize docs");
    let before = answers(place, "docs", "");
    let time = place.now();
    place.ok("points delete docs --filter '{\"must\":[{\"key\":\"lang\",\"match\":{\"value\":\"en\"}}]}'");
    (time, before)
}

fn answers(place: &Place, name: &str, more: &str) -> Vec<Value> {
    place.ok(&format!("search {name} --vectors {} --top 5 --with-payload {more} --json", place.file("q.npy"))).json()
}

fn state(place: &Place, name: &str) -> Value {
    let listed = place.ok("collections list --json").json();
    listed.into_iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"))["state"].clone()
}

#[test]
fn a_lazy_restore_answers_before_its_log_is_here_and_optimize_brings_it() {
    let place = Place::new();
    let (time, before) = damaged(&place);
    let archive = place.file("archive");
    let line = format!("restore docs --source {archive} --to-time {time} --new-collection-name back --lazy --no-wait --json");
    let report = place.ok(&line).json().remove(0);
    assert!(report["bytes_away"].as_u64().unwrap() > 0 && report["full_speed_s"].is_null() && report["first_answer_s"].as_f64().is_some());
    assert_eq!((state(&place, "back"), state(&place, "docs")), ("restoring".into(), "ready".into()));
    assert!(place.ok("collections list").out.contains("back (restoring)\n"));
    place.rename("archive", "elsewhere");
    assert_eq!(place.ok("collections count back").out, format!("{POINTS}\n"), "the archive is not needed to open it");
    let missing = place.run(&format!("search back --vectors {} --top 5", place.file("q.npy")));
    assert_eq!(missing.exit(), 7, "{:?}", missing.result);
    place.rename("elsewhere", "archive");
    assert_eq!(answers(&place, "back", ""), before);
    assert_eq!(place.list("archive/readers").len(), 1);
    assert_eq!(place.run("collections optimize back --wait-timeout 0").exit(), 124);
    assert_eq!((state(&place, "back"), answers(&place, "back", "")), ("restoring".into(), before.clone()), "it goes on answering");
    place.ok("collections optimize back");
    assert_eq!((state(&place, "back"), place.list("archive/readers").len()), ("ready".into(), 0));
    place.ok("archive disable docs");
    place.rename("archive", "elsewhere");
    assert_eq!(answers(&place, "back", ""), before, "nothing of the archive is needed any more");
}

#[test]
fn a_lazy_restore_that_is_waited_for_says_both_times() {
    let place = Place::new();
    let (time, before) = damaged(&place);
    let archive = place.file("archive");
    let lines = place.ok(&format!("restore docs --source {archive} --to-time {time} --replace --lazy --json")).json();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["full_speed_s"].is_null() && lines[1]["full_speed_s"].as_f64() >= lines[1]["first_answer_s"].as_f64());
    assert_eq!((&lines[0]["lsn"], lines[1]["bytes_away"].as_u64()), (&lines[1]["lsn"], Some(0)));
    assert_eq!((state(&place, "docs"), answers(&place, "docs", "")), ("ready".into(), before));
    let text = place.ok(&format!("restore docs --source {archive} --to-time {time} --new-collection-name t --lazy")).out;
    assert!(
        text.starts_with("restored     t from the archive\n") && text.contains("\nelsewhere    ") && text.contains("\nwhole        "),
        "{text}"
    );
}

#[test]
fn a_branch_goes_its_own_way_and_lets_go_of_the_archive_when_it_is_dropped() {
    let place = Place::new();
    let (time, before) = damaged(&place);
    let left = place.ok("collections count docs").out;
    let report = place.ok(&format!("collections branch docs --as-of {time} --name b --json")).json().remove(0);
    assert!(report["bytes_away"].as_u64().unwrap() > 0 && report["collection"] == "b");
    assert_eq!((answers(&place, "b", ""), state(&place, "b"), place.list("archive/readers").len()), (before.clone(), "ready".into(), 1));
    let info = place.ok("collections info b --json").json().remove(0);
    assert_eq!((&info["elsewhere"]["archives"][0], &info["elsewhere"]["keep"]), (&place.file("archive").into(), &true.into()));
    assert!(
        place.ok("collections info b").out.contains("\nelsewhere    ")
            && place.ok("collections info docs --json").json()[0]["elsewhere"].is_null()
    );
    place.ok("points delete b --ids 1,2,3");
    assert_eq!(place.ok("collections count b").out, format!("{}\n", POINTS - 3));
    assert_eq!(place.ok("collections count docs").out, left, "the source is as it was");
    place.ok("collections optimize b");
    assert_eq!(place.list("archive/readers").len(), 1, "it refers to the archive for good");
    place.ok("collections drop b");
    assert_eq!(place.list("archive/readers").len(), 1, "it can be brought back");
    place.ok("collections undrop b");
    assert_eq!(place.ok("collections count b").out, format!("{}\n", POINTS - 3));
    place.ok("collections drop b");
    place.ok("collections purge --yes");
    assert_eq!(place.list("archive/readers").len(), 0);
    place.ok(&format!("collections branch docs --as-of {time} --name c"));
    place.ok("collections optimize c --detach");
    place.ok(&format!("collections branch docs --as-of {time} --name d --detach"));
    place.ok("collections branch docs --name now");
    assert_eq!(place.ok("collections count now").out, left);
    place.ok("collections drop now --purge");
    assert_eq!(place.list("archive/readers").len(), 0);
    place.ok("archive disable docs");
    place.rename("archive", "elsewhere");
    for name in ["c", "d"] {
        assert_eq!(answers(&place, name, ""), before, "{name} has everything");
    }
    assert_eq!(place.run("collections branch docs --name e").exit(), 3, "it has no archive any more");
}

#[test]
fn a_search_of_the_past_answers_like_then_and_changes_nothing() {
    let place = Place::new();
    let (time, before) = damaged(&place);
    let (catalog, archive) = (place.ok("collections list --json").out, place.list("archive/objects").len());
    assert_eq!(answers(&place, "docs", &format!("--as-of {time}")), before);
    assert_ne!(answers(&place, "docs", ""), before);
    let elsewhere = format!("--as-of {time} --source {}", place.file("archive"));
    assert_eq!(answers(&place, "docs", &elsewhere), before);
    assert_eq!((place.ok("collections list --json").out, place.list("archive/objects").len()), (catalog, archive));
    assert_eq!(place.list("archive/readers").len(), 0);
    let search = |more: &str| place.run(&format!("search docs --vectors {} {more}", place.file("q.npy")));
    let early = search("--as-of 2001-01-01T00:00:00Z");
    assert_eq!(early.exit(), 3);
    assert!(early.failure().hint.as_deref().is_some_and(|hint| hint.contains("nearest")), "{:?}", early.failure());
    assert_eq!(search("--as-of now").exit(), 0, "what was closed last is a while ago, and nothing happened since");
    assert_eq!(search(&format!("--as-of {time} --source {}", place.file("nowhere"))).exit(), 3);
    place.ok("archive disable docs");
    assert_eq!(search(&format!("--as-of {time}")).exit(), 3);
}
