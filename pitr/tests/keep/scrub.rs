//! Scrubbing: every rotten or missing file of a collection is named, and repaired from an archive or a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::collection::Step;
use engine::database::DatabaseOptions;
use engine::{Database, ErrorKind};
use pitr::scrub::{ScrubReport, ScrubRequest, scrub};
use platform::fs::{OpenMode, read_file};
use platform::object_store::ObjectStore;

use crate::machine::{Content, DATA, Machine, backup, content, create, index_all, step, upsert};
use crate::site::{ARCHIVE, Site};

/// A closed collection with sealed log files, objects and a tail; all of it archived, or backed up.
fn closed(seed: u64, continuous: bool) -> (Site, Content) {
    let mut site = Site::new(seed);
    let database = site.machine.database();
    let collection = create(&database, "c");
    let mut archiver = continuous.then(|| site.archiver(&database, &["c"]));
    for round in 0..3 {
        upsert(&collection, round * 300..round * 300 + 400, &mut site.stream);
        step(&collection, &Step::Seal);
        index_all(&collection);
        if let Some(archiver) = &mut archiver {
            site.archive(&database, archiver, &collection);
        }
    }
    upsert(&collection, 2_000..2_020, &mut site.stream);
    match &mut archiver {
        Some(archiver) => drop(site.archive(&database, archiver, &collection)),
        None => drop(backup(&database, &collection, &site.store(), "s")),
    }
    let expected = content(&collection);
    collection.close().expect("it closes");
    drop(collection);
    database.close().expect("it closes");
    (site, expected)
}

fn run(machine: &Machine, source: Option<&Arc<dyn ObjectStore>>) -> ScrubReport {
    let database = machine.database();
    scrub(&database, &ScrubRequest { name: "c", source }, &|_, _| ()).expect("a scrub ends")
}

/// Lists the files of the collection that do not change any more.
fn settled_files(site: &Site) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = site.machine.sim.disk.paths();
    files.retain(|path| path.starts_with(Path::new(DATA).join("collections")));
    let last = files.iter().filter(|path| path.extension().is_some_and(|e| e == "log")).max_by_key(|path| start_of(path)).cloned();
    let is_settled = |path: &PathBuf| {
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        matches!(folder, "segments" | "manifests") || (folder == "log" && Some(path) != last.as_ref())
    };
    files.into_iter().filter(is_settled).collect()
}

fn start_of(path: &Path) -> String {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .and_then(|stem| stem.split_once('-'))
        .map_or_else(String::new, |(_, start)| start.to_owned())
}

#[test]
fn a_sound_collection_is_read_whole() {
    let (site, expected) = closed(80, true);
    let report = run(&site.machine, None);
    assert!(report.ok && report.problems.is_empty() && report.repaired.is_empty(), "{report:?}");
    assert!(report.log_files >= 3 && report.objects > 3 && report.bytes > 10_000);
    let database = site.machine.database();
    assert_eq!(content(&database.collection("c").unwrap()), expected);
}

#[test]
fn every_rotten_or_missing_file_is_named_and_comes_back_byte_for_byte() {
    for continuous in [true, false] {
        let (site, expected) = closed(81, continuous);
        let fs = site.machine.sim.disk.file_system();
        let store = site.store();
        let mut stream = platform::random::Stream::new(81);
        let files = settled_files(&site);
        assert!(files.len() > 6, "{files:?}");
        let (count, mut repaired) = (files.len(), 0);
        for path in files {
            let before = read_file(&*fs, &path).unwrap();
            let is_missing = stream.chance(1, 3);
            // A missing manifest is like one that was cleared away: nothing names it.
            if is_missing && !path.to_string_lossy().contains("manifests") {
                fs.remove_file(&path).unwrap();
            } else {
                let offset = stream.below(before.len() as u64);
                site.machine.sim.disk.flip_bit(&path, offset, stream.below(8).try_into().unwrap());
            }
            let shown = path.display().to_string();
            let report = run(&site.machine, None);
            let error = report.error.unwrap_or_else(|| panic!("{shown}: it is found"));
            assert_eq!((error.kind, error.file.as_deref()), (ErrorKind::Corrupt, Some(shown.as_str())), "{error}");
            let report = run(&site.machine, Some(&store));
            if !report.ok {
                // Only the newest manifests are archived, and what they name: a collection opens without the others.
                let hint = report.error.and_then(|error| error.hint).unwrap_or_default();
                assert!(hint.contains("the newest manifest does not need it"), "{shown}: {hint}");
                let mode = if fs.metadata(&path).unwrap().is_some() { OpenMode::ReadWrite } else { OpenMode::CreateNew };
                fs.open(&path, mode).unwrap().write_all_at(&before, 0).unwrap();
                continue;
            }
            repaired += 1;
            assert!(report.ok, "{shown}: {report:?}");
            assert_eq!(report.repaired, std::slice::from_ref(&shown));
            assert_eq!(read_file(&*fs, &path).unwrap(), before, "{shown}");
        }
        assert!(repaired * 2 >= count, "{repaired} of {count}");
        let database = site.machine.database();
        assert_eq!(content(&database.collection("c").unwrap()), expected);
    }
}

#[test]
fn rot_in_the_open_end_of_the_log_is_named() {
    let (site, _) = closed(82, true);
    let logs: Vec<PathBuf> =
        site.machine.sim.disk.paths().into_iter().filter(|path| path.starts_with(Path::new(DATA).join("collections"))).collect();
    let last = logs.into_iter().filter(|path| path.extension().is_some_and(|e| e == "log")).max_by_key(|path| start_of(path)).unwrap();
    let name = engine::log::LogFileName::parse(last.file_name().unwrap().to_str().unwrap()).unwrap();
    let offset = name.header_len() + 300;
    site.machine.sim.disk.flip_bit(&last, offset, 2);
    let report = run(&site.machine, Some(&site.store()));
    let error = report.error.expect("it is found");
    assert_eq!((error.kind, error.file), (ErrorKind::Corrupt, Some(last.display().to_string())));
    assert!(error.offset.is_some());
}

#[test]
fn a_source_that_has_not_got_it_leaves_the_file_alone() {
    let (site, _) = closed(83, true);
    let fs = site.machine.sim.disk.file_system();
    let path = settled_files(&site).into_iter().find(|path| path.to_string_lossy().contains("segments")).unwrap();
    site.machine.sim.disk.flip_bit(&path, 200, 1);
    let rotten = read_file(&*fs, &path).unwrap();
    let store = site.store();
    for name in site.listing().objects.keys() {
        site.machine.sim.disk.flip_bit(Path::new(ARCHIVE).join(format!("objects/{name}")), 150, 1);
    }
    let report = run(&site.machine, Some(&store));
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::Corrupt));
    assert!(report.error.unwrap().hint.unwrap().contains("cannot repair"));
    assert_eq!(read_file(&*fs, &path).unwrap(), rotten);
    let left: Vec<PathBuf> = site.machine.sim.disk.paths().into_iter().filter(|path| path.to_string_lossy().ends_with(".tmp")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_power_cut_during_a_repair_leaves_the_old_file_or_the_right_one() {
    for cut in 0.. {
        let (site, expected) = closed(84, true);
        let path = settled_files(&site).into_iter().find(|path| path.to_string_lossy().contains("/log/")).unwrap();
        let before = read_file(&*site.machine.sim.disk.file_system(), &path).unwrap();
        site.machine.sim.disk.flip_bit(&path, before.len() as u64 / 2, 1);
        let rotten = read_file(&*site.machine.sim.disk.file_system(), &path).unwrap();
        let database = site.machine.database();
        let store = site.store();
        site.machine.sim.disk.crash_after_ops(Some(cut));
        let done = scrub(&database, &ScrubRequest { name: "c", source: Some(&store) }, &|_, _| ()).is_ok_and(|report| report.ok);
        site.machine.sim.disk.crash_after_ops(None);
        drop(database);
        site.machine.sim.disk.crash_keeping(platform::fs::CrashKeep::Random);
        let after = read_file(&*site.machine.sim.disk.file_system(), &path).unwrap();
        assert!(after == before || (after == rotten && !done), "cut {cut}");
        if done {
            assert!(cut > 2, "the cuts went through a repair");
            break;
        }
        let store = site.store();
        assert!(run(&site.machine, Some(&store)).ok, "cut {cut}: the next scrub repairs it");
        assert_eq!(content(&site.machine.database().collection("c").unwrap()), expected);
    }
}

#[test]
fn a_database_that_is_read_only_is_not_scrubbed() {
    let (site, _) = closed(85, true);
    let database = Database::open_read(&site.machine.sim.world(), Path::new(DATA), DatabaseOptions::default()).unwrap();
    let error = scrub(&database, &ScrubRequest { name: "c", source: None }, &|_, _| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Locked);
}
