//! Search finds what comparing everything finds, sees what its version sees, and survives damaged objects.

use index::recall::recall_at_k;
use index::{Datatype, Metric, metric};
use platform::random::Stream;

use super::super::testing::{self, Vectors, clustered, floats};
use super::*;

fn find(segment: &Segment, part: u32, spec: &VectorPart, source: &Vectors, query: &[f32], lsn_end: Lsn, ef: Option<usize>) -> Vec<Hit> {
    let mut scratch = SearchScratch::default();
    let ctx = SearchContext { lsn_end, k: 10, ef, among: None, source, scratch: &mut scratch };
    search_part(segment, part, spec, Kernels::detect(), query, ctx).unwrap()
}

fn ids(hits: &[Hit]) -> Vec<PointId> {
    hits.iter().map(|hit| hit.id).collect()
}

/// Every metric and datatype that a collection can have, and whether it is cosine.
fn kinds() -> Vec<(VectorPart, bool)> {
    let mut kinds = Vec::new();
    for metric in Metric::ALL {
        for datatype in Datatype::ALL {
            kinds.push((VectorPart { dim: 24, datatype, metric, normalise_codes: false, blocks: true }, false));
        }
    }
    kinds.push((VectorPart { dim: 24, datatype: Datatype::F16, metric: Metric::Dot, normalise_codes: false, blocks: true }, true));
    kinds.push((VectorPart { dim: 24, datatype: Datatype::U8, metric: Metric::Dot, normalise_codes: true, blocks: true }, true));
    kinds
}

/// Makes vectors fit a kind: bytes are of 0 to 255, and cosine stores unit vectors except for bytes.
fn fit(spec: &VectorPart, cosine: bool, vector: &mut [f32]) {
    if spec.datatype == Datatype::U8 {
        vector.iter_mut().for_each(|value| *value = (*value * 20.0 + 128.0).round().clamp(0.0, 255.0));
    } else if cosine {
        metric::normalise(vector);
    }
}

/// The definition of a distance in double precision, over the vector as it is stored.
fn naive_distance(spec: &VectorPart, query: &[f32], vector: &[f32]) -> f64 {
    let mut bytes = Vec::new();
    spec.datatype.encode(vector, &mut bytes);
    let mut stored = vec![0.0; spec.dim];
    spec.datatype.decode(&bytes, &mut stored);
    let pairs = || query.iter().zip(&stored).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    match spec.metric {
        Metric::Dot if spec.normalise_codes => {
            let norm = stored.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
            if norm == 0.0 { 0.0 } else { -pairs().map(|(a, b)| a * b).sum::<f64>() / norm }
        }
        Metric::Dot => -pairs().map(|(a, b)| a * b).sum::<f64>(),
        Metric::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
        Metric::Manhattan => pairs().map(|(a, b)| (a - b).abs()).sum(),
    }
}

#[test]
fn graph_and_scan_find_what_comparing_everything_finds() {
    for (seed, (spec, cosine)) in (0..).zip(kinds()) {
        let mut stream = Stream::new(seed);
        let mut vectors = clustered(&mut stream, 1520, spec.dim);
        vectors.iter_mut().for_each(|vector| fit(&spec, cosine, vector));
        let queries = vectors.split_off(1500);
        let mut source = Vectors::default();
        let rows = testing::simple_rows(&mut source, &spec, &vectors);
        let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
        let flat = testing::open(&meta, &objects).unwrap();
        let graph = testing::with_graph(&flat, 1);
        let (mut scanned, mut walked) = (0.0, 0.0);
        for mut query in queries {
            if cosine {
                metric::normalise(&mut query);
            }
            let exact = find(&flat, 1, &spec, &source, &query, 1 << 20, None);
            let mut naive: Vec<f64> = vectors.iter().map(|vector| naive_distance(&spec, &query, vector)).collect();
            naive.sort_by(f64::total_cmp);
            for (hit, wanted) in exact.iter().zip(&naive) {
                let tolerance = 1e-4 * (1.0 + wanted.abs());
                assert!((f64::from(hit.distance) - wanted).abs() < tolerance, "seed {seed}, {spec:?}: {} is not {wanted}", hit.distance);
            }
            assert!(exact.is_sorted_by_key(|hit| (hit.distance, hit.id)), "seed {seed}");
            let truth = ids(&exact);
            scanned += recall_at_k(&ids(&find(&flat, 1, &spec, &source, &query, 1 << 20, Some(100))), &truth, 10);
            walked += recall_at_k(&ids(&find(&graph, 1, &spec, &source, &query, 1 << 20, Some(200))), &truth, 10);
        }
        assert!(scanned / 20.0 >= 0.95, "seed {seed}, {spec:?}: scan recall {}", scanned / 20.0);
        assert!(walked / 20.0 >= 0.95, "seed {seed}, {spec:?}: walk recall {}", walked / 20.0);
    }
}

#[test]
fn each_version_sees_the_rows_that_lived_then() {
    let spec = floats(4);
    let vectors: Vec<Vec<f32>> = (0..300_u16).map(|n| vec![f32::from(n), 0.0, 0.0, 0.0]).collect();
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let graph = testing::with_graph(&flat, 1);
    for (row, lsn) in [(0, 5000), (1, 6000), (2, 7000)] {
        assert!(flat.mark_deleted(1, row, lsn));
    }
    for (lsn_end, nearest) in [(5000, 0), (5001, 10), (6000, 10), (6001, 20), (7001, 30)] {
        for segment in [&flat, &graph] {
            for ef in [None, Some(10), Some(300)] {
                let hits = find(segment, 1, &spec, &source, &[0.0; 4], lsn_end, ef);
                assert_eq!(hits[0].id, PointId::Number(nearest), "version {lsn_end}, ef {ef:?}");
                assert_eq!(hits.len(), 10);
            }
        }
    }
}

#[test]
fn a_search_among_many_deletions_finds_what_is_left() {
    let spec = floats(16);
    let vectors = clustered(&mut Stream::new(4), 2000, 16);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let graph = testing::with_graph(&testing::open(&meta, &objects).unwrap(), 1);
    // One in ten, then half, then all but twenty of the rows die.
    for (lsn, dies) in [(100, (|row| row % 10 == 3) as fn(u32) -> bool), (200, |row| row % 2 == 1), (300, |row| row % 100 != 0)] {
        (0..2000).filter(|&row| dies(row)).for_each(|row| {
            graph.mark_deleted(1, row, lsn);
        });
        let mut recall = 0.0;
        for query in vectors.iter().step_by(100) {
            let truth = ids(&find(&graph, 1, &spec, &source, query, lsn + 1, None));
            let found = find(&graph, 1, &spec, &source, query, lsn + 1, Some(100));
            assert!(found.iter().all(|hit| graph.is_visible(1, hit.row, lsn + 1)), "after {lsn}");
            recall += recall_at_k(&ids(&found), &truth, 10);
        }
        assert!(recall / 20.0 >= 0.95, "after {lsn}: recall {}", recall / 20.0);
    }
}

#[test]
fn a_filter_that_few_rows_pass_still_gives_all_of_them() {
    let spec = floats(16);
    let vectors = clustered(&mut Stream::new(3), 3000, 16);
    let mut source = Vectors::default();
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let flat = testing::open(&meta, &objects).unwrap();
    let graph = testing::with_graph(&flat, 1);
    for (every, wanted) in [(600, 5), (3001, 1), (7, 10)] {
        let among = every_row(3000, every);
        let search = |segment: &Segment, ef| {
            let mut scratch = SearchScratch::default();
            let ctx = SearchContext { lsn_end: 100, k: 10, ef, among: Some(&among), source: &source, scratch: &mut scratch };
            search_part(segment, 1, &spec, Kernels::detect(), &vectors[17], ctx).unwrap()
        };
        let exact = search(&flat, None);
        assert_eq!(exact.len(), wanted, "one in {every}");
        for segment in [&flat, &graph] {
            assert!(exact.iter().all(|hit| among.rows().get(hit.row)), "one in {every}");
            assert_eq!(search(segment, Some(400)), exact, "one in {every}");
        }
    }
    let mut scratch = SearchScratch::default();
    let none = Accepted::new(Bitmap::new(3000));
    let ctx = SearchContext { lsn_end: 100, k: 10, ef: Some(64), among: Some(&none), source: &source, scratch: &mut scratch };
    assert_eq!(search_part(&graph, 1, &spec, Kernels::detect(), &vectors[17], ctx).unwrap(), []);
}

/// Every so many-th of some rows.
fn every_row(rows: u32, every: usize) -> Accepted {
    let mut set = Bitmap::new(rows);
    (0..rows).step_by(every).for_each(|row| set.set(row, true));
    Accepted::new(set)
}

#[test]
fn named_vectors_that_rows_lack_are_not_found() {
    let (meta, objects, source, specs) = testing::mixed_segment(200);
    let flat = testing::open(&meta, &objects).unwrap();
    let graph = testing::with_graph(&testing::with_graph(&flat, 1), 2);
    for segment in [&flat, &graph] {
        for ef in [None, Some(200)] {
            let mut scratch = SearchScratch::default();
            let ctx = SearchContext { lsn_end: 100, k: 500, ef, among: None, source: &source, scratch: &mut scratch };
            let hits = search_part(segment, 2, &specs[1], Kernels::detect(), &[0.5; 12], ctx).unwrap();
            let mut rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
            rows.sort_unstable();
            assert_eq!(rows, (0..200).filter(|row| row % 4 != 1).collect::<Vec<_>>(), "ef {ef:?}");
        }
        let unknown = find(segment, 3, &floats(5), &source, &[0.0; 5], 100, Some(10));
        assert_eq!(unknown, [], "a vector that came with a later schema");
    }
}

#[test]
fn the_zero_vector_scores_nothing_under_cosine_of_bytes() {
    let spec = VectorPart { dim: 3, datatype: Datatype::U8, metric: Metric::Dot, normalise_codes: true, blocks: true };
    let mut source = Vectors::default();
    let vectors = [vec![0.0; 3], vec![200.0, 0.0, 0.0], vec![1.0, 0.0, 0.0], vec![0.0, 9.0, 0.0]];
    let rows = testing::simple_rows(&mut source, &spec, &vectors);
    let (meta, objects) = testing::build(rows, vec![spec], &source, Vec::new());
    let segment = testing::open(&meta, &objects).unwrap();
    let hits = find(&segment, 1, &spec, &source, &[1.0, 0.0, 0.0], 100, Some(10));
    let found: Vec<(u32, f32)> = hits.iter().map(|hit| (hit.row, hit.distance)).collect();
    assert_eq!(found, [(1, -1.0), (2, -1.0), (0, 0.0), (3, 0.0)], "equal distances are in the order of ids");
}

#[test]
fn queries_and_objects_that_do_not_fit_are_refused() {
    let (meta, objects, source, specs) = testing::mixed_segment(50);
    let segment = testing::open(&meta, &objects).unwrap();
    let search = |spec: &VectorPart, dim: usize| {
        let mut scratch = SearchScratch::default();
        let ctx = SearchContext { lsn_end: 100, k: 3, ef: Some(9), among: None, source: &source, scratch: &mut scratch };
        search_part(&segment, 1, spec, Kernels::detect(), &vec![0.0; dim], ctx)
    };
    assert!(search(&specs[0], 8).is_ok());
    assert!(search(&specs[0], 7).is_err(), "a short query");
    assert!(search(&floats(9), 9).is_err(), "codes of other dimensions");
    assert!(search(&VectorPart { metric: Metric::Dot, ..specs[0] }, 8).is_err(), "codes of another metric");
}
