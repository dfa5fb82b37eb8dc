//! A consistent state at one position, made of immutable files: what a backup copies.

use std::sync::Arc;

use bytes::Bytes;
use platform::World;
use platform::fs::OpenMode;

use super::version::Version;
use super::{Collection, open};
use crate::codec::checksum::Hash;
use crate::error::{Error, Result};
use crate::ids::{Lsn, SegmentId, Timeline};
use crate::log::file::LogFileName;
use crate::log::record::Record;
use crate::log::scan::{self, ScanOptions};
use crate::manifest::store::CollectionDir;
use crate::manifest::{Manifest, Span};

/// A stretch of the log that lies in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The timeline that wrote it.
    pub timeline: Timeline,
    /// Its first position.
    pub start: Lsn,
    /// The position behind it.
    pub end: Lsn,
    /// The hash of its bytes where a manifest states one.
    pub blake3: Option<Hash>,
}

/// A pinned state of a collection. Taking one copies nothing.
#[derive(Debug)]
pub struct Snapshot {
    world: World,
    dir: CollectionDir,
    version: Arc<Version>,
}

impl Collection {
    /// Takes a snapshot of everything acknowledged so far.
    ///
    /// For as long as the collection is open, the files that the snapshot names stay.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        assert!(self.pin.is_some() || self.writer.is_some(), "an open collection keeps its files");
        Snapshot { world: self.world.clone(), dir: self.dir.clone(), version: self.version() }
    }
}

/// Checks every byte of a stretch of the log, record by record; errors carry the position.
fn check_records(bytes: &Bytes, range: &LogRange) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let record = Record::parse(bytes.slice((at - range.start) as usize..), at).map_err(|error| error.with_offset(at))?;
        record.verify()?;
        if record.head.lineage != range.timeline {
            return Err(Error::corrupt("a record of another timeline lies here")
                .with_offset(at)
                .with_expected(range.timeline, record.head.lineage));
        }
        at = record.head.end();
    }
    assert_eq!(at, range.end, "a stretch ends with a record");
    Ok(())
}

impl Snapshot {
    /// Gives the state.
    #[must_use]
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Gives the manifest that the state builds on.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.version.manifest
    }

    /// Gives the position up to which the state reaches.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.version.lsn_end
    }

    /// Gives the history as of the position: stretches of timelines, the last one ending here.
    #[must_use]
    pub fn ancestry(&self) -> Vec<Span> {
        let mut spans = self.manifest().ancestry.clone();
        spans.retain(|span| span.from < self.lsn() || span.from == 0);
        if let Some(last) = spans.last_mut() {
            last.to = Some(self.lsn());
        }
        spans
    }

    /// Lists the log in stretches, each in one file: those that the manifest covers with their hashes, then the rest up to the position.
    ///
    /// # Errors
    /// `Io` when the directory cannot be read.
    pub fn log_ranges(&self) -> Result<Vec<LogRange>> {
        let manifest = self.manifest();
        let mut ranges: Vec<LogRange> = manifest
            .log
            .iter()
            .map(|file| LogRange { timeline: file.timeline, start: file.start, end: file.end, blake3: Some(file.blake3) })
            .collect();
        let names = crate::log::file::list(&*self.world.fs, &self.dir.log())?;
        let open: Vec<_> = names.iter().filter(|name| name.start >= manifest.covered_lsn && name.start < self.lsn()).collect();
        for (index, name) in open.iter().enumerate() {
            let end = open.get(index + 1).map_or(self.lsn(), |next| next.start);
            ranges.push(LogRange { timeline: name.timeline, start: name.start, end, blake3: None });
        }
        // Below the covered position the manifest says what is needed; behind it nothing may be missing.
        let mut behind = ranges.windows(2).filter(|pair| pair[1].start >= manifest.covered_lsn);
        let begins = !manifest.log.is_empty() || ranges.first().is_none_or(|first| first.start == 0);
        let whole = begins && behind.all(|pair| pair[0].end == pair[1].start) && ranges.last().map_or(0, |last| last.end) == self.lsn();
        if !whole {
            return Err(Error::corrupt("a log file of the snapshot is missing").with_file(&self.dir.log()));
        }
        Ok(ranges)
    }

    /// Reads a stretch, checked: against its hash where there is one, record by record otherwise. Rot is never passed on.
    ///
    /// # Errors
    /// `Corrupt` naming file and offset.
    pub fn log_bytes(&self, range: &LogRange) -> Result<Bytes> {
        let name = LogFileName { start: range.start, timeline: range.timeline };
        let path = name.path(&self.dir.log());
        let away = self.version.log.files().iter().find(|file| file.sealed.name == name && file.lazy().is_some());
        if let (Some(away), Some(expected)) = (away, range.blake3) {
            let bytes = away.record_bytes()?;
            let got = Hash::of(&bytes);
            let wrong =
                || Error::corrupt("what was fetched of a log file does not match its hash").with_file(&path).with_expected(expected, got);
            return if got == expected { Ok(bytes) } else { Err(wrong()) };
        }
        let file = self.world.fs.open(&path, OpenMode::Read)?;
        let (from, len) = (name.header_len(), range.end - range.start);
        let bytes = if range.blake3.is_some() {
            if file.len()? < from + len {
                return Err(Error::corrupt("the log file is cut off").with_file(&path).with_expected(from + len, file.len()?));
            }
            file.map()?.bytes(from as usize..(from + len) as usize)
        } else {
            let mut bytes = vec![0; len as usize];
            file.read_exact_at(&mut bytes, from)?;
            Bytes::from(bytes)
        };
        match range.blake3 {
            Some(expected) => {
                let got = Hash::of(&bytes);
                if got != expected {
                    return Err(self.damage(&name).unwrap_or_else(|| {
                        Error::corrupt("a sealed log file does not match its hash")
                            .with_file(&path)
                            .with_offset(0)
                            .with_expected(expected, got)
                    }));
                }
            }
            // Everything below the snapshot's position was acknowledged: a bad record there is damage, whatever follows.
            None => check_records(&bytes, range).map_err(|error| {
                let offset = error.offset.unwrap_or(range.start).max(range.start);
                error.with_file(&path).with_offset(name.offset(offset))
            })?,
        }
        Ok(bytes)
    }

    /// Looks for the first bad record of a file, to name its offset.
    fn damage(&self, name: &LogFileName) -> Option<Error> {
        let until = crate::log::file::list(&*self.world.fs, &self.dir.log())
            .ok()?
            .iter()
            .find(|next| next.start > name.start)
            .map(|next| next.start);
        let options = ScanOptions { from: name.start, until, archived: Lsn::MAX, ..ScanOptions::default() };
        scan::scan(&*self.world.fs, &self.dir.log(), options).err()
    }

    /// Reads an object of the manifest, checked against its hash.
    ///
    /// # Errors
    /// `Corrupt` naming the file.
    pub fn object(&self, id: SegmentId, len: u64, blake3: Hash) -> Result<Bytes> {
        let bytes = open::map_object(&*self.world.fs, &self.dir, id, len)?;
        let content = crate::codec::checksum::unseal(&bytes).map_err(|e| e.with_file(&self.dir.object(id)))?;
        let got = Hash::of(content);
        if got != blake3 {
            return Err(Error::corrupt("an object of a segment is another one").with_file(&self.dir.object(id)).with_expected(blake3, got));
        }
        Ok(bytes)
    }
}
