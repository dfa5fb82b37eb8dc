//! Space comes back: what was overwritten goes from the disk, `info` says so, and backups of what is left are whole.

use crate::place::Place;
use platform::random::Stream;
use serde_json::Value;

const DIM: usize = 768;

/// Writes so many vectors that differ from those of other seeds.
fn vectors(place: &Place, name: &str, rows: usize, seed: u64) -> String {
    let mut stream = Stream::new(seed);
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {DIM})}}");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend((0..rows * DIM).flat_map(|_| stream.gaussian().to_le_bytes()));
    place.write(name, &npy)
}

fn info(place: &Place, name: &str) -> Value {
    place.ok(&format!("collections info {name} --json")).json().remove(0)
}

#[test]
fn what_was_overwritten_goes_from_the_disk_and_what_is_left_is_backed_up_whole() {
    let place = Place::new();
    place.ok(&format!("collections create c --dim {DIM} --distance euclid"));
    // All rows, then all but a few: those lie where nearly everything is dead, and are moved.
    for (seed, rows) in [(1, 700), (2, 650), (3, 650)] {
        let path = vectors(&place, "v.npy", rows, seed);
        place.ok(&format!("import c --vectors {path}"));
    }
    let after = info(&place, "c");
    let bytes = |key: &str| after["bytes"][key].as_u64().unwrap_or_else(|| panic!("bytes.{key} is a number: {after}"));
    assert_eq!(after["points"], 700);
    assert_eq!(bytes("live"), (700 * DIM * 4) as u64);
    assert!(bytes("log") < bytes("live") * 3 / 2, "{after}");
    assert!(bytes("moved") >= (50 * DIM * 4) as u64, "{after}");
    assert!(after["lsn"].as_u64().unwrap() > bytes("log") * 2, "most of the log is gone: {after}");

    let queries = vectors(&place, "q.npy", 20, 4);
    let answers = |name: &str| place.ok(&format!("search {name} --vectors {queries} --top 10 --exact --json")).out;
    let before = answers("c");
    let backup = place.path("mnt/backup");
    place.ok(&format!("collections backup c --destination {backup} --snapshot-id one --wait"));
    for level in ["list", "data", "index", "restore"] {
        place.ok(&format!("collections backup verify --source {backup} --level {level}"));
    }
    place.ok(&format!("collections restore c --source {backup} --new-collection-name again --wait"));
    assert_eq!(answers("again"), before);
    let restored = info(&place, "again");
    assert_eq!((&restored["bytes"], &restored["lsn"]), (&after["bytes"], &after["lsn"]));
}
