//! Goals and the plan by the real program.

use crate::place::Place;
use serde_json::Value;

fn archived(place: &Place) -> String {
    let archive = place.path("archive");
    place.ok("collections create products --dim 4 --distance euclid");
    place.ok(&format!("archive enable products --to {archive}"));
    place.import_small("products", 0, 400);
    archive
}

/// The results of the goals of the only collection: rpo, verified, rto.
fn results(status: &Value) -> Vec<&str> {
    let goals = status["collections"][0]["goals"].as_array().expect("a list");
    assert_eq!(goals.iter().map(|goal| goal["goal"].as_str().expect("a text")).collect::<Vec<_>>(), ["rpo", "verified", "rto"]);
    goals.iter().map(|goal| goal["result"].as_str().expect("a text")).collect()
}

#[test]
fn goals_are_reached_once_everything_is_archived_and_a_drill_was_run() {
    let place = Place::new();
    assert!(place.ok("dr status").err.contains("nothing is archived"));
    let archive = archived(&place);
    let status = place.ok("dr status --json").json().remove(0);
    assert_eq!((results(&status), &status["ok"]), (vec!["met", "unknown", "unknown"], &Value::Bool(true)), "{status}");
    assert_eq!(status["collections"][0]["lag"]["bytes"], 0);
    let ran = place.run("dr status --rpo 60s --rto 120s --json").exits(1);
    assert_eq!(ran.error()["kind"], "missed");
    assert_eq!(ran.json()[0]["ok"], false);
    place.run("dr status --verified-age 30d").exits(1);
    place.ok(&format!("drill run products --source {archive} --to-time latest"));
    let status = place.ok("dr status products --rpo 60s --rto 120s --verified-age 1h --json").json().remove(0);
    assert_eq!(results(&status), ["met", "met", "met"], "{status}");
    let restore = &status["collections"][0]["restore"];
    assert!(restore["bytes"].as_u64() > Some(0) && restore["bytes_per_second"].as_f64() > Some(0.0), "{status}");
    place.run("dr status --verified-age 0s").exits(1);
    place.run("dr status others").exits(3);
    place.run("dr status --rpo soon").exits(2);
}

#[test]
fn a_verification_that_finds_nothing_wrong_is_a_proof_and_one_of_another_place_is_none() {
    let place = Place::new();
    let archive = archived(&place);
    let backups = format!("{}/products", place.backups());
    place.ok(&format!("collections backup products --destination {backups} --snapshot-id monday --wait"));
    place.ok(&format!("archive verify {archive} --level list"));
    place.run("dr status --verified-age 1h").exits(1);
    place.ok(&format!("collections backup verify --source {backups}"));
    let of_backup = place.ok("dr status --verified-age 1h --json").json().remove(0)["collections"][0]["verified"].clone();
    assert_eq!(of_backup["by"], "verify");
    place.ok(&format!("archive verify {archive}"));
    let of_archive = place.ok("dr status --verified-age 1h --json").json().remove(0)["collections"][0]["verified"].clone();
    assert!(of_archive["until"].as_str() > of_backup["until"].as_str(), "{of_archive} {of_backup}");
    assert_eq!(place.ok("drill history --json").json().len(), 2);
    let elsewhere = [("VECTRA_DATA_DIR".to_owned(), place.path("other"))];
    place.run_with(&elsewhere, &format!("archive verify {archive}")).exits(0);
    assert!(place.files("other").is_empty(), "looking at an archive makes no database");
}

#[test]
fn what_waits_for_its_archive_breaks_the_rpo_until_it_is_sent() {
    let place = Place::new();
    archived(&place);
    place.ok("points delete products --ids 1,2 --no-wait");
    let status = place.run("dr status --rpo 0s --json").exits(1).json().remove(0);
    let lag = &status["collections"][0]["lag"];
    assert!(lag["bytes"].as_u64() > Some(0) && lag["seconds"].as_f64() > Some(0.0), "{status}");
    assert_eq!(results(&status)[0], "missed");
    place.ok("archive run --once");
    let status = place.ok("dr status --rpo 0s --json").json().remove(0);
    assert_eq!((results(&status)[0], &status["collections"][0]["lag"]["seconds"]), ("met", &0.0.into()), "{status}");
}

#[test]
fn the_plan_has_this_deployments_names_and_no_blanks_but_those_for_people() {
    let place = Place::new();
    let archive = archived(&place);
    place.import_small("scratch", 0, 5);
    place.ok("aliases set live products");
    place.ok(&format!("drill run products --source {archive} --to-time latest"));
    let file = place.path("plan.md");
    place.ok(&format!("dr plan --output {file}"));
    let page = String::from_utf8(place.read(&file)).expect("a text");
    let data = place.path("data");
    let restore = format!("vectra restore products --source {archive} --latest --exclusive\n");
    for wanted in
        [restore.as_str(), "Measured by drill", "**`scratch` is not archived**", "Alias `live` means `products`", &data, "### Contacts"]
    {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    assert!(place.ok("dr plan").out.starts_with("# Disaster recovery plan\n"));
}
