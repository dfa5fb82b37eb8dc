//! Backups that rest on other archives: found by what they are, wherever they were moved.

use std::sync::Arc;

use engine::ErrorKind;
use pitr::backup::BackupType;
use pitr::{BackupRequest, Candidates, Level};
use platform::object_store::ObjectStore;
use platform::random::Stream;

use crate::machine::{Machine, backup, content, create, dump, lay_out, parent, parents, seal, upsert};

#[test]
fn a_chain_over_three_archives_restores_and_says_which_archive_is_missing() {
    let machine = Machine::new(20);
    let database = machine.database();
    let stores: Vec<Arc<dyn ObjectStore>> = ["/b/1", "/b/2", "/b/3"].iter().map(|root| machine.store(root)).collect();
    let collection = create(&database, "c");
    let mut stream = Stream::new(20);
    upsert(&collection, 0..1_000, &mut stream);
    seal(&collection);
    upsert(&collection, 1_000..1_020, &mut stream);
    let full = backup(&database, &collection, &stores[0], "full");
    for (number, store) in stores.iter().enumerate().skip(1) {
        upsert(&collection, 2_000 * number as u64..2_000 * number as u64 + 20, &mut stream);
        let id = format!("inc-{number}");
        let candidates = parents(&stores[..number].iter().collect::<Vec<_>>());
        let request = BackupRequest { snapshot_id: Some(&id), candidates, ..BackupRequest::default() };
        let report = pitr::backup(&database, &collection, store, &request, &|_, _| ()).unwrap();
        assert_eq!(report.backup_type, BackupType::Incremental);
        assert!(report.bytes_new * 10 < full.bytes_new, "{} of {}", report.bytes_new, full.bytes_new);
    }
    let all = || parents(&stores.iter().collect::<Vec<_>>());
    let verified = machine.try_verify("/b/3", Level::Restore, None, all()).unwrap();
    assert!(verified.ok, "{:?}", verified.problems);
    assert_eq!(machine.restored_elsewhere("/b/3", "c", None, all()).unwrap().1, content(&collection));

    let alone = machine.restored_elsewhere("/b/3", "c", None, Candidates::default()).unwrap_err();
    assert_eq!(alone.kind, ErrorKind::Incomplete);
    assert!(alone.message.contains("archive"), "{alone}");
    let verified = machine.try_verify("/b/3", Level::Data, None, parents(&[&stores[1]])).unwrap();
    assert_eq!(verified.error.map(|error| error.kind), Some(ErrorKind::Incomplete));
    assert!(machine.try_verify("/b/1", Level::Data, None, Candidates::default()).unwrap().ok, "the parent needs nobody");
}

#[test]
fn a_parent_is_found_as_a_sibling_or_by_its_stored_hint_and_never_by_its_place_alone() {
    let machine = Machine::new(21);
    let database = machine.database();
    let (base, next) = (machine.store("/b/base"), machine.store("/b/next"));
    let collection = create(&database, "c");
    upsert(&collection, 0..20, &mut Stream::new(21));
    seal(&collection);
    backup(&database, &collection, &base, "full");
    upsert(&collection, 20..30, &mut Stream::new(22));
    let candidates = Candidates { parents: vec![parent(&base, "../base")], ..Candidates::default() };
    let request = BackupRequest { snapshot_id: Some("inc"), candidates, ..BackupRequest::default() };
    pitr::backup(&database, &collection, &next, &request, &|_, _| ()).unwrap();

    let moved = machine.store("/moved/base");
    lay_out(&moved, &dump(&base));
    let siblings = Candidates { siblings: vec![next.clone(), moved.clone()], ..Candidates::default() };
    assert!(machine.try_verify("/b/next", Level::Data, None, siblings).unwrap().ok);
    let open = |hint: &str| (hint == "../base").then(|| moved.clone());
    let hinted = Candidates { open_hint: Some(&open), ..Candidates::default() };
    assert!(machine.try_verify("/b/next", Level::Data, None, hinted).unwrap().ok);

    // Another archive with a backup of the same name at the same place.
    let impostor = machine.store("/b/impostor");
    backup(&database, &collection, &impostor, "full");
    let wrong = machine.restored_elsewhere("/b/next", "c", None, parents(&[&impostor])).unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Incomplete);
}

#[test]
fn damage_in_a_parent_is_damage_of_the_backup_that_rests_on_it() {
    let machine = Machine::new(23);
    let database = machine.database();
    let (base, next) = (machine.store("/b/base"), machine.store("/b/next"));
    let collection = create(&database, "c");
    upsert(&collection, 0..20, &mut Stream::new(23));
    seal(&collection);
    backup(&database, &collection, &base, "full");
    let request = BackupRequest { snapshot_id: Some("inc"), candidates: parents(&[&base]), ..BackupRequest::default() };
    pitr::backup(&database, &collection, &next, &request, &|_, _| ()).unwrap();
    let damaged = base.list("objects/").unwrap().pop().unwrap().key;
    machine.sim.disk.flip_bit(format!("/b/base/{damaged}"), 100, 1);
    let verified = machine.try_verify("/b/next", Level::Data, None, parents(&[&base])).unwrap();
    let error = verified.error.unwrap();
    assert_eq!((error.kind, error.object.as_deref()), (ErrorKind::Corrupt, Some(damaged.as_str())));
    let restored = machine.restored_elsewhere("/b/next", "c", None, parents(&[&base])).unwrap_err();
    assert_eq!((restored.kind, restored.object.as_deref()), (ErrorKind::Corrupt, Some(damaged.as_str())));
}

#[test]
fn a_backup_to_the_same_place_continues_a_chain_without_naming_the_parent_again() {
    let machine = Machine::new(24);
    let database = machine.database();
    let (base, next) = (machine.store("/b/base"), machine.store("/b/next"));
    let collection = create(&database, "c");
    let mut stream = Stream::new(24);
    upsert(&collection, 0..500, &mut stream);
    seal(&collection);
    let full = backup(&database, &collection, &base, "full");
    let open = |_: &str| Some(base.clone());
    for (id, candidates) in [("inc-1", parents(&[&base])), ("inc-2", Candidates { open_hint: Some(&open), ..Candidates::default() })] {
        upsert(&collection, 500..510, &mut stream);
        let request = BackupRequest { snapshot_id: Some(id), candidates, ..BackupRequest::default() };
        let report = pitr::backup(&database, &collection, &next, &request, &|_, _| ()).unwrap();
        assert!(report.bytes_new * 5 < full.bytes_new, "{id}: {} of {}", report.bytes_new, full.bytes_new);
    }
    // The parent is gone: what lies there is sent again, and the backup stands alone.
    upsert(&collection, 510..520, &mut stream);
    let report = backup(&database, &collection, &next, "alone");
    assert!(report.bytes_new > full.bytes_new / 2 && !report.warnings.is_empty(), "{report:?}");
    assert_eq!(machine.restored_elsewhere("/b/next", "c", Some("alone"), Candidates::default()).unwrap().1, content(&collection));
}
