//! The deletes object of a manifest: for each segment and part, the rows that are dead at the covered LSN.

use bytes::Bytes;
use index::Bitmap;

use super::PARTS_MAX;
use crate::error::{Error, Result};
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section that lists the ids of the segments; sections of bitmaps have the place in this list, plus one, as tag.
pub const TAG_SEGMENTS: u32 = 0;

/// Collects the bitmaps of a manifest.
#[derive(Debug)]
pub struct DeletesBuilder {
    id: SegmentId,
    segments: Vec<SegmentId>,
    bitmaps: Vec<(u32, u32, Vec<u8>)>,
}

impl DeletesBuilder {
    /// Starts with no dead rows.
    #[must_use]
    pub fn new(id: SegmentId) -> Self {
        DeletesBuilder { id, segments: Vec::new(), bitmaps: Vec::new() }
    }

    /// Adds the dead rows of one part of a segment; an empty set takes no space.
    ///
    /// # Panics
    /// When that part of that segment was added before, or cannot exist.
    pub fn add(&mut self, segment: SegmentId, part: u32, dead: &Bitmap) {
        assert!(part < PARTS_MAX, "part {part} is above the limit");
        if dead.count() == 0 {
            return;
        }
        let place = self.segments.iter().position(|&known| known == segment).unwrap_or_else(|| {
            self.segments.push(segment);
            self.segments.len() - 1
        });
        let tag = place as u32 + 1;
        assert!(!self.bitmaps.iter().any(|&(t, p, _)| (t, p) == (tag, part)), "one bitmap for each part of a segment");
        self.bitmaps.push((tag, part, dead.to_bytes()));
    }

    /// Lays the object out.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let list: Vec<u8> = self.segments.iter().flat_map(|segment| segment.0).collect();
        let builder = ObjectBuilder::new(Role::Deletes, self.id).section(TAG_SEGMENTS, 0, list);
        self.bitmaps.into_iter().fold(builder, |builder, (tag, part, bitmap)| builder.section(tag, part, bitmap)).finish()
    }
}

/// A deletes object opened.
#[derive(Debug)]
pub struct Deletes {
    object: ObjectFile,
    segments: Vec<SegmentId>,
}

impl Deletes {
    /// Opens the object.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged, `NewerFormat` when a later version wrote it.
    pub fn open(bytes: Bytes, id: SegmentId) -> Result<Self> {
        let object = ObjectFile::open(bytes, Role::Deletes, id)?;
        let list = object.required(TAG_SEGMENTS, 0)?;
        let (segments, rest) = list.as_chunks::<16>();
        if !rest.is_empty() || object.names().any(|(tag, _)| tag as usize > segments.len()) {
            return Err(Error::corrupt("the list of segments with dead rows is incomplete").with_object(id.to_string()));
        }
        let segments = segments.iter().map(|&id| SegmentId(id)).collect();
        Ok(Deletes { object, segments })
    }

    /// Gives the dead rows of one part of a segment of some rows; `None` when none is dead.
    ///
    /// # Errors
    /// `Corrupt` when the bitmap is damaged or of another number of rows.
    pub fn get(&self, segment: SegmentId, part: u32, rows: u32) -> Result<Option<Bitmap>> {
        let Some(place) = self.segments.iter().position(|&known| known == segment) else { return Ok(None) };
        let Some(bytes) = self.object.section(place as u32 + 1, part)? else { return Ok(None) };
        Bitmap::from_bytes(&bytes, rows).map(Some).ok_or_else(|| {
            Error::corrupt(format!("the dead rows of part {part} of segment {segment} are of another number of rows"))
                .with_object(self.object.id().to_string())
                .with_expected(format!("{rows} rows"), format!("{} bytes", bytes.len()))
        })
    }

    /// Gives the ids of the segments that have dead rows.
    #[must_use]
    pub fn segments(&self) -> &[SegmentId] {
        &self.segments
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SegmentId = SegmentId([2; 16]);

    fn rows(len: u32, dead: &[u32]) -> Bitmap {
        let mut map = Bitmap::new(len);
        dead.iter().for_each(|&row| map.set(row, true));
        map
    }

    #[test]
    fn dead_rows_come_back_by_segment_and_part() {
        let (a, b, c) = (SegmentId([10; 16]), SegmentId([11; 16]), SegmentId([12; 16]));
        let mut builder = DeletesBuilder::new(ID);
        builder.add(a, 0, &rows(70, &[0, 69]));
        builder.add(b, 0, &rows(100, &[]));
        builder.add(b, 2, &rows(100, &[7]));
        builder.add(a, 1, &rows(70, &[3]));
        let deletes = Deletes::open(builder.finish().into(), ID).unwrap();
        assert_eq!(deletes.segments(), [a, b]);
        assert_eq!(deletes.get(a, 0, 70).unwrap(), Some(rows(70, &[0, 69])));
        assert_eq!(deletes.get(a, 1, 70).unwrap(), Some(rows(70, &[3])));
        assert_eq!(deletes.get(b, 2, 100).unwrap(), Some(rows(100, &[7])));
        for (segment, part) in [(b, 0), (a, 2), (c, 0)] {
            assert_eq!(deletes.get(segment, part, 100).unwrap(), None);
        }
        assert!(deletes.get(a, 0, 64).is_err(), "another number of rows");
        assert!(deletes.get(a, 0, 69).is_err(), "a dead row beyond the last");
    }

    #[test]
    fn a_manifest_without_deletes_has_an_object_all_the_same() {
        let deletes = Deletes::open(DeletesBuilder::new(ID).finish().into(), ID).unwrap();
        assert_eq!(deletes.get(ID, 0, 5).unwrap(), None);
    }

    #[test]
    fn a_list_that_does_not_cover_the_bitmaps_is_refused() {
        for (list, tag) in [(vec![1; 15], 1), (vec![1; 16], 2), (Vec::new(), u32::MAX)] {
            let object = ObjectBuilder::new(Role::Deletes, ID).section(TAG_SEGMENTS, 0, list).section(tag, 0, vec![0; 8]);
            assert!(Deletes::open(object.finish().into(), ID).is_err(), "tag {tag}");
        }
    }
}
