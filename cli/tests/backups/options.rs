//! What the options of backup and restore do: ids, parents, new names, replacement, aliases, dry runs, time limits.

use crate::place::Place;
use serde_json::Value;

fn backed_up() -> (Place, String) {
    let place = Place::new();
    place.import_small("products", 0, 1_500);
    let backup = place.path("mnt/b");
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id one --wait"));
    (place, backup)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[track_caller]
fn has_keys(value: &Value, expected: &[&str]) {
    let found = keys(value);
    assert!(expected.iter().all(|key| found.contains(key)), "{expected:?} in {found:?}");
}

#[test]
fn the_results_have_the_documented_keys() {
    let (place, backup) = backed_up();
    place.import_small("products", 5_000, 100);
    let line = format!("collections backup products --destination {backup} --snapshot-id two --wait --json");
    let made = place.ok(&line).json().remove(0);
    let documented = [
        "snapshot_id",
        "collection",
        "type",
        "parent",
        "points",
        "bytes_total",
        "bytes_new",
        "bytes_adjacency",
        "bytes_codes",
        "lsn",
        "commit_time",
        "seconds",
    ];
    has_keys(&made, &documented);
    assert_eq!((&made["type"], &made["parent"], &made["points"]), (&"incremental".into(), &"one".into(), &1_600.into()));
    assert!(made["bytes_new"].as_u64() < made["bytes_total"].as_u64());
    let verified = place.ok(&format!("collections backup verify --source {backup} --level restore --json")).json().remove(0);
    has_keys(
        &verified,
        &[
            "ok",
            "level",
            "snapshot_id",
            "objects",
            "bytes",
            "points",
            "index",
            "chain",
            "snapshots",
            "unfinished",
            "strays",
            "lsn",
            "commit_time",
            "seconds",
        ],
    );
    assert_eq!((&verified["ok"], &verified["snapshot_id"], &verified["level"]), (&true.into(), &"two".into(), &"restore".into()));
    assert_eq!((verified["chain"].as_array().unwrap().len(), verified["strays"].as_array().unwrap().len()), (2, 0));
    let planned =
        place.ok(&format!("collections restore products --source {backup} --new-collection-name x --dry-run --json")).json().remove(0);
    has_keys(&planned, &["objects", "bytes", "expected_seconds", "lsn", "commit_time", "window"]);
    has_keys(&planned["window"], &["from", "to"]);
    place.run("collections count x").exits(3);
    let restored =
        place.ok(&format!("collections restore products --source {backup} --new-collection-name x --wait --json")).json().remove(0);
    has_keys(
        &restored,
        &[
            "collection",
            "snapshot_id",
            "points",
            "bytes",
            "lsn",
            "commit_time",
            "timeline",
            "index",
            "first_answer_s",
            "full_speed_s",
            "seconds",
            "gap",
        ],
    );
    has_keys(&restored["gap"], &["newest_known_time", "missing_records"]);
    assert_eq!((&restored["points"], &restored["lsn"], &restored["bytes"]), (&made["points"], &made["lsn"], &planned["bytes"]));
}

#[test]
fn list_and_show_tell_the_chain_with_shared_and_new_bytes() {
    let (place, backup) = backed_up();
    place.import_small("products", 5_000, 100);
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id two --wait"));
    let listed = place.ok(&format!("collections backup list --source {backup}")).out;
    assert!(listed.lines().next().unwrap().starts_with("one of products: full, 1,500 points"), "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with("two of products: incremental on one, 1,600 points"), "{listed}");
    assert_eq!(place.ok(&format!("collections backup list -q --source {backup}")).out, "one\ntwo\n");
    place.run(&format!("collections backup list --source {backup} --snapshot-id three")).exits(3);
    let shown = place.ok(&format!("collections backup show --source {backup} --json")).json().remove(0);
    let chain: Vec<&Value> = shown["chain"].as_array().unwrap().iter().map(|link| &link["snapshot_id"]).collect();
    assert_eq!(chain, ["two", "one"]);
    assert_eq!(shown["bytes_shared"].as_u64().unwrap() + shown["bytes_new"].as_u64().unwrap(), shown["bytes_total"].as_u64().unwrap());
    let text = place.ok(&format!("collections backup show --source {backup} --snapshot-id one")).out;
    assert!(text.contains("one of products") && text.contains("blake3"), "{text}");
}

#[test]
fn a_backup_on_a_parent_elsewhere_is_found_again_beside_it_or_where_the_user_says() {
    let (place, first) = backed_up();
    place.import_small("products", 5_000, 100);
    let second = place.path("mnt/increments/tuesday");
    let made = place.ok(&format!("collections backup products --destination {second} --parent {first} --snapshot-id two --wait --json"));
    assert_eq!(made.json()[0]["type"], "incremental");
    place.ok(&format!("collections backup verify --source {second}"));
    // Both move: the place where the parent was is empty, and it is no neighbour.
    let (from, to) = (place.root.join("mnt/b"), place.root.join("moved"));
    place.world.fs.rename(&from, &to).unwrap();
    let lost = place.run(&format!("collections backup verify --source {second}")).exits(6);
    assert!(lost.err.contains("--parent"), "{}", lost.err);
    place.ok(&format!("collections backup verify --source {second} --parent {}", to.display()));
    place.ok(&format!("collections restore products --source {second} --parent {} --new-collection-name x --wait", to.display()));
    assert_eq!(place.ok("collections count x").out, "1600\n");
    // A neighbour is looked at without being named.
    place.world.fs.rename(&to, &place.root.join("mnt/increments/monday")).unwrap();
    place.ok(&format!("collections backup verify --source {second}"));
}

#[test]
fn replace_swaps_and_aliases_come_back_under_the_original_name_only() {
    let place = Place::new();
    place.import_small("products", 0, 20);
    place.ok("aliases set live products");
    let backup = place.path("mnt/b");
    place.ok(&format!("collections backup products --destination {backup} --wait"));
    place.ok("points delete products --ids 0,1,2");
    place.run(&format!("collections restore products --source {backup} --wait")).exits(4);
    assert_eq!(place.ok("collections count live").out, "17\n");
    place.ok(&format!("collections restore products --source {backup} --replace --wait"));
    assert_eq!(place.ok("collections count live").out, "20\n");
    let beside = place.ok(&format!("collections restore products --source {backup} --new-collection-name beside --wait"));
    assert!(beside.err.contains("live"), "an alias that was left alone is named: {}", beside.err);
    place.ok("collections drop products");
    place.ok("collections drop beside");
    place.ok(&format!("collections restore products --source {backup} --wait"));
    assert_eq!(place.ok("collections count live").out, "20\n");
    // A restored collection is written to like any other.
    place.import_small("products", 100, 5);
    assert_eq!(place.ok("collections count live").out, "25\n");
}

#[test]
fn time_that_runs_out_exits_124_and_the_same_id_goes_on() {
    let place = Place::new();
    place.import_small("products", 0, 20);
    let backup = place.path("mnt/b");
    let line = format!("collections backup products --destination {backup} --snapshot-id one --wait");
    let late = place.run(&format!("{line} --wait-timeout 0 --json")).exits(124);
    assert_eq!(late.error()["kind"], "timeout");
    assert!(!late.error()["hint"].is_null());
    place.ok(&line);
    place.run(&format!("collections restore products --source {backup} --new-collection-name x --wait --wait-timeout 0")).exits(124);
    assert_eq!(place.ok("collections list -q").out, "products\n");
    place.ok(&format!("collections restore products --source {backup} --new-collection-name x --wait --wait-timeout 600"));
}

#[test]
fn without_wait_a_command_works_itself_and_says_so() {
    let place = Place::new();
    place.import_small("products", 0, 20);
    let backup = place.path("mnt/b");
    let made = place.ok(&format!("collections backup products --destination file://{backup}"));
    assert!(made.err.contains("no server"), "{}", made.err);
    assert!(made.out.starts_with("backup       products"), "an id is made from the name: {}", made.out);
    let restored = place.ok(&format!("collections restore products --source {backup} --new-collection-name x"));
    assert!(restored.err.contains("no server"), "{}", restored.err);
    let quiet = place.ok(&format!("collections restore products --source {backup} --new-collection-name y -q"));
    assert_eq!(quiet.err, "");
}

#[test]
fn locations_and_ids_that_cannot_be_meant_are_refused_before_anything_is_made() {
    let place = Place::new();
    place.import_small("products", 0, 20);
    let unknown = place.run("collections backup products --destination sftp://host/vectra/products_1 --wait").exits(2);
    assert!(unknown.err.contains("no support for sftp://"), "{}", unknown.err);
    place.run("collections backup verify --source gs://bucket/x").exits(2);
    let inside = place.path("data/backups");
    assert!(place.run(&format!("collections backup products --destination {inside} --wait")).exits(2).err.contains("lies in the database"));
    for id in ["../up", "a/b", ".hidden", "a..b", "a b"] {
        let mut command = place.vectra(&format!("collections backup products --destination {} --wait --snapshot-id", place.path("mnt/b")));
        let output = command.arg(id).output().unwrap();
        assert!(!output.status.success(), "{id} was taken");
    }
    assert_eq!(place.files("mnt"), []);
    let file = place.write("mnt/file", b"x");
    let blocked = place.run(&format!("collections backup products --destination {file}/deep --wait"));
    assert!(matches!(blocked.code, Some(1 | 7)), "{:?}: {}", blocked.code, blocked.err);
}
