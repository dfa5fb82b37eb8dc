//! Log files: their names, their header, and how a position of the log becomes an offset in a file.

use std::path::{Path, PathBuf};

use platform::fs::{File, FileSystem};

use super::record::{GRANULE, RECORD_ALIGN};
use crate::codec::FileHeader;
use crate::codec::file_header::FILE_HEADER_LEN;
use crate::error::{Error, Result};
use crate::ids::{Lsn, Timeline};

/// First eight bytes of a log file.
pub const LOG_MAGIC: [u8; 8] = *b"VECLOG\0\0";
/// Version of the log file format.
pub const LOG_VERSION: u16 = 1;
/// Length of the first file of a log; each next one is twice as long, up to [`LOG_FILE_LEN_MAX`].
pub const LOG_FILE_LEN_FIRST: u64 = 1 << 20;
/// Largest position that a log can reach: what the address of a payload has room for. What is beyond was never written.
pub const LSN_MAX: Lsn = 1 << 50;
/// A file is sealed after the record that crosses this length.
pub const LOG_FILE_LEN_MAX: u64 = 64 << 20;

/// What a log file's name says: whose it is and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFileName {
    /// Position of its first record.
    pub start: Lsn,
    /// The timeline that wrote it.
    pub timeline: Timeline,
}

impl LogFileName {
    /// Reads a name; `None` when it is not that of a log file (temporaries and foreign files are left alone).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (timeline, start) = name.strip_suffix(".log")?.split_once('-')?;
        let canonical = start.len() == 20 && start.bytes().all(|b| b.is_ascii_digit());
        let start = start.parse().ok().filter(|_| canonical)?;
        Some(LogFileName { start, timeline: Timeline::parse(timeline).ok()? })
    }

    /// Gives the path in a log's directory.
    #[must_use]
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}-{:020}.log", self.timeline, self.start))
    }

    /// Gives the bytes before the first record: the file header and zeros, so that offsets and positions agree modulo 4096
    /// and a checksummed granule of the log is a page of the file.
    #[must_use]
    pub fn header_len(&self) -> u64 {
        let rest = self.start % GRANULE;
        if rest < FILE_HEADER_LEN as u64 { rest + GRANULE } else { rest }
    }

    /// Gives the offset of a position in the file.
    ///
    /// # Panics
    /// When the position lies before the file.
    #[must_use]
    pub fn offset(&self, lsn: Lsn) -> u64 {
        assert!(lsn >= self.start, "a position is looked up in the file that holds it");
        self.header_len() + (lsn - self.start)
    }

    /// Lays out the header, zeros included.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let header = FileHeader { magic: LOG_MAGIC, version: LOG_VERSION, subject: self.timeline.0, number: self.start };
        let mut bytes = header.encode().to_vec();
        bytes.resize(self.header_len() as usize, 0);
        bytes
    }

    /// Checks that an open file begins with the header that its name promises.
    ///
    /// # Errors
    /// `Corrupt` when it does not, `NewerFormat` for a later version, `Io` when it cannot be read.
    pub fn check_header(&self, file: &dyn File) -> Result<()> {
        let mut bytes = vec![0; self.header_len() as usize];
        let read = read_up_to(file, &mut bytes, 0)?;
        let header = FileHeader::decode(&bytes[..read], LOG_MAGIC, LOG_VERSION).map_err(|e| e.with_file(file.path()))?;
        let expected = FileHeader { magic: LOG_MAGIC, version: LOG_VERSION, subject: self.timeline.0, number: self.start };
        if header != expected || read < bytes.len() || bytes[FILE_HEADER_LEN..].iter().any(|&b| b != 0) {
            return Err(Error::corrupt("the log file's header does not match its name")
                .with_file(file.path())
                .with_offset(0)
                .with_expected(self.start, header.number));
        }
        Ok(())
    }
}

/// Reads until the buffer is full or the file ends; gives the number of bytes read.
pub(super) fn read_up_to(file: &dyn File, buf: &mut [u8], offset: u64) -> Result<usize> {
    let mut read = 0;
    while read < buf.len() {
        match file.read_at(&mut buf[read..], offset + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// Lists a log's files in the order of their positions.
///
/// # Errors
/// `Corrupt` when two files begin at the same position, `Io` when the directory cannot be read.
pub fn list(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<LogFileName>> {
    let mut names: Vec<_> = fs.list(dir)?.iter().filter(|e| !e.is_dir).filter_map(|e| LogFileName::parse(&e.name)).collect();
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0].start == pair[1].start) {
        return Err(Error::corrupt("two log files begin at the same position")
            .with_file(&pair[1].path(dir))
            .with_expected("one file", pair[0].path(dir).display()));
    }
    if let Some(name) = names.iter().find(|name| !name.start.is_multiple_of(RECORD_ALIGN as u64) || name.start > LSN_MAX) {
        return Err(Error::corrupt("a log file begins where no record can").with_file(&name.path(dir)).with_offset(0));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_foreign_names_are_left_alone() {
        let name = LogFileName { start: 640, timeline: Timeline([9; 16]) };
        let path = name.path(Path::new("d"));
        assert_eq!(LogFileName::parse(path.file_name().unwrap().to_str().unwrap()), Some(name));
        for foreign in ["", "x.log", "prepared.tmp", ".0-1.log", "09090909090909090909090909090909-640.log"] {
            assert_eq!(LogFileName::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_name_whose_position_no_log_can_reach_is_refused() {
        use platform::fs::OpenMode;
        let world = platform::sim::SimWorld::new(1).world();
        for (start, fits) in [(LSN_MAX, true), (LSN_MAX + 64, false), (u64::MAX - 63, false), (65, false)] {
            let dir = Path::new("/").join(start.to_string());
            world.fs.create_dir_all(&dir).unwrap();
            world.fs.open(&LogFileName { start, timeline: Timeline([1; 16]) }.path(&dir), OpenMode::CreateNew).unwrap();
            assert_eq!(list(&*world.fs, &dir).is_ok(), fits, "{start}");
        }
    }

    #[test]
    fn offsets_and_positions_agree_modulo_a_granule() {
        for start in (0..3 * GRANULE).step_by(64) {
            let name = LogFileName { start, timeline: Timeline([1; 16]) };
            assert!(name.header_len() >= FILE_HEADER_LEN as u64 && name.header_len() <= GRANULE + FILE_HEADER_LEN as u64);
            assert_eq!(name.offset(start + 100) % GRANULE, (start + 100) % GRANULE, "start {start}");
            assert_eq!(name.header().len() as u64, name.header_len());
        }
    }
}
