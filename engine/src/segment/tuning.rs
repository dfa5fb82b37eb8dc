//! What was measured of an index when it was built: an optional section of its object, with the effort that finds how much.

use std::sync::OnceLock;

use bytes::Bytes;

use super::build::finished;
use super::meta::ObjectMeta;
use crate::codec::{Reader, Writer};
use crate::error::{Error, Result};
use crate::object_file::{ObjectBuilder, ObjectFile};

/// The section of a graph or lists object; older graphs have none.
pub const TAG_TUNING: u32 = 2;
/// Bytes before the points of the curve.
pub const TUNING_HEAD_LEN: usize = 32;
/// Bytes of a point of the curve.
pub const TUNING_POINT_LEN: usize = 8;
/// Most points of a curve.
pub const TUNING_POINTS_MAX: usize = 64;
/// A recall is counted in parts of this.
pub const RECALL_UNIT: u32 = 10_000;

const _: () = assert!(4 + 4 + 8 + 8 + 4 + 4 == TUNING_HEAD_LEN);

/// A point of a curve: so many candidates find so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TuningPoint {
    /// Candidates of a search.
    pub ef: u32,
    /// Recall in the mean over the sample, in ten-thousandths.
    pub recall: u32,
}

/// How an index was built, and what searches of it find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Candidates that its build kept.
    pub ef_construction: u32,
    /// Seed of the build.
    pub seed: u64,
    /// Neighbours in all lists of the lowest level of a graph; 0 in an index without such lists.
    pub edges: u64,
    /// Queries that were asked.
    pub samples: u32,
    /// Answers that were compared for each.
    pub top: u32,
    /// Ascending by `ef`, never falling in recall.
    pub curve: Vec<TuningPoint>,
}

impl Tuning {
    /// Lays the section out.
    ///
    /// # Panics
    /// When the curve has too many points, or does not ascend.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.curve.len() <= TUNING_POINTS_MAX, "a curve of {} points", self.curve.len());
        assert!(self.is_curve(), "a curve ascends");
        let mut out = Writer::new();
        out.u32(self.ef_construction);
        out.u32(self.samples);
        out.u64(self.seed);
        out.u64(self.edges);
        out.u32(self.top);
        out.u32(self.curve.len() as u32);
        for point in &self.curve {
            out.u32(point.ef);
            out.u32(point.recall);
        }
        out.into_bytes()
    }

    /// Reads a section.
    ///
    /// # Errors
    /// `Corrupt` when it has another length than it says, or its curve does not ascend.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::corrupt(format!("what was measured of an index is wrong: {what}"));
        let mut reader = Reader::new(bytes);
        let (ef_construction, samples) = (reader.u32()?, reader.u32()?);
        let (seed, edges, top, count) = (reader.u64()?, reader.u64()?, reader.u32()?, reader.u32()? as usize);
        if count > TUNING_POINTS_MAX || bytes.len() != TUNING_HEAD_LEN + count * TUNING_POINT_LEN {
            return Err(bad("it has another length than it says"));
        }
        let mut curve = Vec::with_capacity(count);
        for _ in 0..count {
            curve.push(TuningPoint { ef: reader.u32()?, recall: reader.u32()? });
        }
        let tuning = Tuning { ef_construction, seed, edges, samples, top, curve };
        if tuning.is_curve() { Ok(tuning) } else { Err(bad("its curve does not ascend")) }
    }

    fn is_curve(&self) -> bool {
        let ascends = self.curve.is_sorted_by(|a, b| a.ef < b.ef && a.recall <= b.recall);
        ascends && self.curve.iter().all(|point| point.ef > 0 && point.recall <= RECALL_UNIT)
    }

    /// Gives the fewest candidates of the curve that found this much (in ten-thousandths); `None` when none did.
    #[must_use]
    pub fn ef_for(&self, recall: u32) -> Option<u32> {
        self.curve.iter().find(|point| point.recall >= recall).map(|point| point.ef)
    }

    /// Gives the recall of a number of candidates as a fraction: that of the last point up to it, `None` below the first.
    #[must_use]
    pub fn recall_at(&self, ef: u32) -> Option<f64> {
        let point = self.curve.iter().rfind(|point| point.ef <= ef)?;
        Some(f64::from(point.recall) / f64::from(RECALL_UNIT))
    }
}

/// Adds what was measured to an object that was built without it; its id stays.
///
/// # Errors
/// `Corrupt` when the object is not one.
pub fn add_tuning(object: &ObjectMeta, bytes: Vec<u8>, tuning: &Tuning) -> Result<(ObjectMeta, Vec<u8>)> {
    let file = ObjectFile::open(Bytes::from(bytes), object.role, object.id)?;
    let mut builder = ObjectBuilder::new(object.role, object.id);
    for (tag, part) in file.names().filter(|(tag, _)| *tag != TAG_TUNING) {
        builder = builder.section(tag, part, file.required(tag, part)?.to_vec());
    }
    let bytes = builder.section(TAG_TUNING, object.part, tuning.encode()).finish();
    finished(object.role, object.part, object.id, bytes)
}

/// What was measured of the index in an object, read once.
#[derive(Debug, Default)]
pub struct StoredTuning(OnceLock<Option<Tuning>>);

impl StoredTuning {
    /// Reads the section of a part; `None` in an object of before that was stored.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged.
    pub fn get(&self, object: &ObjectFile, part: u32) -> Result<Option<&Tuning>> {
        if let Some(tuning) = self.0.get() {
            return Ok(tuning.as_ref());
        }
        let section = object.section(TAG_TUNING, part)?;
        let parse = |bytes: Bytes| Tuning::parse(&bytes).map_err(|error| error.with_object(object.id().to_string()));
        let tuning = section.map(parse).transpose()?;
        Ok(self.0.get_or_init(|| tuning).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn sample() -> Tuning {
        let curve = vec![TuningPoint { ef: 10, recall: 8_125 }, TuningPoint { ef: 64, recall: 9_950 }];
        Tuning { ef_construction: 128, seed: 42, edges: 0x0102_0304, samples: 160, top: 10, curve }
    }

    const GOLDEN: [u8; 48] = [
        128, 0, 0, 0, 160, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, //
        10, 0, 0, 0, 0xBD, 0x1F, 0, 0, 64, 0, 0, 0, 0xDE, 0x26, 0, 0,
    ];

    #[test]
    fn golden_bytes() {
        assert_eq!(sample().encode(), GOLDEN);
        assert_eq!(Tuning::parse(&GOLDEN).unwrap(), sample());
    }

    #[test]
    fn every_truncation_is_refused_and_so_is_a_longer_section() {
        for len in 0..GOLDEN.len() {
            assert_eq!(Tuning::parse(&GOLDEN[..len]).unwrap_err().kind, ErrorKind::Corrupt, "{len} bytes");
        }
        assert!(Tuning::parse(&[&GOLDEN[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_flipped_bit_is_refused_or_gives_a_curve() {
        for bit in 0..GOLDEN.len() * 8 {
            let mut bytes = GOLDEN;
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Tuning::parse(&bytes) {
                assert!(read.is_curve() && read != sample(), "bit {bit}");
                assert_eq!(read.encode(), bytes, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_curve_that_falls_is_refused() {
        for (at, value) in [(40, 10_u8), (37, 0xFF), (32, 0), (46, 1)] {
            let mut bytes = GOLDEN;
            bytes[at] = value;
            assert!(Tuning::parse(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_least_effort_is_found_and_what_nobody_measured_is_not_promised() {
        let tuning = sample();
        assert_eq!((tuning.ef_for(8_000), tuning.ef_for(9_000), tuning.ef_for(9_960)), (Some(10), Some(64), None));
        assert_eq!((tuning.recall_at(9), tuning.recall_at(63), tuning.recall_at(1000)), (None, Some(0.8125), Some(0.995)));
    }
}
