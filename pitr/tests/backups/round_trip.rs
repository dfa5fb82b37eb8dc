//! What was backed up comes back, and only what is new is sent.

use engine::collection::WriteOperation;
use engine::schema::{IndexConfig, Memory, VectorConfig};
use pitr::backup::BackupType;
use pitr::restore::IndexState;
use pitr::{Candidates, Level, RestoreRequest, Target};
use platform::random::Stream;

use crate::machine::{Machine, backup, content, create, delete, dump, index_all, schema, seal, upsert};

#[test]
fn a_backup_restores_to_the_same_points_and_the_same_index() {
    comes_back_the_same(Memory::Fast);
}

#[test]
fn a_backup_of_lists_restores_to_the_same_points_and_the_same_index() {
    comes_back_the_same(Memory::Low);
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn comes_back_the_same(memory: Memory) {
    let machine = Machine::new(1);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let mut schema = schema();
    schema.vectors[0].index = schema.vectors[0].index.clone().with_memory(memory);
    database.create_collection("products", &schema).unwrap();
    let collection = database.collection("products").unwrap();
    let mut stream = Stream::new(1);
    upsert(&collection, 0..1_500, &mut stream);
    index_all(&collection);
    upsert(&collection, 1_400..1_600, &mut stream);
    delete(&collection, 3);
    database.set_alias("shop", "products").unwrap();
    let (before, segments) = (content(&collection), collection.version().info().segments);
    assert!(collection.version().indexed_rows() > 0, "there is a graph to keep");

    let report = backup(&database, &collection, &store, "full");
    assert_eq!((report.backup_type, report.points, report.parent), (BackupType::Full, 1_599, None));
    assert_eq!(report.lsn, collection.version().lsn_end);
    assert!(report.bytes_new >= report.bytes_total, "a first backup sends everything");
    let verified = machine.verify("/backups/a", Level::Restore);
    assert!(verified.ok, "{:?}", verified.problems);
    assert_eq!((verified.points, &verified.strays[..], &verified.unfinished[..]), (1_599, &[][..], &[][..]));
    assert!(verified.index.has_graph());

    drop(collection);
    database.drop_collection("products", true).unwrap();
    let request = RestoreRequest { name: "products", ..RestoreRequest::default() };
    let planned = pitr::dry_run(&database, &store, &request).unwrap();
    let restored = pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    assert_eq!((restored.index, restored.points, restored.bytes), (IndexState::Kept, 1_599, planned.bytes));
    assert_eq!((restored.aliases, restored.gap.missing_records), (vec!["shop".to_owned()], Some(0)));
    let collection = database.collection("shop").unwrap();
    assert_eq!(content(&collection), before);
    assert_eq!(collection.version().info().segments, segments, "the index is the one that was backed up");
    upsert(&collection, 5_000..5_010, &mut stream);
    assert_eq!(collection.version().points, 1_609);
}

#[test]
fn an_index_that_was_built_otherwise_than_configured_comes_back_answers_and_is_built_anew() {
    let machine = Machine::new(12);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    upsert(&collection, 0..1_500, &mut Stream::new(12));
    index_all(&collection);
    let change = VectorConfig { m: Some(6), ..VectorConfig::default() };
    collection.write(WriteOperation::Configure(IndexConfig::of_vectors(vec![change]))).unwrap();
    let before = content(&collection);
    backup(&database, &collection, &store, "one");
    let verified = machine.verify("/backups/a", Level::Restore);
    assert!(verified.ok, "{:?}", verified.problems);
    let request = RestoreRequest { name: "c", new_name: Some("d"), ..RestoreRequest::default() };
    let restored = pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    assert_eq!((restored.index, restored.full_speed_s), (IndexState::Differs, None));
    let collection = database.collection("d").unwrap();
    assert_eq!((content(&collection), collection.version().schema.vectors[0].index.m), (before.clone(), 6));
    index_all(&collection);
    assert!(!collection.version().has_other_indexes());
    assert_eq!(content(&collection), before);
    backup(&database, &collection, &store, "two");
    let request = RestoreRequest { name: "d", new_name: Some("e"), ..RestoreRequest::default() };
    assert_eq!(pitr::restore(&database, &store, &request, &|_, _| ()).unwrap().index, IndexState::Kept);
}

#[test]
fn an_incremental_backup_sends_what_changed() {
    let machine = Machine::new(2);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    let mut stream = Stream::new(2);
    upsert(&collection, 0..2_000, &mut stream);
    index_all(&collection);
    let full = backup(&database, &collection, &store, "one");
    let same = backup(&database, &collection, &store, "two");
    assert_eq!((same.backup_type, same.parent.as_deref()), (BackupType::Incremental, Some("one")));
    assert_eq!(same.bytes_new, 0, "nothing changed, nothing is sent");
    upsert(&collection, 0..20, &mut stream);
    let before = content(&collection);
    let next = backup(&database, &collection, &store, "three");
    assert!(next.bytes_new * 20 < full.bytes_new, "{} of {}", next.bytes_new, full.bytes_new);
    assert_eq!((next.bytes_adjacency, next.bytes_codes), (0, 0));
    upsert(&collection, 2_000..3_100, &mut stream);
    index_all(&collection);
    backup(&database, &collection, &store, "four");
    let verified = machine.verify("/backups/a", Level::Restore);
    assert!(verified.ok, "{:?}", verified.problems);
    assert_eq!(verified.snapshots.len(), 4);
    assert_eq!(verified.chain.iter().map(|link| link.summary.snapshot_id.as_str()).collect::<Vec<_>>(), ["four", "three", "two", "one"]);
    assert_eq!(machine.restored_elsewhere("/backups/a", "c", Some("three"), Candidates::default()).unwrap().1, before);
    assert_eq!(machine.restored_elsewhere("/backups/a", "c", None, Candidates::default()).unwrap().1, content(&collection));
}

#[test]
fn a_full_backup_sends_every_object_again_and_compares_the_log() {
    let machine = Machine::new(3);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    upsert(&collection, 0..50, &mut Stream::new(3));
    seal(&collection);
    backup(&database, &collection, &store, "one");
    let objects = store.list("objects/").unwrap().len();
    let request = pitr::BackupRequest { snapshot_id: Some("two"), full: true, ..Default::default() };
    let report = pitr::backup(&database, &collection, &store, &request, &|_, _| ()).unwrap();
    assert_eq!((report.backup_type, report.parent), (BackupType::Full, None));
    assert_eq!(store.list("objects/").unwrap().len(), 2 * objects);
    assert!(machine.verify("/backups/a", Level::Index).ok);
}

#[test]
fn a_restored_collection_backed_up_to_the_same_place_sends_what_is_new_since_the_fork() {
    let machine = Machine::new(4);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    let mut stream = Stream::new(4);
    upsert(&collection, 0..1_000, &mut stream);
    seal(&collection);
    let full = backup(&database, &collection, &store, "one");
    upsert(&collection, 1_000..1_010, &mut stream);
    backup(&database, &collection, &store, "two");
    let request =
        RestoreRequest { name: "c", target: Target::Snapshot(Some("one")), new_name: Some("branch"), ..RestoreRequest::default() };
    pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    let branch = database.collection("branch").unwrap();
    let untouched = backup(&database, &branch, &store, "branch-0");
    assert_eq!(untouched.backup_type, BackupType::Incremental);
    assert!(untouched.bytes_new * 10 < full.bytes_new, "{} of {}", untouched.bytes_new, full.bytes_new);
    upsert(&branch, 5_000..5_005, &mut stream);
    let grown = backup(&database, &branch, &store, "branch-1");
    assert!(grown.bytes_new * 10 < full.bytes_new, "{} of {}", grown.bytes_new, full.bytes_new);
    seal(&branch);
    backup(&database, &branch, &store, "branch-2");
    let verified = machine.verify("/backups/a", Level::Restore);
    assert!(verified.ok, "{:?}", verified.problems);
    // A restore of a restore.
    let (_, again) = machine.restored_elsewhere("/backups/a", "branch", None, Candidates::default()).unwrap();
    assert_eq!(again, content(&branch));
    let (_, original) = machine.restored_elsewhere("/backups/a", "c", None, Candidates::default()).unwrap();
    assert_eq!(original, content(&collection), "the branch did not touch the original");
}

#[test]
fn two_lives_of_a_name_and_two_collections_share_a_location() {
    let machine = Machine::new(5);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let mut stream = Stream::new(5);
    let first = create(&database, "c");
    upsert(&first, 0..30, &mut stream);
    let old = content(&first);
    backup(&database, &first, &store, "old-life");
    drop(first);
    database.drop_collection("c", true).unwrap();
    let second = create(&database, "c");
    upsert(&second, 100..110, &mut stream);
    let report = backup(&database, &second, &store, "new-life");
    assert_eq!(report.backup_type, BackupType::Full, "another life shares nothing");
    let other = create(&database, "other");
    backup(&database, &other, &store, "other-empty");
    assert!(machine.verify("/backups/a", Level::Restore).ok);
    let newest = machine.restored_elsewhere("/backups/a", "c", None, Candidates::default()).unwrap();
    assert_eq!(newest.1, content(&second));
    assert_eq!(machine.restored_elsewhere("/backups/a", "c", Some("old-life"), Candidates::default()).unwrap().1, old);
    assert_eq!(machine.restored_elsewhere("/backups/a", "other", None, Candidates::default()).unwrap().1.len(), 0);
}

#[test]
fn replace_swaps_and_keeps_aliases_that_mean_something_else() {
    let machine = Machine::new(6);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    upsert(&collection, 0..10, &mut Stream::new(6));
    database.set_alias("live", "c").unwrap();
    let before = content(&collection);
    backup(&database, &collection, &store, "one");
    upsert(&collection, 10..20, &mut Stream::new(7));
    drop(collection);
    create(&database, "d");
    database.set_alias("live", "d").unwrap();
    let request = RestoreRequest { name: "c", replace: true, ..RestoreRequest::default() };
    let report = pitr::restore(&database, &store, &request, &|_, _| ()).unwrap();
    assert_eq!(report.aliases_left, ["live"]);
    assert_eq!(content(&database.collection("c").unwrap()), before);
    assert_eq!(database.state().aliases.get("live").map(String::as_str), Some("d"));
    assert_eq!(database.state().dropped.len(), 1, "the old life can be brought back");
}

#[test]
fn an_id_is_drawn_from_name_and_time_and_never_taken_twice() {
    let machine = Machine::new(8);
    let (database, store) = (machine.database(), machine.store("/backups/a"));
    let collection = create(&database, "c");
    let ids: Vec<String> = (0..3)
        .map(|_| pitr::backup(&database, &collection, &store, &pitr::BackupRequest::default(), &|_, _| ()).unwrap().snapshot_id)
        .collect();
    assert_eq!(ids, ["c-20240101T000000", "c-20240101T000001", "c-20240101T000002"]);
    assert_eq!(pitr::list(&store).unwrap().snapshots.len(), 3);
    assert!(dump(&store).keys().all(|key| !key.starts_with("pins/")), "a finished backup leaves no mark");
}
