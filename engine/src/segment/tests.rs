//! The document of the segment formats names the constants of the modules, and merges keep what graphs find.

use index::Kernels;
use index::hnsw::{Params, REMOVED, Sequential};
use index::recall::recall_at_k;
use platform::random::Stream;

use super::testing::{self, Vectors, clustered, floats};
use super::*;
use crate::ids::{PointId, SegmentId};

#[test]
fn the_document_names_the_same_numbers() {
    let document = include_str!("../../../docs/format/segment.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    for (name, value) in [
        ("rows TAG_COUNTS", rows::TAG_COUNTS as usize),
        ("rows TAG_IDS", rows::TAG_IDS as usize),
        ("rows TAG_ID_ORDER", rows::TAG_ID_ORDER as usize),
        ("rows TAG_MEMBERSHIP", rows::TAG_MEMBERSHIP as usize),
        ("rows TAG_HAS_PAYLOAD", rows::TAG_HAS_PAYLOAD as usize),
        ("rows TAG_PRESENCE", rows::TAG_PRESENCE as usize),
        ("rows TAG_FIELD", rows::TAG_FIELD as usize),
        ("addresses TAG_COLUMN", addresses::TAG_COLUMN as usize),
        ("codes TAG_CODES", vectors::TAG_CODES as usize),
        ("codes TAG_NODE_ROWS", vectors::TAG_NODE_ROWS as usize),
        ("graph TAG_GRAPH", graph::TAG_GRAPH as usize),
        ("graph TAG_TUNING", tuning::TAG_TUNING as usize),
        ("ivf TAG_LISTS", ivf::TAG_LISTS as usize),
        ("ivf TAG_TUNING", tuning::TAG_TUNING as usize),
        ("deletes TAG_SEGMENTS", deletes::TAG_SEGMENTS as usize),
        ("COUNTS_LEN", rows::COUNTS_LEN),
        ("ID_LEN", rows::ID_LEN),
        ("ID_LEN_MIXED", rows::ID_LEN_MIXED),
        ("BLOCK_LEN", membership::BLOCK_LEN),
        ("BITS_PER_ID", membership::BITS_PER_ID),
        ("PROBES", membership::PROBES as usize),
        ("PARTS_MAX", PARTS_MAX as usize),
        ("TUNING_HEAD_LEN", tuning::TUNING_HEAD_LEN),
        ("TUNING_POINT_LEN", tuning::TUNING_POINT_LEN),
        ("TUNING_POINTS_MAX", tuning::TUNING_POINTS_MAX),
        ("RECALL_UNIT", tuning::RECALL_UNIT as usize),
    ] {
        let cell = rows.iter().find(|row| row[0] == name).map(|row| row[1].to_owned());
        assert_eq!(cell, Some(value.to_string()), "{name}");
    }
}

#[test]
fn a_merged_graph_finds_what_the_merged_vectors_hold() {
    let spec = floats(24);
    let vectors = clustered(&mut Stream::new(9), 2000, 24);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows[..1200].to_vec(), vec![spec], &source, Vec::new());
    let base = testing::with_graph(&testing::open(&meta, &objects).unwrap(), 1);
    // Every fifth row of the base died; the rest moves up, and 800 rows of another segment follow.
    let kept: Vec<FlatRow> = (0..).zip(&rows).filter(|&(row, _)| row >= 1200 || row % 5 != 0).map(|(_, row)| row.clone()).collect();
    let mut next = 0..;
    let map: Vec<u32> = (0..1200).map(|row| if row % 5 == 0 { REMOVED } else { next.next().unwrap() }).collect();
    let (meta, objects) = testing::build(kept.clone(), vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let build = GraphBuild { params: &Params::default(), kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| true };
    let (object, bytes) = merge_graphs(&[MergeInput { segment: &base, row_map: &map }], &flat, 1, SegmentId([0x99; 16]), build).unwrap();
    let merged = flat.with_graphs(vec![(object, bytes.into())]).unwrap();
    verify::verify(&merged).unwrap();
    let mut recall = 0.0;
    for query in vectors.iter().step_by(40) {
        let find = |ef: Option<usize>| -> Vec<PointId> {
            let mut scratch = SearchScratch::default();
            let ctx = SearchContext { lsn_end: 100, k: 10, ef, among: None, source: &source, scratch: &mut scratch };
            search_part(&merged, 1, &spec, Kernels::detect(), query, ctx).unwrap().iter().map(|hit| hit.id).collect()
        };
        recall += recall_at_k(&find(Some(100)), &find(None), 10);
    }
    assert!(recall / 50.0 >= 0.95, "recall {}", recall / 50.0);
    let other = [MergeInput { segment: &base, row_map: &map[1..] }];
    assert!(merge_graphs(&other, &flat, 1, SegmentId([1; 16]), build).is_err(), "a map of other rows");
}

#[test]
fn a_stopped_build_and_impossible_parameters_give_no_graph() {
    let (meta, objects, ..) = testing::mixed_segment(30);
    let flat = testing::open(&meta, &objects).unwrap();
    let id = SegmentId([1; 16]);
    let build = GraphBuild { params: &Params::default(), kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| false };
    assert_eq!(build_graph(&flat, 1, id, build).unwrap_err().kind, crate::ErrorKind::Interrupted);
    let params = Params { m: 0, ..Params::default() };
    let build = GraphBuild { params: &params, progress: &|_, _| true, ..build };
    assert_eq!(build_graph(&flat, 1, id, build).unwrap_err().kind, crate::ErrorKind::InvalidInput);
    assert_eq!(build_graph(&flat, 3, id, build).unwrap_err().kind, crate::ErrorKind::NotFound);
}
