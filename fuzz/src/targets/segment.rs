//! One object of a segment, the others being whole: opened, verified, searched.
//!
//! Input: a byte of switches, a byte that names the object by its place, then its bytes. Switch 1 leaves the checksums as they are.

use bytes::Bytes;
use engine::segment::deletes::Deletes;
use engine::segment::{Accepted, ObjectMeta, SearchContext, SearchScratch, Segment, SegmentMeta, search_part, verify};
use engine::{Error, PointId};
use index::{Bitmap, Kernels};

use super::fixture::{self, DELETES_ID, ROWS, role_at, with_object};
use super::{Target, field_index};
use crate::fixup;

/// See the top of this file.
pub const TARGET: Target = Target { name: "segment", run, seeds, words: &[] };

const RAW: u8 = 1;
const LSN_END: u64 = 1 << 40;

fn run(input: &[u8]) -> bool {
    let [switches, place, rest @ ..] = input else { return false };
    let parts = fixture::segment();
    let place = usize::from(*place) % (parts.objects.len() + 1);
    let (role, id) = role_at(place);
    let mut bytes = rest.to_vec();
    if switches & RAW == 0 {
        fixup::object::object(&mut bytes, role, id);
    }
    let bytes = Bytes::from(bytes);
    if place == parts.objects.len() {
        let Ok(segment) = open(&parts.meta, &parts.objects) else { unreachable!("the segment itself is whole") };
        let accepted = load_deletes(&segment, bytes);
        search(&segment);
        return accepted;
    }
    let mut objects = parts.objects.clone();
    objects[place].clone_from(&bytes);
    let Ok(segment) = open(&with_object(&parts.meta, place, &bytes), &objects) else { return false };
    let _ = verify::verify(&segment);
    look_up(&segment);
    load_deletes(&segment, parts.deletes.clone().into());
    search(&segment);
    true
}

fn open(meta: &SegmentMeta, objects: &[Bytes]) -> engine::Result<Segment> {
    let mut load = |object: &ObjectMeta| {
        let place = meta.objects.iter().position(|known| known.id == object.id);
        place.map(|place| objects[place].clone()).ok_or_else(|| Error::not_found("no such object"))
    };
    Segment::open(meta.clone(), &mut load, 3)
}

/// Says whether the object of dead rows was accepted.
fn load_deletes(segment: &Segment, bytes: Bytes) -> bool {
    let Ok(deletes) = Deletes::open(bytes, DELETES_ID) else { return false };
    let _ = deletes.object().verify();
    for part in 0..segment.parts() {
        if let Ok(Some(dead)) = deletes.get(segment.meta().id, part, segment.rows()) {
            let _ = segment.load_deletes(part, &dead);
        }
    }
    for id in deletes.segments() {
        let _ = deletes.get(*id, 0, ROWS);
    }
    true
}

fn look_up(segment: &Segment) {
    for row in 0..segment.rows() {
        let id = segment.id(row);
        assert!(segment.rows_of(&id).all(|row| row < segment.rows()), "rows of an id exist");
        let _ = (segment.find_visible(1, &id, LSN_END), segment.has_payload(row));
        for part in 0..4 {
            let _ = (segment.address(part, row), segment.has_part(part, row), segment.is_visible(part, row, LSN_END));
        }
    }
    let _ = (segment.find(&PointId::Number(u64::MAX)), segment.memory_bytes(), segment.disk_bytes());
    for bytes in segment.fields().unwrap_or_default() {
        let _ = field_index::ask(bytes);
    }
}

fn search(segment: &Segment) {
    let parts = fixture::segment();
    let kernels = Kernels::detect();
    let mut scratch = SearchScratch::default();
    let mut even = Bitmap::new(segment.rows());
    (0..segment.rows()).step_by(2).for_each(|row| even.set(row, true));
    let even = Accepted::new(even);
    for (part, spec) in (1..).zip(&parts.specs) {
        let query = vec![0.5; spec.dim];
        for (ef, among) in [(None, None), (Some(8), None), (Some(200), None), (None, Some(&even)), (Some(8), Some(&even))] {
            let context = SearchContext { lsn_end: LSN_END, k: 5, ef, among, source: &parts.source, scratch: &mut scratch };
            if let Ok(hits) = search_part(segment, part, spec, kernels, &query, context) {
                assert!(hits.len() <= 5 && hits.iter().all(|hit| hit.row < segment.rows()), "at most k rows that exist");
            }
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let parts = fixture::segment();
    let objects = parts.objects.iter().map(|bytes| &bytes[..]).chain([&parts.deletes[..]]);
    objects.enumerate().flat_map(|(place, bytes)| [0, RAW].map(|switches| [&[switches, place as u8], bytes].concat())).collect()
}
