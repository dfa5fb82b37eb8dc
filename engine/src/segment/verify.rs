//! Reads everything in a segment and says what is wrong: hashes, checksums, and whether its parts agree with each other.

use index::hnsw;

use super::Segment;
use super::ivf;
use super::meta::ObjectMeta;
use crate::error::{Error, Result};
use crate::object_file::{ObjectFile, Role};

/// Reads every byte of a segment's objects and compares what they say about each other: that the order of ids is sorted and names each row
/// once, that the membership filter knows each id, that presence and addresses agree, and that graphs and lists are sound.
///
/// # Errors
/// `Corrupt` with the first thing that is wrong.
pub fn verify(segment: &Segment) -> Result<()> {
    for meta in &segment.meta().objects {
        verify_object(segment, meta)?;
    }
    verify_ids(segment)?;
    for part in 0..segment.parts() {
        verify_presence(segment, part)?;
        verify_vectors(segment, part)?;
    }
    Ok(())
}

fn verify_object(segment: &Segment, meta: &ObjectMeta) -> Result<()> {
    let object: Option<&ObjectFile> = match meta.role {
        Role::Rows => Some(segment.row_index().object()),
        Role::Addresses => Some(segment.address_columns().object()),
        Role::Codes => segment.codes(meta.part).map(|codes| codes.object()),
        Role::Graph => segment.graph(meta.part).map(|graph| graph.object()),
        Role::Ivf => segment.lists(meta.part).map(|lists| lists.object()),
        Role::Deletes => None,
    };
    let object = object.ok_or_else(|| wrong(segment, format!("it lists an object that no segment has: {}", meta.role.name())))?;
    let hash = object.verify()?;
    if hash != meta.blake3 {
        return Err(wrong(segment, format!("object {} is not the one described", meta.id)).with_expected(meta.blake3, hash));
    }
    Ok(())
}

fn verify_ids(segment: &Segment) -> Result<()> {
    let rows = segment.row_index();
    let mut seen = index::Bitmap::new(rows.rows());
    let mut last = None;
    for place in 0..rows.rows() {
        let row = rows.row_at(place).ok_or_else(|| wrong(segment, format!("place {place} of the order of ids names no row")))?;
        let key = (rows.id(row), row);
        if seen.get(row) || last.is_some_and(|last| last >= key) {
            return Err(wrong(segment, format!("the order of ids is not sorted at place {place}")));
        }
        if !rows.may_contain(&key.0) {
            return Err(wrong(segment, format!("the membership filter does not know point {}", key.0)));
        }
        seen.set(row, true);
        last = Some(key);
    }
    Ok(())
}

fn verify_presence(segment: &Segment, part: u32) -> Result<()> {
    let disagrees = |&row: &u32| segment.has_part(part, row) != segment.address(part, row).is_some();
    match (0..segment.rows()).find(disagrees) {
        None => Ok(()),
        Some(row) => Err(wrong(segment, format!("presence and addresses disagree about part {part} of row {row}"))),
    }
}

fn verify_vectors(segment: &Segment, part: u32) -> Result<()> {
    let Some(codes) = segment.codes(part) else {
        let present = segment.row_index().present(part);
        return if part == 0 || present == 0 { Ok(()) } else { Err(wrong(segment, format!("part {part} has vectors and no codes"))) };
    };
    let nodes = codes.nodes()?;
    let absent = (0..nodes.count()).find(|&node| !segment.has_part(part, nodes.row(node)));
    if absent.is_some() || nodes.count() != segment.row_index().present(part) {
        return Err(wrong(segment, format!("the codes of part {part} are not of the rows that have it")));
    }
    if let Some(offence) = segment.lists(part).map(|lists| ivf::offence(segment, part, lists)).transpose()?.flatten() {
        return Err(wrong(segment, offence));
    }
    let Some(graph) = segment.graph(part) else { return Ok(()) };
    graph.tuning()?;
    match hnsw::check(&graph.view(nodes)?).first_offence {
        None => Ok(()),
        Some(offence) => Err(wrong(segment, format!("the graph of part {part} is damaged: {offence}"))),
    }
}

fn wrong(segment: &Segment, what: String) -> Error {
    Error::corrupt(format!("segment {}: {what}", segment.meta().id))
        .with_hint("segments are derived: take the object from the archive, or rebuild it from the log")
}

#[cfg(test)]
mod tests;
