//! A sieve leaves out most of what is far and hardly anything that is near, whatever the vectors.

use super::*;
use crate::testing::Stream;

fn stored(datatype: Datatype, vector: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    datatype.encode(vector, &mut bytes);
    bytes
}

/// A vector of a kind, by number: plain; far from zero; in few dimensions; around centres; sparse; all equal.
fn vector(kind: usize, dims: usize, stream: &mut Stream) -> Vec<f32> {
    let centre = stream.next() % 6;
    (0..dims)
        .map(|at| match kind {
            0 => stream.gaussian(),
            1 => stream.gaussian() * 2.0 + if at % 2 == 0 { 90.0 } else { 40.0 },
            2 => stream.gaussian() * if at < 6 { 20.0 } else { 0.1 },
            3 => stream.gaussian() + ((at as u64 * 7 + centre * 13) % 11) as f32,
            4 => (stream.unit() * 40.0 - 37.0).max(0.0),
            _ => 5.0,
        })
        .collect()
}

const KINDS: usize = 6;
const FEW_DIMS: usize = 2;
const EQUAL: usize = 5;

struct Case {
    metric: Metric,
    datatype: Datatype,
    rows: Vec<Vec<u8>>,
    stream: Stream,
    kind: usize,
    dims: usize,
}

impl Case {
    fn new(metric: Metric, datatype: Datatype, kind: usize, dims: usize, count: usize) -> Self {
        let mut stream = Stream::new((dims * 10 + kind) as u64);
        let rows = (0..count).map(|_| stored(datatype, &vector(kind, dims, &mut stream))).collect();
        Case { metric, datatype, rows, stream, kind, dims }
    }

    fn query(&mut self) -> Vec<f32> {
        vector(self.kind, self.dims, &mut self.stream)
    }

    fn slices(&self) -> Vec<&[u8]> {
        self.rows.iter().map(Vec::as_slice).collect()
    }

    fn sieve(&self) -> Option<Sieve> {
        let space = Arc::new(SieveSpace::new(self.metric, self.datatype, self.dims, &self.slices())?);
        Some(Sieve::new(&space, self.datatype, &self.slices()).expect("the rows that the space is of"))
    }

    /// The exact distances of all rows, and those in order.
    fn exact(&self, query: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut distances = vec![0.0; self.rows.len()];
        Kernels::detect().distance_many(self.metric, self.datatype, query, &self.slices(), &mut distances);
        let mut sorted = distances.clone();
        sorted.sort_by(f32::total_cmp);
        (distances, sorted)
    }
}

fn near(kernels: &Kernels, sieve: &Sieve, query: &[f32], bar: f32) -> Vec<u32> {
    let ready = sieve.space().query(query).expect("numbers of a usual size");
    let mut found = Vec::new();
    ready.scan(kernels, sieve, bar, &mut |rows| {
        found.extend_from_slice(rows);
        bar
    });
    found
}

/// Every kind of vectors in a few sizes.
fn cases() -> impl Iterator<Item = (usize, usize, Datatype)> {
    let sizes = [(64, Datatype::F32), (100, Datatype::F16), (384, Datatype::U8), (768, Datatype::F32)];
    (0..KINDS).flat_map(move |kind| sizes.map(|(dims, datatype)| (kind, dims, datatype)))
}

#[test]
fn of_a_thousand_rows_as_near_as_the_bar_three_are_left_out_at_most() {
    let (mut missed_of_all, mut all) = (0, 0);
    for metric in [Metric::Dot, Metric::L2] {
        for (kind, dims, datatype) in cases() {
            let mut case = Case::new(metric, datatype, kind, dims, 900);
            let Some(sieve) = case.sieve() else {
                assert_eq!(kind, EQUAL, "only equal rows have no space");
                continue;
            };
            let (mut wanted, mut missed) = (0, 0);
            for _ in 0..40 {
                let query = case.query();
                let (distances, sorted) = case.exact(&query);
                let near_ones: Vec<u32> = (0..900).filter(|row| distances[*row as usize] <= sorted[19]).collect();
                let found = near(Kernels::detect(), &sieve, &query, sorted[19]);
                wanted += near_ones.len();
                missed += near_ones.iter().filter(|row| found.binary_search(row).is_err()).count();
            }
            assert!(missed * 1000 <= wanted * 3, "{metric:?} {datatype:?} kind {kind} of {dims} dims: {missed} of {wanted} left out");
            missed_of_all += missed;
            all += wanted;
        }
    }
    assert!(missed_of_all * 2000 <= all, "{missed_of_all} of {all} left out");
}

#[test]
fn most_rows_that_are_farther_are_left_out_where_distances_differ() {
    for metric in [Metric::Dot, Metric::L2] {
        for dims in [64, 384] {
            let mut case = Case::new(metric, Datatype::F32, FEW_DIMS, dims, 3000);
            let (sieve, mut kept) = (case.sieve().unwrap(), 0);
            for _ in 0..20 {
                let query = case.query();
                let bar = case.exact(&query).1[9];
                kept += near(Kernels::detect(), &sieve, &query, bar).len();
            }
            assert!(kept < 20 * 450, "{metric:?} {dims} dims: {} rows of 3000 are kept for the nearest ten", kept / 20);
        }
    }
}

#[test]
fn every_instruction_set_keeps_the_same_rows() {
    for metric in [Metric::Dot, Metric::L2] {
        for (kind, dims, datatype) in cases() {
            // Neither whole blocks nor whole groups of them.
            let mut case = Case::new(metric, datatype, kind, dims, 8 * BLOCK_ROWS + 41);
            let Some(sieve) = case.sieve() else { continue };
            let query = case.query();
            let sorted = case.exact(&query).1;
            for bar in [sorted[0], sorted[30], f32::INFINITY, f32::NEG_INFINITY] {
                let wanted = near(Kernels::detect(), &sieve, &query, bar);
                assert!(wanted.is_sorted() && wanted.iter().all(|row| (*row as usize) < case.rows.len()));
                assert!(bar != f32::INFINITY || wanted.len() == case.rows.len(), "without a bar nothing is left out");
                for kernels in Kernels::available() {
                    assert_eq!(near(kernels, &sieve, &query, bar), wanted, "{} {metric:?} kind {kind}", kernels.name());
                }
            }
        }
    }
}

#[test]
fn the_bar_that_a_visit_gives_holds_from_there_on() {
    let mut case = Case::new(Metric::L2, Datatype::F32, 0, 64, 3 * BLOCKS_AT_ONCE * BLOCK_ROWS);
    let (sieve, query) = (case.sieve().unwrap(), case.query());
    let mut visits = 0;
    sieve.space().query(&query).unwrap().scan(Kernels::detect(), &sieve, f32::INFINITY, &mut |rows| {
        visits += rows.len();
        f32::NEG_INFINITY
    });
    assert_eq!(visits, BLOCKS_AT_ONCE * BLOCK_ROWS);
}

#[test]
fn rows_that_lie_elsewhere_ask_for_a_space_of_their_own() {
    let case = Case::new(Metric::L2, Datatype::F32, 0, 64, 300);
    let space = Arc::new(SieveSpace::new(case.metric, case.datatype, case.dims, &case.slices()).unwrap());
    let shifted = |by: f32| -> Vec<Vec<u8>> {
        let mut stream = Stream::new(9);
        (0..300).map(|_| stored(Datatype::F32, &vector(0, 64, &mut stream).iter().map(|value| value + by).collect::<Vec<_>>())).collect()
    };
    let sieve = |rows: &[Vec<u8>]| Sieve::new(&space, Datatype::F32, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert!(sieve(&shifted(0.3)).is_some() && sieve(&shifted(3.0)).is_none());
}

#[test]
fn what_signs_say_nothing_of_has_no_space_and_no_query() {
    let case = Case::new(Metric::L2, Datatype::F32, 0, 64, 300);
    assert!(SieveSpace::new(Metric::Manhattan, case.datatype, 64, &case.slices()).is_none());
    assert!(SieveSpace::new(Metric::L2, case.datatype, 64, &[]).is_none());
    let space = case.sieve().unwrap().space().clone();
    for value in [f32::NAN, f32::INFINITY, 1e30] {
        assert!(space.query(&[value; 64]).is_none(), "{value}");
    }
    assert!(space.query(&[0.0; 64]).is_some(), "zeros are a query like any other");
}

#[test]
fn a_query_that_is_tiny_beside_the_rows_is_refused_or_answered() {
    let mut case = Case::new(Metric::Dot, Datatype::F32, 1, 64, 300);
    let (sieve, query) = (case.sieve().unwrap(), case.query());
    for exponent in -40..3 {
        let tiny: Vec<f32> = query.iter().map(|value| value * 10.0_f32.powi(exponent)).collect();
        let (distances, sorted) = case.exact(&tiny);
        let Some(ready) = sieve.space().query(&tiny) else { continue };
        for kernels in Kernels::available() {
            let mut found = Vec::new();
            ready.scan(kernels, &sieve, sorted[19], &mut |rows| {
                found.extend_from_slice(rows);
                sorted[19]
            });
            let missed = (0..300).filter(|row| distances[*row as usize] <= sorted[19] && !found.contains(row)).count();
            assert!(missed <= 1, "times 10^{exponent}, {}: {missed} of 20 left out", kernels.name());
        }
    }
}
