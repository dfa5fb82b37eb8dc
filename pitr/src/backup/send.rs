//! Carries a plan out: compares what is there, and sends what is not.

use bytes::Bytes;
use engine::codec::checksum::Hash;
use engine::collection::Snapshot;
use engine::collection::snapshot::LogRange;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Lsn, Timeline};
use engine::object_file::Role;
use platform::object_store::PutOutcome;

use super::format::{ByteCounts, ObjectEntry, RangeEntry};
use super::marker::Marker;
use super::plan::{NeededObject, ObjectPlan, RangePlan};
use crate::Progress;
use crate::archive::extent::{self, ExtentRef};
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::stored::store_error;
use crate::archive::{Archive, Key};

/// Names that are tried for an object before it is given up.
const NAMES_MAX: u8 = 8;

/// Sends one backup.
pub(super) struct Sender<'a> {
    pub snapshot: &'a Snapshot,
    /// The destination first, then the other archives of the plan.
    pub archives: Vec<&'a Archive>,
    pub marker: &'a Marker,
    pub progress: Progress<'a>,
    pub bytes: ByteCounts,
    pub done: u64,
    pub work: u64,
}

impl Sender<'_> {
    fn destination(&self) -> &Archive {
        self.archives[0]
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        (self.progress)(self.done, self.work.max(self.done));
    }

    /// Brings the destination to hold a stretch of the log.
    pub fn send_range(&mut self, plan: &RangePlan) -> Result<RangeEntry> {
        let LogRange { timeline, start, end, .. } = plan.range;
        self.bytes.total += end - start;
        if let (true, Some(blake3)) = (plan.is_proven(), plan.range.blake3) {
            return Ok(RangeEntry { timeline, start, end, blake3 });
        }
        let bytes = self.snapshot.log_bytes(&plan.range)?;
        assert_eq!(bytes.len() as u64, end - start, "a stretch has the bytes that it says");
        let blake3 = plan.range.blake3.unwrap_or_else(|| Hash::of(&bytes));
        if let Some((vouched_end, vouched)) = plan.vouched {
            let ours = if vouched_end == end { blake3 } else { Hash::of(&bytes[..(vouched_end - start) as usize]) };
            if ours != vouched {
                return Err(diverged(self.destination(), timeline, start).with_expected(vouched, ours));
            }
        }
        let vouched_end = plan.vouched.map_or(start, |(end, _)| end);
        for piece in &plan.pieces {
            // Nobody vouches for what an unfinished attempt left, and the extent at which the cover ends may be one that was cut off.
            let at_the_end = piece.to == plan.reached && plan.reached < end;
            if piece.to > vouched_end || at_the_end {
                self.compare(piece.source, timeline, piece.extent, start, &bytes)?;
            }
        }
        self.put_rest(timeline, plan.reached, start, &bytes)?;
        self.advance(end - start);
        Ok(RangeEntry { timeline, start, end, blake3 })
    }

    /// Sends the records from `at` on; what somebody else put in the meantime is compared and used.
    fn put_rest(&mut self, timeline: Timeline, mut at: Lsn, start: Lsn, bytes: &Bytes) -> Result<()> {
        let end = start + bytes.len() as u64;
        while at < end {
            let key = Key::Extent(timeline, at);
            let records = bytes.slice((at - start) as usize..);
            let len = records.len() as u64;
            let put = self.destination().store.put_if_absent(&key.to_string(), extent::body(timeline, at, records));
            at = match put.map_err(|e| store_error(&e))? {
                PutOutcome::Created => {
                    self.bytes.new += len;
                    end
                }
                PutOutcome::Exists => self.compare(0, timeline, self.found_at(timeline, at)?, start, bytes)?.min(end),
            };
        }
        Ok(())
    }

    /// Looks at the extent that took the key of one that was to be sent.
    fn found_at(&self, timeline: Timeline, start: Lsn) -> Result<ExtentRef> {
        let (archive, key) = (self.destination(), Key::Extent(timeline, start));
        let size = archive.store.head(&key.to_string()).map_err(|e| store_error(&e))?;
        if size == Some(extent::SEAL_LEN) {
            let error = Error::new(ErrorKind::Fenced, "another writer took this collection over");
            return Err(archive.at(error, &key).with_hint("this copy of the data is no longer the one that is written"));
        }
        let end = size.and_then(|size| extent::end_of(start, size));
        end.map(|end| ExtentRef { start, end, whole: false }).ok_or_else(|| {
            let error = Error::corrupt("an extent that is there already is cut off")
                .with_expected("whole records", format!("{} bytes", size.unwrap_or(0)));
            damaged(archive.at(error, &key))
        })
    }

    /// Compares a whole extent with the records that lie in memory from `start` on; gives the position behind the extent.
    fn compare(&self, source: usize, timeline: Timeline, found: ExtentRef, start: Lsn, bytes: &[u8]) -> Result<Lsn> {
        let archive = self.archives[source];
        let end = start + bytes.len() as u64;
        let mut differs = false;
        let compared = stream_extent(archive, timeline, found, &mut |at, piece| {
            let (from, to) = (at.max(start), (at + piece.len() as u64).min(end));
            if from < to {
                differs |= piece[(from - at) as usize..(to - at) as usize] != bytes[(from - start) as usize..(to - start) as usize];
            }
            Ok(())
        });
        compared.map_err(|error| if error.kind == ErrorKind::Corrupt { damaged(error) } else { error })?;
        if differs {
            return Err(diverged(archive, timeline, found.start));
        }
        Ok(found.end)
    }

    /// Brings the destination to hold an object.
    pub fn send_object(&mut self, plan: &ObjectPlan) -> Result<ObjectEntry> {
        let NeededObject { role, id, bytes, blake3 } = plan.needed;
        self.bytes.total += bytes;
        let (number, name) = match plan.held {
            Some(held) => held,
            None => (0, self.put_object(&plan.needed)?),
        };
        let archive = (number > 0).then(|| self.archives[number].id);
        Ok(ObjectEntry { role, id, name, bytes, blake3, archive })
    }

    fn put_object(&mut self, needed: &NeededObject) -> Result<crate::archive::ObjectName> {
        let content = self.snapshot.object(needed.id, needed.bytes, needed.blake3)?;
        for number in 0..NAMES_MAX {
            let name = self.marker.object_name(needed.blake3, number);
            let put = self.destination().store.put_unique(&Key::Object(name).to_string(), vec![content.clone()]);
            match put.map_err(|e| store_error(&e))? {
                PutOutcome::Created => {
                    self.bytes.new += needed.bytes;
                    match needed.role {
                        Role::Graph => self.bytes.adjacency += needed.bytes,
                        Role::Codes | Role::Ivf => self.bytes.codes += needed.bytes,
                        Role::Rows | Role::Addresses | Role::Deletes => {}
                    }
                    self.advance(needed.bytes);
                    return Ok(name);
                }
                PutOutcome::Exists if holds_object(self.destination(), &Key::Object(name), needed)? => {
                    self.advance(needed.bytes);
                    return Ok(name);
                }
                // Something damaged what an earlier attempt sent; it stays, and is called a stray.
                PutOutcome::Exists => {}
            }
        }
        let error = Error::corrupt("every name for an object is taken by something else").with_object(needed.id.to_string());
        Err(error.with_hint("the location is being damaged: check the medium, and back up to another one"))
    }
}

/// Says whether an earlier attempt sent an object whole.
pub(crate) fn holds_object(archive: &Archive, key: &Key, needed: &NeededObject) -> Result<bool> {
    let size = archive.store.head(&key.to_string()).map_err(|e| store_error(&e))?;
    if size != Some(needed.bytes) {
        return Ok(false);
    }
    let (actual, stated) = stream_object(archive, key, needed.bytes, &mut |_| Ok(()))?;
    Ok(actual == needed.blake3 && stated == needed.blake3)
}

fn damaged(error: Error) -> Error {
    error.with_hint(
        "it is never overwritten: check the medium, remove this object by hand and run the command again, or back up to another location",
    )
}

fn diverged(archive: &Archive, timeline: Timeline, start: Lsn) -> Error {
    let error = Error::new(ErrorKind::Diverged, "the location holds another history of the same timeline");
    archive
        .at(error, &Key::Extent(timeline, start))
        .with_hint("a copy of this data directory was backed up there and both were written to since; back up to another location")
}
