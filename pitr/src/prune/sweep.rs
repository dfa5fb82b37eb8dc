//! Carries a collection of garbage out: descriptions first, then the new plan, then what older plans named and nothing needs still.

use std::collections::{BTreeMap, BTreeSet};

use engine::codec::checksum::Hasher;
use engine::error::{ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use platform::World;

use super::boundary::{Reach, reach};
use super::garbage::{Garbage, LogHashes};
use super::plan::{self, GarbagePlan};
use super::{PruneReport, delete, hold};
use crate::Progress;
use crate::archive::extent::{ExtentRef, SEAL_LEN, end_of};
use crate::archive::extent_stream::stream_extent;
use crate::archive::pin::Holds;
use crate::archive::retention::Decision;
use crate::archive::roots::{Holder, ReadArchive};
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key};
use crate::backup::held::is_about_content;
use crate::fence::drive::put_boundary;

/// Objects that are deleted between two looks at who began to read or to write.
const BATCH: usize = 64;

/// One collection of garbage.
pub(super) struct Sweep<'a> {
    pub read: &'a ReadArchive,
    pub garbage: &'a Garbage,
    pub hashes: &'a LogHashes,
    /// The store's time.
    pub now: u64,
    pub grace: u64,
    pub progress: Progress<'a>,
    pub report: &'a mut PruneReport,
}

impl Sweep<'_> {
    fn archive(&self) -> &Archive {
        &self.read.archive
    }

    /// Does everything that may be done now.
    pub fn run(&mut self, world: &World, decision: &Decision, plans: &[GarbagePlan]) -> Result<()> {
        if self.somebody_reads() {
            self.report.held = hold::shown(&self.read.pins);
            (self.report.snapshots_removed, self.report.bases_removed) = (Vec::new(), 0);
        } else {
            self.remove_descriptions(decision)?;
        }
        let mut ripe: BTreeMap<&str, u64> = BTreeMap::new();
        let mut written: BTreeSet<&str> = BTreeSet::new();
        for plan in plans {
            written.extend(plan.keys.iter().map(String::as_str));
            if self.now >= plan.modified.saturating_add(self.grace) {
                ripe.extend(plan.keys.iter().map(|key| (key.as_str(), plan.modified)));
            }
        }
        let new: Vec<String> = self.garbage.keys.keys().filter(|key| !written.contains(key.as_str())).cloned().collect();
        plan::write(self.archive(), world.clock.wall_micros(), &new)?;
        new.iter().for_each(|key| self.report.planned.add(self.garbage.keys[key]));
        let left = self.delete_ripe(&ripe)?;
        for plan in plans {
            let is_waiting = self.now < plan.modified.saturating_add(self.grace) && !plan.keys.is_empty();
            let waiting = plan.keys.iter().filter(|key| is_waiting || left.contains(key.as_str()));
            let sizes: Vec<u64> = waiting.filter_map(|key| self.garbage.keys.get(key)).copied().collect();
            if sizes.is_empty() {
                // Everything in it is gone, or needed again.
                delete(self.archive(), &plan.key)?;
            }
            sizes.into_iter().for_each(|size| self.report.waiting.add(size));
        }
        Ok(())
    }

    /// Says whether a reader holds everything.
    fn somebody_reads(&self) -> bool {
        self.read.pins.iter().any(|pin| match &pin.holder {
            Holder::Attempt { .. } => false,
            Holder::Reader(Some(file)) => file.holds.contains(&Holds::Everything) && file.holds_at(self.now, pin.modified),
            Holder::Reader(None) => !hold::has_run_out(pin, self.now),
        })
    }

    /// Removes what names the rest, so that a run that dies leaves nothing that names what is gone.
    fn remove_descriptions(&mut self, decision: &Decision) -> Result<()> {
        for id in &self.report.snapshots_removed {
            delete(self.archive(), &Key::Snapshot(id.clone()).to_string())?;
        }
        for &(timeline, name) in &decision.bases_removed {
            delete(self.archive(), &Key::Base(timeline, name).to_string())?;
        }
        Ok(())
    }

    /// Deletes what older plans named and nothing needs; gives the keys that somebody holds.
    fn delete_ripe<'k>(&mut self, ripe: &BTreeMap<&'k str, u64>) -> Result<BTreeSet<&'k str>> {
        let mut left = BTreeSet::new();
        let mut chosen: Vec<(&'k str, u64)> = Vec::new();
        let mut held = BTreeSet::new();
        for (&key, &planned) in ripe {
            let Some(&size) = self.garbage.keys.get(key) else { continue };
            let modified = self.read.modified.get(key).copied().unwrap_or(0);
            let holder = hold::holder_of(&self.read.pins, key, modified, planned, self.now);
            if let Some(pin) = holder {
                held.insert(pin.key.clone());
            }
            if holder.is_some() || self.now < modified.saturating_add(self.grace) {
                left.insert(key);
            } else {
                chosen.push((key, size));
            }
        }
        let (logs, mut others): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(key, _)| matches!(Key::parse(key), Key::Extent(..)));
        others.extend(self.choose_log(&logs, &mut left)?);
        let total: u64 = others.iter().map(|(_, size)| size).sum();
        for batch in others.chunks(BATCH) {
            if self.somebody_began()? {
                let began = "somebody began to read or to back up meanwhile; the next run goes on";
                self.report.held.push(began.to_owned());
                left.extend(others[self.report.deleted.objects..].iter().map(|(key, _)| *key));
                break;
            }
            for (key, size) in batch {
                delete(self.archive(), key)?;
                self.report.deleted.add(*size);
                (self.progress)(self.report.deleted.bytes, total);
            }
        }
        let pins: Vec<_> = self.read.pins.iter().filter(|pin| held.contains(&pin.key)).cloned().collect();
        self.report.held.extend(hold::shown(&pins));
        Ok(left)
    }

    /// Chooses the extents under `log/` that may go, and raises the boundaries of their timelines first.
    fn choose_log<'k>(&mut self, logs: &[(&'k str, u64)], left: &mut BTreeSet<&'k str>) -> Result<Vec<(&'k str, u64)>> {
        let state = self.read.state();
        let mut sound: BTreeMap<(Timeline, ExtentRef), bool> = BTreeMap::new();
        let mut boundaries: BTreeMap<Timeline, Lsn> = BTreeMap::new();
        let mut chosen = Vec::new();
        for &(key, size) in logs {
            let Key::Extent(timeline, start) = Key::parse(key) else { continue };
            assert_ne!(size, SEAL_LEN, "a seal is never garbage");
            let end = end_of(start, size).unwrap_or(start);
            let allowed = match reach(&state, timeline) {
                Reach::Free => true,
                Reach::Below(boundary) if end <= boundary => {
                    boundaries.insert(timeline, boundary);
                    true
                }
                Reach::Below(_) => false,
            };
            let replaced = self.garbage.superseded.get(key);
            let is_kept_elsewhere = match replaced {
                None => true,
                Some((timeline, by)) => self.are_sound(*timeline, by, &mut sound)?,
            };
            if allowed && is_kept_elsewhere {
                chosen.push((key, size));
            } else {
                left.insert(key);
            }
        }
        for (&timeline, &boundary) in &boundaries {
            // Whoever looks for the end of this log from now on begins there.
            put_boundary(self.archive(), timeline, boundary)?;
        }
        Ok(chosen)
    }

    /// Reads the whole log files that are to hold what other extents held alone; each once.
    fn are_sound(&mut self, timeline: Timeline, by: &[ExtentRef], known: &mut BTreeMap<(Timeline, ExtentRef), bool>) -> Result<bool> {
        for &extent in by {
            let is_sound = match known.get(&(timeline, extent)) {
                Some(&is_sound) => is_sound,
                None => {
                    let is_sound = self.is_sound(timeline, extent)?;
                    known.insert((timeline, extent), is_sound);
                    is_sound
                }
            };
            if !is_sound {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_sound(&mut self, timeline: Timeline, extent: ExtentRef) -> Result<bool> {
        let key = extent.key(timeline);
        let Some(expected) = self.hashes.get(timeline, extent) else { return Ok(false) };
        let mut hasher = Hasher::new();
        let streamed = stream_extent(self.archive(), timeline, extent, &mut |_, piece| {
            hasher.update(piece);
            Ok(())
        });
        match streamed {
            Ok(()) if hasher.finish() == expected => Ok(true),
            Err(error) if !is_about_content(error.kind) || error.kind == ErrorKind::NewerFormat => Err(error),
            _ => {
                self.report.warnings.push(format!("\"{key}\" is damaged; the extents that hold the same bytes stay"));
                Ok(false)
            }
        }
    }

    /// Says whether there are pins that were not there when the roots were read.
    fn somebody_began(&self) -> Result<bool> {
        for prefix in ["pins/", "readers/"] {
            let listed = self.archive().store.list(prefix).map_err(|e| store_error(&e))?;
            let is_new = |key: &String| self.read.pins.iter().all(|pin| pin.key != *key);
            if listed.iter().any(|meta| is_new(&meta.key) && Key::parse(&meta.key) != Key::Other) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
