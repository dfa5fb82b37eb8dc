//! Lazy restores: the same answers as a full one at once, and the same collection in the end.

use std::sync::Arc;

use engine::error::ErrorKind;
use pitr::archive::Key;
use pitr::lazy::{Places, Stay, hydrate};
use pitr::{BackupRequest, RestoreRequest, Target};
use platform::fs::CrashKeep;
use platform::object_store::ObjectStore;
use platform::object_store::faulty::{FaultyStore, Rates};
use platform::random::Stream;

use crate::machine::{Machine, backup, content, create, parents, seal, upsert};
use crate::place::{LAZY, archived, pins, reaching, to};
use crate::source::ARCHIVE;

#[test]
fn a_lazy_restore_answers_like_a_full_one_and_becomes_one() {
    let (source, collection, moments) = archived(1);
    let (time, expected) = moments.last().unwrap();
    let full = source.at("c", *time).unwrap().0;
    let machine = Machine::new(101);
    let database = reaching(&machine, &source.store);
    let report = pitr::restore(&database, &source.store, &to(*time, Stay::UntilBrought), &|_, _| ()).unwrap();
    assert!(report.bytes_away > 0 && report.full_speed_s.is_none(), "something is left to fetch");
    assert_eq!((report.bytes + report.bytes_away, report.points, report.lsn), (full.bytes, full.points, full.lsn));
    assert_eq!((full.bytes_away, full.full_speed_s), (0, Some(full.first_answer_s)));
    assert_eq!(pins(&source.store).len(), 1, "what it refers to is held, and nothing else any more");
    let lazy = database.collection("c").unwrap();
    assert!(lazy.is_lazy() && lazy.version().points == collection.version().points, "the count is that of all");
    assert_eq!(&content(&lazy), expected);
    upsert(&lazy, 5_000..5_010, &mut Stream::new(1));
    let written = content(&lazy);
    lazy.close().unwrap();
    drop(lazy);
    let lazy = database.collection("c").unwrap();
    let open = |_: &str, _: Option<&str>| Ok(source.store.clone());
    let seen = std::cell::Cell::new(0);
    assert!(hydrate(&lazy, &open, &|| false, &|done, all| seen.set(if done == all { all } else { seen.get() })).unwrap());
    assert!(seen.get() >= report.bytes_away, "progress ends with all of it");
    assert_eq!((lazy.is_lazy(), pins(&source.store).len()), (false, 0));
    lazy.close().unwrap();
    drop(lazy);
    database.close().unwrap();
    let ordinary = machine.database();
    assert_eq!(content(&ordinary.collection("c").unwrap()), written, "no source is needed any more");
}

#[test]
fn a_store_that_does_not_answer_is_told_and_works_again_later() {
    let (source, _, moments) = archived(2);
    let (time, expected) = moments.last().unwrap();
    let machine = Machine::new(102);
    let faulty = Arc::new(FaultyStore::new(source.store.clone(), 2, Rates::default()));
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let database = reaching(&machine, &store);
    pitr::restore(&database, &store, &to(*time, Stay::UntilBrought), &|_, _| ()).unwrap();
    faulty.go_down_after(Some(0));
    let lazy = database.collection("c").unwrap();
    assert_eq!(lazy.version().points, expected.len() as u64, "it opens and counts without the archive");
    let read = lazy.version().for_each_point(true, &mut |_| Ok(()));
    assert_eq!(read.unwrap_err().kind, ErrorKind::Unreachable);
    assert_eq!(hydrate(&lazy, &|_, _| Ok(store.clone()), &|| false, &|_, _| ()).unwrap_err().kind, ErrorKind::Unreachable);
    faulty.go_down_after(None);
    assert_eq!(&content(&lazy), expected);
    assert!(hydrate(&lazy, &|_, _| Ok(store.clone()), &|| false, &|_, _| ()).unwrap());
    assert_eq!(&content(&lazy), expected);
}

#[test]
fn an_archive_that_cannot_be_opened_is_asked_again_at_the_next_touch() {
    let (source, _, moments) = archived(9);
    let (time, expected) = moments.last().unwrap();
    let machine = Machine::new(109);
    let mut database = machine.database();
    pitr::restore(&database, &source.store, &to(*time, Stay::UntilBrought), &|_, _| ()).unwrap();
    assert_eq!(database.collection("c").unwrap_err().kind, ErrorKind::Unreachable, "nobody said how to open it");
    let (store, is_there) = (source.store.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let mounted = is_there.clone();
    database.set_range_sources(pitr::lazy::range_sources(move |_, _| {
        let error = || engine::Error::new(ErrorKind::Unreachable, "the disk is not mounted");
        mounted.load(std::sync::atomic::Ordering::Relaxed).then(|| store.clone()).ok_or_else(error)
    }));
    let lazy = database.collection("c").unwrap();
    assert_eq!(lazy.version().for_each_point(true, &mut |_| Ok(())).unwrap_err().kind, ErrorKind::Unreachable);
    is_there.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(&content(&lazy), expected);
}

#[test]
fn a_crash_while_it_is_brought_loses_nothing_and_the_next_process_goes_on() {
    let (source, _, moments) = archived(3);
    let (time, expected) = moments.last().unwrap();
    let machine = Machine::new(103);
    let open = |_: &str, _: Option<&str>| Ok(source.store.clone());
    let database = reaching(&machine, &source.store);
    let report = pitr::restore(&database, &source.store, &to(*time, Stay::UntilBrought), &|_, _| ()).unwrap();
    drop(database);
    let mut left = report.bytes_away;
    for round in 0..10 {
        let database = reaching(&machine, &source.store);
        let lazy = database.collection("c").unwrap();
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) > 1;
        let whole = hydrate(&lazy, &open, &stop, &|_, _| ()).unwrap();
        assert_eq!(&content(&lazy), expected, "round {round}");
        drop(lazy);
        drop(database);
        machine.sim.disk.crash();
        if whole {
            assert!(round > 1, "it took several processes");
            break;
        }
        let database = reaching(&machine, &source.store);
        let now = database.collection("c").unwrap().lazy_bytes().0;
        assert!(now < left, "round {round}: {now} bytes are missing after {left}");
        left = now;
    }
    assert_eq!(&content(&machine.database().collection("c").unwrap()), expected, "without the archive");
    assert_eq!(pins(&source.store).len(), 0);
}

/// Restores lazily on the machine that has both the archive and the database.
fn restore_here(machine: &Machine, time: u64) -> engine::Result<()> {
    let store = machine.try_store(ARCHIVE).map_err(|e| pitr::archive::stored::store_error(&e))?;
    let database = machine.try_database()?;
    let request = RestoreRequest { new_name: Some("again"), ..to(time, Stay::UntilBrought) };
    pitr::restore(&database, &store, &request, &|_, _| ()).map(drop)
}

#[test]
fn a_power_cut_at_any_change_of_a_lazy_restore_leaves_nothing_or_what_answers_and_is_held() {
    let mut cut = 0;
    loop {
        let (source, collection, moments) = archived(10);
        collection.close().unwrap();
        drop(collection);
        let machine = source.machine;
        source.database.close().unwrap();
        let (time, expected) = moments.last().unwrap();
        machine.sim.disk.crash_after_ops(Some(cut));
        let done = restore_here(&machine, *time).is_ok();
        machine.sim.disk.crash_after_ops(None);
        machine.sim.disk.crash_keeping(CrashKeep::Random);
        let store = machine.store(ARCHIVE);
        let database = reaching(&machine, &store);
        let visible = database.state().collections.contains_key("again");
        assert!(visible || !done, "cut {cut}: an acknowledged restore is there");
        database.close().unwrap();
        if !visible {
            restore_here(&machine, *time).unwrap_or_else(|e| panic!("cut {cut}: the same command works again: {e}"));
        }
        let again = reaching(&machine, &store).collection("again").unwrap();
        let places = Places::parse(&again.lazy_marker().unwrap().source).unwrap();
        let pin = Key::Reader(places.archives[0].pin.unwrap()).to_string();
        assert!(pins(&store).contains(&pin), "cut {cut}: what it refers to is held");
        assert_eq!(&content(&again), expected, "cut {cut}");
        if done {
            break;
        }
        cut += 1;
        assert!(cut < 500, "a restore ends");
    }
    assert!(cut > 15, "the cuts went through the whole restore");
}

#[test]
fn a_restore_that_fails_holds_nothing() {
    let (source, _, moments) = archived(4);
    let (time, _) = moments.last().unwrap();
    let listing = pitr::archive::Listing::read(&*source.store).unwrap();
    for (object, size) in &listing.objects {
        let key = Key::Object(*object).to_string();
        let mut bytes = source.store.get(&key).unwrap().to_vec();
        bytes[*size as usize / 2] ^= 1;
        source.store.delete(&key).unwrap();
        source.store.put_if_absent(&key, vec![bytes.into()]).unwrap();
    }
    let machine = Machine::new(104);
    let database = reaching(&machine, &source.store);
    for stay in [Stay::UntilBrought, Stay::Kept, Stay::ForNow] {
        let error = pitr::restore(&database, &source.store, &to(*time, stay), &|_, _| ()).unwrap_err();
        assert_eq!((error.kind, pins(&source.store).len()), (ErrorKind::Corrupt, 0));
    }
    assert!(database.state().collections.is_empty());
}

#[test]
fn an_archive_that_cannot_be_written_is_read_all_the_same_and_a_warning_says_so() {
    let (source, _, moments) = archived(5);
    let (time, expected) = moments.last().unwrap();
    #[derive(Debug)]
    struct ReadOnly(Arc<dyn ObjectStore>);
    impl ReadOnly {
        fn denied(&self, op: &'static str, key: &str) -> platform::object_store::StoreError {
            let kind = platform::object_store::StoreErrorKind::AccessDenied;
            platform::object_store::StoreError { kind, op, key: key.to_owned(), store: self.describe(), message: "no".to_owned() }
        }
    }
    impl ObjectStore for ReadOnly {
        fn describe(&self) -> String {
            self.0.describe()
        }
        fn put_if_absent(
            &self,
            key: &str,
            _: platform::object_store::Body,
        ) -> Result<platform::object_store::PutOutcome, platform::object_store::StoreError> {
            Err(self.denied("put", key))
        }
        fn get(&self, key: &str) -> Result<bytes::Bytes, platform::object_store::StoreError> {
            self.0.get(key)
        }
        fn get_range(&self, key: &str, range: std::ops::Range<u64>) -> Result<bytes::Bytes, platform::object_store::StoreError> {
            self.0.get_range(key, range)
        }
        fn head(&self, key: &str) -> Result<Option<u64>, platform::object_store::StoreError> {
            self.0.head(key)
        }
        fn list(&self, prefix: &str) -> Result<Vec<platform::object_store::ObjectMeta>, platform::object_store::StoreError> {
            self.0.list(prefix)
        }
        fn delete(&self, key: &str) -> Result<(), platform::object_store::StoreError> {
            Err(self.denied("delete", key))
        }
    }
    let store: Arc<dyn ObjectStore> = Arc::new(ReadOnly(source.store.clone()));
    let database = reaching(&Machine::new(105), &store);
    let report = pitr::restore(&database, &store, &to(*time, Stay::UntilBrought), &|_, _| ()).unwrap();
    assert!(report.warnings.iter().any(|warning| warning.contains("pruned")), "{:?}", report.warnings);
    let lazy = database.collection("c").unwrap();
    assert_eq!(&content(&lazy), expected);
    assert!(hydrate(&lazy, &|_, _| Ok(store.clone()), &|| false, &|_, _| ()).unwrap());
}

#[test]
fn a_backup_that_rests_on_another_archive_is_restored_lazily_from_both() {
    let machine = Machine::new(6);
    let database = machine.database();
    let (base, next) = (machine.store("/b/base"), machine.store("/b/next"));
    let collection = create(&database, "c");
    let mut stream = Stream::new(6);
    upsert(&collection, 0..1_000, &mut stream);
    seal(&collection);
    backup(&database, &collection, &base, "full");
    upsert(&collection, 500..1_500, &mut stream);
    seal(&collection);
    upsert(&collection, 0..10, &mut stream);
    let request = BackupRequest { snapshot_id: Some("inc"), candidates: parents(&[&base]), ..BackupRequest::default() };
    pitr::backup(&database, &collection, &next, &request, &|_, _| ()).unwrap();
    let other = Machine::new(106);
    let stores = [next.clone(), base.clone()];
    let open = move |location: &str, _: Option<&str>| Ok(stores[usize::from(location == "/b/base")].clone());
    let mut target = other.database();
    target.set_range_sources(pitr::lazy::range_sources(open.clone()));
    let lazy = Some(pitr::lazy::Lazy { location: "next, as the user wrote it", ..LAZY });
    let request = RestoreRequest { name: "c", target: Target::default(), candidates: parents(&[&base]), lazy, ..RestoreRequest::default() };
    let report = pitr::restore(&target, &next, &request, &|_, _| ()).unwrap();
    assert!(report.bytes_away > 0);
    assert_eq!((pins(&base).len(), pins(&next).len()), (1, 1), "both hold what they have of it");
    let restored = target.collection("c").unwrap();
    assert_eq!(content(&restored), content(&collection));
    assert!(hydrate(&restored, &open, &|| false, &|_, _| ()).unwrap());
    assert_eq!((pins(&base).len(), pins(&next).len()), (0, 0));
    assert_eq!(content(&restored), content(&collection));
}
