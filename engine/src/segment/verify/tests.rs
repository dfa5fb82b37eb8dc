//! Verification finds every flipped bit, and damaged objects are refused or safe to read.

use bytes::Bytes;
use index::Kernels;
use platform::random::Stream;

use super::super::build::finished;
use super::super::testing::{self, Objects};
use super::super::{GraphBuild, SearchContext, SearchScratch, SegmentMeta, VectorPart, addresses, build_graph, rows, search_part, vectors};
use super::*;
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, SectionName};

/// A graph segment, with the objects that it was opened from.
fn sample() -> (SegmentMeta, Objects, testing::Vectors, Vec<VectorPart>) {
    let (meta, mut objects, source, specs) = testing::mixed_segment(60);
    let flat = testing::open(&meta, &objects).unwrap();
    let build = |part: u32| {
        let params = hnsw::Params::default();
        let build = GraphBuild { params: &params, kernels: Kernels::detect(), executor: &hnsw::Sequential, progress: &|_, _| true };
        build_graph(&flat, part, SegmentId([0x70 + part as u8; 16]), build).unwrap()
    };
    let graphs: Vec<(ObjectMeta, Bytes)> = [1, 2].map(build).into_iter().map(|(meta, bytes)| (meta, bytes.into())).collect();
    objects.extend(graphs.iter().map(|(meta, bytes)| (meta.id, bytes.clone())));
    let meta = flat.with_graphs(graphs).unwrap().meta().clone();
    (meta, objects, source, specs)
}

/// Reads all there is to read; errors are fine, panics are not.
fn read_all(segment: &Segment, source: &testing::Vectors, specs: &[VectorPart]) {
    for row in 0..segment.rows() {
        let id = segment.id(row);
        let _ = segment.find(&id);
        for part in 0..4 {
            let _ = (segment.address(part, row), segment.is_visible(part, row, 100));
        }
    }
    for (part, spec) in (1..).zip(specs) {
        let mut scratch = SearchScratch::default();
        for ef in [None, Some(20)] {
            let ctx = SearchContext { lsn_end: 100, k: 5, ef, among: None, source, scratch: &mut scratch };
            drop(search_part(segment, part, spec, Kernels::detect(), &vec![0.25; spec.dim], ctx));
        }
    }
}

#[test]
fn a_whole_segment_passes() {
    let (meta, objects, source, specs) = sample();
    let segment = testing::open(&meta, &objects).unwrap();
    verify(&segment).unwrap();
    read_all(&segment, &source, &specs);
}

#[test]
fn flipped_bits_are_found_and_never_panic() {
    let (meta, objects, source, specs) = sample();
    let mut stream = Stream::new(11);
    for object in &meta.objects {
        for _ in 0..300 {
            let bit = stream.below(object.bytes * 8) as usize;
            let mut bytes = objects[&object.id].to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut damaged = objects.clone();
            damaged.insert(object.id, bytes.into());
            if let Ok(segment) = testing::open(&meta, &damaged) {
                assert!(verify(&segment).is_err(), "bit {bit} of {} passes", object.role.name());
                read_all(&segment, &source, &specs);
            }
        }
    }
}

/// Replaces a section by other bytes with all checksums right, as an attacker would.
fn forge(meta: &mut SegmentMeta, objects: &mut Objects, at: usize, name: SectionName, change: impl Fn(&mut Vec<u8>)) {
    let described = meta.objects[at].clone();
    let old = ObjectFile::open(objects[&described.id].clone(), described.role, described.id).unwrap();
    let mut builder = ObjectBuilder::new(described.role, described.id);
    for (tag, part) in old.names().collect::<Vec<_>>() {
        let mut section = old.required(tag, part).unwrap().to_vec();
        if (tag, part) == name {
            change(&mut section);
        }
        builder = builder.section(tag, part, section);
    }
    let (forged, bytes) = finished(described.role, described.part, described.id, builder.finish()).unwrap();
    objects.insert(forged.id, bytes.into());
    meta.objects[at] = forged;
}

#[test]
fn forged_contents_are_refused_or_safe() {
    let (meta, objects, source, specs) = sample();
    let mut stream = Stream::new(23);
    for (at, object) in meta.objects.iter().enumerate() {
        let opened = ObjectFile::open(objects[&object.id].clone(), object.role, object.id).unwrap();
        for name in opened.names().collect::<Vec<_>>() {
            for round in 0..40 {
                let (mut meta, mut objects) = (meta.clone(), objects.clone());
                let random = stream.next_u64();
                forge(&mut meta, &mut objects, at, name, |section| {
                    let at = random as usize % section.len().max(1);
                    match round % 4 {
                        0 => section.truncate(at),
                        1 => section[at..].fill(0xff),
                        2 => section[at] ^= (random >> 32) as u8,
                        _ => section.extend_from_slice(&random.to_le_bytes()),
                    }
                });
                if let Ok(segment) = testing::open(&meta, &objects) {
                    drop(verify(&segment));
                    read_all(&segment, &source, &specs);
                }
            }
        }
    }
}

#[test]
fn parts_that_disagree_are_found_though_their_checksums_are_right() {
    let find = |role: Role, part: u32, meta: &SegmentMeta| meta.objects.iter().position(|o| (o.role, o.part) == (role, part)).unwrap();
    type Change = fn(&mut Vec<u8>);
    type Case = (&'static str, (Role, u32), SectionName, Change);
    let changes: [Case; 5] = [
        ("the order of ids", (Role::Rows, 0), (rows::TAG_ID_ORDER, 0), |order| order.swap(0, 4)),
        ("the membership filter", (Role::Rows, 0), (rows::TAG_MEMBERSHIP, 0), |filter| filter.fill(0)),
        ("presence", (Role::Rows, 0), (rows::TAG_PRESENCE, 2), |presence| presence[0] ^= 2),
        ("addresses", (Role::Addresses, 0), (addresses::TAG_COLUMN, 1), |column| column[..8].fill(0xff)),
        ("the rows of nodes", (Role::Codes, 2), (vectors::TAG_NODE_ROWS, 2), |rows| rows[4..8].copy_from_slice(&1_u32.to_le_bytes())),
    ];
    for (what, (role, part), name, change) in changes {
        let (mut meta, mut objects, ..) = sample();
        let at = find(role, part, &meta);
        forge(&mut meta, &mut objects, at, name, change);
        let segment = testing::open(&meta, &objects).unwrap();
        assert!(verify(&segment).is_err(), "{what}");
    }
}
