//! Cleaning: gives back the space of log files in which little is alive (rules S11, S12).
//!
//! What lives in such a file is written again as move records; the next seal gives the segments their new addresses; a manifest leaves the file
//! out; and once no manifest that is kept, no version, no pin and no archive that lacks it needs the file, it is removed. A graph is not touched.
//! `docs/decisions/0008-cleaning.md` says why it is done like this.

pub mod policy;
mod release;
mod resolve;
pub mod usage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use self::policy::{Cleaning, Next};
use self::usage::FileUse;
use super::indexer::{Goal, Step};
use super::publish::Covered;
use super::version::Version;
use super::{Collection, Writer};
use crate::error::Result;
use crate::ids::{Lsn, PointId, SegmentId};
use crate::log::moves::MoveDraft;
use crate::log::record::Record;
use crate::log::writer::LogWriter;
use crate::log::{PayloadCache, RecordDraft};
use crate::manifest::store;
use crate::reserve::RESERVE_LEN;
use crate::segment::{Segment, VectorSource};

pub use policy::CleaningLimits;

/// Bytes of rows that one move record carries, about.
const RECORD_BYTES: usize = 4 << 20;
/// Vectors that are asked of the log at once.
const GATHER_BATCH: usize = 256;

/// What is alive in the log files, and what it was counted for.
#[derive(Debug)]
struct Counted {
    manifest: u64,
    live_parts: u64,
    uses: Arc<Vec<FileUse>>,
}

/// What a collection remembers for cleaning.
#[derive(Debug, Default)]
pub(super) struct CleaningState {
    pub limits: CleaningLimits,
    /// What was counted last.
    counted: Mutex<Option<Counted>>,
    /// Files whose rows turned out to take as much written anew as the file does: they stay for as long as something lives in them.
    given_up: Mutex<BTreeSet<Lsn>>,
    /// The newest manifest beside which the older one holds nothing that is worth anything.
    at_rest: AtomicU64,
    /// The newest manifest whose log holds too little that is dead to be cleaned beside writers.
    full_of_life: AtomicU64,
    release: release::Release,
}

impl CleaningState {
    pub(super) fn new(limits: CleaningLimits, is_archived: bool) -> Self {
        let none = || AtomicU64::new(u64::MAX);
        CleaningState {
            limits,
            at_rest: none(),
            full_of_life: none(),
            release: release::Release::new(is_archived),
            ..CleaningState::default()
        }
    }
}

/// A part of a row that is to be moved.
struct Moving {
    address: u64,
    id: PointId,
}

/// What a step of moving may write yet. It writes less than the files hold that it empties, whatever was thought of their rows: so each round
/// of cleaning makes the log smaller, and there are only so many of them.
struct Allowance {
    left: u64,
    written: u64,
    /// A small step may use what is kept for a full disk: it is over before the reserve is.
    uses_reserve: bool,
}

impl Allowance {
    fn of(files: &[Lsn], uses: &[FileUse]) -> Self {
        let emptied = uses.iter().filter(|file| files.contains(&file.start));
        let (held, alive) = emptied.fold((0, 0), |sum, file| (sum.0 + file.len(), sum.1 + file.live_bytes));
        Allowance { left: held, written: 0, uses_reserve: alive <= RESERVE_LEN / 2 }
    }

    /// Takes what a record needs; says whether that was there.
    fn take(&mut self, len: u64) -> bool {
        let is_there = len < self.left;
        if is_there {
            self.left -= len;
            self.written += len;
        }
        is_there
    }
}

impl Collection {
    /// Says what cleaning has to do towards a goal, whatever else there is to be done; `None` when it has nothing to do.
    #[must_use]
    pub fn next_cleaning(&self, goal: Goal) -> Option<Step> {
        let version = self.version();
        if !version.moves.is_empty() {
            return Some(Step::Seal);
        }
        if self.check_backlog().is_err() {
            // What is moved has to be archived too; the archive does not keep up as it is.
            return None;
        }
        let chosen =
            if self.may_gain(goal, &version) { policy::choose(&self.uses(goal, &version), &self.cleaning.limits, goal) } else { None };
        match chosen {
            Some(Next::Clean(cleaning)) => Some(Step::Clean(cleaning)),
            Some(Next::Seal) => Some(Step::Seal),
            None => self.is_worth_renewing(goal, &version).then_some(Step::Clean(Cleaning::Renew)),
        }
    }

    /// Says whether enough could come free at all: more than what lives takes is not to be had. That takes no look at rows, or, beside
    /// writers, at a few, once for each manifest.
    fn may_gain(&self, goal: Goal, version: &Version) -> bool {
        let log: u64 = version.manifest.log.iter().map(|file| file.end - file.start).sum();
        let gain_min = policy::gain_min(&self.cleaning.limits, goal, log);
        let sum = |bytes: &dyn Fn(&Segment) -> u64| version.segments.iter().map(|open| bytes(&open.segment)).sum::<u64>();
        let others = log.saturating_sub(sum(&|segment| usage::vector_bytes(version, segment)));
        if others < gain_min || goal == Goal::Indexed {
            return others >= gain_min;
        }
        if self.cleaning.full_of_life.load(Ordering::Acquire) == version.manifest.seq {
            return false;
        }
        let may_gain = others.saturating_sub(sum(&|segment| usage::payload_bytes(version, segment))) >= gain_min;
        if !may_gain {
            self.cleaning.full_of_life.store(version.manifest.seq, Ordering::Release);
        }
        may_gain
    }

    /// Says whether the older of the two manifests that are kept holds segments or log files of which the newest has no more use: log files where
    /// the process ended between the two manifests that leave them out.
    fn is_worth_renewing(&self, goal: Goal, version: &Version) -> bool {
        let newest = &version.manifest;
        if goal != Goal::Indexed || self.cleaning.at_rest.load(Ordering::Acquire) == newest.seq {
            return false;
        }
        // What cannot be read now is looked at again when there is a new manifest.
        let kept = store::kept(&self.world, &self.dir).ok().flatten().unwrap_or_default();
        let older = kept.iter().filter(|manifest| manifest.seq < newest.seq).max_by_key(|manifest| manifest.seq);
        let needed: BTreeSet<SegmentId> = newest.segments.iter().flat_map(|segment| &segment.objects).map(|object| object.id).collect();
        let objects = older.into_iter().flat_map(|manifest| &manifest.segments).flat_map(|segment| &segment.objects);
        let files = older.into_iter().flat_map(|manifest| &manifest.log).filter(|file| !newest.log.contains(file));
        let held = objects.filter(|object| !needed.contains(&object.id)).map(|object| object.bytes).sum::<u64>()
            + files.map(|file| file.end - file.start).sum::<u64>();
        if held < self.cleaning.limits.gain_min.max(1) {
            self.cleaning.at_rest.store(newest.seq, Ordering::Release);
        }
        held >= self.cleaning.limits.gain_min.max(1)
    }

    /// Counts what is alive in the log files, unless nothing changed since the last time. While only bounds matter, what died since the last
    /// manifest is not looked at.
    fn uses(&self, goal: Goal, version: &Version) -> Arc<Vec<FileUse>> {
        let live: u64 =
            version.segments.iter().map(|open| (0..open.segment.parts()).map(|part| u64::from(open.segment.live(part))).sum::<u64>()).sum();
        let mut counted = self.cleaning.counted.lock();
        match &*counted {
            Some(last) if last.manifest == version.manifest.seq && (goal != Goal::Indexed || last.live_parts == live) => last.uses.clone(),
            _ => {
                let (mut uses, given_up) = (usage::count(version), self.cleaning.given_up.lock());
                uses.iter_mut().filter(|file| file.live_bytes > 0).for_each(|file| file.stays |= given_up.contains(&file.start));
                let uses = Arc::new(uses);
                *counted = Some(Counted { manifest: version.manifest.seq, live_parts: live, uses: uses.clone() });
                uses
            }
        }
    }

    /// Does one piece of cleaning.
    pub(super) fn clean(&self, cleaning: &Cleaning) -> Result<()> {
        match cleaning {
            Cleaning::Move(files) => self.move_rows(files),
            Cleaning::Leave => self.leave_files(),
            Cleaning::Renew => self.renew(),
        }
    }

    /// Writes again what is alive in some log files. Nobody sees it; the addresses change with the next seal.
    fn move_rows(&self, files: &[Lsn]) -> Result<()> {
        let version = self.version();
        let mut allowance = Allowance::of(files, &usage::count(&version));
        let mut is_whole = true;
        for part in 0..version.schema.parts() {
            let mut rows = usage::alive_in(&version, part as u32, files);
            // In the order of the log, so that it is read forward and neighbours stay neighbours.
            rows.sort_unstable_by_key(|(address, _)| *address);
            let rows: Vec<Moving> = rows.into_iter().map(|(address, id)| Moving { address, id }).collect();
            is_whole &= match part {
                0 => self.move_payloads(&version, &rows, &mut allowance)?,
                _ => self.move_vectors(&version, part, &rows, &mut allowance)?,
            };
        }
        if !is_whole || allowance.written == 0 {
            self.cleaning.given_up.lock().extend(files);
        }
        // What was counted before may be what was known of another time, and would be chosen again.
        *self.cleaning.counted.lock() = None;
        Ok(())
    }

    /// Moves payloads; says whether all of them were.
    fn move_payloads(&self, version: &Version, rows: &[Moving], allowance: &mut Allowance) -> Result<bool> {
        let (mut draft, mut cache) = (MoveDraft::new(0), PayloadCache::default());
        for row in rows {
            // A point that was taken for one with a payload and has none needs no bytes anywhere.
            let Some(text) = version.log.payload_in_order(row.address, &mut cache)? else { continue };
            let is_full = draft.rows() > 0 && (draft.bytes() >= RECORD_BYTES || !draft.has_room(text.len()));
            if is_full && !self.append_moves(std::mem::replace(&mut draft, MoveDraft::new(0)), allowance)? {
                return Ok(false);
            }
            draft.push_payload(row.id, row.address, text);
        }
        self.append_moves(draft, allowance)
    }

    /// Moves vectors of a part; says whether all of them were.
    fn move_vectors(&self, version: &Version, part: usize, rows: &[Moving], allowance: &mut Allowance) -> Result<bool> {
        let bytes_per_vector = version.schema.vector(part).bytes_per_vector();
        let mut draft = MoveDraft::new(part);
        for batch in rows.chunks(GATHER_BATCH) {
            let addresses: Vec<u64> = batch.iter().map(|row| row.address).collect();
            let mut vectors = Vec::with_capacity(batch.len());
            version.log.gather(&addresses, bytes_per_vector, &mut vectors)?;
            for (row, vector) in batch.iter().zip(vectors) {
                let is_full = draft.rows() > 0 && (draft.bytes() >= RECORD_BYTES || !draft.has_room(vector.len()));
                if is_full && !self.append_moves(std::mem::replace(&mut draft, MoveDraft::new(part)), allowance)? {
                    return Ok(false);
                }
                draft.push_vector(row.id, row.address, vector);
            }
        }
        self.append_moves(draft, allowance)
    }

    /// Appends a move record, durably, between two groups of writes; says `false`, and does nothing, where that would be more than is allowed.
    fn append_moves(&self, draft: MoveDraft, allowance: &mut Allowance) -> Result<bool> {
        if draft.rows() == 0 {
            return Ok(true);
        }
        let draft: RecordDraft = draft.into_record();
        draft.check_limits()?;
        if !allowance.take(draft.record_len() as u64) {
            return Ok(false);
        }
        let mut writer = self.writer()?.lock();
        let mut append = || {
            let log = self.log_of(&mut writer)?;
            Ok((log.end(), log.append(&draft, self.clock.next())?))
        };
        let (lsn, bytes) = if allowance.uses_reserve { self.with_reserve(append)? } else { append()? };
        writer.log.as_mut().map_or(Ok(()), LogWriter::sync)?;
        let record = Arc::new(Record::parse(Bytes::from(bytes), lsn)?);
        let Writer { version, .. } = &mut *writer;
        let before = (version.points, version.points_with_payload, version.tail_rows);
        version.apply(&record)?;
        assert_eq!(before, (version.points, version.points_with_payload, version.tail_rows), "nobody sees a move");
        self.current.store(Arc::new(version.clone()));
        Ok(true)
    }

    /// Publishes manifests that leave out the log files in which nothing is alive, and removes those that nobody needs then.
    ///
    /// Two manifests, because the older of the newest two is what a damaged newest one is made good by: it must not need the files either.
    fn leave_files(&self) -> Result<()> {
        let version = self.version();
        let keeps = usage::needed(&version);
        let mut covered = Covered::of_manifest(&version.manifest);
        covered.log.retain(|file| keeps.contains(&file.start));
        assert!(covered.log.last().map_or(0, |file| file.end) == covered.lsn, "the file that ends at the covered position stays");
        let left: Vec<Lsn> = version.manifest.log.iter().map(|file| file.start).filter(|start| !keeps.contains(start)).collect();
        if left.is_empty() {
            return Ok(());
        }
        if self.world.known_bad.unlink_before_manifest {
            for file in version.log.files().iter().filter(|file| left.contains(&file.sealed.name.start)) {
                self.world.fs.remove_file(file.path())?;
            }
        }
        // A version that is held here would hold the files, too.
        let (segments, mut last) = (version.segments.clone(), version.manifest.clone());
        drop(version);
        for _ in 0..2 {
            let manifest = self.publish_manifest(&last, &covered, &segments)?;
            last = manifest.clone();
            self.switch(|current| {
                let (log, gone) = current.log.without(&left);
                self.cleaning.release.retire(&gone);
                current.log = Arc::new(log);
                current.manifest = manifest;
            })?;
        }
        Ok(())
    }

    /// Publishes the newest manifest once more.
    fn renew(&self) -> Result<()> {
        let version = self.version();
        let covered = Covered::of_manifest(&version.manifest);
        let manifest = self.publish_manifest(&version.manifest, &covered, &version.segments)?;
        self.switch(|current| current.manifest = manifest)
    }
}
