//! A segment opened: its objects, and beside them in memory which rows have died.

use std::sync::Arc;

use bytes::Bytes;
use index::Bitmap;

use super::addresses::Addresses;
use super::blocks::WalkBlocks;
use super::graph::Graph;
use super::ivf::Lists;
use super::marks::{DEAD_AT_MANIFEST, PartMarks};
use super::meta::{ObjectMeta, SegmentKind, SegmentMeta};
use super::rows::Rows;
use super::tuning::Tuning;
use super::vectors::Codes;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PointId};
use crate::object_file::{ObjectFile, Role};

/// An immutable segment opened, with the deletion marks that handles on the same segment share.
#[derive(Debug, Clone)]
pub struct Segment {
    meta: SegmentMeta,
    rows: Arc<Rows>,
    addresses: Arc<Addresses>,
    vectors: Vec<VectorObjects>,
    marks: Arc<[PartMarks]>,
}

/// The objects of one part; all are `None` for part 0 and for a vector that no row has.
#[derive(Debug, Clone, Default)]
struct VectorObjects {
    codes: Option<Arc<Codes>>,
    graph: Option<Arc<Graph>>,
    /// Of the graph and the codes.
    blocks: Arc<WalkBlocks>,
    lists: Option<Arc<Lists>>,
}

impl Segment {
    /// Opens a segment whose collection has `parts` parts now; `load` gives the bytes of each object. Nothing is built, and codes and
    /// graphs are not read before they are searched.
    ///
    /// # Errors
    /// Those of `load`; `Corrupt` when the objects are damaged or not those of the description, `NewerFormat` when a later version wrote them.
    pub fn open(meta: SegmentMeta, load: &mut dyn FnMut(&ObjectMeta) -> Result<Bytes>, parts: u32) -> Result<Self> {
        meta.check()?;
        let mut fetch = |role: Role| -> Result<(Bytes, &ObjectMeta)> {
            let object = meta.object(role, 0).ok_or_else(|| Error::internal("a checked description lacks an object"))?;
            Ok((load_checked(load, object)?, object))
        };
        let (bytes, object) = fetch(Role::Rows)?;
        let rows = Rows::open(bytes, object.id)?;
        if rows.rows() != meta.rows || rows.parts() > parts {
            return Err(Error::corrupt(format!("segment {} is not what the manifest describes", meta.id))
                .with_object(object.id.to_string())
                .with_expected(
                    format!("{} rows, at most {parts} parts", meta.rows),
                    format!("{} rows, {} parts", rows.rows(), rows.parts()),
                ));
        }
        let (bytes, object) = fetch(Role::Addresses)?;
        let addresses = Addresses::open(bytes, object.id, rows.parts(), rows.rows())?;
        let mut vectors = vec![VectorObjects::default(); rows.parts() as usize];
        for object in meta.objects.iter().filter(|object| matches!(object.role, Role::Codes | Role::Graph | Role::Ivf)) {
            add_vector_object(&mut vectors, object, load_checked(load, object)?, rows.rows())?;
        }
        let marks = (0..rows.parts()).map(|part| PartMarks::new(rows.rows(), rows.present(part))).collect();
        Ok(Segment { meta, rows: Arc::new(rows), addresses: Arc::new(addresses), vectors, marks })
    }

    /// Makes the handle of the same segment after graphs or lists were built for it; they take the place of those that their part had.
    /// Rows, addresses, codes and deletion marks are shared, so no mark is lost while readers switch.
    ///
    /// # Errors
    /// `Corrupt` when one is damaged or its part has no codes.
    pub fn with_graphs(&self, graphs: Vec<(ObjectMeta, Bytes)>) -> Result<Self> {
        let mut next = self.clone();
        for (object, bytes) in graphs {
            assert!(is_index(object.role), "only graphs and lists are added to a segment");
            if let Some(place) = next.vectors.get_mut(object.part as usize) {
                (place.graph, place.lists, place.blocks) = (None, None, Arc::default());
            }
            add_vector_object(&mut next.vectors, &object, bytes, self.rows())?;
            next.meta.objects.retain(|old| !(is_index(old.role) && old.part == object.part));
            next.meta.objects.push(object);
        }
        next.meta.objects.sort_by_key(|object| (object.role, object.part));
        next.meta.kind = SegmentKind::of(&next.meta.objects);
        next.meta.check()?;
        Ok(next)
    }

    /// Makes the handle of the same segment without the graph or lists of a part; everything else is shared.
    #[must_use]
    pub fn without_index(&self, part: u32) -> Self {
        let mut next = self.clone();
        if let Some(place) = next.vectors.get_mut(part as usize) {
            (place.graph, place.lists, place.blocks) = (None, None, Arc::default());
        }
        next.meta.objects.retain(|object| !(is_index(object.role) && object.part == part));
        next.meta.kind = SegmentKind::of(&next.meta.objects);
        next
    }

    /// Makes a handle of the same segment on which what died at or behind an LSN is alive, and stays so.
    #[must_use]
    pub fn as_of(&self, covered: Lsn) -> Self {
        let marks_of = |part: u32| {
            let marks = PartMarks::new(self.rows(), self.rows.present(part));
            self.dead_at(part, covered).iter().for_each(|row| assert!(marks.mark(row, DEAD_AT_MANIFEST), "a row dies once"));
            marks
        };
        Segment { marks: (0..self.parts()).map(marks_of).collect(), ..self.clone() }
    }

    /// Makes the handle of the same segment after parts were moved in the log; everything but the addresses is shared.
    ///
    /// # Errors
    /// `Corrupt` when the addresses are damaged or of other rows.
    pub fn with_addresses(&self, object: ObjectMeta, bytes: Bytes) -> Result<Self> {
        assert_eq!((object.role, object.part), (Role::Addresses, 0), "addresses are replaced by addresses");
        let mut next = self.clone();
        next.addresses = Arc::new(Addresses::open(bytes, object.id, self.rows.parts(), self.rows())?);
        if let Some(old) = next.meta.objects.iter_mut().find(|old| old.role == Role::Addresses) {
            *old = object;
        }
        Ok(next)
    }

    /// Gives what a manifest says about the segment.
    #[must_use]
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// Gives the number of rows, dead ones included.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows.rows()
    }

    /// Gives the number of parts of a row, part 0 included. Vectors that the schema got later are absent in every row.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.rows.parts()
    }

    /// Finds the newest row of an id, dead or alive; see [`Segment::rows_of`] for all.
    #[must_use]
    pub fn find(&self, id: &PointId) -> Option<u32> {
        self.rows_of(id).last()
    }

    /// Finds the rows of an id, oldest first. A vector that was written alone has a row of its own, so there can be several.
    pub fn rows_of(&self, id: &PointId) -> impl Iterator<Item = u32> + '_ {
        self.rows.rows_of(id)
    }

    /// Gives the rows in the order of their ids, from the first id that is not below this one on.
    ///
    /// # Errors
    /// Each item is `Corrupt` when damaged bytes name a row that does not exist.
    pub fn rows_in_order(&self, from: Option<&PointId>) -> impl Iterator<Item = Result<u32>> + '_ {
        let first = from.map_or(0, |id| self.rows.lower_bound(id));
        (first..self.rows()).map(|place| {
            self.rows.row_at(place).ok_or_else(|| Error::corrupt(format!("the order of ids names a row that does not exist, at {place}")))
        })
    }

    /// Finds the row that holds a part of an id for a version that ends at an LSN.
    #[must_use]
    pub fn find_visible(&self, part: u32, id: &PointId, lsn_end: Lsn) -> Option<u32> {
        self.rows_of(id).filter(|&row| self.is_visible(part, row, lsn_end)).last()
    }

    /// Gives the id of a row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn id(&self, row: u32) -> PointId {
        self.rows.id(row)
    }

    /// Asks the CPU to bring the id of a row near, for [`Segment::id`] some time later.
    #[inline]
    pub fn prefetch_id(&self, row: u32) {
        self.rows.prefetch_id(row);
    }

    /// Gives the address of a part of a row, `None` when the row does not have it.
    #[inline]
    #[must_use]
    pub fn address(&self, part: u32, row: u32) -> Option<u64> {
        self.addresses.get(part, row)
    }

    /// Says whether a row is a point with a payload.
    #[must_use]
    pub fn has_payload(&self, row: u32) -> bool {
        self.rows.has_payload(row)
    }

    /// Says whether a row has a part, dead or alive.
    #[must_use]
    pub fn has_part(&self, part: u32, row: u32) -> bool {
        self.rows.has_part(part, row)
    }

    /// Gives the stored field indexes in the order in which they were given to the builder.
    ///
    /// # Errors
    /// `Corrupt` when one is damaged.
    pub fn fields(&self) -> Result<Vec<Bytes>> {
        self.rows.fields()
    }

    /// Gives the codes of a vector part, `None` when no row has that vector.
    #[must_use]
    pub fn codes(&self, part: u32) -> Option<&Codes> {
        self.vectors.get(part as usize)?.codes.as_deref()
    }

    /// Gives the graph of a vector part, `None` when there is none (yet).
    #[must_use]
    pub fn graph(&self, part: u32) -> Option<&Graph> {
        self.vectors.get(part as usize)?.graph.as_deref()
    }

    /// Gives the walk blocks of a vector part, made or not; `None` when the segment does not have the part.
    #[must_use]
    pub fn walk_blocks(&self, part: u32) -> Option<&WalkBlocks> {
        self.vectors.get(part as usize).map(|vector| &*vector.blocks)
    }

    /// Gives the lists of a vector part, `None` when there are none (yet).
    #[must_use]
    pub fn lists(&self, part: u32) -> Option<&Lists> {
        self.vectors.get(part as usize)?.lists.as_deref()
    }

    /// Gives the number of rows that have a part, dead ones included.
    #[must_use]
    pub fn rows_with(&self, part: u32) -> u32 {
        if part < self.parts() { self.rows.present(part) } else { 0 }
    }

    /// Says whether a part has an index that searches go through.
    #[must_use]
    pub fn is_indexed(&self, part: u32) -> bool {
        self.graph(part).is_some() || self.lists(part).is_some()
    }

    /// Gives what was measured of the index of a part; `None` where nothing was stored, or where it is damaged: it changes no answer.
    #[must_use]
    pub fn tuning(&self, part: u32) -> Option<&Tuning> {
        let of_lists = || self.lists(part).and_then(|lists| lists.tuning().ok().flatten());
        self.graph(part).and_then(|graph| graph.tuning().ok().flatten()).or_else(of_lists)
    }

    /// Marks a part of a row as ended by the record at an LSN; says whether it was alive until now.
    ///
    /// # Panics
    /// When the row has no such part, or was ended by a later record before.
    pub fn mark_deleted(&self, part: u32, row: u32, lsn: Lsn) -> bool {
        assert!(lsn > DEAD_AT_MANIFEST, "no record is at {lsn}");
        assert!(self.rows.has_part(part, row), "row {row} has no part {part} that could end");
        self.marks[part as usize].mark(row, lsn)
    }

    /// Takes over the mark that a row got in the segment or tail it comes from; the first mark stays.
    ///
    /// # Panics
    /// When the row has no such part.
    pub fn carry_mark(&self, part: u32, row: u32, lsn: Lsn) {
        assert!(self.rows.has_part(part, row), "row {row} has no part {part} that could end");
        self.marks[part as usize].mark(row, lsn);
    }

    /// Marks the rows that were dead already at the manifest's covered LSN.
    ///
    /// # Errors
    /// `Corrupt` when a row is among them that does not have the part.
    ///
    /// # Panics
    /// When the bitmap is over another number of rows.
    pub fn load_deletes(&self, part: u32, dead: &Bitmap) -> Result<()> {
        assert_eq!(dead.len(), self.rows(), "a bitmap over the rows of this segment");
        for row in dead.iter() {
            if !self.rows.has_part(part, row) {
                let what = format!("row {row} of segment {} is listed as dead in part {part}, which it does not have", self.meta.id);
                return Err(Error::corrupt(what));
            }
            self.marks[part as usize].mark(row, DEAD_AT_MANIFEST);
        }
        Ok(())
    }

    /// Says whether a version that ends at an LSN (exclusive) sees a part of a row.
    #[inline]
    #[must_use]
    pub fn is_visible(&self, part: u32, row: u32, lsn_end: Lsn) -> bool {
        self.rows.has_part(part, row) && self.outlives(part, row, lsn_end)
    }

    /// Says whether a version that ends at an LSN (exclusive) sees a part of a row that is known to have it.
    #[inline]
    #[must_use]
    pub fn outlives(&self, part: u32, row: u32, lsn_end: Lsn) -> bool {
        self.marks[part as usize].outlives(row, lsn_end)
    }

    /// Gives the LSN of the record that ended a part of a row, 0 while it is alive or when there is no such part.
    #[must_use]
    pub fn deletion_lsn(&self, part: u32, row: u32) -> Lsn {
        self.marks.get(part as usize).map_or(0, |marks| marks.get(row))
    }

    /// Collects the rows whose part was ended by records below an LSN: what a manifest that covers it stores.
    #[must_use]
    pub fn dead_at(&self, part: u32, covered: Lsn) -> Bitmap {
        self.marks.get(part as usize).map_or_else(|| Bitmap::new(self.rows()), |marks| marks.dead_at(covered))
    }

    /// Collects the rows whose part a version that ends at an LSN (exclusive) sees.
    #[must_use]
    pub fn visible(&self, part: u32, lsn_end: Lsn) -> Bitmap {
        let mut rows = self.rows.with_part(part);
        if let Some(marks) = self.marks.get(part as usize) {
            rows.and_not(&marks.dead_at(lsn_end));
        }
        rows
    }

    /// Gives the number of rows whose part is alive now.
    #[must_use]
    pub fn live(&self, part: u32) -> u32 {
        self.marks.get(part as usize).map_or(0, PartMarks::live)
    }

    /// Gives the number of rows whose part a version that ends at an LSN sees: what a merge at that position keeps.
    #[must_use]
    pub fn live_at(&self, part: u32, covered: Lsn) -> u32 {
        let dead = self.marks.get(part as usize).map_or(0, |marks| marks.dead_at(covered).count());
        self.rows.present(part) - dead
    }

    /// Gives the bytes that the segment takes when all of it is in memory, by what they are for. "blocks" and "deletion marks" are the
    /// segment's own memory, the rest is mapped; blocks are counted once searches have made them.
    #[must_use]
    pub fn memory_bytes(&self) -> Vec<(&'static str, u64)> {
        let mut sections = self.rows.bytes();
        sections.push(("addresses", self.addresses.bytes()));
        // Behind lists, codes are read by merges alone, and need not be in memory.
        let codes = self.vectors.iter().filter(|part| part.lists.is_none()).flat_map(|part| &part.codes);
        sections.push(("codes", codes.map(|codes| codes.bytes()).sum()));
        sections.push(("graph", self.vectors.iter().flat_map(|part| &part.graph).map(|graph| graph.bytes()).sum()));
        sections.push(("lists", self.vectors.iter().flat_map(|part| &part.lists).map(|lists| lists.bytes()).sum()));
        sections.push(("blocks", self.vectors.iter().map(|part| part.blocks.bytes()).sum()));
        sections.push(("deletion marks", self.marks.iter().map(PartMarks::memory_bytes).sum()));
        sections
    }

    /// Gives the bytes of all objects on disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.meta.disk_bytes()
    }

    pub(super) fn row_index(&self) -> &Rows {
        &self.rows
    }

    pub(super) fn address_columns(&self) -> &Addresses {
        &self.addresses
    }
}

/// Loads an object and checks that it has the length and ends with the hash that the description says.
fn load_checked(load: &mut dyn FnMut(&ObjectMeta) -> Result<Bytes>, object: &ObjectMeta) -> Result<Bytes> {
    let bytes = load(object)?;
    let bad = |what: &str| Error::corrupt(format!("the {} object {what}", object.role.name())).with_object(object.id.to_string());
    if bytes.len() as u64 != object.bytes {
        return Err(bad("has another length than the manifest says").with_expected(format!("{} bytes", object.bytes), bytes.len()));
    }
    let stored = ObjectFile::stored_hash(&bytes)?;
    if stored != object.blake3 {
        return Err(bad("is another version than the manifest says").with_expected(object.blake3, stored));
    }
    Ok(bytes)
}

/// Says whether an object is a graph or lists.
fn is_index(role: Role) -> bool {
    matches!(role, Role::Graph | Role::Ivf)
}

/// Puts a codes, graph or lists object in its place.
fn add_vector_object(vectors: &mut [VectorObjects], object: &ObjectMeta, bytes: Bytes, rows: u32) -> Result<()> {
    let place = vectors.get_mut(object.part as usize).filter(|_| object.part > 0).ok_or_else(|| {
        let what = format!("{} of part {}, which the segment does not have", object.role.name(), object.part);
        Error::corrupt(what).with_object(object.id.to_string())
    })?;
    match object.role {
        Role::Codes => place.codes = Some(Arc::new(Codes::open(bytes, object.id, object.part, rows)?)),
        Role::Ivf => place.lists = Some(Arc::new(Lists::open(bytes, object.id, object.part)?)),
        _ => {
            place.graph = Some(Arc::new(Graph::open(bytes, object.id, object.part)?));
            place.blocks = Arc::default();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
