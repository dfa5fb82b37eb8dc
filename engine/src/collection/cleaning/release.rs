//! Removes log files that nobody needs any more (rule S12): no manifest that is kept, no version, no pin of a process, no archive that lacks them.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Collection;
use crate::archived::Archived;
use crate::error::Result;
use crate::ids::Lsn;
use crate::log::file::{self, LogFileName};
use crate::log::sealed::SealedFile;
use crate::manifest::store;

/// What this process knows of log files that no version begins with any more.
#[derive(Debug, Default)]
pub(super) struct Release {
    /// Files that older versions may still read.
    retired: Mutex<Vec<(LogFileName, Weak<SealedFile>)>>,
    /// Whether what is written is archived: a file goes only when it is.
    is_archived: AtomicBool,
    /// One removes at a time: what the indexer and the archiver both saw is removed once.
    removing: Mutex<()>,
}

impl Release {
    pub(super) fn new(is_archived: bool) -> Self {
        Release { is_archived: AtomicBool::new(is_archived), ..Release::default() }
    }

    /// Notes files that the next version is without.
    pub(super) fn retire(&self, files: &[std::sync::Arc<SealedFile>]) {
        self.retired.lock().extend(files.iter().map(|file| (file.sealed.name, std::sync::Arc::downgrade(file))));
    }

    /// Lists the files that an older version still reads.
    fn in_use(&self) -> Vec<LogFileName> {
        let mut retired = self.retired.lock();
        retired.retain(|(_, file)| file.strong_count() > 0);
        retired.iter().map(|(name, _)| *name).collect()
    }
}

impl Collection {
    /// Notes that what is written here is archived from now on: no log file goes before it is.
    pub fn hold_for_archive(&self) {
        self.cleaning.release.is_archived.store(true, Ordering::Release);
    }

    /// Gives the position from which the log can be read without a hole up to its end: what is below may be gone, or lie here and there.
    /// What is elsewhere and fetched when it is asked for can be read.
    ///
    /// # Errors
    /// `Io`.
    pub fn kept_from(&self) -> Result<Lsn> {
        let (fs, dir, version) = (&*self.world.fs, self.dir.log(), self.version());
        // By the position behind the last record: where it begins.
        let away = version.log.files().iter().filter(|file| file.lazy().is_some());
        let mut starts: BTreeMap<Lsn, Lsn> = away.map(|file| (file.sealed.end, file.sealed.name.start)).collect();
        let mut at = version.manifest.covered_lsn;
        for name in file::list(fs, &dir)?.iter().filter(|name| name.start < at) {
            // A sealed file is cut behind its last record.
            let len = fs.metadata(&name.path(&dir))?.map_or(0, |meta| meta.len);
            starts.entry(name.start + len.saturating_sub(name.header_len())).or_insert(name.start);
        }
        while let Some(start) = starts.remove(&at) {
            at = start;
        }
        Ok(at)
    }

    /// Removes the log files that nobody needs any more. Harmless at any time; a reader removes nothing.
    ///
    /// # Errors
    /// `Io`; what was removed stays removed, and nothing that is needed was touched. `Corrupt` when the note of what was archived is damaged.
    pub fn clear_log(&self) -> Result<()> {
        if self.writer.is_none() {
            return Ok(());
        }
        let _removing = self.cleaning.release.removing.lock();
        let Some(kept) = store::kept(&self.world, &self.dir)? else { return Ok(()) };
        let fs = &*self.world.fs;
        let names = file::list(fs, &self.dir.log())?;
        let unneeded: Vec<(usize, &LogFileName)> =
            names.iter().enumerate().filter(|(_, name)| !kept.iter().any(|manifest| manifest.needs(name))).collect();
        if unneeded.is_empty() {
            return Ok(());
        }
        let (archived, in_use) = (self.archived_for_good()?, self.cleaning.release.in_use());
        let covered = kept.iter().map(|manifest| manifest.covered_lsn).min().unwrap_or(0);
        for (index, name) in unneeded {
            // A file ends where the next one begins, or before; and at the last covered position, or before.
            let end = names.get(index + 1).map_or(covered, |next| next.start.min(covered));
            if archived >= end && !in_use.contains(name) {
                fs.remove_file(&name.path(&self.dir.log()))?;
            }
        }
        Ok(())
    }

    /// Gives the position below which no archive lacks anything that it should get.
    fn archived_for_good(&self) -> Result<Lsn> {
        let is_archived = self.cleaning.release.is_archived.load(Ordering::Acquire);
        if !is_archived || self.world.known_bad.unlink_unarchived {
            return Ok(Lsn::MAX);
        }
        Ok(Archived::read(&*self.world.fs, self.dir.root())?.current_lsn())
    }
}
