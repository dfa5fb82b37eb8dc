//! Building anew over merged rows: centres stay while they fit, and answers are as good as from nothing.

use super::*;

/// Lists over `data` with the centres of `base`, which has `base_rows` rows.
fn merged(base: &[u8], base_rows: usize, data: &Data) -> Vec<u8> {
    let shape = ListsShape::parse(base, base_rows).unwrap();
    let codes = data.codes.view();
    let input = Input { codes: &codes, key: &|row| row * 2, key_bound: data.rows.len() as u32 * 2 };
    rebuild(Kernels::detect(), &shape.view(base), input, &Params::default(), &Sequential, &|_, _| true).unwrap()
}

fn centres(bytes: &[u8], rows: usize) -> Vec<u8> {
    ListsShape::parse(bytes, rows).unwrap().view(bytes).centres().to_vec()
}

#[test]
fn centres_stay_in_a_merge_and_recall_stays_what_it_is() {
    for metric in Metric::ALL {
        let data = Data::clusters(metric, Datatype::F32, 8000, 48, 3);
        let half = Data::new(metric, Datatype::F32, 48, data.values[..5000].to_vec());
        let base = half.build(&Params::default());
        let lists = merged(&base, 5000, &data);
        checked(&lists, 8000);
        assert!(centres(&lists, 8000) == centres(&base, 5000), "{metric:?}: centres were learnt anew");
        let shape = ListsShape::parse(&lists, 8000).unwrap();
        let mut recall = 0.0;
        for query in data.queries(100) {
            let effort = Effort::of(64, shape.view(&lists).list_count());
            let mut scratch = Scratch::default();
            let found = search(Kernels::detect(), &shape.view(&lists), &query, effort, |_| true, &mut scratch);
            assert!(found.iter().all(|key| key.is_multiple_of(2)), "keys are the caller's");
            let rows: Vec<u32> = found.iter().map(|key| key / 2).collect();
            recall += recall_at_k(&data.rerank(&query, &rows, 10), &data.truth(&query, 10, |_| true), 10) / 100.0;
        }
        assert!(recall >= 0.95, "{metric:?}: recall {recall}");
    }
}

#[test]
fn centres_are_learnt_anew_when_rows_outgrow_them_or_crowd_into_few_lists() {
    let data = Data::clusters(Metric::L2, Datatype::F32, 6000, 16, 3);
    let few = Data::new(Metric::L2, Datatype::F32, 16, data.values[..400].to_vec());
    let lists = merged(&few.build(&Params::default()), 400, &data);
    assert_eq!(checked(&lists, 6000).lists, list_count(6000));
    // New rows all around one place, far from the old ones: nearly all would share a list.
    let mut stream = Stream::new(5);
    let far = (0..6000).map(|_| (0..16).map(|_| 90.0 + stream.gaussian()).collect());
    let moved = Data::new(Metric::L2, Datatype::F32, 16, data.values[..2000].iter().cloned().chain(far).collect());
    let old = Data::new(Metric::L2, Datatype::F32, 16, data.values[..2000].to_vec()).build(&Params::default());
    let report = checked(&merged(&old, 2000, &moved), 8000);
    assert!(report.largest < 1000, "{report:?}");
}

#[test]
fn another_metric_or_dimension_is_built_from_nothing() {
    let base = Data::clusters(Metric::L2, Datatype::F32, 500, 16, 3).build(&Params::default());
    for data in [Data::clusters(Metric::Dot, Datatype::F32, 500, 16, 3), Data::clusters(Metric::L2, Datatype::F32, 500, 20, 3)] {
        let lists = merged(&base, 500, &data);
        checked(&lists, 500);
        assert_eq!(ListsShape::parse(&lists, 500).unwrap().view(&lists).dims(), data.codes.view().dims());
    }
}
