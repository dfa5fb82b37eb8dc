//! What is refused, with the right kind of error and nothing written.

use engine::database::DatabaseOptions;
use engine::log::file::LogFileName;
use engine::{Database, ErrorKind};
use pitr::archive::stored::encode_json;
use pitr::{BackupRequest, Candidates, Level, RestoreRequest, Target};
use platform::random::Stream;

use crate::machine::{DATA, Machine, backup, content, create, dump, seal, try_backup, upsert};

fn request(name: &str) -> RestoreRequest<'_> {
    RestoreRequest { name, ..RestoreRequest::default() }
}

#[test]
fn a_complete_backup_of_the_same_id_is_never_touched() {
    let machine = Machine::new(40);
    let (database, store) = (machine.database(), machine.store("/b"));
    let collection = create(&database, "c");
    upsert(&collection, 0..10, &mut Stream::new(1));
    backup(&database, &collection, &store, "monday");
    let before = dump(&store);
    upsert(&collection, 10..20, &mut Stream::new(2));
    assert_eq!(try_backup(&database, &collection, &store, "monday").unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(dump(&store), before);
    for id in ["", "..", "a/b", "../x", ".hidden", "a b", "a..b"] {
        assert_eq!(try_backup(&database, &collection, &store, id).unwrap_err().kind, ErrorKind::Usage, "{id:?}");
    }
    assert_eq!(dump(&store), before);
}

#[test]
fn a_restore_that_cannot_be_says_so_before_anything_is_written() {
    let machine = Machine::new(41);
    let (database, store) = (machine.database(), machine.store("/b"));
    let collection = create(&database, "c");
    upsert(&collection, 0..1_000, &mut Stream::new(1));
    backup(&database, &collection, &store, "one");
    let changes = machine.sim.disk.op_count();
    let refused = |request: &RestoreRequest<'_>| pitr::restore(&database, &store, request, &|_, _| ()).unwrap_err();
    assert_eq!(refused(&request("c")).kind, ErrorKind::Exists);
    let unknown = refused(&request("d"));
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert!(unknown.hint.as_deref().unwrap_or("").contains("c"), "{unknown:?}");
    let to_e = |id| RestoreRequest { name: "c", target: Target::Snapshot(Some(id)), new_name: Some("e"), ..RestoreRequest::default() };
    let unknown = refused(&to_e("two"));
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert!(unknown.hint.as_deref().unwrap_or("").contains("one"), "{unknown:?}");
    assert_eq!(refused(&RestoreRequest { name: "c", new_name: Some("../e"), ..RestoreRequest::default() }).kind, ErrorKind::InvalidInput);
    machine.sim.disk.set_capacity(Some(100_000));
    let full = refused(&to_e("one"));
    assert_eq!((full.kind, full.expected.is_some()), (ErrorKind::NoSpace, true));
    machine.sim.disk.set_capacity(None);
    assert_eq!(machine.sim.disk.op_count(), changes, "nothing was written");
}

#[test]
fn a_place_without_an_archive_holds_no_backup_and_one_without_a_complete_backup_is_incomplete() {
    let machine = Machine::new(42);
    let (database, store) = (machine.database(), machine.store("/b"));
    let error = machine.try_verify("/b", Level::Data, None, Candidates::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    store.put_if_absent("holiday.jpg", vec![bytes::Bytes::from_static(b"x")]).unwrap();
    assert_eq!(pitr::list(&store).unwrap_err().kind, ErrorKind::NotFound);
    let collection = create(&database, "c");
    backup(&database, &collection, &store, "one");
    store.delete("snapshots/one.json").unwrap();
    let report = machine.verify("/b", Level::Data);
    assert_eq!(report.error.unwrap().kind, ErrorKind::Incomplete);
    assert_eq!(machine.restored_elsewhere("/b", "c", None, Candidates::default()).unwrap_err().kind, ErrorKind::Incomplete);
    store.delete("archive.json").unwrap();
    assert_eq!(machine.try_verify("/b", Level::Data, None, Candidates::default()).unwrap_err().kind, ErrorKind::Incomplete);
}

#[test]
fn a_newer_format_is_refused_as_newer() {
    let machine = Machine::new(43);
    let (database, store) = (machine.database(), machine.store("/b"));
    let collection = create(&database, "c");
    backup(&database, &collection, &store, "one");
    let stored = dump(&store);
    let text = &stored["snapshots/one.json"];
    let mut value: serde_json::Value = serde_json::from_slice(&text[..text.len() - 32]).unwrap();
    value["format"] = 3.into();
    value.as_object_mut().unwrap().remove("size");
    store.delete("snapshots/one.json").unwrap();
    store.put_if_absent("snapshots/one.json", vec![encode_json(&value).into()]).unwrap();
    assert_eq!(machine.verify("/b", Level::Data).error.unwrap().kind, ErrorKind::NewerFormat);
    for id in [None, Some("one")] {
        assert_eq!(machine.restored_elsewhere("/b", "c", id, Candidates::default()).unwrap_err().kind, ErrorKind::NewerFormat);
    }
}

#[test]
fn a_copied_data_directory_that_went_its_own_way_is_a_diverged_history() {
    let machine = Machine::new(44);
    let store = machine.store("/b");
    let database = machine.database();
    let collection = create(&database, "c");
    upsert(&collection, 0..10, &mut Stream::new(1));
    collection.close().unwrap();
    drop(collection);
    database.close().unwrap();
    copy_tree(&machine, DATA, "/copy");
    for (dir, seed, expected) in [(DATA, 2, None), ("/copy", 3, Some(ErrorKind::Diverged))] {
        let database = Database::open(&machine.sim.world(), std::path::Path::new(dir), DatabaseOptions::default()).unwrap();
        let collection = database.collection("c").unwrap();
        upsert(&collection, 10..20, &mut Stream::new(seed));
        let result = try_backup(&database, &collection, &store, &format!("of-{seed}"));
        assert_eq!(result.err().map(|error| error.kind), expected, "{dir}");
    }
    let report = machine.verify("/b", Level::Restore);
    assert!(report.ok, "the good backup is unharmed: {:?}", report.problems);
    assert_eq!(report.unfinished, ["of-3"]);
}

fn copy_tree(machine: &Machine, from: &str, to: &str) {
    let fs = machine.sim.disk.file_system();
    let mut open = vec![(std::path::PathBuf::from(from), std::path::PathBuf::from(to))];
    while let Some((from, to)) = open.pop() {
        fs.create_dir_all(&to).expect("files are copied");
        for entry in fs.list(&from).expect("files are copied") {
            let (from, to) = (from.join(&entry.name), to.join(&entry.name));
            if entry.is_dir {
                open.push((from, to));
            } else {
                platform::fs::write_file_durably(&*fs, &to, &platform::fs::read_file(&*fs, &from).expect("files are copied"))
                    .expect("files are copied");
            }
        }
    }
}

#[test]
fn an_extent_that_a_copy_tool_cut_is_named_and_never_overwritten() {
    for cut_to in [0_u64, 10, 96, 97, 96 + 64, 300] {
        let machine = Machine::new(45 + cut_to);
        let (database, store) = (machine.database(), machine.store("/b"));
        let collection = create(&database, "c");
        upsert(&collection, 0..50, &mut Stream::new(1));
        backup(&database, &collection, &store, "one");
        let extent = store.list("timelines/").unwrap().into_iter().find(|meta| meta.key.contains("/log/")).unwrap().key;
        machine.sim.disk.truncate(format!("/b/{extent}"), cut_to);
        upsert(&collection, 50..60, &mut Stream::new(2));
        let error = try_backup(&database, &collection, &store, "two").unwrap_err();
        assert_eq!((error.kind, error.object.as_deref()), (ErrorKind::Corrupt, Some(extent.as_str())), "cut to {cut_to}: {error}");
        assert_eq!(store.head(&extent).unwrap(), Some(cut_to));
        assert_eq!(machine.verify("/b", Level::Data).error.unwrap().kind, ErrorKind::Incomplete, "cut to {cut_to}");
    }
}

#[test]
fn rot_in_the_local_files_is_not_copied_into_a_backup() {
    let machine = Machine::new(60);
    let database = machine.database();
    let collection = create(&database, "c");
    upsert(&collection, 0..50, &mut Stream::new(1));
    seal(&collection);
    upsert(&collection, 50..60, &mut Stream::new(1));
    let files: Vec<_> = machine
        .sim
        .disk
        .paths()
        .into_iter()
        .filter(|path| {
            let text = path.to_string_lossy().into_owned();
            text.starts_with("/data/collections/") && (text.contains("/segments/") || text.ends_with(".log"))
        })
        .collect();
    let mut refused = 0;
    for (number, path) in files.iter().enumerate() {
        let Some(len) = machine.sim.disk.durable_bytes(path).map(|bytes| bytes.len() as u64).filter(|&len| len > 0) else { continue };
        let name = path.file_name().and_then(|name| LogFileName::parse(&name.to_string_lossy()));
        let offset = name.map_or(len - 40, |name| name.header_len() + 20);
        machine.sim.disk.flip_bit(path, offset, 3);
        let root = format!("/b/{number}");
        let result = try_backup(&database, &collection, &machine.store(&root), "one");
        let Err(error) = result else { panic!("{} was copied though it is damaged", path.display()) };
        assert_eq!(error.kind, ErrorKind::Corrupt, "{}: {error}", path.display());
        assert!(error.file.as_deref().is_some_and(|file| file.contains("/data/")), "{error:?}");
        machine.sim.disk.flip_bit(path, offset, 3);
        refused += 1;
    }
    assert!(refused >= 4, "log and objects were tried");
    backup(&database, &collection, &machine.store("/b/good"), "one");
}

#[test]
fn a_backup_holds_everything_acknowledged_before_it_and_nothing_later() {
    let machine = Machine::new(61);
    let (database, store) = (machine.database(), machine.store("/b"));
    let collection = create(&database, "c");
    upsert(&collection, 0..40, &mut Stream::new(1));
    let before = content(&collection);
    let mut wrote = std::cell::Cell::new(false);
    let request = BackupRequest { snapshot_id: Some("one"), ..BackupRequest::default() };
    // A writer goes on, and seals, while the backup is being sent.
    let report = pitr::backup(&database, &collection, &store, &request, &|_, _| {
        if !wrote.replace(true) {
            upsert(&collection, 20..80, &mut Stream::new(2));
            crate::machine::delete(&collection, 1);
            seal(&collection);
        }
    });
    let report = report.unwrap();
    assert!(*wrote.get_mut() && report.points == 40);
    assert_eq!(machine.restored_elsewhere("/b", "c", None, Candidates::default()).unwrap().1, before);
}
