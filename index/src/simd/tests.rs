//! One suite for every kernel that runs here, against naive versions in the stated order.

use super::*;
use crate::testing::Stream;
use half::f16;

/// Every table that runs here; where there is no NEON, its kernels too, over instructions in plain Rust.
pub(super) fn tables() -> impl Iterator<Item = &'static Kernels> {
    let emulated = (!cfg!(target_arch = "aarch64")).then_some(&neon::KERNELS);
    Kernels::available().chain(emulated)
}

/// The stated order of accumulation, as short as it can be said.
fn naive(metric: Metric, query: &[f32], row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 32];
    for i in 0..query.len().next_multiple_of(32) {
        let (a, b) = if i < query.len() { (query[i], row[i]) } else { (0.0, 0.0) };
        lanes[i % 32] = match metric {
            Metric::Dot => a.mul_add(b, lanes[i % 32]),
            Metric::L2 => (a - b).mul_add(a - b, lanes[i % 32]),
            Metric::Manhattan => lanes[i % 32] + (a - b).abs(),
        };
    }
    for half in [16, 8, 4, 2, 1] {
        (0..half).for_each(|lane| lanes[lane] += lanes[lane + half]);
    }
    if metric == Metric::Dot { -lanes[0] } else { lanes[0] }
}

fn dims_to_try() -> impl Iterator<Item = usize> {
    (1..=130).chain([384, 768, 1536])
}

/// Bytes of `len` at a chosen distance from a 64-byte boundary.
struct Shifted {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Shifted {
    fn new(content: &[u8], shift: usize) -> Self {
        let mut memory = vec![0; content.len() + 128];
        let start = memory.as_ptr().align_offset(64) + shift;
        memory[start..start + content.len()].copy_from_slice(content);
        Shifted { memory, start, len: content.len() }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

#[test]
fn exact_distances_are_the_same_bits_on_every_instruction_set() {
    for dims in dims_to_try() {
        let mut stream = Stream::new(dims as u64);
        let query: Vec<f32> = (0..dims).map(|_| stream.gaussian() * 10.0).collect();
        for (index, datatype) in Datatype::ALL.into_iter().enumerate() {
            let stored: Vec<Shifted> = (0..7)
                .map(|row| {
                    let values: Vec<f32> = (0..dims).map(|_| stream.gaussian() * 40.0 + 90.0).collect();
                    let mut bytes = Vec::new();
                    datatype.encode(&values, &mut bytes);
                    Shifted::new(&bytes, (row * 5 + dims + index) % 64)
                })
                .collect();
            let rows: Vec<&[u8]> = stored.iter().map(Shifted::bytes).collect();
            for metric in Metric::ALL {
                let mut values = vec![0.0; dims];
                let wanted: Vec<u32> = rows
                    .iter()
                    .map(|row| {
                        datatype.decode(row, &mut values);
                        naive(metric, &query, &values).to_bits()
                    })
                    .collect();
                for kernels in tables() {
                    let mut out = vec![f32::NAN; rows.len()];
                    kernels.distance_many(metric, datatype, &query, &rows, &mut out);
                    let found: Vec<u32> = out.iter().map(|d| d.to_bits()).collect();
                    assert_eq!(found, wanted, "{kernels:?} {metric:?} {datatype:?} dims {dims}");
                }
            }
        }
    }
}

#[test]
fn every_half_precision_value_converts_exactly() {
    let bits: Vec<u16> = (0..=u16::MAX).filter(|bits| f16::from_bits(*bits).is_finite()).collect();
    for kernels in tables() {
        for bit in &bits {
            let row = bit.to_le_bytes();
            let mut out = [0.0];
            kernels.distance_many(Metric::Manhattan, Datatype::F16, &[0.0], &[&row], &mut out);
            assert_eq!(out[0], f16::from_bits(*bit).to_f32().abs(), "{kernels:?} bits {bit:#06x}");
        }
    }
}

#[test]
fn code_distances_are_exact_on_every_instruction_set() {
    for dims in dims_to_try() {
        let stride = code_stride(dims);
        let mut stream = Stream::new(1000 + dims as u64);
        let mut codes = vec![ZERO_CODE; stride * 11];
        for row in codes.chunks_mut(stride) {
            row[..dims].fill_with(|| stream.next() as u8);
        }
        let query = codes[..stride].to_vec();
        let ids: Vec<u32> = (0..11).rev().chain([3, 3, 0]).collect();
        let signed = |code: u8| i32::from(code) - 128;
        let row = |id: u32| &codes[id as usize * stride..][..dims];
        let dot = |id: &u32| -> i32 { row(*id).iter().zip(&query).map(|(a, b)| signed(*a) * signed(*b)).sum() };
        let sad = |id: &u32| -> i32 { row(*id).iter().zip(&query).map(|(a, b)| i32::from(a.abs_diff(*b))).sum() };
        let wanted: (Vec<i32>, Vec<i32>) = (ids.iter().map(dot).collect(), ids.iter().map(sad).collect());
        for kernels in tables() {
            let shifted = Shifted::new(&codes, dims % 64);
            let rows = CodeRows::new(shifted.bytes(), stride).unwrap();
            let mut found = (vec![0; ids.len()], vec![0; ids.len()]);
            kernels.code_dots(&query, rows, &ids, &mut found.0);
            kernels.code_sads(&query, rows, &ids, &mut found.1);
            assert_eq!(found, wanted, "{kernels:?} dims {dims}");
        }
    }
}

#[test]
fn the_largest_codes_at_the_largest_dimension_do_not_overflow() {
    for (a, b) in [(0, 0), (0, 255), (255, 255), (255, 0)] {
        let codes = [vec![a; MAX_DIMS], vec![b; MAX_DIMS]].concat();
        let rows = CodeRows::new(&codes, MAX_DIMS).unwrap();
        let dims = MAX_DIMS as i32;
        for kernels in tables() {
            let mut out = [0; 1];
            kernels.code_dots(rows.row(0), rows, &[1], &mut out);
            assert_eq!(out[0], (i32::from(a) - 128) * (i32::from(b) - 128) * dims, "{kernels:?}");
            kernels.code_sads(rows.row(0), rows, &[1], &mut out);
            assert_eq!(out[0], i32::from(a.abs_diff(b)) * dims, "{kernels:?}");
        }
    }
}

#[test]
fn kernels_are_found_by_name_and_only_where_they_run() {
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse(), Ok(isa));
        if let Some(kernels) = Kernels::for_isa(isa) {
            assert_eq!(kernels.isa(), isa);
            assert!(kernels.name().starts_with(isa.name()));
        }
    }
    assert!(Kernels::for_isa(Isa::Scalar).is_some());
    assert!(Kernels::for_isa(Isa::Avx2).is_none() || Kernels::for_isa(Isa::Neon).is_none());
    assert!("sse9".parse::<Isa>().unwrap_err().contains("sse9"));
}

#[test]
#[should_panic(expected = "row id")]
fn an_id_beyond_the_rows_is_refused() {
    let codes = [ZERO_CODE; 128];
    let rows = CodeRows::new(&codes, 64).unwrap();
    Kernels::detect().code_dots(rows.row(0), rows, &[2], &mut [0]);
}

#[test]
#[should_panic(expected = "dimensions")]
fn a_short_row_is_refused() {
    Kernels::detect().distance_many(Metric::Dot, Datatype::F32, &[1.0, 2.0], &[&[0; 7]], &mut [0.0]);
}
