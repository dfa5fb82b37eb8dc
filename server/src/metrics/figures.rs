//! What lies on disks and in archives, looked at in the background: windows of archives, backups, verifications, drills.
//!
//! Nothing is looked at before somebody asks, and then at most once a minute and a fiftieth of the time: listing an archive in a network costs
//! time and money. Who asks gets what was found last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use engine::{CommitTime, Incarnation, Result};
use parking_lot::Mutex;
use pitr::backup::noted::{self, BackupNotes};
use pitr::drill::history::{self, History};
use pitr::drill::{DrillReport, Outcome, Verdict};
use pitr::readiness::{observe, recovery_windows};
use pitr::restore::Window;

use crate::Host;

/// Least time between two looks, in microseconds.
const LOOK_MICROS: u64 = 60_000_000;
/// A look is followed by so many times its duration without one.
const REST: u64 = 50;
/// What drills compare.
const CHECKS: [&str; 6] = ["count", "content", "points", "answers", "exact", "recall"];

/// What was found of one name.
#[derive(Debug, Clone, Default)]
pub(super) struct Figure {
    /// The moments that its archive brings back.
    pub(super) window: Option<Window>,
    /// Holes in what was archived.
    pub(super) gaps: u64,
    /// Its last backups.
    pub(super) backups: BackupNotes,
    /// When it was last verified, by level and by what came of it.
    pub(super) verified: BTreeMap<(String, bool), u64>,
    /// Nothing acknowledged up to then was missing in what came back.
    pub(super) verified_until: Option<CommitTime>,
    /// Seconds that a restore would take.
    pub(super) restore_estimate: Option<f64>,
    /// When a drill last passed.
    pub(super) last_success: Option<u64>,
    /// Its last drill.
    pub(super) drill: Option<DrillFigure>,
}

/// What drills of a name found.
#[derive(Debug, Clone)]
pub(super) struct DrillFigure {
    pub(super) seconds: f64,
    pub(super) rpo: Option<f64>,
    pub(super) rto: Option<f64>,
    /// What all drills in the history found to differ.
    pub(super) mismatches: BTreeMap<&'static str, u64>,
}

/// What was found of each name.
type Found = BTreeMap<String, Figure>;

/// What was found last, and when it is looked at again.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    found: ArcSwap<Found>,
    looking: Mutex<Looking>,
}

#[derive(Debug, Default)]
struct Looking {
    thread: Option<JoinHandle<()>>,
    /// Not before, by the monotonic clock.
    next: u64,
    is_over: bool,
}

impl Figures {
    /// Gives what was found last, and begins to look again when it is time.
    pub(super) fn look(&self, host: &Arc<Host>) -> Arc<Found> {
        let now = host.database().world().clock.monotonic_micros();
        let mut looking = self.looking.lock();
        let is_idle = looking.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if is_idle && now >= looking.next && !looking.is_over {
            let host = host.clone();
            looking.thread = Some(std::thread::spawn(move || host.figures().look_now(&host)));
        }
        self.found.load_full()
    }

    /// Looks, and keeps what was found.
    pub(crate) fn look_now(&self, host: &Arc<Host>) {
        let clock = &host.database().world().clock;
        let began = clock.monotonic_micros();
        let found = find(host, &self.found.load());
        self.found.store(Arc::new(found));
        let now = clock.monotonic_micros();
        self.looking.lock().next = now + LOOK_MICROS.max(REST * (now - began));
    }

    /// Begins no more looks. One that goes on only reads, and nobody waits for it.
    pub(crate) fn stop(&self) {
        self.looking.lock().is_over = true;
    }
}

/// Looks at everything; where that fails, what was found before stands.
fn find(host: &Host, before: &Found) -> Found {
    let (names, world, dir) = (host.names(), host.database().world(), host.database().dir());
    let known = names.collections.keys().chain(names.archives.keys());
    let mut found: Found = known.map(|name| (name.clone(), before.get(name).cloned().unwrap_or_default())).collect();
    if let Ok(history) = history::read(world, dir) {
        found.iter_mut().for_each(|(name, figure)| figure.take_history(name, &history));
        for (name, settings) in names.archives.iter().filter(|(name, _)| names.collections.contains_key(*name)) {
            let standing = host.served(name).and_then(|served| observe(world, name, &settings.url, Some(served.collection()), &history));
            if let (Ok(standing), Some(figure)) = (standing, found.get_mut(name)) {
                figure.verified_until = standing.verified.map(|proof| proof.until);
                figure.restore_estimate = standing.restore.seconds;
            }
        }
    }
    for (name, figure) in &mut found {
        if let Ok(notes) = noted::read(world, dir, name) {
            figure.backups = notes;
        }
    }
    for (name, windows) in windows(host) {
        if let (Ok(windows), Some(figure)) = (windows, found.get_mut(&name)) {
            (figure.window, figure.gaps) = (windows.continuous, figure.gaps.max(windows.gaps));
        }
    }
    found
}

/// Lists each archive once, and finds the windows of the names that are archived there.
fn windows(host: &Host) -> Vec<(String, Result<pitr::restore::Windows>)> {
    let names = host.names();
    let mut places: BTreeMap<&str, Vec<(&String, Incarnation)>> = BTreeMap::new();
    for (name, settings) in &names.archives {
        if let Some(life) = names.collections.get(name) {
            places.entry(&settings.url).or_default().push((name, life.incarnation));
        }
    }
    let mut found = Vec::new();
    for (url, lives) in places {
        let incarnations: Vec<Incarnation> = lives.iter().map(|(_, life)| *life).collect();
        // What cannot be reached says nothing now.
        let Ok(windows) = host.store(url).and_then(|store| recovery_windows(&store, &incarnations)) else { continue };
        found.extend(lives.iter().map(|(name, _)| (*name).clone()).zip(windows));
    }
    found
}

impl Figure {
    /// Takes over what the history of drills and verifications says of a name.
    fn take_history(&mut self, name: &str, history: &History) {
        let mut verified = BTreeMap::new();
        for note in history.verified().filter(|note| note.states.iter().any(|state| state.collection == name)) {
            let last = verified.entry((note.level.clone(), note.ok)).or_insert(note.started);
            *last = note.started.max(*last);
        }
        self.verified = verified;
        // Who stopped a drill learnt nothing from it.
        let drills = || history.drills().filter(|drill| drill.collection == name && drill.outcome != Outcome::Interrupted);
        self.last_success = drills().filter(|drill| drill.outcome == Outcome::Passed).map(|drill| drill.finished).max();
        self.drill = drills().max_by_key(|drill| drill.finished).map(|last| DrillFigure {
            seconds: last.seconds,
            rpo: last.rpo.as_ref().and_then(|rpo| rpo.seconds),
            rto: last.rto.as_ref().map(|rto| rto.first_answer_s),
            mismatches: CHECKS.into_iter().map(|check| (check, drills().map(|drill| misses(drill, check)).sum())).collect(),
        });
    }
}

/// Counts what a drill found to differ in one respect.
fn misses(drill: &DrillReport, check: &str) -> u64 {
    drill.checks.iter().filter(|found| found.check == check && found.result == Verdict::Missed).count() as u64
}
