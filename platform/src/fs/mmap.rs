//! Files mapped into memory: the only unsafe code of this crate.

use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bytes::Bytes;

/// A file's bytes, read-only, without a copy; cheap to clone. Empty for an empty file.
///
/// The file must not shrink while it is mapped: reading behind its new end would stop the process.
/// Files that are mapped are sealed, and the LOCK keeps other writers of ours away.
#[derive(Clone)]
pub struct Mapping {
    owner: Arc<Owner>,
}

enum Owner {
    Mapped(memmap2::Mmap),
    Memory(Arc<Vec<u8>>),
}

impl Owner {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(bytes) => bytes,
        }
    }
}

/// How mapped bytes are going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// From front to back: read far ahead.
    Sequential,
    /// Here and there: read nothing ahead.
    Random,
    /// Soon, all of it: begin to read now.
    WillNeed,
    /// Often: back it with huge pages where the system can.
    HugePages,
}

impl Mapping {
    /// Returns bytes that are held in memory, looking like a mapped file.
    #[must_use]
    pub fn from_memory(bytes: Arc<Vec<u8>>) -> Self {
        Self { owner: Arc::new(Owner::Memory(bytes)) }
    }

    /// Maps the first `len` bytes of `file`.
    #[expect(unsafe_code, reason = "the one place where files are mapped")]
    pub(super) fn of_file(file: &std::fs::File, len: u64) -> io::Result<Self> {
        if len == 0 {
            return Ok(Self::from_memory(Arc::default()));
        }
        let len = usize::try_from(len)
            .ok()
            .filter(|len| isize::try_from(*len).is_ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "the file exceeds memory"))?;
        // The length is asked again: a map that reaches behind the end would fault when read.
        if file.metadata()?.len() < len as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has shrunk"));
        }
        // SAFETY: the map is read-only and as long as the file is. Nobody changes bytes under it:
        // only sealed files are mapped, they are replaced by renames and never written or cut
        // again, and LOCK keeps a second writer away. A stranger that breaks this from outside
        // the process is beyond what any user of a map can defend against.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(file)? };
        Ok(Self { owner: Arc::new(Owner::Mapped(map)) })
    }

    /// Returns a part of the mapping that keeps all of it alive; copies nothing.
    ///
    /// # Panics
    ///
    /// Panics if `range` reaches behind the end, as a slice does.
    #[must_use]
    pub fn bytes(&self, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len(), "range outside of the mapping");
        Bytes::from_owner(Part { mapping: self.clone(), range })
    }

    /// Tells the system how the bytes are going to be read. A hint: what it cannot do is skipped.
    pub fn advise(&self, advice: Advice) {
        let Owner::Mapped(map) = &*self.owner else { return };
        let advice = match advice {
            Advice::Sequential => memmap2::Advice::Sequential,
            Advice::Random => memmap2::Advice::Random,
            Advice::WillNeed => memmap2::Advice::WillNeed,
            #[cfg(target_os = "linux")]
            Advice::HugePages => memmap2::Advice::HugePage,
            #[cfg(not(target_os = "linux"))]
            Advice::HugePages => return,
        };
        let _ = map.advise(advice);
    }
}

struct Part {
    mapping: Mapping,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.mapping[self.range.clone()]
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.owner.as_slice()
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapping of {} bytes", self.len())
    }
}
