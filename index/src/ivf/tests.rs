//! What lists promise: recall, the same bytes everywhere, and sound answers for odd inputs.

mod bytes;
mod merging;

use super::*;
use crate::codes::{CodeParams, CodesBuf};
use crate::filter::Bitmap;
use crate::flat;
use crate::metric::{Datatype, Metric, normalise};
use crate::recall::recall_at_k;
use crate::simd::Kernels;
use crate::testing::Stream;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows with their codes, as an engine would hold them.
struct Data {
    metric: Metric,
    datatype: Datatype,
    values: Vec<Vec<f32>>,
    rows: Vec<Vec<u8>>,
    codes: CodesBuf,
}

impl Data {
    fn new(metric: Metric, datatype: Datatype, dims: usize, values: Vec<Vec<f32>>) -> Self {
        let encode = |values: &Vec<f32>| {
            let mut row = Vec::new();
            datatype.encode(values, &mut row);
            row
        };
        let rows: Vec<Vec<u8>> = values.iter().map(encode).collect();
        let sample: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let mut codes = CodesBuf::new(CodeParams::train(metric, datatype, &sample), dims);
        rows.iter().for_each(|row| codes.push(row));
        Data { metric, datatype, values, rows, codes }
    }

    /// Gaussian clusters; unit vectors for `Dot`, bytes around 128 for `U8`, and far from zero for the others.
    fn clusters(metric: Metric, datatype: Datatype, count: usize, dims: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let centres: Vec<Vec<f32>> = (0..50).map(|_| (0..dims).map(|_| stream.gaussian()).collect()).collect();
        let mut point = || {
            let centre = &centres[(stream.next() % 50) as usize];
            let mut values: Vec<f32> = centre.iter().map(|c| c + stream.gaussian() * 0.7).collect();
            match (metric, datatype) {
                (_, Datatype::U8) => values.iter_mut().for_each(|v| *v = (*v * 25.0 + 128.0).round().clamp(0.0, 255.0)),
                (Metric::Dot, _) => normalise(&mut values),
                _ => values.iter_mut().for_each(|v| *v += 20.0),
            }
            values
        };
        Data::new(metric, datatype, dims, (0..count).map(|_| point()).collect())
    }

    fn build_with(&self, kernels: &Kernels, params: &Params, executor: &dyn Executor) -> Vec<u8> {
        let codes = self.codes.view();
        let input = Input { codes: &codes, key: &|row| row, key_bound: self.rows.len() as u32 };
        build(kernels, input, params, executor, &|_, _| true).unwrap()
    }

    fn build(&self, params: &Params) -> Vec<u8> {
        self.build_with(Kernels::detect(), params, &Sequential)
    }

    /// The exact nearest rows among those that `accept` takes.
    fn truth(&self, query: &[f32], k: usize, accept: impl Fn(u32) -> bool) -> Vec<u32> {
        let keyed = self.rows.iter().zip(0_u32..).map(|(row, id)| (id, row.as_slice())).filter(|(id, _)| accept(*id));
        flat::search(Kernels::detect(), self.metric, self.datatype, query, keyed, k).iter().map(|hit| hit.1).collect()
    }

    /// Rows that a search found, in the order of the exact distance.
    fn rerank(&self, query: &[f32], found: &[u32], k: usize) -> Vec<u32> {
        let keyed = found.iter().map(|id| (*id, self.rows[*id as usize].as_slice()));
        flat::search(Kernels::detect(), self.metric, self.datatype, query, keyed, k).iter().map(|hit| hit.1).collect()
    }

    /// Queries near rows.
    fn queries(&self, count: usize) -> Vec<Vec<f32>> {
        let mut stream = Stream::new(99);
        let scale = if self.datatype == Datatype::U8 { 10.0 } else { 0.05 };
        let mut query = || {
            let near = &self.values[(stream.next() as usize) % self.values.len()];
            near.iter().map(|v| v + stream.gaussian() * scale).collect()
        };
        (0..count).map(|_| query()).collect()
    }

    /// Recall@10 with `ef` candidates.
    fn recall(&self, bytes: &[u8], ef: usize, accept: impl Fn(u32) -> bool + Copy) -> f64 {
        let shape = ListsShape::parse(bytes, self.rows.len()).unwrap();
        let lists = shape.view(bytes);
        let mut scratch = Scratch::default();
        let queries = self.queries(100);
        let recalls = queries.iter().map(|query| {
            let found = search(Kernels::detect(), &lists, query, Effort::of(ef, lists.list_count()), accept, &mut scratch);
            assert!(found.iter().all(|row| accept(*row)));
            recall_at_k(&self.rerank(query, found, 10), &self.truth(query, 10, accept), 10)
        });
        recalls.sum::<f64>() / 100.0
    }
}

fn checked(bytes: &[u8], rows: usize) -> Report {
    let shape = ListsShape::parse(bytes, rows).unwrap();
    let report = check(&shape.view(bytes));
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.rows as usize, rows);
    report
}

/// The rows that a search with everything allowed finds.
fn find(bytes: &[u8], rows: usize, query: &[f32], effort: Effort) -> Vec<u32> {
    let shape = ListsShape::parse(bytes, rows).unwrap();
    search(Kernels::detect(), &shape.view(bytes), query, effort, |_| true, &mut Scratch::default()).to_vec()
}

struct Threads(usize);

impl Executor for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(mine) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|mine| *mine < jobs) {
                job(mine);
            }
        };
        std::thread::scope(|scope| (0..self.0).for_each(|_| drop(scope.spawn(work))));
    }
}

#[test]
fn recall_is_at_least_95_percent_for_every_metric_and_datatype_and_rises_with_ef() {
    for (metric, datatype) in [
        (Metric::Dot, Datatype::F16),
        (Metric::Dot, Datatype::U8),
        (Metric::L2, Datatype::F32),
        (Metric::L2, Datatype::U8),
        (Metric::Manhattan, Datatype::F32),
    ] {
        let data = Data::clusters(metric, datatype, 10_000, 96, 1);
        let lists = data.build(&Params::default());
        let report = checked(&lists, 10_000);
        assert_eq!(report.lists, 200);
        let recalls = [16, 64, 256].map(|ef| data.recall(&lists, ef, |_| true));
        assert!(recalls[1] >= 0.95 && recalls[2] >= 0.99 && recalls.is_sorted(), "{metric:?} {datatype:?}: recalls {recalls:?}");
    }
}

#[test]
fn lists_take_at_most_a_sixteenth_of_the_vectors() {
    let data = Data::clusters(Metric::Dot, Datatype::F32, 3000, 384, 1);
    let lists = data.build(&Params::default());
    // Addresses, 8 bytes a row, are looked at by the exact comparison.
    assert!(lists.len() + 3000 * 8 <= 3000 * 384 * 4 / 16, "{} bytes a row", lists.len() / 3000);
}

#[test]
fn any_number_of_threads_and_any_instruction_set_give_the_same_bytes_and_answers() {
    for metric in Metric::ALL {
        let data = Data::clusters(metric, Datatype::F32, 3000, 40, 5);
        let params = Params { seed: 3, lists: 0 };
        let wanted = data.build(&params);
        for threads in [2, 3, 7] {
            let found = data.build_with(Kernels::detect(), &params, &Threads(threads));
            assert!(found == wanted, "{metric:?} with {threads} threads");
        }
        let shape = ListsShape::parse(&wanted, 3000).unwrap();
        let effort = Effort { probes: 9, keep: 40 };
        for query in data.queries(10) {
            let answer = find(&wanted, 3000, &query, effort);
            for kernels in Kernels::available() {
                let mut scratch = Scratch::default();
                let found = search(kernels, &shape.view(&wanted), &query, effort, |_| true, &mut scratch);
                assert_eq!(found, answer, "{metric:?} with {kernels:?}");
            }
        }
        for kernels in Kernels::available() {
            assert!(data.build_with(kernels, &params, &Threads(2)) == wanted, "{metric:?} with {kernels:?}");
        }
        assert!(data.build(&Params { seed: 4, ..params }) != wanted, "the seed decides");
    }
}

#[test]
fn lists_of_few_rows_answer_with_all_of_them() {
    for count in 0..6_usize {
        let values: Vec<Vec<f32>> = (0..count).map(|i| vec![i as f32, 1.0, 0.0, 0.0]).collect();
        let data = Data::new(Metric::L2, Datatype::F32, 4, values);
        let lists = data.build(&Params::default());
        checked(&lists, count);
        for ef in [1, 100, usize::MAX] {
            let effort = Effort { keep: ef, ..Effort::of(ef, 8) };
            let found = find(&lists, count, &[0.0, 1.0, 0.0, 0.0], effort);
            assert_eq!(found.len(), count.min(ef), "{count} rows, ef {ef}");
            assert!(count < 2 || found[0] < 2, "{count} rows, ef {ef}: {found:?}");
        }
        assert!(find(&lists, count, &[0.0; 4], Effort { probes: 0, keep: 0 }).is_empty());
    }
}

#[test]
fn equal_rows_zeros_and_heavy_duplicates_are_found() {
    let same = vec![vec![0.5; 4]; 2000];
    let zero = vec![vec![0.0; 4]; 300];
    let few: Vec<Vec<f32>> = (0..3000).map(|i| vec![(i % 7) as f32, (i % 3) as f32, 0.0, 1.0]).collect();
    let line: Vec<Vec<f32>> = (0..1000).map(|i| vec![(i % 256) as f32]).collect();
    for (name, values) in [("same", same), ("zero", zero), ("few", few), ("line", line)] {
        for (metric, datatype) in [(Metric::Dot, Datatype::F32), (Metric::L2, Datatype::U8), (Metric::Manhattan, Datatype::F16)] {
            let dims = values[0].len();
            let data = Data::new(metric, datatype, dims, values.clone());
            let lists = data.build(&Params::default());
            checked(&lists, values.len());
            let found = find(&lists, values.len(), &values[1], Effort { probes: 1, keep: 200 });
            assert_eq!(found.len(), 200, "{name} {metric:?}");
            let exact = |rows: &[u32]| data.values[data.rerank(&values[1], rows, 1)[0] as usize].clone();
            let all: Vec<u32> = (0..values.len() as u32).collect();
            assert_eq!(exact(&found), exact(&all), "{name} {metric:?}");
        }
    }
}

#[test]
fn any_number_of_dimensions_is_searched() {
    for dims in [1, 2, 63, 64, 65, 200, 8192] {
        let count = if dims > 1000 { 150 } else { 1000 };
        let data = Data::clusters(Metric::L2, Datatype::F32, count, dims, dims as u64);
        let lists = data.build(&Params::default());
        checked(&lists, count);
        let recall = data.recall(&lists, 64, |_| true);
        assert!(recall >= 0.95, "{dims} dims: recall {recall}");
    }
}

#[test]
fn rows_far_from_zero_and_rows_of_any_size_are_told_apart() {
    for (offset, scale) in [(1e6, 1.0), (-3e4, 1e-3), (0.0, 1e-20), (0.0, 1e18)] {
        let mut stream = Stream::new(4);
        let values: Vec<Vec<f32>> = (0..2000).map(|_| (0..32).map(|_| offset + scale * stream.gaussian()).collect()).collect();
        let data = Data::new(Metric::L2, Datatype::F32, 32, values);
        let lists = data.build(&Params::default());
        checked(&lists, 2000);
        let query = &data.values[77];
        let found = find(&lists, 2000, query, Effort { probes: 20, keep: 50 });
        assert!(found.contains(&77), "offset {offset}, scale {scale}");
    }
}

#[test]
fn a_filter_is_searched_until_enough_are_found() {
    let data = Data::clusters(Metric::L2, Datatype::F32, 8000, 48, 8);
    let lists = data.build(&Params::default());
    for one_in in [2, 20, 500] {
        let mut allowed = Bitmap::new(8000);
        (0..8000).step_by(one_in).for_each(|row| allowed.set(row, true));
        let allowed = &allowed;
        let recall = data.recall(&lists, 64, |row| allowed.get(row));
        assert!(recall >= 0.95, "one in {one_in}: recall {recall}");
    }
    let shape = ListsShape::parse(&lists, 8000).unwrap();
    let mut scratch = Scratch::default();
    let found = search(Kernels::detect(), &shape.view(&lists), &data.values[0], Effort { probes: 1, keep: 5 }, |_| false, &mut scratch);
    assert!(found.is_empty());
    assert_eq!((scratch.visits(), scratch.visits_until_kept()), (8000, None), "every row was looked at, once");
    let found = search(Kernels::detect(), &shape.view(&lists), &data.values[0], Effort { probes: 1, keep: 5 }, |_| true, &mut scratch);
    assert_eq!(found.len(), 5);
    assert!(scratch.visits_until_kept().is_some_and(|visits| (5..=scratch.visits()).contains(&visits)));
}

#[test]
fn a_query_of_any_numbers_is_answered() {
    let data = Data::clusters(Metric::L2, Datatype::F32, 500, 16, 8);
    let lists = data.build(&Params::default());
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e-40, -0.0] {
        for query in [vec![odd; 16], [vec![odd], vec![1.0; 15]].concat()] {
            assert_eq!(find(&lists, 500, &query, Effort { probes: 25, keep: 10 }).len(), 10, "{odd}");
        }
    }
}

#[test]
fn more_ef_never_means_less_effort() {
    for lists in [1, 2, 63, 400, 4000, 65_536] {
        let mut last = Effort::of(0, lists);
        assert!(last.probes >= 1);
        for ef in [1, 2, 10, 64, 100, 1000, 1 << 20, usize::MAX] {
            let effort = Effort::of(ef, lists);
            assert!(effort.probes >= last.probes && effort.keep >= last.keep && effort.keep >= ef);
            last = effort;
        }
        assert_eq!(last.probes, lists, "everything in the end");
    }
}

#[test]
fn a_build_can_be_watched_and_cancelled() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 2000, 8, 2);
    let seen = std::sync::Mutex::new(Vec::new());
    let codes = data.codes.view();
    let input = Input { codes: &codes, key: &|row| row, key_bound: 2000 };
    let watch = |done, total| {
        seen.lock().unwrap().push((done, total));
        true
    };
    build(Kernels::detect(), input, &Params::default(), &Sequential, &watch).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.iter().all(|(_, total)| *total == 2000));
    assert_eq!(seen.last(), Some(&(2000, 2000)));
    for stop in [0, 400, 1100, 1600] {
        let stopped = build(Kernels::detect(), input, &Params::default(), &Sequential, &|done, _| done < stop);
        assert_eq!(stopped, Err(BuildError::Cancelled), "at {stop}");
    }
    let too_many = Params { lists: 1 << 20, seed: 0 };
    let error = build(Kernels::detect(), input, &too_many, &Sequential, &|_, _| true).unwrap_err();
    assert!(error.to_string().contains("1048576 lists"), "{error}");
}
