//! One file of an archive, the others being whole: listed, verified down to a restore, restored.
//!
//! Input: a byte of switches, a byte that names the file by its place in the listing, then its bytes. Switch 1 takes the bytes as they are;
//! else they get the size, the checksums and the hash that their format asks for, and with switch 2 the description of the backup and its
//! manifest are made to say that this is the file they mean.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use engine::codec::checksum::{HASH_LEN, Hash, crc32, seal};
use engine::collection::{Step, WriteOperation};
use engine::database::DatabaseOptions;
use engine::ids::SegmentId;
use engine::object_file::Role;
use engine::{Batch, Database, Timeline};
use pitr::archive::Key;
use pitr::archive::extent::{EXTENT_MAGIC, EXTENT_VERSION, RECORDS_OFFSET};
use pitr::backup::format::SnapshotFile;
use pitr::{BackupRequest, Candidates, Level, RestoreRequest, Scratch, VerifyRequest};
use platform::KnownBad;
use platform::object_store::ObjectStore;
use platform::object_store::sim::SimStore;
use platform::random::Stream;
use platform::sim::SimWorld;
use serde_json::Value;

use super::{Target, fixture};
use crate::fixup;

/// See the top of this file.
pub const TARGET: Target = Target { name: "snapshot", run, seeds, words: WORDS };

const RAW: u8 = 1;
const CONSISTENT: u8 = 2;
const ROOT: &str = "/archive";
const SNAPSHOT_ID: &str = "one";
const WORDS: &[&str] = &[
    "../../escaped",
    "/escaped",
    "\\u0000",
    "\"format\":2",
    "\"start\":0",
    "18446744073709551615",
    "9223372036854775808",
    "\"parents\":[]",
    "\"objects\":[]",
    "\"ancestry\":[]",
    "\"collection\":\"..\"",
    "-1",
];

type Files = BTreeMap<String, Vec<u8>>;

/// A backup of a collection with a sealed segment, dead rows and a tail; made once.
fn archive() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| make_archive().expect("a backup on a disk without faults"))
}

fn make_archive() -> engine::Result<Files> {
    let sim = SimWorld::new(3);
    let database = Database::open(&sim.world(), Path::new("/data"), DatabaseOptions::default())?;
    database.create_collection("c", &fixture::schema())?;
    let collection = database.collection("c")?;
    let mut stream = Stream::new(3);
    for round in 0..2 {
        for first in [0, 8, 4] {
            let points: Vec<_> = (first..first + 9).map(|number| fixture::point(number, &mut stream)).collect();
            collection.write(WriteOperation::Upsert(Batch::of_points(&fixture::schema(), &points)?))?;
        }
        if round == 0 {
            collection.step(&Step::Seal, &engine::collection::indexer::Threads(1), &|_, _| true)?;
        }
    }
    let store = store(&sim);
    let request = BackupRequest { snapshot_id: Some(SNAPSHOT_ID), ..BackupRequest::default() };
    pitr::backup(&database, &collection, &store, &request, &|_, _| ())?;
    let listed = store.list("").expect("a listing succeeds");
    Ok(listed.into_iter().map(|meta| (meta.key.clone(), store.get(&meta.key).expect("an object is read").to_vec())).collect())
}

fn store(sim: &SimWorld) -> Arc<dyn ObjectStore> {
    Arc::new(SimStore::open(sim.disk.file_system(), Path::new(ROOT), KnownBad::default()).expect("a store opens"))
}

fn run(input: &[u8]) -> bool {
    let [switches, place, rest @ ..] = input else { return false };
    let mut files = archive().clone();
    let Some(key) = files.keys().nth(usize::from(*place) % files.len()).cloned() else { return false };
    let old = std::mem::take(files.get_mut(&key).expect("the key is listed"));
    let new = if switches & RAW == 0 { repair(&key, &old, rest) } else { rest.to_vec() };
    if switches & (RAW | CONSISTENT) == CONSISTENT {
        refer(&mut files, &key, &old, &new);
    }
    if let Ok(file) = SnapshotFile::decode(&new, SNAPSHOT_ID) {
        let again = SnapshotFile::decode(&file.encode(), SNAPSHOT_ID).expect("what was read can be written and read");
        assert!(again == file, "a description reads back as it was");
    }
    files.insert(key, new);
    let sim = SimWorld::new(4);
    let store = store(&sim);
    for (key, bytes) in files {
        store.put_if_absent(&key, vec![bytes.into()]).expect("an object is put");
    }
    use_it(&sim, &store)
}

/// Says whether the backup could be restored.
fn use_it(sim: &SimWorld, store: &Arc<dyn ObjectStore>) -> bool {
    let world = sim.world();
    let _ = pitr::list(store);
    let _ = pitr::show(store, Some(SNAPSHOT_ID), &Candidates::default());
    let before: Vec<_> = store.list("").expect("a listing succeeds");
    let scratch = Some(Scratch { world: world.clone(), dir: "/scratch".into() });
    let request = VerifyRequest { level: Level::Restore, snapshot_id: None, candidates: Candidates::default(), scratch };
    let verified = pitr::verify(&world, store, &request, &|_, _| ()).is_ok_and(|report| report.ok);
    let database = Database::open(&world, Path::new("/data"), DatabaseOptions::default()).expect("an empty database opens");
    let request = RestoreRequest { name: "c", target: pitr::Target::Snapshot(Some(SNAPSHOT_ID)), ..RestoreRequest::default() };
    let _ = pitr::restore::dry_run(&database, store, &request);
    let restored = pitr::restore(&database, store, &request, &|_, _| ());
    assert!(!verified || restored.is_ok(), "what verifies restores: {restored:?}");
    match &restored {
        Ok(_) => {
            let collection = database.collection("c").expect("what was restored opens");
            let mut points = 0;
            let read = collection.version().for_each_point(true, &mut |_| {
                points += 1;
                Ok(())
            });
            assert!(read.is_err() || points == collection.version().points, "the points are those that are counted");
        }
        Err(_) => assert!(database.state().collections.is_empty(), "nothing of a failed restore is to be seen"),
    }
    assert_eq!(store.list("").expect("a listing succeeds"), before, "reading changes nothing in the archive");
    for path in sim.disk.paths() {
        let inside = ["/", ROOT, "/data", "/scratch"].iter().any(|root| path == Path::new(root))
            || [ROOT, "/data", "/scratch"].iter().any(|root| path.starts_with(root));
        assert!(inside, "{} was written outside of every target", path.display());
    }
    restored.is_ok()
}

/// Gives bytes what their format asks for at that key.
fn repair(key: &str, old: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match Key::parse(key) {
        Key::Extent(timeline, start) => {
            extent(&mut bytes, timeline, start);
            seal(bytes)
        }
        Key::Manifest(..) => seal(bytes),
        Key::Object(_) => {
            let subject = old.get(32..).and_then(|rest| rest.first_chunk()).map_or(SegmentId([0; 16]), |id| SegmentId(*id));
            let role = Role::ALL.into_iter().find(|role| old.starts_with(&role.magic())).unwrap_or(Role::Rows);
            fixup::object::object(&mut bytes, role, subject);
            bytes
        }
        _ => sized_json(bytes),
    }
}

fn extent(bytes: &mut [u8], timeline: Timeline, start: u64) {
    let header = engine::codec::FileHeader { magic: EXTENT_MAGIC, version: EXTENT_VERSION, subject: timeline.0, number: start };
    let len = (RECORDS_OFFSET as usize).min(bytes.len());
    bytes[..len].copy_from_slice(&header.encode()[..len]);
    fixup::record::records(&mut bytes[len..], timeline, start);
}

/// Puts the right size into the field that a JSON object begins with, and the hash at its end.
fn sized_json(mut bytes: Vec<u8>) -> Vec<u8> {
    let digits = format!("{:016x}", bytes.len() + HASH_LEN);
    let head = format!("{{\"size\":\"{digits}{:08x}\",", crc32(digits.as_bytes()));
    if let Some(place) = bytes.get_mut(..head.len()) {
        place.copy_from_slice(head.as_bytes());
    }
    seal(bytes)
}

/// Makes the manifest and the description name the new file by its hash and size, in this order: each may name the one before.
fn refer(files: &mut Files, key: &str, old: &[u8], new: &[u8]) {
    let mut changes = vec![change_of(key, old, new)];
    for (other, is_json) in [("manifests/", false), ("snapshots/", true)] {
        let Some(name) = files.keys().find(|name| name.contains(other)).cloned() else { continue };
        if name == key {
            continue;
        }
        let stored = files[&name].clone();
        let Some(text) = stored.len().checked_sub(HASH_LEN).and_then(|end| std::str::from_utf8(&stored[..end]).ok()) else { continue };
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { continue };
        changes.iter().for_each(|change| replace(&mut value, change));
        let text = serde_json::to_string_pretty(&value).expect("a value is text") + "\n";
        // The size field stands at the very beginning, without a blank.
        let rewritten =
            if is_json { sized_json(text.replacen("{\n  \"size\": \"", "{\"size\":\"", 1).into_bytes()) } else { seal(text.into_bytes()) };
        changes.push(change_of(&name, &stored, &rewritten));
        files.insert(name, rewritten);
    }
}

/// A hash that stands for another one now, with the size that stands beside it.
struct Change {
    old: String,
    new: String,
    size: u64,
}

fn change_of(key: &str, old: &[u8], new: &[u8]) -> Change {
    // A stretch of the log is named by the hash of its records, everything else by the hash that it ends with.
    let named = |bytes: &[u8]| {
        let end = bytes.len().saturating_sub(HASH_LEN);
        match Key::parse(key) {
            Key::Extent(..) => Hash::of(bytes.get(RECORDS_OFFSET as usize..end).unwrap_or_default()),
            _ => bytes.last_chunk().map_or(Hash([0; HASH_LEN]), |hash| Hash(*hash)),
        }
    };
    Change { old: named(old).to_string(), new: named(new).to_string(), size: new.len() as u64 }
}

fn replace(value: &mut Value, change: &Change) {
    match value {
        Value::Object(members) => {
            if members.get("blake3").and_then(Value::as_str) == Some(&change.old) {
                members.insert("blake3".to_owned(), Value::from(change.new.as_str()));
                if let Some(bytes) = members.get_mut("bytes") {
                    *bytes = Value::from(change.size);
                }
            }
            members.values_mut().for_each(|member| replace(member, change));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| replace(element, change)),
        _ => {}
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (place, (key, bytes)) in archive().iter().enumerate() {
        let unsealed = match Key::parse(key) {
            Key::Object(_) => bytes.len(),
            _ => bytes.len().saturating_sub(HASH_LEN),
        };
        seeds.push([&[RAW, place as u8], &bytes[..]].concat());
        seeds.push([&[0, place as u8], &bytes[..unsealed]].concat());
        seeds.push([&[CONSISTENT, place as u8], &bytes[..unsealed]].concat());
    }
    seeds
}
