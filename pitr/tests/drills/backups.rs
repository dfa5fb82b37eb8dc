//! Drills of backups.

use std::path::Path;
use std::sync::Arc;

use engine::{Error, ErrorKind};
use pitr::answers::RecordedAnswers;
use pitr::archive::{Archive, Key};
use pitr::backup::held::read_snapshot;
use pitr::drill::history::{self, Entry};
use pitr::drill::{DrillRequest, DrillTarget, Drilled, Outcome, Verdict};
use platform::object_store::ObjectStore;
use platform::random::Stream;

use crate::machine::{DATA, Machine, backup, create, delete, dump, index_all, lay_out, seal, upsert};
use crate::place::{checks, drill, history_of, passes, request, scratch_places};

const BACKUPS: &str = "/backups";

/// A machine with a backup of an indexed collection that has a tail, too.
fn backed_up(seed: u64) -> (Machine, Arc<dyn ObjectStore>) {
    let machine = Machine::new(seed);
    let database = machine.database();
    let collection = create(&database, "c");
    let mut stream = Stream::new(seed);
    upsert(&collection, 0..1_200, &mut stream);
    seal(&collection);
    index_all(&collection);
    upsert(&collection, 1_100..1_300, &mut stream);
    delete(&collection, 3);
    let store = machine.store(BACKUPS);
    backup(&database, &collection, &store, "one");
    collection.close().expect("it closes");
    drop(collection);
    database.close().expect("it closes");
    (machine, store)
}

fn recorded(store: &Arc<dyn ObjectStore>) -> Option<RecordedAnswers> {
    read_snapshot(&Archive::open(store).expect("it opens"), "one").expect("it reads").file.answers
}

/// The same backup at another place, with other answers.
fn forged(machine: &Machine, store: &Arc<dyn ObjectStore>, forge: impl FnOnce(&mut RecordedAnswers)) -> Arc<dyn ObjectStore> {
    let mut file = read_snapshot(&Archive::open(store).expect("it opens"), "one").expect("it reads").file;
    forge(file.answers.as_mut().expect("answers were recorded"));
    let mut objects = dump(store);
    objects.insert(Key::Snapshot("one".to_owned()).to_string(), file.encode());
    let other = machine.store("/forged");
    lay_out(&other, &objects);
    other
}

#[test]
fn a_backup_carries_answers_and_most_of_them_are_exact() {
    let (_, store) = backed_up(1);
    let answers = recorded(&store).expect("answers were recorded");
    assert!((8..=32).contains(&answers.probes.len()), "{}", answers.probes.len());
    assert!(answers.probes.iter().any(|probe| probe.exact.is_some()) && answers.recall.1 > 0 && answers.recall.0 <= answers.recall.1);
    assert!(answers.probes.iter().all(|probe| probe.found.split(' ').count() == 10));
}

#[test]
fn a_drill_of_a_backup_compares_everything_and_leaves_nothing_but_its_report() {
    let (machine, store) = backed_up(2);
    let before = dump(&store);
    let report = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, None));
    let passed = checks(&report, Verdict::Passed);
    let expected = [
        "count backup",
        "points backup",
        "answers backup",
        "exact backup",
        "recall goal",
        "count as_of",
        "content as_of",
        "points as_of",
        "answers as_of",
    ];
    assert_eq!(passed, expected, "{report:#?}");
    let (restored, rto) = (report.restored.clone().expect("it was restored"), report.rto.clone().expect("it was timed"));
    assert_eq!((restored.points, restored.snapshot_id.as_deref()), (1_299, Some("one")));
    assert!(rto.first_answer_s > 0.0 && rto.total_s >= rto.first_answer_s && report.rpo.as_ref().unwrap().seconds == Some(0.0));
    assert!(report.recall.is_some_and(|recall| recall >= 0.95) && report.outcome == Outcome::Passed);
    assert!(scratch_places(&machine).is_empty());
    assert_eq!(dump(&store), before, "the source is as it was");
    assert!(machine.database().state().collections.keys().eq(["c"]), "no collection was touched");
    let history = history_of(&machine);
    assert_eq!(history.entries, [Entry::Drill(Box::new(report.clone()))]);
    let page = platform::fs::read_file(&*machine.sim.world().fs, &history::dir(Path::new(DATA)).join(format!("{}.md", report.id))).unwrap();
    assert!(String::from_utf8(page).unwrap().starts_with("# Restore drill of c: PASSED\n"));
    // The next one has an earlier one to compare with.
    let again = passes(&machine, &store, &request("c", &store, DrillTarget::Random, None));
    assert!(checks(&again, Verdict::Passed).contains(&"content earlier".to_owned()), "{again:#?}");
    assert_eq!(again.restored.unwrap().content, restored.content);
    assert_eq!(history_of(&machine).entries.len(), 2);
}

#[test]
fn the_collection_here_is_what_is_compared_with_where_nothing_was_written_since() {
    let (machine, store) = backed_up(3);
    let database = machine.database();
    let collection = database.collection("c").unwrap();
    let report = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, Some(&collection)));
    assert!(checks(&report, Verdict::Passed).contains(&"content live".to_owned()), "{report:#?}");
    assert!(checks(&report, Verdict::Passed).contains(&"answers live".to_owned()), "{report:#?}");
    seal(&collection);
    let report = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, Some(&collection)));
    assert_eq!(checks(&report, Verdict::Unknown), ["answers live"], "an index that was built anew may give other answers");
    assert!(checks(&report, Verdict::Passed).contains(&"content live".to_owned()), "{report:#?}");
    machine.sim.clock.advance(std::time::Duration::from_secs(90));
    upsert(&collection, 5_000..5_001, &mut Stream::new(9));
    let report = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, Some(&collection)));
    assert!(checks(&report, Verdict::Passed).contains(&"content as_of".to_owned()), "{report:#?}");
    let rpo = report.rpo.unwrap();
    assert!(rpo.seconds.is_some_and(|seconds| seconds >= 90.0), "what was written since would be lost: {rpo:?}");
    assert_eq!((rpo.missing_records, rpo.newest_known_time), (None, Some(collection.version().commit_time)));
}

#[test]
fn answers_that_are_not_those_recorded_make_a_drill_miss() {
    type Forge = fn(&mut RecordedAnswers);
    let forgeries: [(&str, Forge, &str); 4] = [
        ("another answer", |a| a.probes[0].found = a.probes[0].found.replacen(' ', " 999999 ", 1), "answers backup"),
        ("another nearest", |a| a.probes[0].exact = Some("999999".to_owned()), "exact backup"),
        ("another payload", |a| a.probes[1].digest.0[0] ^= 1, "points backup"),
        ("a point that is not there", |a| a.probes[2].point = "77777".to_owned(), "points backup"),
    ];
    for (what, forge, missed) in forgeries {
        let (machine, store) = backed_up(4);
        let store = forged(&machine, &store, forge);
        let Drilled { report, error } = drill(&machine, &store, &request("c", &store, DrillTarget::Newest, None)).unwrap();
        assert_eq!(error.expect(what).kind, ErrorKind::Missed, "{what}");
        assert!(report.outcome == Outcome::Missed && checks(&report, Verdict::Missed).contains(&missed.to_owned()), "{what}: {report:#?}");
        assert!(!report.misses.is_empty() && scratch_places(&machine).is_empty());
    }
}

#[test]
fn a_backup_without_answers_is_drilled_and_misses_nothing() {
    let (machine, store) = backed_up(5);
    let mut file = read_snapshot(&Archive::open(&store).unwrap(), "one").unwrap().file;
    file.answers = None;
    let mut objects = dump(&store);
    objects.insert(Key::Snapshot("one".to_owned()).to_string(), file.encode());
    let earlier = machine.store("/earlier");
    lay_out(&earlier, &objects);
    let report = passes(&machine, &earlier, &request("c", &earlier, DrillTarget::Newest, None));
    assert_eq!(checks(&report, Verdict::Unknown), ["answers backup"]);
    assert!(checks(&report, Verdict::Passed).contains(&"answers as_of".to_owned()));
}

#[test]
fn recall_below_the_goal_is_a_miss() {
    let (machine, store) = backed_up(6);
    let impossible = DrillRequest { recall_min: 1.1, ..request("c", &store, DrillTarget::Newest, None) };
    let Drilled { report, error } = drill(&machine, &store, &impossible).unwrap();
    assert_eq!((error.unwrap().kind, checks(&report, Verdict::Missed)), (ErrorKind::Missed, vec!["recall goal".to_owned()]));
}

#[test]
fn a_damaged_source_fails_the_drill_and_a_report_says_so() {
    let (machine, store) = backed_up(7);
    let mut objects = dump(&store);
    let (_, largest) = objects.iter_mut().filter(|(key, _)| key.starts_with("timelines/")).max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let middle = largest.len() / 2;
    largest[middle] ^= 1;
    let damaged = machine.store("/damaged");
    lay_out(&damaged, &objects);
    let Drilled { report, error } = drill(&machine, &damaged, &request("c", &damaged, DrillTarget::Newest, None)).unwrap();
    assert_eq!(error.unwrap().kind, ErrorKind::Corrupt);
    assert!(report.outcome == Outcome::Failed && report.failed.as_ref().is_some_and(|failed| failed.kind == "corrupt"), "{report:#?}");
    assert_eq!(history_of(&machine).entries, [Entry::Drill(Box::new(report))]);
    assert!(scratch_places(&machine).is_empty());
}

#[test]
fn a_drill_that_is_stopped_clears_away_and_is_remembered_as_interrupted() {
    let (machine, store) = backed_up(8);
    let stop = || Some(Error::new(ErrorKind::Interrupted, "interrupted"));
    let stopped = DrillRequest { stopped: &stop, ..request("c", &store, DrillTarget::Newest, None) };
    let Drilled { report, error } = drill(&machine, &store, &stopped).unwrap();
    assert_eq!((error.unwrap().kind, report.outcome), (ErrorKind::Interrupted, Outcome::Interrupted));
    assert!(scratch_places(&machine).is_empty() && history_of(&machine).entries.len() == 1);
}

#[test]
fn what_a_drill_that_died_left_is_cleared_away_by_the_next_and_told() {
    let (machine, store) = backed_up(9);
    let world = machine.sim.world();
    let folder = history::dir(Path::new(DATA));
    let dead = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, None));
    // As a process leaves it that was killed in the middle: its place, and the note of what it began.
    let begun = pitr::drill::DrillReport { id: "20240101T000000Z-00000001".to_owned(), outcome: Outcome::Interrupted, ..dead };
    for (name, note) in [("scratch-1", Entry::Drill(Box::new(begun)).encode()), ("scratch-2", b"{".to_vec())] {
        world.fs.create_dir_all(&folder.join(name).join("database/collections")).unwrap();
        world.write_file_durably(&folder.join(name).join("begun.json"), &note).unwrap();
    }
    assert_eq!(scratch_places(&machine).len(), 2);
    passes(&machine, &store, &request("c", &store, DrillTarget::Newest, None));
    assert!(scratch_places(&machine).is_empty());
    let history = history_of(&machine);
    let told: Vec<_> = history.drills().map(|drill| drill.outcome).collect();
    assert_eq!(told.iter().filter(|outcome| **outcome == Outcome::Interrupted).count(), 1, "{told:?}");
    assert_eq!(told.len(), 3);
}

#[test]
fn one_drill_runs_at_a_time_and_a_name_that_exists_is_never_taken() {
    let (machine, store) = backed_up(10);
    let world = machine.sim.world();
    let folder = history::dir(Path::new(DATA));
    world.fs.create_dir_all(&folder).unwrap();
    let held = world.fs.lock(&folder.join("LOCK"), platform::fs::LockKind::Exclusive).unwrap().expect("it is free");
    let refused = drill(&machine, &store, &request("c", &store, DrillTarget::Newest, None)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Locked);
    drop(held);
    let taken = DrillRequest { scratch_name: Some("c"), is_taken: &|name| name == "c", ..request("c", &store, DrillTarget::Newest, None) };
    assert_eq!(drill(&machine, &store, &taken).unwrap_err().kind, ErrorKind::Exists);
    let unnameable = DrillRequest { scratch_name: Some("../c"), ..request("c", &store, DrillTarget::Newest, None) };
    assert_eq!(drill(&machine, &store, &unnameable).unwrap_err().kind, ErrorKind::InvalidInput);
    assert!(history_of(&machine).entries.is_empty(), "nothing was begun");
}

#[test]
fn a_report_that_does_not_read_hides_no_other() {
    let (machine, store) = backed_up(11);
    let world = machine.sim.world();
    let report = passes(&machine, &store, &request("c", &store, DrillTarget::Newest, None));
    let folder = history::dir(Path::new(DATA));
    let stored = Entry::Drill(Box::new(report.clone())).encode();
    let newer = String::from_utf8(stored.clone()).unwrap().replacen("\"format\": 1", "\"format\": 9", 1);
    for (name, bytes) in
        [("a.json", &b"{}"[..]), ("b.json", &stored[..stored.len() / 2]), ("c.json", &stored), ("d.json", newer.as_bytes())]
    {
        world.write_file_durably(&folder.join(name), bytes).unwrap();
    }
    let history = history_of(&machine);
    assert_eq!(history.entries, [Entry::Drill(Box::new(report.clone()))]);
    let mut unreadable: Vec<_> = history.unreadable.iter().map(|(name, _)| name.as_str()).collect();
    unreadable.sort_unstable();
    assert_eq!(unreadable, ["a.json", "b.json", "c.json", "d.json"]);
    assert!(history.find(&report.id).is_ok());
    assert!(history.find("../c").unwrap_err().hint.unwrap().contains(&report.id));
}
