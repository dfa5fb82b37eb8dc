//! Cleaning on the simulated disk: space comes back, nobody sees it, and no file goes that somebody needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::archived::{Archived, Reached};
use engine::batch::{Batch, Point};
use engine::collection::cleaning::policy::Cleaning;
use engine::collection::indexer::{Goal, Threads};
use engine::collection::{CleaningLimits, Collection, Mode, SearchRequest, Selector, Step, WriteOperation};
use engine::database::{Database, DatabaseOptions};
use engine::object_file::Role;
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::{ErrorKind, PointId, SegmentId};
use index::Kernels;
use platform::random::Stream;
use platform::sim::SimWorld;

const DATA: &str = "/data";
const DIM: usize = 64;

/// What is there: a version of each point.
type Model = BTreeMap<u64, u64>;

fn schema() -> Schema {
    Schema { vectors: vec![VectorSchema::dense("", DIM as u32, Distance::Euclid, Numbers::F32)], ..Schema::default() }
}

fn vector(id: u64, version: u64) -> Vec<f32> {
    let mut stream = Stream::new(id * 1_000_003 + version);
    (0..DIM).map(|_| stream.gaussian()).collect()
}

fn payload(id: u64, version: u64) -> Option<String> {
    (!id.is_multiple_of(5)).then(|| format!("{{\"id\":{id},\"version\":{version},\"text\":\"{}\"}}", "x".repeat((id % 40) as usize)))
}

fn limits() -> CleaningLimits {
    CleaningLimits { live_percent: 25, gain_min: 1, gain_min_bounded: 1 << 20, step_bytes: 32 << 10 }
}

fn open(sim: &SimWorld) -> (Database, Collection) {
    open_with(sim, limits())
}

fn open_with(sim: &SimWorld, cleaning: CleaningLimits) -> (Database, Collection) {
    let options = DatabaseOptions { cleaning, ..DatabaseOptions::default() };
    let database = Database::open(&sim.world(), Path::new(DATA), options).unwrap();
    if database.state().collections.is_empty() {
        database.create_collection("products", &schema()).unwrap();
    }
    let collection = database.collection("products").unwrap();
    (database, collection)
}

fn write(collection: &Collection, model: &mut Model, ids: impl Iterator<Item = u64>, version: u64) {
    let points: Vec<Point> = ids
        .map(|id| {
            model.insert(id, version);
            Point { id: PointId::Number(id), vectors: vec![(String::new(), vector(id, version))], payload: payload(id, version) }
        })
        .collect();
    for points in points.chunks(100) {
        let batch = Batch::of_points(&collection.version().schema, points).unwrap();
        collection.write(WriteOperation::Upsert(batch)).unwrap();
    }
}

fn step(collection: &Collection, step: &Step) {
    collection.step(step, &Threads(1), &|_, _| true).unwrap();
}

/// Steps within which a collection must come to rest.
const STEPS_MAX: usize = 200;

/// Gives the bytes of the log that the newest manifest names.
fn named_bytes(collection: &Collection) -> u64 {
    collection.version().manifest.log.iter().map(|file| file.end - file.start).sum()
}

/// Runs every step; gives how many of them moved rows and how many left files out. Each move writes less than the files hold that it
/// empties, or cleaning could go on for ever.
fn settle(collection: &Collection) -> (usize, usize) {
    let (mut moved, mut left, mut steps) = (0, 0, 0);
    while let Some(next) = collection.next_step(Goal::Indexed) {
        let (end, files) = (collection.version().lsn_end, collection.version().manifest.log.clone());
        step(collection, &next);
        match &next {
            Step::Clean(Cleaning::Move(starts)) => {
                moved += 1;
                let emptied: u64 = files.iter().filter(|file| starts.contains(&file.start)).map(|file| file.end - file.start).sum();
                let written = collection.version().lsn_end - end;
                assert!(written < emptied, "{written} bytes were written to empty {emptied}");
            }
            Step::Clean(Cleaning::Leave) => left += 1,
            Step::Clean(Cleaning::Renew) | Step::Seal | Step::Segments(_) => {}
        }
        steps += 1;
        assert!(steps < STEPS_MAX, "after {moved} moves, and {left} times that files were left out, there is still {next:?} to be done");
    }
    (moved, left)
}

/// Compares everything with the model: points, vectors, payloads, and the exact answers to a few questions.
fn check(collection: &Collection, model: &Model, what: &str) {
    let version = collection.version();
    let with_payload = model.iter().filter(|(id, version)| payload(**id, **version).is_some()).count() as u64;
    assert_eq!((version.points, version.points_with_payload), (model.len() as u64, with_payload), "{what}");
    let mut seen = BTreeSet::new();
    version
        .for_each_point(true, &mut |point| {
            let PointId::Number(id) = point.id else { panic!("{what}: a point that nobody wrote") };
            assert_eq!(point.vectors[0].1, vector(id, model[&id]), "{what}: vector of {id}");
            assert_eq!(point.payload, payload(id, model[&id]), "{what}: payload of {id}");
            assert!(seen.insert(id), "{what}: {id} is there once");
            Ok(())
        })
        .unwrap();
    assert_eq!(seen.len(), model.len(), "{what}");
    for (&id, &version_of_id) in model.iter().step_by(97) {
        let query = vector(id, version_of_id);
        let request = SearchRequest { part: 1, query: &query, top: 1, mode: Mode::Exact, filter: None };
        let hits = version.search(Kernels::detect(), &request, &mut Default::default()).unwrap();
        assert_eq!(hits[0].id, PointId::Number(id), "{what}: nearest to its own vector");
    }
}

fn graphs(collection: &Collection) -> BTreeSet<SegmentId> {
    let version = collection.version();
    let metas = version.segments.iter().map(|open| open.segment.meta().clone());
    metas.flat_map(|meta| meta.objects).filter(|object| object.role == Role::Graph).map(|object| object.id).collect()
}

fn log_files(sim: &SimWorld) -> Vec<String> {
    let is_log = |path: &std::path::PathBuf| {
        path.components().any(|part| part.as_os_str() == "collections") && path.extension().is_some_and(|e| e == "log")
    };
    sim.disk.paths().iter().filter(|path| is_log(path)).map(|path| path.display().to_string()).collect()
}

/// Gives every file of a collection with its size.
fn sizes(sim: &SimWorld, collection: &Collection) -> Vec<(String, usize)> {
    let root = collection.dir().root();
    let size = |path: &std::path::PathBuf| sim.disk.durable_bytes(path).map(|bytes| (path.display().to_string(), bytes.len()));
    sim.disk.paths().iter().filter(|path| path.starts_with(root)).filter_map(size).collect()
}

fn disk_bytes(sim: &SimWorld, collection: &Collection) -> u64 {
    let root = collection.dir().root();
    let paths = sim.disk.paths();
    paths.iter().filter(|path| path.starts_with(root)).filter_map(|path| sim.disk.durable_bytes(path)).map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn after_everything_was_overwritten_three_times_the_disk_holds_less_than_two_and_a_half_times_what_lives() {
    let sim = SimWorld::new(1);
    let (_database, collection) = open(&sim);
    let mut model = Model::new();
    let mut stream = Stream::new(1);
    for version in 0..4 {
        let mut ids: Vec<u64> = (0..2_000).collect();
        ids.sort_by_cached_key(|_| stream.below(1 << 40));
        for part in ids.chunks(500) {
            write(&collection, &mut model, part.iter().copied(), version);
            step(&collection, &Step::Seal);
        }
        settle(&collection);
        check(&collection, &model, &format!("version {version}"));
    }
    let info = collection.version().info();
    let (disk, live) = (disk_bytes(&sim, &collection), info.live_bytes);
    assert!(live >= 2_000 * (DIM as u64 * 4), "{live}");
    assert!(disk * 2 < live * 5, "{disk} bytes on disk for {live} that live: {:?}", sizes(&sim, &collection));
    assert!(info.log_bytes < live * 3 / 2, "{} bytes of log for {live} that live", info.log_bytes);
}

#[test]
fn moving_rows_builds_no_graph_and_is_seen_by_nobody() {
    let sim = SimWorld::new(2);
    let (database, collection) = open(&sim);
    let mut model = Model::new();
    write(&collection, &mut model, 0..1_500, 0);
    settle(&collection);
    // Few of these are left, here and there; what keeps the graph's segment alive lies in other files.
    for part in 0..5 {
        write(&collection, &mut model, 1_500 + part * 300..1_800 + part * 300, 0);
        step(&collection, &Step::Seal);
    }
    settle(&collection);
    let first = model.keys().copied().filter(|id| (1_500..2_700).contains(id) && id % 7 > 0).collect::<Vec<_>>();
    write(&collection, &mut model, first.iter().copied(), 1);
    let (mut moved, mut before) = (0, BTreeSet::new());
    while let Some(next) = collection.next_step(Goal::Indexed) {
        before = if moved == 0 { graphs(&collection) } else { before };
        moved += usize::from(matches!(next, Step::Clean(Cleaning::Move(_))));
        let answers = moved > 0;
        step(&collection, &next);
        if answers {
            assert_eq!(graphs(&collection), before, "after {next:?}");
            check(&collection, &model, &format!("after {next:?}"));
        }
    }
    assert!(moved > 0 && !before.is_empty(), "{moved} moves beside {} graphs", before.len());
    let info = collection.version().info();
    assert!(info.moved_bytes > 0 && info.live_bytes < info.log_bytes);
    collection.close().unwrap();
    drop((collection, database));
    let (_database, collection) = open(&sim);
    check(&collection, &model, "after a restart");
    assert_eq!((graphs(&collection), collection.version().moved_bytes), (before, info.moved_bytes));
}

/// Rows that lie thinly in a file: they will be moved.
fn thin(collection: &Collection, model: &mut Model) -> Step {
    write(collection, model, 0..400, 0);
    step(collection, &Step::Seal);
    write(collection, model, (0..400).filter(|id| id % 10 > 0), 1);
    step(collection, &Step::Seal);
    loop {
        let next = collection.next_step(Goal::Indexed).expect("something is to be cleaned");
        if matches!(next, Step::Clean(Cleaning::Move(_))) {
            return next;
        }
        step(collection, &next);
    }
}

#[test]
fn what_is_overwritten_or_deleted_after_it_was_moved_stays_so() {
    for reopens in [false, true] {
        let sim = SimWorld::new(3);
        let (mut database, mut collection) = open(&sim);
        let mut model = Model::new();
        let moves = thin(&collection, &mut model);
        step(&collection, &moves);
        assert!(!collection.version().moves.is_empty());
        write(&collection, &mut model, [0, 10, 20].into_iter(), 2);
        let gone = [30, 40].map(PointId::Number).to_vec();
        collection.write(WriteOperation::Delete(Selector::Ids(gone))).unwrap();
        model.retain(|id, _| ![30, 40].contains(id));
        check(&collection, &model, "with moves that no manifest covers");
        if reopens {
            drop((collection, database));
            (database, collection) = open(&sim);
            assert!(!collection.version().moves.is_empty(), "moves are replayed");
            check(&collection, &model, "after a crash");
        }
        settle(&collection);
        assert!(collection.version().moves.is_empty());
        check(&collection, &model, "with the new addresses");
        drop((collection, database));
        let (_database, collection) = open(&sim);
        check(&collection, &model, "after a restart");
    }
}

#[test]
fn a_replay_that_meets_moved_rows_in_the_tail_ends_in_the_same_state() {
    let sim = SimWorld::new(4);
    let (database, collection) = open(&sim);
    let mut model = Model::new();
    write(&collection, &mut model, 1_000..1_010, 0);
    step(&collection, &Step::Seal);
    let older = collection.version().manifest.clone();
    write(&collection, &mut model, 0..300, 0);
    // One manifest more, so that the older one is still there; it covers what is moved.
    step(&collection, &Step::Seal);
    let gone = (0..300).filter(|id| id % 10 > 0).map(PointId::Number).collect();
    model.retain(|id, _| *id >= 300 || id % 10 == 0);
    collection.write(WriteOperation::Delete(Selector::Ids(gone))).unwrap();
    let starts = collection.version().manifest.log.iter().rev().skip(1).map(|file| file.start).collect();
    step(&collection, &Step::Clean(Cleaning::Move(starts)));
    // The last file stays as it is; what lies in it is moved by hand, so that something is.
    let last = collection.version().manifest.log.last().unwrap().start;
    step(&collection, &Step::Clean(Cleaning::Move(vec![last])));
    assert!(!collection.version().moves.is_empty());
    let newest = collection.version().manifest.file_name();
    let manifests = collection.dir().manifests();
    drop((collection, database));
    // The newest manifest rots: what it covered is replayed on the older one.
    assert!(older.seq + 1 == newest.seq);
    sim.disk.file_system().remove_file(&manifests.join(newest.to_string())).unwrap();
    let (_database, collection) = open(&sim);
    assert_eq!(collection.version().manifest.seq, older.seq);
    check(&collection, &model, "after the replay");
    settle(&collection);
    check(&collection, &model, "with the new addresses");
    let kept: Vec<u64> = collection.version().manifest.log.iter().map(|file| file.start).collect();
    assert!(!kept.contains(&last), "nothing is left in the file that the rows were moved from");
}

/// Importing a small batch, deleting or overwriting all of it, and waiting for the index once went on for ever: merging kept what was alive at the
/// covered position, found it dead, and merged it again.
#[test]
fn what_is_dead_since_the_manifest_is_covered_and_not_merged_for_ever() {
    let sim = SimWorld::new(7);
    let (_database, collection) = open(&sim);
    let mut model = Model::new();
    write(&collection, &mut model, 0..1_500, 0);
    settle(&collection);
    collection.write(WriteOperation::Delete(Selector::Ids((0..1_500).map(PointId::Number).collect()))).unwrap();
    let mut steps = 0;
    while let Some(next) = collection.next_step(Goal::Indexed) {
        step(&collection, &next);
        steps += 1;
        assert!(steps < 20, "{next:?} again and again");
    }
    let info = collection.version().info();
    assert_eq!((info.points, info.segments.len(), info.live_bytes), (0, 0, 0));
}

#[test]
fn a_file_stays_for_as_long_as_a_version_or_a_reader_needs_it() {
    let sim = SimWorld::new(5);
    let (database, collection) = open(&sim);
    let mut model = Model::new();
    write(&collection, &mut model, 0..400, 0);
    step(&collection, &Step::Seal);
    let old = (collection.version(), model.clone(), log_files(&sim));
    let reader = Database::open_read(&sim.world(), Path::new(DATA), DatabaseOptions::default()).unwrap();
    let reading = reader.collection("products").unwrap();
    write(&collection, &mut model, 0..400, 1);
    settle(&collection);
    settle(&collection);
    let first = &old.2[0];
    assert!(log_files(&sim).contains(first), "a version and a reader need it");
    check(&reading, &old.1, "beside the cleaning");
    let mut points = 0;
    old.0
        .for_each_point(true, &mut |point| {
            points += 1;
            assert!(point.payload.is_none_or(|text| text.contains("\"version\":0")));
            Ok(())
        })
        .unwrap();
    assert_eq!(points, 400);
    drop((reading, reader));
    collection.clear_log().unwrap();
    assert!(log_files(&sim).contains(first), "the version needs it still");
    drop(old.0);
    collection.clear_log().unwrap();
    assert!(!log_files(&sim).contains(first), "nobody needs it");
    check(&collection, &model, "afterwards");
    drop((collection, database));
    let (_database, collection) = open(&sim);
    check(&collection, &model, "after a restart");
}

#[test]
fn who_clears_the_log_at_the_same_time_removes_each_file_once() {
    let sim = SimWorld::new(7);
    let (_database, collection) = open(&sim);
    let mut model = Model::new();
    for round in 0..12 {
        write(&collection, &mut model, 0..400, round);
        step(&collection, &Step::Seal);
        let old = collection.version();
        write(&collection, &mut model, 0..400, round + 100);
        settle(&collection);
        settle(&collection);
        let before = log_files(&sim).len();
        drop(old);
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            let clearing: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        collection.clear_log()
                    })
                })
                .collect();
            clearing.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
        assert!(log_files(&sim).len() < before, "there was something to remove in round {round}");
    }
    check(&collection, &model, "afterwards");
}

#[test]
fn a_file_that_is_not_archived_stays_where_everything_is_archived() {
    let sim = SimWorld::new(6);
    let (_database, collection) = open(&sim);
    collection.hold_for_archive();
    let mut model = Model::new();
    write(&collection, &mut model, 0..400, 0);
    step(&collection, &Step::Seal);
    let (first, end) = (log_files(&sim)[0].clone(), collection.version().manifest.covered_lsn);
    write(&collection, &mut model, 0..400, 1);
    settle(&collection);
    assert!(log_files(&sim).contains(&first), "nothing is archived");
    let note = |lsn| {
        let mut archived = Archived::default();
        archived.archives.insert("a".to_owned(), Reached { lsn, ..Reached::default() });
        archived.archives.insert("before".to_owned(), Reached { lsn: u64::MAX >> 1, ..Reached::default() });
        archived.current = Some("a".to_owned());
        archived.write(&sim.world(), collection.dir().root()).unwrap();
    };
    note(end - 64);
    collection.clear_log().unwrap();
    assert!(log_files(&sim).contains(&first), "its end is not archived");
    note(end);
    collection.clear_log().unwrap();
    assert!(!log_files(&sim).contains(&first));
    check(&collection, &model, "afterwards");
}

#[test]
fn the_background_comes_to_rest_whatever_was_written() {
    let (mut moved, mut left) = (0, 0);
    for seed in 0..24 {
        let (sim, mut stream) = (SimWorld::new(seed), Stream::new(seed));
        let percent = [25, 80, 100][seed as usize % 3];
        let cleaning = CleaningLimits { live_percent: percent, gain_min: 1, gain_min_bounded: 1, step_bytes: 4 << 10 };
        let database = Database::open(&sim.world(), Path::new(DATA), DatabaseOptions { cleaning, ..DatabaseOptions::default() }).unwrap();
        let dims = [1, 8, 300];
        let vectors = ["one", "other"].iter().zip(&dims[stream.below(2) as usize..]);
        let vectors = vectors.map(|(name, &dim)| VectorSchema::dense(name, dim, Distance::Euclid, Numbers::F32)).collect();
        database.create_collection("c", &Schema { vectors, ..Schema::default() }).unwrap();
        let collection = database.collection("c").unwrap();
        let mut expected = BTreeMap::new();
        for round in 0..60 {
            let ids: Vec<u64> = (0..1 + stream.below(20)).map(|_| stream.below(60)).collect::<BTreeSet<_>>().into_iter().collect();
            scribble(&collection, &mut expected, &ids, &mut stream);
            if stream.chance(1, 3) {
                step(&collection, &Step::Seal);
            }
            if round % 20 == 19 {
                let before = named_bytes(&collection).max(1) + collection.version().lsn_end - collection.version().manifest.covered_lsn;
                let (moves, leaves) = settle(&collection);
                (moved, left) = (moved + moves, left + leaves);
                assert!(named_bytes(&collection) <= before, "seed {seed}: cleaning made the log larger");
                assert_eq!(settle(&collection), (0, 0), "seed {seed}: at rest there is nothing to be done");
                let mut seen = BTreeMap::new();
                let mut see = |point: engine::collection::PointView| {
                    seen.insert(point.id, (point.vectors, point.payload));
                    Ok(())
                };
                collection.version().for_each_point(true, &mut see).unwrap();
                assert!(seen == expected, "seed {seed}: other points than were written");
            }
        }
    }
    assert!(moved > 24 && left > 24, "{moved} moves, {left} times that files were left out");
}

/// What a point has: its vectors by name, its payload.
type Value = (Vec<(String, Vec<f32>)>, Option<String>);

/// Writes points with some of their vectors, with and without payloads, or deletes them.
fn scribble(collection: &Collection, expected: &mut BTreeMap<PointId, Value>, ids: &[u64], stream: &mut Stream) {
    let schema = collection.version().schema.clone();
    let ids = ids.iter().map(|&id| if id.is_multiple_of(3) { PointId::Uuid([id as u8; 16]) } else { PointId::Number(id) });
    if stream.chance(1, 6) {
        let ids: Vec<PointId> = ids.collect();
        ids.iter().for_each(|id| drop(expected.remove(id)));
        collection.write(WriteOperation::Delete(Selector::Ids(ids))).unwrap();
        return;
    }
    let points: Vec<Point> = ids
        .map(|id| {
            let mut vectors: Vec<(String, Vec<f32>)> =
                schema.vectors.iter().map(|spec| (spec.name.clone(), (0..spec.dim).map(|_| stream.gaussian()).collect())).collect();
            vectors.retain(|_| stream.chance(3, 4));
            let payload = stream.chance(1, 2).then(|| format!("{{\"text\":\"{}\"}}", "ab ".repeat(stream.below(200) as usize)));
            Point { id, vectors, payload }
        })
        .collect();
    collection.write(WriteOperation::Upsert(Batch::of_points(&schema, &points).unwrap())).unwrap();
    expected.extend(points.into_iter().map(|point| (point.id, (point.vectors, point.payload))));
}

#[test]
fn a_move_writes_less_than_it_empties_whatever_it_is_asked_to_move() {
    let sim = SimWorld::new(8);
    let (_database, collection) = open(&sim);
    let mut model = Model::new();
    for round in 0..3 {
        write(&collection, &mut model, round + 1..round + 2, 0);
        step(&collection, &Step::Seal);
    }
    let files = collection.version().manifest.log.clone();
    let (file, end) = (files[1], collection.version().lsn_end);
    // Everything in it is alive, and a record for each part takes more room than one for both.
    step(&collection, &Step::Clean(Cleaning::Move(vec![file.start])));
    assert!(collection.version().lsn_end - end < file.end - file.start);
    settle(&collection);
    let kept = collection.version().manifest.log.iter().any(|kept| kept.start == file.start);
    assert!(kept, "what could not be moved as a whole stays");
    check(&collection, &model, "afterwards");
}

#[test]
fn a_full_disk_is_cleaned_out_of_what_is_kept_for_it() {
    let sim = SimWorld::new(9);
    let (_database, collection) = open(&sim);
    let mut model = Model::new();
    let moves = thin(&collection, &mut model);
    let used = sim.disk.paths().iter().filter_map(|path| sim.disk.durable_bytes(path)).map(|bytes| bytes.len() as u64).sum();
    sim.disk.set_capacity(Some(used));
    // An ordinary write has no room.
    let refused = loop {
        let point = Point { id: PointId::Number(1_000), vectors: Vec::new(), payload: None };
        let batch = Batch::of_points(&collection.version().schema, &[point]).unwrap();
        if let Err(error) = collection.write(WriteOperation::Upsert(batch)) {
            break error;
        }
    };
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    step(&collection, &moves);
    settle(&collection);
    collection.write(WriteOperation::Delete(Selector::Ids(vec![PointId::Number(1_000)]))).unwrap();
    check(&collection, &model, "on a full disk");
}

/// A process that was killed between the two manifests that leave files out left the files on the disk until somebody wrote again: the newest
/// manifest did not name them, so that nothing was to be cleaned, and the older one held them.
#[test]
fn a_cut_at_every_change_of_leaving_files_out_leaves_no_file_for_good() {
    let limits = CleaningLimits { gain_min: 32 << 10, ..limits() };
    for cut in 1..100 {
        let sim = SimWorld::new(100 + cut);
        let (database, collection) = open_with(&sim, limits);
        let mut model = Model::new();
        let mut next = thin(&collection, &mut model);
        while next != Step::Clean(Cleaning::Leave) {
            step(&collection, &next);
            next = collection.next_step(Goal::Indexed).expect("files are left out at last");
        }
        sim.disk.crash_after_ops(Some(cut));
        let left = collection.step(&next, &Threads(1), &|_, _| true);
        sim.disk.crash();
        drop((collection, database));
        let (_database, collection) = open_with(&sim, limits);
        settle(&collection);
        check(&collection, &model, &format!("cut at change {cut}"));
        let (named, there) = (collection.version().manifest.log.len(), log_files(&sim).len());
        // The one that is being written is behind the covered position.
        assert!(there <= named + 1, "cut at change {cut}: {there} log files lie there, {named} are named");
        if left.is_ok() {
            assert!(cut > 10, "leaving files out changes more than that");
            return;
        }
    }
    panic!("leaving files out does not end");
}
