//! The rows object: which points a segment holds, found by id without building anything, with presence and field indexes.

use bytes::Bytes;
use index::Bitmap;

use super::build::FlatRow;
use super::membership::{self, Membership};
use super::{ABSENT, PARTS_MAX};
use crate::codec::file_header::newer_format;
use crate::codec::reader::{u32_at, u64_at};
use crate::codec::{Reader, Writer};
use crate::error::{Error, Result};
use crate::ids::{PointId, SegmentId};
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section of counts.
pub const TAG_COUNTS: u32 = 1;
/// The section of ids in the order of rows.
pub const TAG_IDS: u32 = 2;
/// The section of rows in the order of (id, row), 4 bytes each; left out when rows are in that order already.
pub const TAG_ID_ORDER: u32 = 3;
/// The section of the membership filter.
pub const TAG_MEMBERSHIP: u32 = 4;
/// The section of the bitmap of rows with a payload.
pub const TAG_HAS_PAYLOAD: u32 = 5;
/// The section of the bitmap of rows that have a part; left out when all have it.
pub const TAG_PRESENCE: u32 = 6;
/// The section of a field index; its part is its place in the list.
pub const TAG_FIELD: u32 = 7;

/// Bytes of the section of counts.
pub const COUNTS_LEN: usize = 16;
/// Bytes of an id where all ids are integers.
pub const ID_LEN: usize = 8;
/// Bytes of an id where some are UUIDs: a tag (0 integer, 1 UUID) and 16 bytes, an integer in the first 8.
pub const ID_LEN_MIXED: usize = 17;

/// Lays out the rows object of some rows.
///
/// # Panics
/// When rows differ in their number of parts.
#[must_use]
pub fn encode(id: SegmentId, rows: &[FlatRow], parts: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    assert!(rows.iter().all(|row| row.addresses.len() == parts as usize), "every row says where each part is, or that it is absent");
    let mixed = rows.iter().any(|row| matches!(row.id, PointId::Uuid(_)));
    let mut counts = Writer::new();
    counts.u32(rows.len() as u32);
    counts.u32(parts);
    counts.u32(fields.len() as u32);
    counts.u32(u32::from(mixed));
    let mut builder = ObjectBuilder::new(Role::Rows, id)
        .section(TAG_COUNTS, 0, counts.into_bytes())
        .section(TAG_IDS, 0, encode_ids(rows, mixed))
        .section(TAG_MEMBERSHIP, 0, membership::build(rows.iter().map(|row| &row.id)))
        .section(TAG_HAS_PAYLOAD, 0, bitmap(rows, |row| row.has_payload));
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|&row| (rows[row as usize].id, row));
    if !order.is_sorted() {
        let bytes: Vec<u8> = order.iter().flat_map(|row| row.to_le_bytes()).collect();
        builder = builder.section(TAG_ID_ORDER, 0, bytes);
    }
    for part in 0..parts {
        let has = |row: &FlatRow| row.addresses[part as usize] != ABSENT;
        if !rows.iter().all(has) {
            builder = builder.section(TAG_PRESENCE, part, bitmap(rows, has));
        }
    }
    for (at, field) in (0..).zip(fields) {
        builder = builder.section(TAG_FIELD, at, field.as_slice());
    }
    builder.finish()
}

fn encode_ids(rows: &[FlatRow], mixed: bool) -> Vec<u8> {
    let mut w = Writer::new();
    for row in rows {
        match (row.id, mixed) {
            (PointId::Number(number), false) => w.u64(number),
            (PointId::Number(number), true) => {
                w.u8(0);
                w.u64(number);
                w.u64(0);
            }
            (PointId::Uuid(uuid), _) => {
                w.u8(1);
                w.bytes(&uuid);
            }
        }
    }
    w.into_bytes()
}

fn bitmap(rows: &[FlatRow], has: impl Fn(&FlatRow) -> bool) -> Vec<u8> {
    let mut map = index::Bitmap::new(rows.len() as u32);
    for (at, row) in (0..).zip(rows) {
        map.set(at, has(row));
    }
    map.to_bytes()
}

/// The rows object opened.
#[derive(Debug)]
pub struct Rows {
    object: ObjectFile,
    rows: u32,
    parts: u32,
    fields: u32,
    mixed: bool,
    ids: Bytes,
    order: Option<Bytes>,
    membership: Membership,
    has_payload: Bytes,
    presence: Vec<Option<Bytes>>,
}

impl Rows {
    /// Opens the object; checks lengths and counts, builds nothing.
    ///
    /// # Errors
    /// `Corrupt` when the object is damaged or contradicts itself, `NewerFormat` when a later version wrote it.
    pub fn open(bytes: Bytes, id: SegmentId) -> Result<Self> {
        let object = ObjectFile::open(bytes, Role::Rows, id)?;
        let counts = sized(&object, TAG_COUNTS, 0, COUNTS_LEN)?;
        let mut r = Reader::new(&counts);
        let (rows, parts, fields, id_kind) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
        if id_kind > 1 {
            return Err(newer_format("list of ids", format!("id kind {id_kind}"), 1).with_object(id.to_string()));
        }
        if rows == 0 || parts == 0 || parts > PARTS_MAX {
            return Err(Error::corrupt("a rows object with impossible counts")
                .with_object(id.to_string())
                .with_expected(format!("at least one row and 1 to {PARTS_MAX} parts"), format!("{rows} rows, {parts} parts")));
        }
        let mixed = id_kind == 1;
        let ids = sized(&object, TAG_IDS, 0, rows as usize * if mixed { ID_LEN_MIXED } else { ID_LEN })?;
        if mixed && ids.chunks_exact(ID_LEN_MIXED).any(|id| id[0] > 1) {
            return Err(newer_format("list of ids", "an unknown kind of id".to_owned(), 1).with_object(id.to_string()));
        }
        let order = object.section(TAG_ID_ORDER, 0)?.map(|_| sized(&object, TAG_ID_ORDER, 0, rows as usize * 4)).transpose()?;
        let membership = Membership::open(object.required(TAG_MEMBERSHIP, 0)?)?;
        let has_payload = sized_bitmap(&object, TAG_HAS_PAYLOAD, 0, rows)?;
        let presence = (0..parts)
            .map(|part| object.section(TAG_PRESENCE, part)?.map(|_| sized_bitmap(&object, TAG_PRESENCE, part, rows)).transpose())
            .collect::<Result<_>>()?;
        Ok(Rows { rows, parts, fields, mixed, ids, order, membership, has_payload, presence, object })
    }

    /// Gives the number of rows, dead ones included.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Gives the number of parts, part 0 included.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Gives the id of a row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn id(&self, row: u32) -> PointId {
        if !self.mixed {
            return PointId::Number(u64_at(&self.ids, row as usize * ID_LEN));
        }
        let raw = &self.ids[row as usize * ID_LEN_MIXED..][..ID_LEN_MIXED];
        if raw[0] == 0 {
            return PointId::Number(u64_at(raw, 1));
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&raw[1..]);
        PointId::Uuid(uuid)
    }

    /// Asks the CPU to bring the id of a row near.
    #[inline]
    pub fn prefetch_id(&self, row: u32) {
        index::simd::prefetch(&self.ids, row as usize * if self.mixed { ID_LEN_MIXED } else { ID_LEN });
    }

    /// Gives the row at a place of the order by (id, row); `None` when damaged bytes name a row that does not exist.
    #[must_use]
    pub fn row_at(&self, place: u32) -> Option<u32> {
        let row = self.order.as_ref().map_or(place, |order| u32_at(order, place as usize * 4));
        (row < self.rows).then_some(row)
    }

    /// Finds the rows of an id in ascending order; later ones are newer. There can be several: a vector that was written alone has a
    /// row of its own.
    pub fn rows_of(&self, id: &PointId) -> impl Iterator<Item = u32> + '_ {
        let id = *id;
        let start = if self.membership.may_contain(&id) { self.lower_bound(&id) } else { self.rows };
        (start..self.rows).map_while(move |place| self.row_at(place).filter(|&row| self.id(row) == id))
    }

    /// Finds the first place of the order whose id is not below this one; the number of rows when there is none.
    #[must_use]
    pub fn lower_bound(&self, id: &PointId) -> u32 {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.row_at(middle) {
                Some(row) if self.id(row) < *id => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Says whether the filter lets an id pass.
    #[must_use]
    pub fn may_contain(&self, id: &PointId) -> bool {
        self.membership.may_contain(id)
    }

    /// Says whether a row is a point with a payload.
    #[must_use]
    pub fn has_payload(&self, row: u32) -> bool {
        bit(&self.has_payload, row)
    }

    /// Says whether a row has a part; parts that the segment does not know are absent.
    #[inline]
    #[must_use]
    pub fn has_part(&self, part: u32, row: u32) -> bool {
        match self.presence.get(part as usize) {
            Some(Some(map)) => bit(map, row),
            Some(None) => true,
            None => false,
        }
    }

    /// Collects the rows that have a part.
    #[must_use]
    pub fn with_part(&self, part: u32) -> Bitmap {
        match self.presence.get(part as usize) {
            // The length was checked when the object was opened.
            Some(Some(map)) => Bitmap::from_bytes(map, self.rows).unwrap_or_else(|| Bitmap::new(self.rows)),
            Some(None) => Bitmap::full(self.rows),
            None => Bitmap::new(self.rows),
        }
    }

    /// Gives the number of rows that have a part.
    #[must_use]
    pub fn present(&self, part: u32) -> u32 {
        match self.presence.get(part as usize) {
            Some(Some(map)) => map.iter().map(|byte| byte.count_ones()).sum(),
            Some(None) => self.rows,
            None => 0,
        }
    }

    /// Gives the stored field indexes, in the order in which they were given.
    ///
    /// # Errors
    /// `Corrupt` when one is missing or damaged.
    pub fn fields(&self) -> Result<Vec<Bytes>> {
        (0..self.fields).map(|at| self.object.required(TAG_FIELD, at)).collect()
    }

    /// Gives the stored bytes by what they are for.
    #[must_use]
    pub fn bytes(&self) -> Vec<(&'static str, u64)> {
        let names = ["counts", "ids", "id order", "membership filter", "has payload", "presence", "field indexes"];
        (TAG_COUNTS..).zip(names).map(|(tag, name)| (name, self.object.bytes_of(tag))).collect()
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }
}

fn bit(map: &[u8], row: u32) -> bool {
    map[row as usize / 8] >> (row % 8) & 1 == 1
}

/// Takes a section whose length follows from the counts.
fn sized(object: &ObjectFile, tag: u32, part: u32, len: usize) -> Result<Bytes> {
    let bytes = object.required(tag, part)?;
    if bytes.len() == len {
        return Ok(bytes);
    }
    Err(Error::corrupt(format!("a section contradicts the counts of its object (tag {tag}, part {part})"))
        .with_object(object.id().to_string())
        .with_expected(format!("{len} bytes"), bytes.len()))
}

/// Takes a bitmap over all rows, no bit beyond them.
fn sized_bitmap(object: &ObjectFile, tag: u32, part: u32, rows: u32) -> Result<Bytes> {
    let bytes = sized(object, tag, part, rows.div_ceil(64) as usize * 8)?;
    let beyond = bytes[rows as usize / 8..].iter().enumerate().any(|(at, byte)| byte >> if at == 0 { rows % 8 } else { 0 } != 0);
    if beyond {
        let error = Error::corrupt(format!("a bitmap has bits beyond the last row (tag {tag}, part {part})"));
        return Err(error.with_object(object.id().to_string()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
