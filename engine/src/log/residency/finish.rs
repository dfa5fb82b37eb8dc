//! Makes an ordinary file of a lazy one: all bytes here, hashed, synced.

use std::ops::Range;

use bytes::Bytes;
use platform::World;

use super::{LazyFile, RUN_MAX};
use crate::codec::checksum::{Hash, Hasher};
use crate::error::{Error, Result};
use crate::ids::Lsn;

impl LazyFile {
    /// Finds the next stretch that the file does not hold; `None` when it can be finished.
    #[must_use]
    pub fn next_missing(&self) -> Option<Range<Lsn>> {
        if self.residency.is_spoiled() { None } else { self.residency.next_unwritten(RUN_MAX) }
    }

    /// Fetches a stretch that is missing and writes it to the file.
    ///
    /// # Errors
    /// Those of the source; `Io` or `NoSpace`.
    pub fn bring(&self, run: &Range<Lsn>) -> Result<()> {
        let bytes = self.residency.fetch(run)?;
        self.residency.write(run, &bytes)
    }

    /// Gives the number of bytes that the file does not hold.
    #[must_use]
    pub fn missing_bytes(&self) -> u64 {
        self.residency.unwritten_bytes()
    }

    /// Makes the file durable and proves that it is what was written: by the hash of its records. A file that holds anything else is written
    /// anew beside the old one and put in its place; whoever still reads the old one goes on with it.
    ///
    /// # Errors
    /// `Corrupt` when the source does not have what was written, its other errors, `Io`, `NoSpace`; the file stays a lazy one then.
    pub fn finish(&self, world: &World, expected: Hash) -> Result<()> {
        if let Some(file) = self.residency.file.as_ref().filter(|_| !self.residency.is_spoiled()) {
            let mut hasher = Hasher::new();
            for run in self.runs() {
                let mut bytes = vec![0; (run.end - run.start) as usize];
                file.read_exact_at(&mut bytes, self.sealed.name.offset(run.start))?;
                hasher.update(&bytes);
            }
            if hasher.finish() == expected {
                // After a sync that failed nobody knows what the disk holds.
                return file.sync_all().inspect_err(|_| self.residency.spoil()).map_err(Error::from);
            }
            self.residency.spoil();
        }
        self.write_anew(world, expected)
    }

    fn write_anew(&self, world: &World, expected: Hash) -> Result<()> {
        let mut bytes = self.sealed.name.header();
        for run in self.runs() {
            let fetched: Bytes = self.residency.fetch(&run)?;
            bytes.extend_from_slice(&fetched);
        }
        let got = Hash::of(&bytes[self.sealed.name.header_len() as usize..]);
        if got != expected {
            return Err(Error::corrupt("the archive holds other bytes of a log file than were written")
                .with_file(&self.path)
                .with_expected(expected, got)
                .with_hint("verify the archive; the collection goes on answering from the bytes that are right"));
        }
        Ok(world.write_file_durably(&self.path, &bytes)?)
    }

    /// Cuts the whole file into runs.
    fn runs(&self) -> impl Iterator<Item = Range<Lsn>> {
        let (start, end) = (self.sealed.name.start, self.sealed.end);
        (start..end).step_by(RUN_MAX as usize).map(move |at| at..(at + RUN_MAX).min(end))
    }
}
