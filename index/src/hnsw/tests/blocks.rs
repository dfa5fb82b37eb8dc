//! Blocks give the answers of the objects that they were made from.

use super::*;
use crate::simd::Isa;

#[test]
fn a_walk_over_blocks_finds_what_a_walk_over_stored_codes_finds_on_every_instruction_set() {
    for (metric, datatype, dims) in [
        (Metric::Dot, Datatype::F32, 40),
        (Metric::L2, Datatype::F32, 130),
        (Metric::Manhattan, Datatype::F16, 70),
        (Metric::L2, Datatype::U8, 20),
        (Metric::Dot, Datatype::U8, 200),
        (Metric::Dot, Datatype::F32, 384),
    ] {
        let data = Data::clusters(metric, datatype, 1200, dims, 8);
        let view = data.codes.view();
        let bytes = data.build(&Params { ef_construction: 40, ..Params::default() });
        let halves = GraphView::parse(&bytes, 1200).unwrap();
        // The same graph walked by whole codes.
        let mut whole = bytes.clone();
        whole[32] = 1;
        let whole = GraphView::parse(&whole, 1200).unwrap();
        for graph in [halves, whole] {
            let shape = BlocksShape::new(&graph, &view);
            let mut memory = vec![0; shape.bytes()];
            shape.fill(&graph, &view, &mut memory);
            let blocks = shape.view(&memory);
            for query in data.values.iter().step_by(150) {
                let code = view.params().encode_query(query);
                let wanted =
                    search(Kernels::for_isa(Isa::Scalar).unwrap(), &graph, &view, None, code.as_query(), 30, &mut Scratch::default())
                        .to_vec();
                for kernels in Kernels::available() {
                    let mut scratch = Scratch::default();
                    for blocks in [None, Some(blocks)] {
                        let found = search(kernels, &graph, &view, blocks, code.as_query(), 30, &mut scratch);
                        assert_eq!(found, wanted, "{kernels:?} {metric:?} {datatype:?} {dims} dimensions, blocks: {}", blocks.is_some());
                        let mut wanted: Vec<u32> = wanted.iter().map(|found| found.1).collect();
                        let mut coarse: Vec<u32> =
                            search_coarse(kernels, &graph, &view, blocks, code.as_query(), 30, &mut scratch).to_vec();
                        wanted.sort_unstable();
                        coarse.sort_unstable();
                        assert_eq!(coarse, wanted, "the same nodes in another order");
                    }
                }
            }
        }
    }
}
