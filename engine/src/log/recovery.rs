//! Makes a scanned log safe to append to: zeroes a torn tail, rewrites what no record proves to be on the disk.

use std::path::Path;

use platform::World;
use platform::fs::OpenMode;

use super::file::read_up_to;
use super::scan::LogEnd;
use super::writer::start_file;
use crate::error::{ErrorKind, Result};

/// Bytes written at once.
const CHUNK: usize = 1 << 20;

/// Repairs the last file of a log, so that the next recovery reads the same records whatever happens; every open for writing does so first.
///
/// The torn tail is zeroed and synced first; then what lies between the last proven position and the end is written again and synced (rule S5:
/// after a failed sync the system may hold bytes in memory, marked clean, that never reached the disk). That holds for the record that marks
/// a clean end too: its own sync may be the one that failed. Last, the file's name is made durable: who created it may have died before he
/// did. Running it twice, or again after a crash half-way, gives the same log.
///
/// # Errors
/// `Io` or `NoSpace` when the file cannot be written or synced.
pub fn repair(world: &World, dir: &Path, end: &LogEnd) -> Result<()> {
    let Some(name) = end.file else { return Ok(()) };
    assert!(end.lsn >= name.start && end.torn_to >= end.lsn, "the end lies in the last file");
    let file = world.fs.open(&name.path(dir), OpenMode::ReadWrite)?;
    let len = file.len()?;
    let (from, to) = (name.offset(end.lsn), name.offset(end.torn_to).min(len));
    if to > from {
        let zeros = vec![0; CHUNK];
        let mut at = from;
        while at < to {
            let step = (to - at).min(CHUNK as u64);
            file.write_all_at(&zeros[..step as usize], at)?;
            at += step;
        }
        file.sync_data()?;
    }
    let (mut at, to) = (name.offset(end.proven.max(name.start).min(end.lsn)), name.offset(end.lsn));
    if at < to {
        let mut buffer = vec![0; CHUNK];
        while at < to {
            let step = (to - at).min(CHUNK as u64) as usize;
            let read = read_up_to(&*file, &mut buffer[..step], at)?;
            assert_eq!(read, step, "the scan has read these bytes");
            file.write_all_at(&buffer[..step], at)?;
            at += step as u64;
        }
        file.sync_data()?;
    }
    if end.lsn == name.start {
        // Nothing in this file was acknowledged, so it is begun anew, in one step over the old name: where the sync of the directory
        // failed once, a second one need not make that name durable. On a full disk the name that is there must do.
        match start_file(world, dir, name) {
            Err(error) if error.kind == ErrorKind::NoSpace => {}
            started => drop(started?),
        }
    }
    world.fs.sync_dir(dir)?;
    Ok(())
}
