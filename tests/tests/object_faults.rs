//! Single faults of segments and manifests: rot, missing and misplaced objects, torn manifests, crashes between any two changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use engine::collection::indexer::Threads;
use engine::collection::merge::Work;
use engine::collection::{Selector, Step, WriteOperation};
use engine::manifest::store;
use engine::{ErrorKind, PointId};
use platform::fs::CrashKeep;
use platform::sim::SimWorld;
use vectra_tests::faults::{Opened, create, ids, open, overwrite};

/// Two segments with dead rows and a tail, cleanly closed; the points that are there.
fn two_segments(seed: u64) -> (SimWorld, BTreeSet<u64>) {
    let machine = SimWorld::new(seed);
    let opened = create(&machine).unwrap();
    opened.put(0..6).unwrap();
    opened.seal().unwrap();
    opened.put(10..16).unwrap();
    let gone = Selector::Ids(vec![PointId::Number(2), PointId::Number(11)]);
    opened.collection.write(WriteOperation::Delete(gone)).unwrap();
    opened.seal().unwrap();
    opened.put(20..22).unwrap();
    opened.close().unwrap();
    let mut expected = ids(&[0..6, 10..16, 20..22]);
    expected.remove(&2);
    expected.remove(&11);
    (machine, expected)
}

fn objects(machine: &SimWorld) -> Vec<PathBuf> {
    machine.disk.paths().into_iter().filter(|path| path.to_string_lossy().contains("/segments/")).collect()
}

fn manifests(machine: &SimWorld) -> Vec<PathBuf> {
    machine.disk.paths().into_iter().filter(|path| path.to_string_lossy().contains("/manifests/")).collect()
}

fn current(machine: &SimWorld) -> PathBuf {
    machine.disk.paths().into_iter().find(|path| path.ends_with("CURRENT")).unwrap()
}

/// F17: a flipped bit anywhere in an object gives the same points or an error, never others.
#[test]
fn rot_in_an_object_gives_the_same_answer_or_an_error() {
    let (machine, expected) = two_segments(17);
    let (mut same, mut refused) = (0, 0);
    for path in objects(&machine) {
        let len = machine.disk.durable_bytes(&path).unwrap().len() as u64;
        for offset in (0..len).step_by(23) {
            let bit = (offset % 8) as u8;
            machine.disk.flip_bit(&path, offset, bit);
            match open(&machine).and_then(|opened| opened.ids()) {
                Ok(found) => {
                    assert_eq!(found, expected, "bit {bit} of byte {offset} of {}", path.display());
                    same += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Corrupt, "bit {bit} of byte {offset} of {}: {error}", path.display());
                    refused += 1;
                }
            }
            machine.disk.crash_keeping(CrashKeep::Everything);
            machine.disk.flip_bit(&path, offset, bit);
        }
    }
    assert!(refused > 20, "{same} flips changed nothing, {refused} were refused");
}

/// F12, F17: a missing, short or long object that the manifest names is an error that names it.
#[test]
fn a_missing_or_short_object_is_refused_by_name() {
    let (machine, _) = two_segments(12);
    let named: Vec<PathBuf> = {
        let opened = open(&machine).unwrap();
        let version = opened.collection.version();
        version.manifest.objects().map(|(id, _, _)| opened.collection.dir().object(id)).collect()
    };
    assert!(named.len() >= 6, "{named:?}");
    for path in named {
        for cut in [None, Some(0), Some(1), Some(64)] {
            let (machine, _) = two_segments(12);
            let len = machine.disk.durable_bytes(&path).unwrap().len() as u64;
            match cut {
                None => machine.disk.remove(&path),
                Some(cut) => machine.disk.truncate(&path, len - cut.max(1)),
            }
            let error = open(&machine).map(drop).unwrap_err();
            assert_eq!(error.file.as_deref(), path.to_str(), "{error}");
            assert!(matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Io), "{error}");
        }
    }
}

/// F18: an object in the place of another one is not taken for it.
#[test]
fn objects_that_changed_places_are_refused() {
    let (machine, _) = two_segments(18);
    let paths = objects(&machine);
    let mut swapped = 0;
    for (index, first) in paths.iter().enumerate() {
        for second in &paths[index + 1..] {
            let (machine, expected) = two_segments(18);
            let (a, b) = (machine.disk.durable_bytes(first).unwrap(), machine.disk.durable_bytes(second).unwrap());
            if a.len() != b.len() {
                continue;
            }
            overwrite(&machine, first, 0, &b);
            overwrite(&machine, second, 0, &a);
            swapped += 1;
            match open(&machine).and_then(|opened| opened.ids()) {
                Ok(found) => assert_eq!(found, expected, "{} and {}", first.display(), second.display()),
                Err(error) => assert_eq!(error.kind, ErrorKind::Corrupt, "{error}"),
            }
        }
    }
    assert!(swapped > 0, "no two objects have the same length");
}

/// F19: the newest manifest may be damaged at any byte: an older one and the log say the same.
#[test]
fn a_damaged_manifest_is_made_good_by_the_log() {
    let (machine, expected) = two_segments(19);
    let newest = manifests(&machine).pop().unwrap();
    let len = machine.disk.durable_bytes(&newest).unwrap().len() as u64;
    for cut in (0..len).step_by(97) {
        let (machine, _) = two_segments(19);
        machine.disk.truncate(&newest, cut);
        let opened = open(&machine).unwrap_or_else(|error| panic!("cut to {cut} bytes: {error}"));
        assert_eq!(opened.ids().unwrap(), expected, "cut to {cut} bytes");
        opened.put(30..31).unwrap();
        opened.seal().unwrap();
        machine.disk.crash();
        let mut more = expected.clone();
        more.insert(30);
        assert_eq!(open(&machine).unwrap().ids().unwrap(), more, "cut to {cut} bytes, sealed again");
    }
    for offset in (0..len).step_by(41) {
        let (machine, _) = two_segments(19);
        machine.disk.flip_bit(&newest, offset, (offset % 8) as u8);
        assert_eq!(open(&machine).unwrap().ids().unwrap(), expected, "byte {offset} flipped");
    }
    let (machine, _) = two_segments(19);
    for path in manifests(&machine) {
        machine.disk.truncate(&path, 5);
    }
    assert_eq!(open(&machine).map(drop).unwrap_err().kind, ErrorKind::Corrupt, "no manifest reads");
}

/// F19: CURRENT only helps: missing, stale or damaged, the state is the same.
#[test]
fn a_missing_stale_or_damaged_current_changes_nothing() {
    let (machine, expected) = two_segments(20);
    let older = manifests(&machine)[0].file_name().unwrap().to_str().unwrap().to_owned();
    let ways: [(&str, Option<&[u8]>); 4] =
        [("missing", None), ("stale", Some(older.as_bytes())), ("garbage", Some(b"\xff\xfe../../x")), ("empty", Some(b""))];
    for (what, bytes) in ways {
        let (machine, _) = two_segments(20);
        let path = current(&machine);
        machine.disk.remove(&path);
        if let Some(bytes) = bytes {
            overwrite(&machine, &path, 0, bytes);
        }
        let opened = open(&machine).unwrap_or_else(|error| panic!("CURRENT is {what}: {error}"));
        assert_eq!(opened.ids().unwrap(), expected, "CURRENT is {what}");
    }
}

type Background<'a> = &'a dyn Fn(&Opened) -> engine::Result<()>;

fn is_consistent(opened: &Opened, machine: &SimWorld, what: &str) {
    let version = opened.collection.version();
    let dir = opened.collection.dir();
    for (id, bytes, _) in version.manifest.objects() {
        let found = machine.world().fs.metadata(&dir.object(id)).unwrap().map(|meta| meta.len);
        assert_eq!(found, Some(bytes), "{what}: object {id}");
    }
    let current = store::current_name(&*machine.world().fs, dir).unwrap();
    assert_eq!(current, Some(version.manifest.file_name()), "{what}: CURRENT names the manifest that is used");
}

/// F5, F20: every change of a seal, a merge, a drop and what follows may be the last one before the power goes.
#[test]
fn a_power_cut_at_every_change_of_background_work_loses_nothing() {
    let seal = |opened: &Opened| opened.seal();
    let merge = |opened: &Opened| opened.collection.step(&Step::Segments(Work::Merge(0..2)), &Threads(1), &|_, _| true);
    let close = |opened: &Opened| opened.collection.close();
    let works: [(&str, Background<'_>); 3] = [("seal", &seal), ("merge", &merge), ("close", &close)];
    for (name, work) in works {
        for keep in [CrashKeep::Nothing, CrashKeep::Random, CrashKeep::Everything] {
            for n in 1..200 {
                let (machine, expected) = two_segments(5 + n);
                let opened = open(&machine).unwrap();
                machine.disk.crash_after_ops(Some(n));
                let result = work(&opened);
                machine.disk.crash_keeping(keep);
                let what = format!("{name}, cut at change {n}, keeping {keep:?}");
                let opened = open(&machine).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(opened.ids().unwrap(), expected, "{what}");
                is_consistent(&opened, &machine, &what);
                opened.put(40..41).unwrap();
                opened.seal().unwrap();
                let strays = objects(&machine).len();
                let version = opened.collection.version();
                assert!(strays <= 2 * version.manifest.objects().count() + 8, "{what}: {strays} objects are left");
                if result.is_ok() {
                    break;
                }
            }
        }
    }
}

/// F5: every change of a create, a drop and an undrop may be the last one; a name is there with its points, or not at all.
#[test]
fn a_power_cut_at_every_change_of_the_catalog_leaves_a_name_whole_or_gone() {
    for keep in [CrashKeep::Nothing, CrashKeep::Random, CrashKeep::Everything] {
        for n in 1..200 {
            let (machine, expected) = two_segments(55 + n);
            let opened = open(&machine).unwrap();
            let schema = engine::Schema::clone(&opened.collection.version().schema);
            let Opened { collection, database } = opened;
            drop(collection);
            machine.disk.crash_after_ops(Some(n));
            let work = || {
                database.create_collection("new", &schema)?;
                database.drop_collection("c", false)?;
                database.undrop("c")?;
                database.drop_collection("new", true)
            };
            let result = work();
            machine.disk.crash_keeping(keep);
            let what = format!("cut at change {n}, keeping {keep:?}");
            let database = vectra_tests::faults::open_database(&machine).unwrap_or_else(|error| panic!("{what}: {error}"));
            if !database.state().collections.contains_key("c") {
                database.undrop("c").unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            if database.state().collections.contains_key("new") {
                assert_eq!(database.collection("new").unwrap().version().points, 0, "{what}");
            }
            let collection = database.collection("c").unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(Opened { collection, database }.ids().unwrap(), expected, "{what}");
            if result.is_ok() {
                break;
            }
        }
    }
}
