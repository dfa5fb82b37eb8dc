//! Files that users bring: vectors, ids, payloads, points. Read in pieces, never trusted, never whole.
//!
//! Every reader gives values or says what is wrong in which row, line or byte. No reader panics on any
//! bytes, and none allocates more than a piece of bounded size, whatever a header claims.

use crate::exit::Failure;
use engine::ErrorKind;
use platform::fs::{File, FileSystem, OpenMode};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

mod ids;
mod jsonl;
mod npy;
mod numbers;
mod vecs;

pub use ids::{IdFile, NeighbourFile};
pub use jsonl::{JsonLines, LineVectors, PayloadLines, PointLine, PointLines};
pub use npy::{Element as NpyElement, Header as NpyHeader};
pub use vecs::{Format, VectorElement, VectorFile, VectorRows};

/// The most bytes that one read of rows may take.
pub const MAX_READ_BYTES: u64 = 256 << 20;

/// The largest dimension that a file may have; the engine's own limit may be lower.
pub const MAX_DIM: u64 = 65_536;

/// Bytes with positions: a file, or memory.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    len: u64,
    bytes: Bytes,
}

#[derive(Debug, Clone)]
enum Bytes {
    File(Arc<dyn File>),
    Memory(Arc<[u8]>),
}

impl Source {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it does not exist, is a directory, or cannot be read.
    pub fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Failure> {
        let is_dir = fs.metadata(path)?.is_some_and(|metadata| metadata.is_dir);
        if is_dir {
            return Err(Failure::invalid("cannot read a directory as a file").with_file(path));
        }
        let file = fs.open(path, OpenMode::Read)?;
        let len = file.len()?;
        Ok(Self { name: path.display().to_string(), len, bytes: Bytes::File(file) })
    }

    /// Takes bytes in memory for a file of this name.
    #[must_use]
    pub fn memory(name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { name: name.to_owned(), len: bytes.len() as u64, bytes: Bytes::Memory(bytes) }
    }

    /// The name as the user gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes in it, at the time it was opened.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Reads up to `buf.len()` bytes; 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, Failure> {
        match &self.bytes {
            Bytes::File(file) => Ok(file.read_at(buf, offset)?),
            Bytes::Memory(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
                let count = rest.len().min(buf.len());
                buf[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
    }

    /// Reads `len` bytes, which the caller has checked against a limit of its own.
    fn read_vec(&self, offset: u64, len: usize) -> Result<Vec<u8>, Failure> {
        debug_assert!(len as u64 <= MAX_READ_BYTES);
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(self.bad("the file is too short").with_offset(self.len));
        }
        let mut buf = vec![0; len];
        let mut done = 0;
        while done < len {
            let count = self.read_at(&mut buf[done..], offset + done as u64)?;
            if count == 0 {
                return Err(self.bad("the file became shorter while it was read").with_offset(offset + done as u64));
            }
            done += count;
        }
        Ok(buf)
    }

    /// Makes a failure on what is in this file.
    fn bad(&self, message: impl Into<String>) -> Failure {
        Failure::invalid(message).with_file(Path::new(&self.name))
    }
}

/// A source from its start to its end.
struct SourceReader {
    source: Source,
    position: u64,
}

impl Read for SourceReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read_at(buf, self.position).map_err(|failure| io::Error::other(failure.to_string()))?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Text lines from a file, unpacked when its name ends in `.gz`, or from stdin when it is `-`.
///
/// # Errors
/// As [`Source::open`].
pub fn open_text(fs: &dyn FileSystem, path: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(READ_AHEAD, io::stdin())));
    }
    Ok(text_of(Source::open(fs, path)?))
}

const READ_AHEAD: usize = 256 << 10;

/// Text lines of a source, unpacked when its name ends in `.gz`.
#[must_use]
pub fn text_of(source: Source) -> Box<dyn BufRead + Send> {
    let packed = Path::new(source.name()).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let reader = BufReader::with_capacity(READ_AHEAD, SourceReader { source, position: 0 });
    if packed {
        return Box::new(BufReader::with_capacity(READ_AHEAD, flate2::bufread::MultiGzDecoder::new(reader)));
    }
    Box::new(reader)
}

/// Maps a failed read of a stream: bytes that are no gzip are bad input, the rest is the system's.
fn stream_failure(name: &str, line: u64, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => ErrorKind::InvalidInput,
        _ => ErrorKind::Io,
    };
    Failure::new(kind, format!("cannot read line {line}: {error}")).with_file(Path::new(name))
}

/// Checks that rows lie in a file and that reading them takes bounded memory: their number of bytes.
fn bytes_of_rows(source: &Source, rows: u64, first: u64, count: usize, bytes_per_row: u64) -> Result<usize, Failure> {
    if first.checked_add(count as u64).is_none_or(|end| end > rows) {
        return Err(source
            .bad("rows beyond the end were asked for")
            .with_expected(format!("at most {rows} rows"), format!("row {first} + {count}")));
    }
    let bytes = (count as u64).checked_mul(bytes_per_row).filter(|bytes| *bytes <= MAX_READ_BYTES);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        source
            .bad(format!("{count} rows of {bytes_per_row} bytes are too much at once"))
            .with_expected(format!("at most {} a batch", crate::output::bytes(MAX_READ_BYTES)), format!("{count} rows"))
            .with_hint("give a smaller --batch")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::fs::OsFileSystem;

    #[test]
    fn memory_and_file_give_the_same_bytes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let file = Source::open(&OsFileSystem::new(), &path).unwrap();
        let size = usize::try_from(file.size()).unwrap();
        let bytes = file.read_vec(0, size).unwrap();
        let memory = Source::memory("Cargo.toml", bytes.clone());
        assert_eq!(memory.read_vec(3, size - 3).unwrap(), &bytes[3..]);
        assert_eq!(memory.read_vec(0, size + 1).unwrap_err().kind, ErrorKind::InvalidInput);
        assert_eq!(memory.read_vec(u64::MAX, 1).unwrap_err().kind, ErrorKind::InvalidInput);
    }

    #[test]
    fn a_missing_file_and_a_directory_are_named() {
        let missing = Path::new(env!("CARGO_MANIFEST_DIR")).join("there is no such file");
        let failure = Source::open(&OsFileSystem::new(), &missing).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Io);
        assert!(failure.to_string().contains("there is no such file"), "{failure}");
        let failure = Source::open(&OsFileSystem::new(), Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
        assert!(failure.to_string().contains("directory"), "{failure}");
    }

    #[test]
    fn reads_of_rows_are_bounded() {
        let source = Source::memory("x", Vec::new());
        assert_eq!(bytes_of_rows(&source, 10, 4, 6, 8).unwrap(), 48);
        assert!(bytes_of_rows(&source, 10, 4, 7, 8).is_err());
        assert!(bytes_of_rows(&source, u64::MAX, u64::MAX, 1, 8).is_err());
        assert!(bytes_of_rows(&source, 1 << 40, 0, 1 << 30, 1 << 20).is_err());
    }
}
