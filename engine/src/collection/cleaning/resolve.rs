//! Gives rows the addresses that moves say: for the manifest that covers the moves, in the order of the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::indexer::rows::Gathered;
use super::super::version::{OpenSegment, Version};
use super::Collection;
use crate::error::Result;
use crate::ids::{Lsn, PointId};
use crate::segment::{ABSENT, Segment, build_addresses};

impl Collection {
    /// Applies the moves of a version below a position: to the rows gathered for a new segment, and to the segments, of which those that changed
    /// get a new addresses object and keep everything else.
    pub(in crate::collection) fn resolve_moves(
        &self,
        version: &Version,
        covered: Lsn,
        gathered: &mut Gathered,
    ) -> Result<Vec<Arc<OpenSegment>>> {
        let mut segments = version.segments.to_vec();
        let moves = version.moves.iter().filter(|moves| moves.lsn < covered);
        let mut changed: BTreeMap<usize, Vec<Vec<u64>>> = BTreeMap::new();
        let mut tail: Option<HashMap<PointId, Vec<usize>>> = None;
        for moves in moves {
            for (id, from, to) in moves.rows() {
                if self.world.known_bad.move_blindly {
                    self.resolve_blindly(gathered, *id, moves.part, to);
                }
                let place = find(&segments, &changed, id, moves.part, from);
                if let Some((number, row)) = place {
                    let segment = &segments[number].segment;
                    changed.entry(number).or_insert_with(|| columns(segment))[moves.part as usize][row as usize] = to;
                    continue;
                }
                // A log that is replayed may meet a move of a row that was sealed when it was written, and is in the tail again.
                let rows = tail.get_or_insert_with(|| gathered.by_id()).get(id).into_iter().flatten();
                for &row in rows {
                    let address = &mut gathered.rows[row].addresses[moves.part as usize];
                    if *address == from {
                        *address = to;
                    }
                }
            }
        }
        for (number, columns) in changed {
            let old = segments[number].clone();
            let object = build_addresses(self.draw_id(), &columns)?;
            let meta = object.0.clone();
            self.store_objects(&[object])?;
            let bytes = super::super::open::map_object(&*self.world.fs, &self.dir, meta.id, meta.bytes)?;
            let segment = old.segment.with_addresses(meta, bytes)?;
            segments[number] = Arc::new(old.with_segment(segment));
        }
        Ok(segments)
    }

    /// The deliberate mistake of a move that does not ask what it moves.
    fn resolve_blindly(&self, gathered: &mut Gathered, id: PointId, part: u32, to: u64) {
        for row in gathered.rows.iter_mut().filter(|row| row.id == id) {
            if row.addresses[part as usize] != ABSENT {
                row.addresses[part as usize] = to;
            }
        }
    }
}

/// Finds the row of a point whose part stands at an address, as moves so far left it.
fn find(
    segments: &[Arc<OpenSegment>],
    changed: &BTreeMap<usize, Vec<Vec<u64>>>,
    id: &PointId,
    part: u32,
    from: u64,
) -> Option<(usize, u32)> {
    for (number, segment) in segments.iter().map(|open| &open.segment).enumerate().filter(|(_, segment)| part < segment.parts()) {
        let columns = changed.get(&number);
        let stands = |row: u32| match columns {
            Some(columns) => columns[part as usize][row as usize] == from,
            None => segment.address(part, row) == Some(from),
        };
        if let Some(row) = segment.rows_of(id).find(|&row| stands(row)) {
            return Some((number, row));
        }
    }
    None
}

/// Copies the addresses of a segment, part by part.
fn columns(segment: &Segment) -> Vec<Vec<u64>> {
    let column = |part: u32| (0..segment.rows()).map(|row| segment.address(part, row).unwrap_or(ABSENT)).collect();
    (0..segment.parts()).map(column).collect()
}
