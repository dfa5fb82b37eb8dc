//! Sources of log bytes for tests: right, wrong, cut, absent; they count what they gave.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use engine::log::SectionKind;
use engine::log::record::RecordHead;
use engine::log::residency::RangeSource;
use engine::{Error, ErrorKind, Lsn, Result, Timeline};
use platform::random::Stream;

use super::original::Original;

/// What a source does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It gives what was written.
    Right,
    /// It gives bytes of another kind altogether.
    Garbage,
    /// It gives what was written with one bit flipped somewhere.
    OneBit,
    /// It gives every vector with other numbers, and everything else as it was written.
    Vectors,
    /// It gives too few bytes.
    Cut,
    /// It does not answer.
    Down,
}

/// Finds bytes of vectors in records that lie from a position on.
fn numbers(start: Lsn, records: &Bytes) -> Vec<Lsn> {
    let (mut found, mut at) = (Vec::new(), start);
    while at < start + records.len() as u64 {
        let head = RecordHead::parse(&records[(at - start) as usize..], at).unwrap();
        for section in head.sections.iter().filter(|section| section.kind == SectionKind::Vectors) {
            found.extend((section.offset + 3..section.offset + section.len).step_by(64).map(|offset| at + offset as u64));
        }
        at = head.end();
    }
    found
}

/// The log of a collection, in memory.
#[derive(Debug)]
pub struct MapSource {
    files: BTreeMap<Lsn, (Timeline, Bytes)>,
    /// Positions of bytes of vectors: the upper half of every 16th number.
    numbers: Vec<Lsn>,
    behaviour: Mutex<(Behaviour, Stream)>,
    fetched: AtomicU64,
    now: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl MapSource {
    pub fn new(original: &Original) -> Self {
        let files = original.log.iter().map(|(range, bytes)| (range.start, (range.timeline, bytes.clone()))).collect();
        MapSource {
            files,
            numbers: original.log.iter().flat_map(|(range, bytes)| numbers(range.start, bytes)).collect(),
            behaviour: Mutex::new((Behaviour::Right, Stream::new(1))),
            fetched: AtomicU64::new(0),
            now: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    pub fn set(&self, behaviour: Behaviour) {
        self.behaviour.lock().unwrap().0 = behaviour;
    }

    /// Gives the bytes that were given so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Gives the most that were asked at the same time.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::Relaxed)
    }

    fn answer(&self, timeline: Timeline, from: Lsn, to: Lsn) -> Result<Bytes> {
        let (start, (of, bytes)) = self.files.range(..=from).next_back().unwrap();
        assert_eq!(*of, timeline, "a source is asked for what exists");
        let right = bytes.slice((from - start) as usize..(to - start) as usize);
        let (behaviour, stream) = &mut *self.behaviour.lock().unwrap();
        let mut wrong = right.to_vec();
        match *behaviour {
            Behaviour::Right => return Ok(right),
            Behaviour::Down => return Err(Error::new(ErrorKind::Unreachable, "the archive does not answer")),
            Behaviour::Garbage => wrong.iter_mut().for_each(|byte| *byte ^= 0x5a),
            Behaviour::OneBit => wrong[stream.below(right.len() as u64) as usize] ^= 1 << stream.below(8),
            Behaviour::Vectors => {
                let inside = |at: &&Lsn| **at >= from && **at < to;
                self.numbers.iter().filter(inside).for_each(|at| wrong[(at - from) as usize] ^= 0x10);
            }
            Behaviour::Cut => wrong.truncate(right.len() / 2),
        }
        Ok(Bytes::from(wrong))
    }
}

impl RangeSource for MapSource {
    fn fetch(&self, timeline: Timeline, from: Lsn, to: Lsn) -> Result<Bytes> {
        let at_once = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        // A far store takes its time: until two were seen at once, an answer waits a little for company.
        for _ in 0..20_000 {
            if self.most_at_once() > 1 {
                break;
            }
            std::thread::yield_now();
        }
        let answer = self.answer(timeline, from, to);
        self.now.fetch_sub(1, Ordering::Relaxed);
        self.fetched.fetch_add(answer.as_ref().map_or(0, |bytes| bytes.len() as u64), Ordering::Relaxed);
        answer
    }
}
