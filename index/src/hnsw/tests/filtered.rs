//! What a walk under a filter promises: recall however the filter lies to the query, an end in sight, and the same answers everywhere.

use super::*;
use crate::filter::Bitmap;

const ROWS: u32 = 12_000;
/// What a walk may cost: a sixth of the rows.
const VISITS_MAX: usize = 2000;

/// Rows that pass, by how they lie to the query.
enum Lie {
    /// Anywhere.
    Apart,
    /// Among the nearest.
    Near,
    /// Among the farther half.
    Far,
}

/// A filter that `share` of the rows pass.
fn filter(data: &Data, query: &[f32], share: f64, lie: &Lie, stream: &mut Stream) -> Bitmap {
    let mut order = data.truth(query, data.rows.len(), |_| true);
    match lie {
        Lie::Near => {}
        Lie::Far => drop(order.drain(..order.len() / 2)),
        Lie::Apart => order.sort_by_cached_key(|_| stream.next()),
    }
    let mut passing = Bitmap::new(ROWS);
    order.iter().take((f64::from(ROWS) * share) as usize).for_each(|row| passing.set(*row, true));
    passing
}

#[test]
fn a_walk_finds_what_passes_or_is_given_up_wherever_it_lies() {
    let data = Data::clusters(Metric::L2, Datatype::F32, ROWS as usize, 32, 8);
    let bytes = data.build(&Params::default());
    let graph = GraphView::parse(&bytes, ROWS as usize).unwrap();
    let view = data.codes.view();
    let mut scratch = Scratch::default();
    for lie in [Lie::Apart, Lie::Near, Lie::Far] {
        for share in [0.4, 0.1, 0.02] {
            let mut stream = Stream::new(17);
            let (mut recall, mut arrived) = (0.0, 0);
            for query in data.values.iter().skip(3).step_by(600) {
                let passing = filter(&data, query, share, &lie, &mut stream);
                let code = view.params().encode_query(query);
                let wanted = Wanted { accept: |row| passing.get(row), ef: 64, ef_min: 15, visits_max: VISITS_MAX };
                let found = search_filtered(Kernels::detect(), &graph, &view, code.as_query(), &wanted, &mut scratch);
                if let Some(found) = found {
                    assert!((15..=64).contains(&found.len()) && found.is_sorted());
                    assert!(found.iter().all(|hit| passing.get(hit.1)));
                    recall += recall_at_k(&data.rerank(query, found, 10), &data.truth(query, 10, |row| passing.get(row)), 10);
                    arrived += 1;
                }
                assert!(scratch.visits() <= VISITS_MAX + 400, "{} visits", scratch.visits());
            }
            assert!(arrived == 0 || recall / f64::from(arrived) >= 0.95, "share {share}: recall {recall} of {arrived}");
            assert!(!matches!(lie, Lie::Near) || arrived == 20, "share {share}: what passes is in reach");
            assert!(!matches!(lie, Lie::Far) || arrived == 0, "share {share}: what is far is scanned for");
        }
    }
}

#[test]
fn a_filter_that_takes_everything_finds_what_no_filter_finds() {
    let data = Data::clusters(Metric::Dot, Datatype::F32, 2000, 16, 4);
    let bytes = data.build(&Params { ef_construction: 40, ..Params::default() });
    let graph = GraphView::parse(&bytes, 2000).unwrap();
    let view = data.codes.view();
    let (mut one, mut other) = (Scratch::default(), Scratch::default());
    let mut agree = 0.0;
    for query in data.values.iter().step_by(100) {
        let code = view.params().encode_query(query);
        let plain = search(Kernels::detect(), &graph, &view, None, code.as_query(), 40, &mut one);
        let wanted = Wanted { accept: |_| true, ef: 40, ef_min: 10, visits_max: usize::MAX };
        let filtered = search_filtered(Kernels::detect(), &graph, &view, code.as_query(), &wanted, &mut other).unwrap();
        let nodes = |found: &[(i32, u32)]| found.iter().map(|hit| hit.1).collect::<Vec<_>>();
        // One walks by halves of codes, the other by whole ones, so the last of what they collect differ.
        agree += recall_at_k(&nodes(filtered), &nodes(plain), 10);
    }
    assert!(agree / 20.0 >= 0.97, "{agree} of 20");
}

#[test]
fn a_filter_that_takes_nothing_is_given_up_within_its_visits() {
    let data = Data::clusters(Metric::L2, Datatype::U8, 3000, 8, 2);
    let bytes = data.build(&Params { ef_construction: 40, ..Params::default() });
    let graph = GraphView::parse(&bytes, 3000).unwrap();
    let view = data.codes.view();
    let code = view.params().encode_query(&data.values[0]);
    let mut scratch = Scratch::default();
    for (visits_max, bound) in [(usize::MAX, 3200), (4000, 500 + 264), (0, 200)] {
        let wanted = Wanted { accept: |_| false, ef: 10, ef_min: 5, visits_max };
        let found = search_filtered(Kernels::detect(), &graph, &view, code.as_query(), &wanted, &mut scratch);
        assert_eq!(found, None);
        assert!(scratch.visits() <= bound, "{} visits of {visits_max}", scratch.visits());
    }
}

#[test]
fn the_same_walk_gives_the_same_answers_on_every_instruction_set() {
    let data = Data::clusters(Metric::Dot, Datatype::F32, 4000, 48, 5);
    let bytes = data.build(&Params { ef_construction: 40, ..Params::default() });
    let graph = GraphView::parse(&bytes, 4000).unwrap();
    let view = data.codes.view();
    for query in data.values.iter().step_by(400) {
        let code = view.params().encode_query(query);
        let wanted = Wanted { accept: |row| row % 3 == 0, ef: 40, ef_min: 15, visits_max: usize::MAX };
        let mut answers = Kernels::available().map(|kernels| {
            let mut scratch = Scratch::default();
            let found = search_filtered(kernels, &graph, &view, code.as_query(), &wanted, &mut scratch).map(<[_]>::to_vec);
            (found, scratch.visits())
        });
        let first = answers.next().unwrap();
        assert!(first.0.is_some() && answers.all(|other| other == first));
    }
}

#[test]
fn the_fewer_pass_the_fewer_are_collected_within_the_bounds() {
    assert_eq!(filtered_width(64, 15, 0, 10), 64, "too few seen to tell");
    let widths = [1000, 500, 200, 100, 50, 20, 10, 1, 0].map(|passed| filtered_width(64, 15, passed, 1000));
    assert_eq!((widths[0], widths[1], widths[3], widths[8]), (64, 50, 27, 15));
    assert!(widths.is_sorted_by(|a, b| a >= b), "{widths:?}");
    assert_eq!(filtered_width(5, 15, 1, 1000), 5, "never more than asked for");
}
