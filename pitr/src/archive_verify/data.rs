//! Reads every stored object that something needs, once, and compares it with what is stated of it.

use std::collections::BTreeMap;

use engine::codec::checksum::{Hash, Hasher};
use engine::error::{Error, Result};
use engine::ids::{Lsn, Timeline};

use super::ledger::{Ledger, range_item};
use super::{Finding, Subject, at};
use crate::Progress;
use crate::archive::extent::{ExtentRef, SEAL_LEN};
use crate::archive::extent_stream::{stream_extent, stream_object};
use crate::archive::stored::get_exact;
use crate::archive::{Key, ObjectName};
use crate::backup::held::is_about_content;
use crate::fence::seal::Seal;
use crate::prune::Amount;

/// Reads an archive.
pub(super) struct DataCheck<'a> {
    subject: &'a Subject,
    ledger: &'a mut Ledger,
    progress: Progress<'a>,
    pub read: Amount,
    pub skipped: Amount,
    work: u64,
    findings: Vec<Finding>,
}

/// A sealed log file that is hashed while extents stream by.
struct OpenRange {
    start: Lsn,
    end: Lsn,
    blake3: Hash,
    hasher: Hasher,
    next: Lsn,
    /// Whether an extent that it touches is damaged: then the extent is the finding.
    is_spoiled: bool,
}

impl OpenRange {
    /// Takes what comes next of a piece that begins at a position.
    fn feed(&mut self, at: Lsn, piece: &[u8]) {
        let to = (at + piece.len() as u64).min(self.end);
        if at <= self.next && self.next < to {
            self.hasher.update(&piece[(self.next - at) as usize..(to - at) as usize]);
            self.next = to;
        }
    }

    fn touches(&self, extent: ExtentRef) -> bool {
        self.start < extent.end && extent.start < self.end
    }
}

impl<'a> DataCheck<'a> {
    pub fn new(subject: &'a Subject, ledger: &'a mut Ledger, progress: Progress<'a>) -> Self {
        let work = subject.needed.bytes(&subject.read.listing);
        DataCheck { subject, ledger, progress, read: Amount::default(), skipped: Amount::default(), work, findings: Vec::new() }
    }

    /// Reads everything; gives what is wrong.
    pub fn run(&mut self) -> Result<Vec<Finding>> {
        for (&name, &(bytes, blake3)) in &self.subject.stated.objects {
            // A wrong size is found by listing.
            if self.subject.read.listing.objects.get(&name) == Some(&bytes) {
                self.check_object(name, bytes, blake3)?;
            }
        }
        let mut timelines: BTreeMap<Timeline, Vec<OpenRange>> = BTreeMap::new();
        for stretch in self.subject.needed.stretches() {
            timelines.entry(stretch.timeline).or_default();
        }
        for (&(timeline, start, end), &blake3) in &self.subject.stated.ranges {
            if !self.ledger.is_fresh(&range_item(timeline, start, end, blake3)) {
                let open = OpenRange { start, end, blake3, hasher: Hasher::new(), next: start, is_spoiled: false };
                timelines.entry(timeline).or_default().push(open);
            }
        }
        for (timeline, ranges) in timelines {
            self.check_log(timeline, ranges)?;
        }
        self.check_seals()?;
        Ok(std::mem::take(&mut self.findings))
    }

    fn count(&mut self, bytes: u64, was_read: bool) {
        let amount = if was_read { &mut self.read } else { &mut self.skipped };
        amount.objects += 1;
        amount.bytes += bytes;
        let done = self.read.bytes + self.skipped.bytes;
        (self.progress)(done, self.work.max(done));
    }

    fn check_object(&mut self, name: ObjectName, bytes: u64, blake3: Hash) -> Result<()> {
        let key = Key::Object(name);
        let item = key.to_string();
        if self.ledger.is_fresh(&item) {
            self.count(bytes, false);
            return Ok(());
        }
        let wrong = match stream_object(&self.subject.read.archive, &key, bytes, &mut |_| Ok(())) {
            Ok((actual, stated)) if actual == blake3 && stated == blake3 => None,
            Ok((actual, _)) => {
                let error = Error::corrupt("the object does not match its hash").with_offset(0).with_expected(blake3, actual);
                Some(at(self.subject, error, &key))
            }
            Err(error) if is_about_content(error.kind) => Some(error),
            Err(error) => return Err(error),
        };
        self.count(bytes, true);
        self.ledger.note(item, wrong.is_none());
        self.findings.extend(wrong.map(|error| Finding { spoils: self.subject.spoiled_by_object(name), error }));
        Ok(())
    }

    /// Reads the extents of a timeline: those that were not read lately, and those that a sealed file needs which was not.
    fn check_log(&mut self, timeline: Timeline, mut ranges: Vec<OpenRange>) -> Result<()> {
        let subject = self.subject;
        for extent in subject.read.listing.extents_of(timeline) {
            let key = extent.key(timeline);
            let item = key.to_string();
            let size = subject.read.listing.sizes.get(&item).copied().unwrap_or(0);
            let is_needed = subject.needed.needs_log(timeline, extent.start, extent.end);
            let is_hashed = ranges.iter().any(|range| range.touches(extent));
            if !is_needed {
                continue;
            }
            if !is_hashed && self.ledger.is_fresh(&item) {
                self.count(size, false);
                continue;
            }
            let streamed = stream_extent(&subject.read.archive, timeline, extent, &mut |at, piece| {
                ranges.iter_mut().for_each(|range| range.feed(at, piece));
                Ok(())
            });
            self.count(size, true);
            self.ledger.note(item, streamed.is_ok());
            match streamed {
                Ok(()) => {}
                Err(error) if is_about_content(error.kind) => {
                    ranges.iter_mut().filter(|range| range.touches(extent)).for_each(|range| range.is_spoiled = true);
                    let spoils = subject.spoiled_by_log(timeline, extent.start, extent.end);
                    self.findings.push(Finding { spoils, error });
                }
                Err(error) => return Err(error),
            }
        }
        for range in ranges {
            self.judge(timeline, &range);
        }
        Ok(())
    }

    fn judge(&mut self, timeline: Timeline, range: &OpenRange) {
        let got = range.hasher.finish();
        let is_whole = range.next == range.end;
        self.ledger.note(range_item(timeline, range.start, range.end, range.blake3), is_whole && got == range.blake3);
        // What is missing is found by listing; what lies in a damaged extent is explained by that.
        if is_whole && got != range.blake3 && !range.is_spoiled {
            let error =
                Error::corrupt("the log does not match the hash that is stated of it").with_offset(0).with_expected(range.blake3, got);
            let spoils = self.subject.spoiled_by_log(timeline, range.start, range.end);
            self.findings.push(Finding { spoils, error: at(self.subject, error, &Key::Extent(timeline, range.start)) });
        }
    }

    fn check_seals(&mut self) -> Result<()> {
        let subject = self.subject;
        for (&timeline, &position) in subject.read.listing.seals.iter().flat_map(|(timeline, at)| at.iter().map(move |at| (timeline, at))) {
            let key = Key::Extent(timeline, position);
            let stored = get_exact(&*subject.read.archive.store, &key.to_string(), 0..SEAL_LEN);
            self.count(SEAL_LEN, true);
            match stored.and_then(|stored| Seal::decode(&stored, timeline, position)) {
                Ok(_) => {}
                Err(error) if is_about_content(error.kind) => {
                    let spoils = subject.spoiled_by_log(timeline, 0, Lsn::MAX);
                    self.findings.push(Finding { spoils, error: at(subject, error, &key) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
