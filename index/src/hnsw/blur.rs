//! Whether half of each code tells the neighbours of a node apart.
//!
//! Rows that stand close together, as in tight clusters or where most dimensions hardly vary, can have the same upper halves while
//! whole codes still order them. A walk by halves would find the cluster and then choose in it at random.

use super::layout::GraphView;
use crate::codes::CodesView;
use crate::simd::Kernels;

/// Nodes that are looked at.
const SAMPLES: u32 = 256;

/// The least share of pairs of neighbours, in percent, that halves must put in the same order as whole codes.
const AGREEMENT_MIN: u64 = 75;

/// True when walks over the graph should compare whole codes.
pub(super) fn is_blurred(graph: &GraphView<'_>, codes: &CodesView<'_>) -> bool {
    let (agreed, pairs) = agreement(graph, codes);
    agreed * 100 < pairs * AGREEMENT_MIN
}

/// Pairs of neighbours that halves put in the order of whole codes, those they do not tell apart counted half, and all pairs; twice each.
fn agreement(graph: &GraphView<'_>, codes: &CodesView<'_>) -> (u64, u64) {
    let step = (graph.node_count() / SAMPLES).max(1);
    let (mut agreed, mut pairs) = (0, 0);
    for node in (0..graph.node_count()).step_by(step as usize) {
        let neighbours: Vec<u32> = graph.neighbours(node, 0).collect();
        let mut whole = vec![0; neighbours.len()];
        codes.distances(Kernels::detect(), codes.row_query(node), &neighbours, &mut whole);
        let halves: Vec<i32> = neighbours.iter().map(|neighbour| codes.coarse_distance(node, *neighbour)).collect();
        for a in 0..neighbours.len() {
            for b in (0..a).filter(|b| whole[a] != whole[*b]) {
                pairs += 2;
                agreed += if halves[a] == halves[b] { 1 } else { 2 * u64::from((whole[a] < whole[b]) == (halves[a] < halves[b])) };
            }
        }
    }
    (agreed, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeParams, CodesBuf};
    use crate::hnsw::{Params, Sequential, build};
    use crate::testing::Stream;
    use crate::{Datatype, Metric};

    fn graph_of(spread: f32) -> (CodesBuf, Vec<u8>) {
        let mut stream = Stream::new(5);
        // Two far clusters stretch the range of the codes; the spread within is what neighbours differ by.
        let point = |at: usize, stream: &mut Stream| -> Vec<u8> {
            let shift = if at.is_multiple_of(2) { -20.0 } else { 20.0 };
            (0..24).flat_map(|_| (stream.gaussian() * spread + shift).to_le_bytes()).collect()
        };
        let rows: Vec<Vec<u8>> = (0..1500).map(|at| point(at, &mut stream)).collect();
        let sample: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let mut codes = CodesBuf::new(CodeParams::train(Metric::L2, Datatype::F32, &sample), 24);
        rows.iter().for_each(|row| codes.push(row));
        let graph = build(Kernels::detect(), &codes.view(), &Params::default(), &Sequential, &|_, _| true).unwrap();
        (codes, graph)
    }

    #[test]
    fn clusters_that_halves_cannot_look_into_are_walked_by_whole_codes() {
        for (spread, whole) in [(0.7, true), (20.0, false)] {
            let (_, graph) = graph_of(spread);
            assert_eq!(GraphView::parse(&graph, 1500).unwrap().walks_whole(), whole, "spread {spread}");
        }
    }
}
