//! Gives a log back an end that it lost and an archive has: it is fetched before anything is appended (rule S19).

use std::path::Path;

use bytes::Bytes;
use platform::World;

use super::scan::ScanOptions;
use super::{LogWriter, recovery, scan};
use crate::error::{Error, Result};
use crate::ids::{Lsn, Timeline};

/// Where a log ends that may have lost its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalEnd {
    /// The timeline of its last file; `None` where there is no file.
    pub timeline: Option<Timeline>,
    /// The position behind its last whole operation.
    pub lsn: Lsn,
}

/// Finds the end of a log, whatever was archived.
///
/// # Errors
/// `Corrupt` on damage before the end, `Io`.
pub fn local_end(world: &World, dir: &Path, from: Lsn) -> Result<LocalEnd> {
    let end = scan::scan(&*world.fs, dir, ScanOptions { from, ..ScanOptions::default() })?.end;
    Ok(LocalEnd { timeline: end.file.map(|name| name.timeline), lsn: end.lsn })
}

/// Appends what a log lost: the records of its timeline from its local end on. They are durable when this returns.
///
/// `from` is a position that operations begin at, not behind the end.
///
/// # Errors
/// `Corrupt` when they do not continue the log, `Io`, `NoSpace`.
pub fn give_back(world: &World, dir: &Path, from: Lsn, timeline: Timeline, start: Lsn, records: &Bytes) -> Result<()> {
    let end = scan::scan(&*world.fs, dir, ScanOptions { from, ..ScanOptions::default() })?.end;
    let continues = end.file.is_none_or(|name| name.timeline == timeline || end.lsn == start) && end.lsn == start;
    if !continues {
        return Err(Error::corrupt("what was lost does not begin where the log ends").with_file(dir).with_expected(end.lsn, start));
    }
    recovery::repair(world, dir, &end)?;
    let mut log = match end.file {
        Some(name) if name.timeline == timeline => LogWriter::resume(world, dir, &end)?,
        _ => LogWriter::start(world, dir, timeline, start)?,
    };
    log.append_lost(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::{RecordDraft, RecordKind, SectionKind};
    use platform::sim::SimWorld;

    #[test]
    fn an_end_that_was_lost_is_given_back_byte_for_byte() {
        let world = SimWorld::new(3).world();
        let (dir, timeline) = (Path::new("/log"), Timeline([1; 16]));
        world.fs.create_dir_all(dir).unwrap();
        let mut log = LogWriter::start(&world, dir, timeline, 0).unwrap();
        let mut written = Vec::new();
        for time in 1..=5 {
            let mut draft = RecordDraft::new(RecordKind::Schema, 0);
            draft.section(SectionKind::Json, 0, 0, 1, format!("{{\"n\":{time}}}").into_bytes());
            written.extend(log.append(&draft, time).unwrap());
            log.sync().unwrap();
        }
        let end = log.end();
        let two = end / 5 * 2;
        let name = crate::log::LogFileName { start: 0, timeline };
        drop(log);
        let file = world.fs.open(&name.path(dir), platform::fs::OpenMode::ReadWrite).unwrap();
        file.set_len(name.offset(two)).unwrap();
        assert_eq!(local_end(&world, dir, 0).unwrap(), LocalEnd { timeline: Some(timeline), lsn: two });
        let lost = Bytes::copy_from_slice(&written[two as usize..]);
        assert!(give_back(&world, dir, 0, Timeline([2; 16]), two + 64, &lost).is_err());
        give_back(&world, dir, 0, timeline, two, &lost).unwrap();
        let scan = scan::scan(&*world.fs, dir, ScanOptions { archived: end, ..ScanOptions::default() }).unwrap();
        assert_eq!((scan.records.len(), scan.end.lsn), (5, end));
    }
}
