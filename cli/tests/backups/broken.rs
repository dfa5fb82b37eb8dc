//! Backups that are not whole, and commands that cannot work: each with its exit code, and what it says.

use crate::place::Place;
use engine::codec::checksum::HASH_LEN;
use pitr::archive::stored::encode_json;
use serde_json::Value;

/// A place with `products` backed up as `one` in `mnt/b`.
fn backed_up() -> (Place, String) {
    let place = Place::new();
    place.import_small("products", 0, 1_500);
    let backup = place.path("mnt/b");
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id one --wait"));
    (place, backup)
}

fn largest_below(place: &Place, below: &str) -> String {
    place.files(below).into_iter().max_by_key(|(_, len)| *len).expect("there are files").0
}

#[test]
fn a_flipped_byte_is_corruption_and_says_where() {
    let (place, backup) = backed_up();
    for below in ["mnt/b/objects", "mnt/b/timelines", "mnt/b/snapshots"] {
        let path = largest_below(&place, below);
        let sound = place.read(&path);
        let mut bytes = sound.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        place.write(&path, &bytes);
        let verified = place.run(&format!("collections backup verify --source {backup} --json")).exits(5);
        let report: Value = verified.json().remove(0);
        assert_eq!(report["ok"], false, "the report is printed too: {report}");
        let error = verified.error();
        assert_eq!(error["kind"], "corrupt");
        assert!(!error["object"].is_null() && error["exit"] == 5, "{error}");
        place.run(&format!("collections restore products --source {backup} --new-collection-name x --wait")).exits(5);
        place.run("collections count x").exits(3);
        place.write(&path, &sound);
    }
    place.ok(&format!("collections backup verify --source {backup}"));
}

#[test]
fn a_missing_object_is_an_incomplete_copy_and_the_newest_complete_backup_is_named() {
    let (place, backup) = backed_up();
    let objects = place.files("mnt/b/objects");
    place.import_small("products", 10_000, 1_500);
    place.ok(&format!("collections backup products --destination {backup} --snapshot-id two --wait"));
    let new = place.files("mnt/b/objects").into_iter().find(|file| !objects.contains(file)).expect("the second backup sent objects").0;
    let bytes = place.read(&new);
    place.remove_file(&new);
    for level in ["list", "data"] {
        let verified = place.run(&format!("collections backup verify --source {backup} --level {level} --json")).exits(6);
        let error = verified.error();
        assert_eq!(error["kind"], "incomplete");
        assert!(error["message"].as_str().unwrap().contains("1 objects are missing"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("\"one\""), "{error}");
        let sound: Vec<Value> = verified.json()[0]["snapshots"].as_array().unwrap().iter().map(|held| held["ok"].clone()).collect();
        assert_eq!(sound, [true, false]);
    }
    let refused = place.run(&format!("collections restore products --source {backup} --new-collection-name x --wait")).exits(6);
    assert!(refused.err.contains("\"one\""), "{}", refused.err);
    place.run(&format!("collections restore products --source {backup} --new-collection-name x --snapshot-id one --wait")).exits(0);
    assert_eq!(place.ok("collections count x").out, "1500\n");
    // Cut off, as by a copy that was interrupted.
    place.write(&new, &bytes[..bytes.len() / 2]);
    place.run(&format!("collections backup verify --source {backup}")).exits(6);
    place.write(&new, &bytes);
    place.ok(&format!("collections backup verify --source {backup}"));
}

#[test]
fn a_newer_format_is_refused_by_name_and_nothing_is_restored() {
    let (place, backup) = backed_up();
    for name in ["archive.json", "snapshots/one.json"] {
        let path = format!("{backup}/{name}");
        let sound = place.read(&path);
        let mut value: Value = serde_json::from_slice(&sound[..sound.len() - HASH_LEN]).unwrap();
        value.as_object_mut().unwrap().remove("size");
        value["format"] = 99.into();
        place.write(&path, &encode_json(&value));
        for line in ["backup verify --source", "restore products --new-collection-name x --wait --source"] {
            let error = place.run(&format!("collections {line} {backup} --json")).exits(1).error();
            assert_eq!(error["kind"], "newer_format", "{name}, {line}: {error}");
            assert!(error.to_string().contains("99"), "{error}");
        }
        place.write(&path, &sound);
    }
    place.run("collections count x").exits(3);
}

#[test]
fn what_is_not_there_exits_3_and_nothing_is_made() {
    let (place, backup) = backed_up();
    let destination = place.path("mnt/new/deep");
    let missing = place.run(&format!("collections backup nothing --destination {destination} --wait --json")).exits(3);
    assert_eq!((missing.out.as_str(), &missing.error()["kind"]), ("", &"not_found".into()));
    place.run(&format!("collections backup products --destination {destination} --parent {backup}x --wait")).exits(3);
    assert!(place.files("mnt/new").is_empty() && place.world.fs.metadata(&place.root.join("mnt/new")).unwrap().is_none());
    // A folder that holds no archive, but one below it does.
    let folder = place.path("mnt");
    for line in ["backup verify", "backup list", "backup show", "restore products --new-collection-name x"] {
        let refused = place.run(&format!("collections {line} --source {folder}")).exits(3);
        assert!(refused.err.contains(&format!("did you mean \"{backup}\"")), "{line}: {}", refused.err);
        let file = place.run(&format!("collections {line} --source {backup}/archive.json")).exits(3);
        assert!(file.err.contains("is a file"), "{line}: {}", file.err);
    }
    let other = place.run(&format!("collections restore other --source {backup}")).exits(3);
    assert!(other.err.contains("products"), "what it holds is listed: {}", other.err);
    let id = place.run(&format!("collections restore products --source {backup} --new-collection-name x --snapshot-id three")).exits(3);
    assert!(id.err.contains("one"), "{}", id.err);
    assert!(place.files("data").iter().all(|(path, _)| !path.contains("restoring")));
    assert_eq!(place.ok("collections list -q").out, "products\n");
}

#[test]
fn a_mistyped_source_creates_not_even_a_data_directory() {
    let (place, backup) = backed_up();
    let elsewhere = place.path("other");
    let line = format!("--data-dir {elsewhere} collections restore products --source {backup}/../bb --wait");
    let refused = place.run(&line).exits(3);
    assert!(refused.err.contains("did you mean"), "{}", refused.err);
    assert!(place.world.fs.metadata(&place.root.join("other")).unwrap().is_none());
}
