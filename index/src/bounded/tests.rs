//! Bounds hold, whatever the vectors: the nearest by exact distance are always among those that a scan does not rule out.

use super::*;
use crate::TopK;
use crate::testing::Stream;

/// Vectors of a kind that is hard for codes, by number.
fn value(kind: usize, at: usize, stream: &mut Stream) -> f32 {
    match kind {
        // Plain, and with a few dimensions that are far off or far wider than the rest.
        0 => stream.gaussian(),
        1 => stream.gaussian() * if at.is_multiple_of(17) { 60.0 } else { 0.02 } + if at.is_multiple_of(5) { 900.0 } else { -0.3 },
        // Nearly the same everywhere, and exactly the same.
        2 => 1.0 + stream.gaussian() * 1e-6,
        3 => 7.5,
        // One in a thousand is huge; sparse; tiny.
        4 => stream.gaussian() * if stream.unit() < 0.001 { 1e9 } else { 1.0 },
        5 => f32::from(u8::from(stream.unit() < 0.05)),
        6 => stream.gaussian() * 2e-4,
        _ => (stream.unit() * 256.0).floor(),
    }
}

const KINDS: usize = 8;

struct Case {
    metric: Metric,
    datatype: Datatype,
    rows: Vec<Vec<u8>>,
    query: Vec<f32>,
}

impl Case {
    fn new(metric: Metric, datatype: Datatype, dims: usize, kind: usize, count: usize) -> Self {
        let mut stream = Stream::new((dims * 1000 + kind) as u64);
        let mut vector = || -> Vec<f32> { (0..dims).map(|at| value(kind, at, &mut stream).clamp(-60_000.0, 6e9)).collect() };
        let query = vector();
        let stored = |vector: Vec<f32>| {
            let mut bytes = Vec::new();
            datatype.encode(&vector, &mut bytes);
            bytes
        };
        Case { metric, datatype, rows: (0..count).map(|_| stored(vector())).collect(), query }
    }

    fn slices(&self) -> Vec<&[u8]> {
        self.rows.iter().map(Vec::as_slice).collect()
    }

    fn exact(&self, kernels: &Kernels) -> Vec<f32> {
        let mut out = vec![0.0; self.rows.len()];
        kernels.distance_many(self.metric, self.datatype, &self.query, &self.slices(), &mut out);
        out
    }

    fn codes(&self) -> Option<BoundedCodes> {
        BoundedCodes::new(self.metric, self.datatype, self.query.len(), &self.slices())
    }
}

/// The rows that a scan for the `k` nearest does not rule out.
fn candidates(kernels: &Kernels, query: &BoundedQuery<'_>, k: usize) -> Vec<u32> {
    let mut highs: TopK<u32> = TopK::new(k);
    let mut found = Vec::new();
    query.scan(kernels, f32::INFINITY, &mut |row, low, high| {
        highs.push(high, row);
        found.push((row, low));
        highs.worst().map_or(f32::INFINITY, f32::from)
    });
    let bar = highs.worst().map_or(f32::INFINITY, f32::from);
    found.into_iter().filter(|(_, low)| *low <= bar).map(|(row, _)| row).collect()
}

#[test]
fn every_distance_lies_within_its_bounds() {
    for (dims, kind) in [1, 2, 31, 64, 100, 384].into_iter().flat_map(|dims| (0..KINDS).map(move |kind| (dims, kind))) {
        for metric in Metric::ALL {
            for datatype in Datatype::ALL {
                let case = Case::new(metric, datatype, dims, kind, 300);
                let Some(codes) = case.codes() else { continue };
                let Some(query) = codes.query(&case.query) else { continue };
                for kernels in Kernels::available() {
                    let exact = case.exact(kernels);
                    let mut seen = 0;
                    query.scan(kernels, f32::INFINITY, &mut |row, low, high| {
                        let distance = exact[row as usize];
                        assert!(
                            low <= distance && distance <= high,
                            "{metric:?} {datatype:?} {dims} dims, kind {kind}, row {row}: {low} <= {distance} <= {high}"
                        );
                        assert_eq!(row, seen, "rows in order");
                        seen += 1;
                        f32::INFINITY
                    });
                    assert_eq!(seen, 300);
                }
            }
        }
    }
}

#[test]
fn the_nearest_are_never_ruled_out_and_most_rows_are() {
    for metric in Metric::ALL {
        let case = Case::new(metric, Datatype::F32, 96, 0, 3000);
        let exact = case.exact(Kernels::detect());
        let mut order: Vec<u32> = (0..3000).collect();
        order.sort_by(|a, b| exact[*a as usize].total_cmp(&exact[*b as usize]).then(a.cmp(b)));
        let codes = case.codes().unwrap();
        let query = codes.query(&case.query).unwrap();
        for kernels in Kernels::available() {
            for k in [1, 10, 100] {
                let found = candidates(kernels, &query, k);
                assert!(order[..k].iter().all(|row| found.contains(row)), "{metric:?} k {k}");
                assert!(found.len() < 5 * k + 60, "{metric:?}: {} candidates for the {k} nearest", found.len());
            }
        }
    }
}

#[test]
fn bytes_lose_nothing() {
    for metric in Metric::ALL {
        let case = Case::new(metric, Datatype::U8, 64, 7, 500);
        let query: Vec<f32> = case.query.iter().map(|value| value.clamp(0.0, 255.0)).collect();
        let codes = case.codes().unwrap();
        assert_eq!(codes.bounds.lost, 0.0);
        let mut exact = vec![0.0; 500];
        Kernels::detect().distance_many(metric, Datatype::U8, &query, &case.slices(), &mut exact);
        if metric == Metric::Manhattan {
            codes.query(&query).unwrap().scan(Kernels::detect(), f32::INFINITY, &mut |row, low, high| {
                assert_eq!((low + high) / 2.0, exact[row as usize], "integers are exact");
                f32::INFINITY
            });
        }
    }
}

#[test]
fn numbers_that_floats_cannot_bound_are_left_to_the_vectors() {
    let stored = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    for metric in Metric::ALL {
        for wild in [f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-30] {
            let rows = [stored(&[wild, wild]), stored(&[wild, wild])];
            let slices: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            assert!(BoundedCodes::new(metric, Datatype::F32, 2, &slices).is_none(), "{metric:?} {wild}");
        }
        let rows = [stored(&[1.0, 2.0]), stored(&[-3.0, 0.5])];
        let slices: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let codes = BoundedCodes::new(metric, Datatype::F32, 2, &slices).unwrap();
        for wild in [f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(codes.query(&[wild, 0.0]).is_none(), "{metric:?} {wild}");
        }
        assert!(codes.query(&[0.0, 0.0]).is_some());
    }
}

#[test]
fn no_rows_and_zero_rows_are_fine() {
    for metric in Metric::ALL {
        let none = BoundedCodes::new(metric, Datatype::F32, 3, &[]).unwrap();
        assert_eq!(none.count(), 0);
        none.query(&[1.0, 2.0, 3.0]).unwrap().scan(Kernels::detect(), f32::INFINITY, &mut |_, _, _| panic!("a row out of nowhere"));
        let zeros = [[0; 12].as_slice(); 5];
        let codes = BoundedCodes::new(metric, Datatype::F32, 3, &zeros).unwrap();
        assert_eq!(candidates(Kernels::detect(), &codes.query(&[1.0, 2.0, 3.0]).unwrap(), 2).len(), 5, "equal rows stay in together");
    }
}
