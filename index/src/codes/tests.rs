//! Codes keep the order of rows, are exact for bytes, and survive any bytes given to their reader.

use super::*;
use crate::recall::recall_at_k;
use crate::simd::Kernels;
use crate::testing::Stream;
use crate::{flat, flat::TopK};

fn stored(datatype: Datatype, rows: &[Vec<f32>]) -> Vec<Vec<u8>> {
    let encode = |row: &Vec<f32>| {
        let mut bytes = Vec::new();
        datatype.encode(row, &mut bytes);
        bytes
    };
    rows.iter().map(encode).collect()
}

fn coded(metric: Metric, datatype: Datatype, rows: &[Vec<u8>]) -> CodesBuf {
    let sample: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let params = CodeParams::train(metric, datatype, &sample);
    let mut codes = CodesBuf::new(params, rows[0].len() / datatype.bytes_per_dim());
    rows.iter().for_each(|row| codes.push(row));
    codes
}

#[test]
fn byte_vectors_have_exact_code_distances() {
    for dims in [1, 3, 64, 100] {
        let mut stream = Stream::new(dims);
        let rows: Vec<Vec<f32>> = (0..9).map(|_| (0..dims).map(|_| (stream.next() as u8).into()).collect()).collect();
        let bytes = stored(Datatype::U8, &rows);
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let ids: Vec<u32> = (0..9).collect();
        for metric in Metric::ALL {
            let codes = coded(metric, Datatype::U8, &bytes);
            for kernels in Kernels::available() {
                let (mut by_code, mut exact) = ([0; 9], [0.0; 9]);
                let query = codes.view().params().encode_query(&rows[4]);
                codes.view().distances(kernels, query.as_query(), &ids, &mut by_code);
                kernels.distance_many(metric, Datatype::U8, &rows[4], &slices, &mut exact);
                assert_eq!(by_code.map(|d| d as f32), exact, "{metric:?} dims {dims}");
                let mut from_row = [0; 9];
                codes.view().distances(kernels, codes.view().row_query(4), &ids, &mut from_row);
                assert_eq!(from_row, by_code, "a row is a query too");
            }
        }
    }
}

#[test]
fn float_codes_find_the_true_neighbours_after_a_rerank() {
    for (metric, datatype) in Metric::ALL.into_iter().zip([Datatype::F16, Datatype::F32, Datatype::F16]) {
        let mut stream = Stream::new(7);
        // One value in a thousand is far out, as in real embeddings.
        let mut value = || if stream.unit() < 0.001 { stream.gaussian() * 20.0 } else { stream.gaussian() };
        let rows: Vec<Vec<f32>> = (0..2000).map(|_| (0..48).map(|_| value()).collect()).collect();
        let bytes = stored(datatype, &rows);
        let codes = coded(metric, datatype, &bytes);
        let kernels = Kernels::detect();
        let mut recall = 0.0;
        for query in rows.iter().step_by(40) {
            let keyed = || bytes.iter().zip(0_u32..).map(|(row, id)| (id, row.as_slice()));
            let truth: Vec<u32> = flat::search(kernels, metric, datatype, query, keyed(), 10).iter().map(|hit| hit.1).collect();
            let code = codes.view().params().encode_query(query);
            let near = flat::scan_codes(kernels, &codes.view(), code.as_query(), 0..2000, |_| true, 20);
            let found: Vec<u32> = near.iter().map(|hit| hit.1).collect();
            recall += recall_at_k(&truth, &found, 20) * 2.0;
        }
        assert!(recall / 50.0 >= 0.99, "{metric:?}: recall {}", recall / 50.0);
    }
}

#[test]
fn by_inner_product_a_query_of_any_length_has_the_same_neighbours() {
    let mut stream = Stream::new(8);
    let rows: Vec<Vec<f32>> = (0..500).map(|_| (0..40).map(|_| stream.gaussian()).collect()).collect();
    let codes = coded(Metric::Dot, Datatype::F32, &stored(Datatype::F32, &rows));
    let near = |scale: f32| {
        let query: Vec<f32> = rows[3].iter().map(|value| value * scale).collect();
        let code = codes.view().params().encode_query(&query);
        let near = flat::scan_codes(Kernels::detect(), &codes.view(), code.as_query(), 0..500, |_| true, 20);
        near.into_iter().map(|(_, row)| row).collect::<Vec<u32>>()
    };
    for scale in [1e-20, 1.0 / 1024.0, 64.0, 1e20] {
        let same = near(scale).iter().filter(|row| near(1.0).contains(row)).count();
        assert!(same >= 18, "scale {scale}: {same} of 20");
    }
}

#[test]
fn a_scan_keeps_the_nearest_of_the_rows_it_may_take() {
    let rows: Vec<Vec<f32>> = (0_u8..200).map(|i| vec![f32::from(i), 0.0]).collect();
    let codes = coded(Metric::L2, Datatype::U8, &stored(Datatype::U8, &rows));
    let query = codes.view().params().encode_query(&[100.0, 0.0]);
    let found = flat::scan_codes(Kernels::detect(), &codes.view(), query.as_query(), 10..103, |id| id % 2 == 0, 3);
    assert_eq!(found, vec![(0, 100), (4, 98), (4, 102)]);
    let mut none: TopK<u32, i32> = TopK::new(0);
    none.push(1, 1);
    assert!(none.is_empty());
}

#[test]
fn constant_empty_and_wild_samples_still_give_a_range() {
    let nan = f32::NAN.to_le_bytes();
    let huge = [f32::MAX.to_le_bytes(), f32::MIN.to_le_bytes()].concat();
    let same = [7.5_f32.to_le_bytes(); 4].concat();
    for metric in Metric::ALL {
        for sample in [vec![], vec![nan.as_slice()], vec![huge.as_slice()], vec![same.as_slice()]] {
            let params = CodeParams::train(metric, Datatype::F32, &sample);
            let mut out = Vec::new();
            params.encode(&huge, &mut out);
            params.encode(&nan, &mut out);
            assert_eq!(out.len(), 128);
        }
    }
}

#[test]
fn every_truncation_and_every_bad_header_is_an_error() {
    let rows: Vec<Vec<f32>> = (0_u8..5).map(|i| vec![f32::from(i); 70]).collect();
    for metric in Metric::ALL {
        let codes = coded(metric, Datatype::F32, &stored(Datatype::F32, &rows));
        let bytes = layout::write(&codes.view());
        let back = layout::parse(&bytes).unwrap();
        assert_eq!((back.dims(), back.count(), back.params()), (70, 5, codes.view().params()));
        assert_eq!(back.terms(), codes.view().terms());
        assert_eq!(back.rows().bytes(), codes.view().rows().bytes());
        for len in 0..bytes.len() {
            assert!(layout::parse(&bytes[..len]).is_err(), "truncated to {len}");
        }
        for at in 0..layout::HEADER_BYTES {
            for value in 0..=255 {
                let mut broken = bytes.clone();
                broken[at] = value;
                // Either refused, or a view whose every row can be read.
                if let Ok(view) = layout::parse(&broken) {
                    let ids: Vec<u32> = (0..view.count() as u32).collect();
                    let mut out = vec![0; ids.len()];
                    view.distances(Kernels::detect(), view.row_query(0), &ids, &mut out);
                }
            }
        }
    }
}

#[test]
fn damaged_terms_and_padding_give_wrong_distances_but_no_panic() {
    let rows: Vec<Vec<f32>> = (0_u8..5).map(|i| vec![f32::from(i); 70]).collect();
    let codes = coded(Metric::L2, Datatype::U8, &stored(Datatype::U8, &rows));
    let mut bytes = layout::write(&codes.view());
    for filler in [0x00, 0x7f, 0x80, 0xff] {
        bytes[layout::HEADER_BYTES..].fill(filler);
        let view = layout::parse(&bytes).unwrap();
        for kernels in Kernels::available() {
            view.distances(kernels, view.row_query(0), &[0, 1, 2, 3, 4], &mut [0; 5]);
        }
    }
}

#[test]
fn the_bytes_of_two_coded_rows_are_these() {
    let rows = stored(Datatype::U8, &[vec![128.0, 129.0], vec![0.0, 255.0]]);
    let bytes = layout::write(&coded(Metric::L2, Datatype::U8, &rows).view());
    let mut wanted = vec![0; 64];
    wanted[0] = 1; // version
    wanted[4] = 1; // L2
    wanted[5] = 2; // U8
    wanted[8..12].copy_from_slice(&128.0_f32.to_le_bytes());
    wanted[12..16].copy_from_slice(&1.0_f32.to_le_bytes());
    wanted[32] = 2; // dimensions
    wanted[36] = 2; // rows
    wanted[40] = 64; // stride
    wanted.extend([1_i32.to_le_bytes(), (128 * 128 + 127 * 127_i32).to_le_bytes()].concat());
    wanted.resize(128, 0);
    wanted.extend([128, 129]);
    wanted.resize(192, 128);
    wanted.extend([0, 255]);
    wanted.resize(256, 128);
    assert_eq!(bytes, wanted);
}
