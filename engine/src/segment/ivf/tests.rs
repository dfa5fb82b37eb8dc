//! Lists answer like comparing everything, without codes and graph, and say what is wrong with them.

use index::recall::recall_at_k;
use index::{Bitmap, Datatype, Metric, metric};
use platform::random::Stream;

use super::super::accepted::Accepted;
use super::super::search::{Undecided, search_undecided};
use super::super::testing::{self, Vectors, clustered, floats};
use super::super::{Hit, SearchContext, SearchScratch, SegmentKind, VectorPart, search_part, verify::verify};
use super::*;
use crate::ids::PointId;
use index::ivf::Sequential;

fn find(segment: &Segment, spec: &VectorPart, source: &Vectors, query: &[f32], lsn_end: u64, ef: Option<usize>) -> Vec<Hit> {
    let mut scratch = SearchScratch::default();
    let ctx = SearchContext { lsn_end, k: 10, ef, among: None, source, scratch: &mut scratch };
    search_part(segment, 1, spec, Kernels::detect(), query, ctx).unwrap()
}

fn ids(hits: &[Hit]) -> Vec<PointId> {
    hits.iter().map(|hit| hit.id).collect()
}

fn build() -> ListsBuild<'static> {
    ListsBuild { params: &Params { lists: 0, seed: 3 }, kernels: Kernels::detect(), executor: &Sequential, progress: &|_, _| true }
}

fn with_lists(segment: &Segment, base: Option<&Segment>, part: u32) -> Segment {
    let (meta, bytes) = build_lists(segment, base, part, SegmentId([0x60 + part as u8; 16]), build()).unwrap();
    segment.with_graphs(vec![(meta, bytes.into())]).unwrap()
}

#[test]
fn lists_find_what_comparing_everything_finds() {
    let kinds = [
        (Metric::Dot, Datatype::F32, false, true),
        (Metric::Dot, Datatype::U8, true, true),
        (Metric::Dot, Datatype::F16, false, false),
        (Metric::L2, Datatype::U8, false, false),
        (Metric::Manhattan, Datatype::F32, false, false),
    ];
    for (seed, (metric, datatype, normalise_codes, cosine)) in (0..).zip(kinds) {
        let spec = VectorPart { dim: 32, datatype, metric, normalise_codes, blocks: false };
        let mut vectors = clustered(&mut Stream::new(seed), 2040, spec.dim);
        for vector in &mut vectors {
            if datatype == Datatype::U8 {
                vector.iter_mut().for_each(|value| *value = (*value * 20.0 + 128.0).round().clamp(0.0, 255.0));
            } else if cosine {
                metric::normalise(vector);
            }
        }
        let queries = vectors.split_off(2000);
        let mut source = Vectors::default();
        let rows = testing::simple_rows(&mut source, &spec, &vectors);
        let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
        let flat = testing::open(&meta, &objects).unwrap();
        let lists = with_lists(&flat, None, 1);
        verify(&lists).unwrap();
        let mut recall = 0.0;
        for mut query in queries {
            if cosine {
                metric::normalise(&mut query);
            }
            let truth = ids(&find(&flat, &spec, &source, &query, 100, None));
            recall += recall_at_k(&ids(&find(&lists, &spec, &source, &query, 100, Some(100))), &truth, 10) / 40.0;
        }
        assert!(recall >= 0.95, "seed {seed}, {spec:?}: recall {recall}");
    }
}

#[test]
fn searches_of_lists_do_not_read_codes() {
    let spec = floats(32);
    let vectors = clustered(&mut Stream::new(1), 1500, 32);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let (object, bytes) = build_lists(&flat, None, 1, SegmentId([0x61; 16]), build()).unwrap();
    // Codes that would be refused at the first look.
    let mut broken = objects;
    let id = meta.object(Role::Codes, 1).unwrap().id;
    let mut codes = broken[&id].to_vec();
    codes[4096..8192].fill(0x55);
    broken.insert(id, codes.into());
    let lists = testing::open(&meta, &broken).unwrap().with_graphs(vec![(object, bytes.into())]).unwrap();
    assert!(verify(&lists).is_err(), "the codes are broken");
    let hits = find(&lists, &spec, &source, &vectors[7], 100, Some(50));
    assert_eq!((hits.len(), hits[0].id), (10, PointId::Number(70)));
    let of = |segment: &Segment, name: &str| segment.memory_bytes().iter().find(|section| section.0 == name).unwrap().1;
    assert_eq!((of(&lists, "codes"), of(&lists, "graph"), of(&flat, "lists")), (0, 0, 0));
    assert!(of(&lists, "lists") > 0 && of(&flat, "codes") > 0);
}

#[test]
fn each_version_sees_the_rows_that_lived_then() {
    let spec = floats(4);
    let vectors: Vec<Vec<f32>> = (0..300_u16).map(|n| vec![f32::from(n), 0.0, 0.0, 0.0]).collect();
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let lists = with_lists(&flat, None, 1);
    for (row, lsn) in [(0, 5000), (1, 6000), (2, 7000)] {
        assert!(flat.mark_deleted(1, row, lsn));
    }
    for (lsn_end, nearest) in [(5000, 0), (5001, 10), (6000, 10), (6001, 20), (7001, 30)] {
        for ef in [None, Some(10), Some(300)] {
            let hits = find(&lists, &spec, &source, &[0.0; 4], lsn_end, ef);
            assert_eq!((hits[0].id, hits.len()), (PointId::Number(nearest), 10), "version {lsn_end}, ef {ef:?}");
        }
    }
    (3..295).for_each(|row| assert!(lists.mark_deleted(1, row, 8000)));
    assert_eq!(find(&lists, &spec, &source, &[0.0; 4], 9000, Some(10)).len(), 5, "what is left");
}

#[test]
fn among_few_or_many_rows_near_or_far_the_nearest_are_found() {
    let spec = floats(32);
    let count = 12_000_u32;
    let mut vectors = clustered(&mut Stream::new(4), count as usize + 20, 32);
    let queries = vectors.split_off(count as usize);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let lists = with_lists(&testing::open(&meta, &objects).unwrap(), None, 1);
    let squared = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    for (share, far) in [(1.0, false), (0.5, false), (0.1, false), (0.01, false), (0.0001, false), (0.1, true), (0.3, true)] {
        let (mut recall, mut undecided_recall) = (0.0, 0.0);
        for query in &queries {
            // The farthest, or some without regard to where they lie.
            let mut order: Vec<u32> = (0..count).collect();
            match far {
                true => order.sort_by(|a, b| squared(&vectors[*b as usize], query).total_cmp(&squared(&vectors[*a as usize], query))),
                false => order.sort_by_key(|row| row.wrapping_mul(0x9e37_79b9) >> 8),
            }
            let mut map = Bitmap::new(count);
            order.iter().take((f64::from(count) * share) as usize).for_each(|row| map.set(*row, true));
            let accepted = Accepted::new(map.clone());
            let ask = |ef| {
                let mut scratch = SearchScratch::default();
                let ctx = SearchContext { lsn_end: 100, k: 10, ef, among: Some(&accepted), source: &source, scratch: &mut scratch };
                search_part(&lists, 1, &spec, Kernels::detect(), query, ctx).unwrap()
            };
            let truth = ids(&ask(None));
            let found = ask(Some(64));
            assert!(found.iter().all(|hit| map.get(hit.row)));
            recall += recall_at_k(&ids(&found), &truth, 10) / 20.0;
            // The same, when nothing is known beforehand.
            let (nothing, rows) = (Accepted::new(Bitmap::new(count)), Bitmap::full(count));
            let undecided = Undecided { rows: &rows, passes: &|row| map.get(row), likely: map.count() };
            let mut scratch = SearchScratch::default();
            let ctx = SearchContext { lsn_end: 100, k: 10, ef: Some(64), among: Some(&nothing), source: &source, scratch: &mut scratch };
            let found = search_undecided(&lists, 1, &spec, Kernels::detect(), query, undecided, ctx).unwrap();
            assert_eq!(found.is_some(), share >= 0.1, "few are decided one after the other");
            undecided_recall += found.map_or(1.0, |found| recall_at_k(&ids(&found), &truth, 10)) / 20.0;
        }
        assert!(recall >= 0.95, "share {share}, far {far}: recall {recall}");
        assert!(far || undecided_recall >= 0.95, "share {share}: recall {undecided_recall}");
    }
}

#[test]
fn a_segment_has_a_graph_or_lists_of_a_part() {
    let (meta, objects, source, specs) = testing::mixed_segment(400);
    let flat = testing::open(&meta, &objects).unwrap();
    let lists = with_lists(&flat, None, 1);
    assert_eq!((flat.meta().kind, lists.meta().kind), (SegmentKind::Flat, SegmentKind::Ivf));
    let both = testing::with_graph(&lists, 2);
    assert_eq!(both.meta().kind, SegmentKind::Graph);
    verify(&both).unwrap();
    let replaced = testing::with_graph(&both, 1);
    assert!(replaced.lists(1).is_none() && replaced.graph(1).is_some());
    assert!(with_lists(&replaced, None, 1).graph(1).is_none());
    // Rows without the vector are in no list.
    let second = with_lists(&flat, None, 2);
    verify(&second).unwrap();
    assert_eq!(second.lists(2).unwrap().view(&second).unwrap().row_count(), second.rows_with(2));
    let mut scratch = SearchScratch::default();
    let ctx = SearchContext { lsn_end: 100, k: 400, ef: Some(400), among: None, source: &source, scratch: &mut scratch };
    let hits = search_part(&second, 2, &specs[1], Kernels::detect(), &[0.5; 12], ctx).unwrap();
    assert_eq!(hits.len(), 300);
}

#[test]
fn merged_lists_keep_their_centres() {
    let spec = floats(24);
    let vectors = clustered(&mut Stream::new(9), 3000, 24);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows[..2000].to_vec(), vec![spec], &source, Vec::new());
    let base = with_lists(&testing::open(&meta, &objects).unwrap(), None, 1);
    let (meta, objects) = testing::build(rows[100..].to_vec(), vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let merged = with_lists(&flat, Some(&base), 1);
    verify(&merged).unwrap();
    let count = |segment: &Segment| segment.lists(1).unwrap().view(segment).unwrap().list_count();
    assert_eq!(count(&merged), count(&base));
    assert_eq!(ids(&find(&merged, &spec, &source, &vectors[500], 100, Some(50)))[0], PointId::Number(5000));
    assert!(build_lists(&flat, Some(&flat), 1, SegmentId([1; 16]), build()).is_err(), "a base without lists");
    let stopped = build_lists(&flat, None, 1, SegmentId([1; 16]), ListsBuild { progress: &|_, _| false, ..build() });
    assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
    assert!(build_lists(&flat, None, 2, SegmentId([1; 16]), build()).is_err(), "a part that nothing has");
}

#[test]
fn lists_of_other_rows_are_refused() {
    let (meta, objects, ..) = testing::mixed_segment(400);
    let flat = testing::open(&meta, &objects).unwrap();
    let (other, other_objects, ..) = testing::mixed_segment(401);
    let other = testing::open(&other, &other_objects).unwrap();
    let (object, bytes) = build_lists(&other, None, 1, SegmentId([0x61; 16]), build()).unwrap();
    let wrong = flat.with_graphs(vec![(object, bytes.into())]).unwrap();
    assert_eq!(verify(&wrong).unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(wrong.lists(1).unwrap().view(&wrong).unwrap_err().kind, ErrorKind::Corrupt);
}
