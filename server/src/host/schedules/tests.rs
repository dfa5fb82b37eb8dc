//! What schedules promise: nothing runs twice, what was missed is counted, work that goes on is not overtaken, and retention follows success.

use super::*;
use crate::api::commands::Commands;
use crate::{HostOptions, Stores, WhenBroken};
use engine::database::{Database, DatabaseOptions};
use platform::clock::Clock;
use platform::sim::{START_MICROS, SimWorld};
use std::io::Write;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// What was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn tell(&self) -> Tell {
        let told = self.0.clone();
        Tell::new(move |text| told.lock().push(text.to_owned()))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

fn hourly(name: &str) -> ScheduleEntry {
    let entry = ScheduleEntry::new(ScheduleKind::Backup, "docs".to_owned(), "/backups".to_owned());
    ScheduleEntry { name: name.to_owned(), every: Some("1h".to_owned()), ..entry }
}

fn open(machine: &SimWorld) -> Arc<Schedules> {
    let world = machine.world();
    world.fs.create_dir_all(Path::new("/data")).unwrap();
    Schedules::open(&world, Path::new("/data")).unwrap()
}

fn moments(work: &[Work]) -> Vec<u64> {
    work.iter().map(|work| (work.moment - START_MICROS) / HOUR).collect()
}

#[test]
fn what_was_begun_is_not_run_again_after_a_crash_and_what_passed_meanwhile_is_counted_and_told() {
    for seed in 0..20 {
        let (machine, told) = (SimWorld::new(seed), Told::default());
        let schedules = open(&machine);
        schedules.set(hourly("nightly")).unwrap();
        assert_eq!(schedules.turn(START_MICROS + HOUR - 1, &told.tell()), [], "seed {seed}");
        assert_eq!(moments(&schedules.turn(START_MICROS + HOUR, &told.tell())), [1], "seed {seed}");
        machine.disk.crash();
        let schedules = open(&machine);
        let last = schedules.list()[0].last.clone().unwrap();
        assert_eq!((last.moment, last.outcome), (START_MICROS + HOUR, RunOutcome::Failed), "seed {seed}");
        assert_eq!(schedules.turn(START_MICROS + HOUR + 1, &told.tell()), [], "seed {seed}");
        assert_eq!(told.all(), Vec::<String>::new(), "seed {seed}");
        assert_eq!(moments(&schedules.turn(START_MICROS + 5 * HOUR + 7, &told.tell())), [5], "seed {seed}");
        assert_eq!(told.all(), ["schedule \"nightly\": 3 moments passed without a run, the first of them 2024-01-01T02:00:00.000000Z"]);
        assert_eq!((schedules.list()[0].missed, schedules.list()[0].next), (3, Some(START_MICROS + 6 * HOUR)), "seed {seed}");
    }
}

#[test]
fn a_run_that_goes_on_keeps_the_next_moment_from_running_and_its_end_lets_the_one_after_begin() {
    let (machine, told) = (SimWorld::new(1), Told::default());
    let schedules = open(&machine);
    schedules.set(hourly("nightly")).unwrap();
    let work = schedules.turn(START_MICROS + HOUR, &told.tell());
    assert_eq!(schedules.turn(START_MICROS + 2 * HOUR, &told.tell()), []);
    assert!(told.all()[0].contains("2024-01-01T02:00:00.000000Z is not run"), "{:?}", told.all());
    // Set up again while it runs: it is the same schedule, and still runs.
    schedules.set(ScheduleEntry { location: "/other".to_owned(), ..hourly("nightly") }).unwrap();
    assert_eq!(schedules.turn(START_MICROS + 3 * HOUR, &told.tell()), []);
    schedules.ended(&work[0], None, &told.tell());
    let state = schedules.list().remove(0);
    assert_eq!((state.refused, state.last.map(|last| last.outcome)), (2, Some(RunOutcome::Done)));
    assert_eq!(moments(&schedules.turn(START_MICROS + 4 * HOUR, &told.tell())), [4]);
}

#[test]
fn a_run_whose_schedule_was_deleted_ends_without_a_trace() {
    let (machine, told) = (SimWorld::new(1), Told::default());
    let schedules = open(&machine);
    schedules.set(hourly("nightly")).unwrap();
    let work = schedules.turn(START_MICROS + HOUR, &told.tell());
    schedules.delete("nightly").unwrap();
    schedules.ended(&work[0], Some("it broke".to_owned()), &told.tell());
    assert_eq!((schedules.list(), told.all()), (Vec::new(), Vec::new()));
}

#[test]
fn other_moments_begin_when_they_are_set_and_nothing_before_is_missed() {
    let (machine, told) = (SimWorld::new(1), Told::default());
    let schedules = open(&machine);
    schedules.set(hourly("nightly")).unwrap();
    machine.clock.advance(Duration::from_micros(10 * HOUR));
    let each_minute = ScheduleEntry { every: Some("1m".to_owned()), ..hourly("nightly") };
    schedules.set(each_minute).unwrap();
    assert_eq!(schedules.turn(machine.clock.wall_micros(), &told.tell()), []);
    assert_eq!(schedules.list()[0].missed, 0);
}

#[test]
fn what_cannot_be_written_down_is_not_begun_and_is_begun_once_it_can() {
    let (machine, told) = (SimWorld::new(1), Told::default());
    let schedules = open(&machine);
    schedules.set(hourly("nightly")).unwrap();
    machine.disk.set_capacity(Some(0));
    assert_eq!(schedules.turn(START_MICROS + HOUR, &told.tell()), []);
    assert_eq!(schedules.turn(START_MICROS + HOUR, &told.tell()), [], "it rests");
    assert_eq!(told.all().len(), 1, "{:?}", told.all());
    machine.disk.set_capacity(None);
    machine.clock.advance(Duration::from_micros(REST_MICROS));
    assert_eq!(moments(&schedules.turn(START_MICROS + HOUR, &told.tell())), [1]);
}

#[test]
fn what_the_file_says_is_changed_in_the_file_alone() {
    let machine = SimWorld::new(1);
    let schedules = open(&machine);
    schedules.set(hourly("mine")).unwrap();
    let of_file = |name: &str| ScheduleEntry { origin: Some("vectra.toml:12".to_owned()), ..hourly(name) };
    assert_eq!(schedules.take_file(vec![of_file("nightly"), of_file("mine")]).unwrap(), ["mine"]);
    for failure in [schedules.set(hourly("nightly")).unwrap_err(), schedules.delete("nightly").unwrap_err()] {
        assert_eq!(failure.kind, ErrorKind::Conflict);
        assert!(failure.message.contains("vectra.toml:12"), "{failure}");
    }
    assert_eq!(schedules.delete("other").unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(schedules.take_file(vec![of_file("a"), of_file("a")]).unwrap_err().kind, ErrorKind::Usage);
    assert_eq!(schedules.take_file(Vec::new()).unwrap(), Vec::<String>::new());
    assert_eq!(schedules.list(), [], "what is gone there is gone here");
}

#[test]
fn a_schedule_that_cannot_be_carried_out_is_refused_and_changes_nothing() {
    let machine = SimWorld::new(1);
    let schedules = open(&machine);
    let drill = ScheduleEntry::new(ScheduleKind::Drill, "docs".to_owned(), "/backups".to_owned());
    let keep = Keep { keep_daily: Some(7), ..Keep::default() };
    for wrong in [
        ScheduleEntry { every: None, ..hourly("a") },
        ScheduleEntry { cron: Some("@daily".to_owned()), ..hourly("a") },
        ScheduleEntry { every: Some("1ms".to_owned()), ..hourly("a") },
        ScheduleEntry { timezone: Some("UTC".to_owned()), ..hourly("a") },
        ScheduleEntry { location: "/backups/%Y".to_owned(), keep: keep.clone(), ..hourly("a") },
        ScheduleEntry { location: "/backups/%q".to_owned(), ..hourly("a") },
        ScheduleEntry { collection: "--all".to_owned(), ..hourly("a") },
        ScheduleEntry { name: "../a".to_owned(), ..hourly("a") },
        ScheduleEntry { every: Some("1d".to_owned()), keep, ..drill },
    ] {
        let failure = schedules.set(wrong.clone()).unwrap_err();
        assert!(matches!(failure.kind, ErrorKind::Usage | ErrorKind::InvalidInput), "{wrong:?}: {failure}");
    }
    assert_eq!(schedules.list(), []);
}

/// Carries lines out by noting them; those that begin with a word fail.
#[derive(Default)]
struct Noting {
    lines: Mutex<Vec<String>>,
    failing: Option<&'static str>,
    /// Lines that are worked on now, and the most at once: all of them, and drills.
    now: Mutex<[usize; 2]>,
    most: Mutex<[usize; 2]>,
}

impl Noting {
    fn count(&self, kind: &str, change: isize) {
        let mut now = self.now.lock();
        for (at, counts) in [true, kind == "drill"].into_iter().enumerate() {
            now[at] = if counts { now[at].saturating_add_signed(change) } else { now[at] };
        }
        let mut most = self.most.lock();
        *most = [most[0].max(now[0]), most[1].max(now[1])];
    }
}

impl Commands for Noting {
    fn run(&self, _: &Arc<Host>, _: &CommandLine, _: Box<dyn Write + Send>, _: Box<dyn Write + Send>) -> u8 {
        panic!("schedules run jobs")
    }

    fn run_as_job(&self, _: &Arc<Host>, kind: &str, line: &CommandLine, began: &dyn Fn(&str)) -> Result<()> {
        began("00c0ffee00c0ffee");
        assert_ne!(line.words[2], "broken", "a defect");
        self.count(kind, 1);
        // Long enough for another to come in between, if it may.
        (0..20).for_each(|_| std::thread::yield_now());
        self.count(kind, -1);
        self.lines.lock().push(format!("{kind}: {}", line.words.join(" ")));
        let fails = self.failing.is_some_and(|word| line.words[0] == word);
        if fails { Err(Error::new(ErrorKind::Unreachable, "the store is gone")) } else { Ok(()) }
    }
}

fn host() -> Arc<Host> {
    let database = Database::open(&SimWorld::new(1).world(), Path::new("/data"), DatabaseOptions::default()).unwrap();
    let stores = Stores::new(|url| Err(Error::new(ErrorKind::Unreachable, url.to_owned())));
    Host::start(database, HostOptions { kernels: engine::Kernels::detect(), build_threads: 1, stores, when_broken: WhenBroken::new(|| {}) })
        .unwrap()
}

/// Runs one moment of a schedule in a host whose lines that begin with a word fail.
fn run_once(entry: ScheduleEntry, failing: Option<&'static str>) -> (Vec<String>, ScheduleState, Vec<String>) {
    let (host, told) = (host(), Told::default());
    let noting = Arc::new(Noting { failing, ..Noting::default() });
    let schedules = host.schedules();
    schedules.set(entry).unwrap();
    for work in schedules.turn(START_MICROS + 24 * HOUR, &told.tell()) {
        schedules.carry_out(&work, &host, &Commander(Some(noting.clone())), &told.tell());
    }
    let lines = noting.lines.lock().clone();
    (lines, schedules.list().remove(0), told.all())
}

#[test]
fn what_is_due_at_one_moment_is_done_a_few_at_a_time_and_one_drill_at_a_time() {
    let (host, told, noting) = (host(), Told::default(), Arc::new(Noting::default()));
    let schedules = host.schedules();
    for number in 0..3 * room::WORKERS_MAX {
        let kind = if number % 2 == 0 { ScheduleKind::Backup } else { ScheduleKind::Drill };
        let entry = ScheduleEntry::new(kind, format!("docs{number}"), "/backups".to_owned());
        schedules.set(ScheduleEntry { every: Some("1h".to_owned()), ..entry }).unwrap();
    }
    let works = schedules.turn(START_MICROS + HOUR, &told.tell());
    let begin = |work| schedules.begin(work, &host, &Commander(Some(noting.clone())), &told.tell());
    let threads: Vec<_> = works.into_iter().map(begin).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let [all, drills] = *noting.most.lock();
    assert!((1..=room::WORKERS_MAX).contains(&all) && drills == 1, "{all} at once, {drills} drills");
    assert!(schedules.list().iter().all(|state| state.last.as_ref().is_some_and(|last| last.outcome == RunOutcome::Done)));
}

#[test]
fn a_defect_in_a_run_is_told_and_the_schedule_goes_on() {
    let (host, told, noting) = (host(), Told::default(), Arc::new(Noting::default()));
    let schedules = host.schedules();
    schedules.set(ScheduleEntry { collection: "broken".to_owned(), ..hourly("nightly") }).unwrap();
    for hour in 1..3 {
        let mut works = schedules.turn(START_MICROS + hour * HOUR, &told.tell());
        schedules.begin(works.remove(0), &host, &Commander(Some(noting.clone())), &told.tell()).join().unwrap();
        let last = schedules.list().remove(0).last.unwrap();
        assert_eq!((last.moment, last.outcome), (START_MICROS + hour * HOUR, RunOutcome::Failed));
    }
    assert_eq!(told.all().len(), 2, "{:?}", told.all());
}

#[test]
fn what_waits_for_room_when_the_server_stops_is_not_begun() {
    let (host, told, noting) = (host(), Told::default(), Arc::new(Noting::default()));
    let schedules = host.schedules();
    schedules.set(hourly("nightly")).unwrap();
    let works = schedules.turn(START_MICROS + HOUR, &told.tell());
    schedules.stop();
    schedules.carry_out(&works[0], &host, &Commander(Some(noting.clone())), &told.tell());
    assert_eq!((schedules.list()[0].last.as_ref().map(|last| last.outcome), noting.lines.lock().len()), (Some(RunOutcome::Failed), 0));
    assert_eq!(schedules.turn(START_MICROS + 9 * HOUR, &told.tell()), []);
}

#[test]
fn a_backup_is_the_command_that_a_person_would_type_and_retention_follows_it() {
    let keep = Keep { keep_window: Some("7d".to_owned()), keep_daily: Some(7), ..Keep::default() };
    let entry = ScheduleEntry { keep, ..hourly("nightly") };
    let backup = "backup: collections backup docs --destination=/backups --snapshot-id=docs-20240102T000000 --wait";
    let prune = "prune: archive prune /backups --wait --keep-window=7d --keep-daily=7";
    let (lines, state, _) = run_once(entry.clone(), None);
    assert_eq!(lines, [backup, prune]);
    let last = state.last.unwrap();
    assert_eq!((last.outcome, last.job.as_deref(), last.error), (RunOutcome::Done, Some("00c0ffee00c0ffee"), None));
    assert!(state.last_success.is_some() && last.ended.is_some());
    let (lines, state, told) = run_once(entry.clone(), Some("collections"));
    assert_eq!(lines, [backup], "nothing is let go of after a backup that failed");
    let last = state.last.unwrap();
    assert_eq!((last.outcome, last.error.as_deref(), state.last_success), (RunOutcome::Failed, Some("the store is gone"), None));
    assert!(told.iter().any(|told| told.ends_with("failed: the store is gone")), "{told:?}");
    let (_, state, _) = run_once(entry, Some("archive"));
    assert_eq!((state.last.map(|last| last.outcome), state.last_success.is_some()), (Some(RunOutcome::Failed), true));
}

#[test]
fn a_drill_is_the_command_that_a_person_would_type() {
    let entry = ScheduleEntry::new(ScheduleKind::Drill, "docs".to_owned(), "s3://bucket/vectra".to_owned());
    let entry = ScheduleEntry { cron: Some("@hourly".to_owned()), to_time: Some("random".to_owned()), recall_min: Some(0.9), ..entry };
    let (lines, state, _) = run_once(entry, None);
    assert_eq!(lines, ["drill: drill run docs --source=s3://bucket/vectra --to-time=random --recall-min=0.9"]);
    assert_eq!(state.entry.name, "drill-docs");
}

#[test]
fn bytes_that_are_no_schedules_are_refused() {
    let machine = SimWorld::new(1);
    open(&machine).set(hourly("nightly")).unwrap();
    let world = machine.world();
    let path = Path::new("/data/schedules.json");
    let whole = platform::fs::read_file(&*world.fs, path).unwrap();
    for cut in 0..whole.len() {
        world.write_file_durably(path, &whole[..cut]).unwrap();
        let error = Schedules::open(&world, Path::new("/data")).unwrap_err();
        assert_eq!((error.kind, error.file.as_deref()), (ErrorKind::Corrupt, Some("/data/schedules.json")), "{cut}");
    }
}

#[test]
fn the_document_names_the_keys_of_what_a_server_keeps() {
    let document = include_str!("../../../../docs/format/kept.md");
    let (machine, root) = (SimWorld::new(1), Path::new("/data"));
    let job = crate::jobs::Jobs::open(&machine.world(), root).unwrap().begin("backup", &[]).unwrap();
    let records = crate::jobs::read_jobs(&machine.world(), root, true).unwrap();
    for (file, kind, value) in [
        ("schedules.json", "list", serde_json::to_value(Kept::new(hourly("a"), 1)).unwrap()),
        ("goals.json", "object, by collection", serde_json::to_value(crate::Goals::default()).unwrap()),
        ("jobs/<job>.json", "object", serde_json::to_value(&records[0]).unwrap()),
    ] {
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let row = format!("| `{file}` | {kind} | {} |", keys.join(", "));
        assert!(document.contains(&row), "{row}");
    }
    drop(job);
}
