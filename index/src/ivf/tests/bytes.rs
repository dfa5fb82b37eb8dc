//! The bytes of lists: whatever they are, nothing panics; what is wrong is named.

use super::*;
use crate::simd::bits::{block_len, signs_len};

const ROWS: usize = 400;
const DIMS: usize = 64;

fn sample() -> (Data, Vec<u8>) {
    let data = Data::clusters(Metric::L2, Datatype::U8, ROWS, DIMS, 6);
    let lists = data.build(&Params::default());
    (data, lists)
}

/// Where the blocks begin, from the end.
fn blocks_at(lists: &[u8]) -> usize {
    lists.len() - ROWS.div_ceil(32) * block_len(DIMS)
}

/// Position of the key of a place.
fn key_at(lists: &[u8], place: usize) -> usize {
    blocks_at(lists) + place / 32 * block_len(DIMS) + signs_len(DIMS) + 128 + place % 32 * 4
}

fn with_word(lists: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut changed = lists.to_vec();
    changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
    changed
}

/// Everything that reads lists, over bytes that may be anything.
fn use_it(data: &Data, bytes: &[u8]) {
    let Ok(shape) = ListsShape::parse(bytes, ROWS) else {
        return;
    };
    let lists = shape.view(bytes);
    let mut scratch = Scratch::default();
    let query = vec![100.0; lists.dims()];
    for effort in [Effort { probes: 3, keep: 20 }, Effort { probes: u32::MAX, keep: usize::MAX }] {
        let found = search(Kernels::detect(), &lists, &query, effort, |row| row % 3 == 0, &mut scratch);
        assert!(found.iter().all(|key| *key < lists.key_bound()));
    }
    let report = check(&lists);
    assert_eq!(report.is_sound(), report.first_offence.is_none());
    let codes = data.codes.view();
    let input = Input { codes: &codes, key: &|row| row, key_bound: ROWS as u32 };
    let merged = rebuild(Kernels::detect(), &lists, input, &Params::default(), &Sequential, &|_, _| true).unwrap();
    checked(&merged, ROWS);
}

#[test]
fn every_truncation_and_every_extension_is_an_error() {
    let (_, lists) = sample();
    for len in 0..lists.len() {
        assert!(ListsShape::parse(&lists[..len], ROWS).is_err(), "truncated to {len}");
    }
    assert!(ListsShape::parse(&[&lists[..], &[0]].concat(), ROWS).is_err());
    assert!(ListsShape::parse(&lists, ROWS + 1).is_err(), "another number of rows");
}

#[test]
fn damaged_bytes_never_panic() {
    let (data, lists) = sample();
    for at in 0..64 {
        for value in [0, 1, 2, 31, 64, 128, 255] {
            let mut broken = lists.clone();
            broken[at] = value;
            use_it(&data, &broken);
        }
    }
    for seed in 0..60 {
        let mut stream = Stream::new(seed);
        let mut broken = lists.clone();
        for _ in 0..=seed * 5 {
            let at = 64 + stream.next() as usize % (broken.len() - 64);
            broken[at] = stream.next() as u8;
        }
        use_it(&data, &broken);
    }
    for filler in [0x00, 0x01, 0x7f, 0xff] {
        let mut broken = lists.clone();
        let start = blocks_at(&lists);
        broken[start..].fill(filler);
        use_it(&data, &broken);
        broken[64 + 4 * DIMS..start].fill(filler);
        use_it(&data, &broken);
    }
}

#[test]
fn every_flipped_bit_of_the_header_is_refused_or_safe() {
    let (data, lists) = sample();
    let refused = (0..64 * 8).filter(|bit| {
        let mut broken = lists.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        use_it(&data, &broken);
        ListsShape::parse(&broken, ROWS).is_err()
    });
    // Only the metric, the key bound, the seed, the origin and the unit can be others and still make sense.
    assert!(refused.count() >= 64 * 8 - (2 + 32 + 64 + 32 + 32));
}

#[test]
fn a_check_names_what_is_wrong_and_where() {
    let (_, lists) = sample();
    let first_of = |bytes: &[u8]| check(&ListsShape::parse(bytes, ROWS).unwrap().view(bytes)).first_offence;
    assert_eq!(first_of(&lists), None);
    let shape = ListsShape::parse(&lists, ROWS).unwrap();
    let view = shape.view(&lists);
    let list = (0..view.list_count()).find(|list| view.list(*list).len() >= 3).unwrap();
    let place = view.list(list).start;
    let (first, second) = (view.key(place), view.key(place + 1));
    let at = |place| key_at(&lists, place);
    assert_eq!(first_of(&with_word(&lists, at(place), 9999)), Some(Offence::OutOfRange { list, key: 9999 }));
    assert_eq!(first_of(&with_word(&lists, at(place + 1), first)), Some(Offence::Duplicate { list, key: first }));
    let swapped = with_word(&with_word(&lists, at(place), second), at(place + 1), first);
    assert_eq!(first_of(&swapped), Some(Offence::OutOfOrder { list, key: first }));
    let scale = at(place) - 128 - place % 32 * 2;
    let mut number = lists.clone();
    number[scale..scale + 2].copy_from_slice(&[0, 0x7e]);
    assert_eq!(first_of(&number), Some(Offence::Number { list, key: first }));
    let mut centre = lists.clone();
    centre[64 + 4 * DIMS] ^= 8;
    assert_eq!(first_of(&centre), Some(Offence::Length { list: 0 }));
    assert_eq!(first_of(&with_word(&lists, at(ROWS), 0)), Some(Offence::Padding), "behind the last row");
}

#[test]
fn the_bytes_of_lists_of_two_rows_are_these() {
    let data = Data::new(Metric::L2, Datatype::U8, 4, vec![vec![1.0, 2.0, 3.0, 4.0], vec![1.0, 2.0, 3.0, 14.0]]);
    let codes = data.codes.view();
    let input = Input { codes: &codes, key: &|row| row + 5, key_bound: 9 };
    let bytes = build(Kernels::detect(), input, &Params { lists: 1, seed: 7 }, &Sequential, &|_, _| true).unwrap();
    let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    // version, metric, dimensions, lists, rows, key bound, seed, origin 128, unit, zeros
    assert_eq!(words[..9], [1, 0, 4, 1, 2, 9, 7, 0, 128.0_f32.to_bits()]);
    assert_eq!(words[9], f32::to_bits(5.0 * 4.5 / 127.0 / 8.0), "deviation of a half of 10, over 64 dimensions, times 4.5 in 127 parts");
    assert_eq!(words[10..16], [0; 6]);
    // The mean; then the centre, which is the mean but for rounding, its length, and the end of the list.
    let mean: Vec<f32> = words[16..80].iter().map(|word| f32::from_bits(*word)).collect();
    let length: f32 = mean.iter().map(|value| value * value).sum::<f32>() * f32::from_bits(words[9]).powi(2);
    let wanted = 127.0_f32.powi(2) + 126.0 * 126.0 + 125.0 * 125.0 + 119.0 * 119.0;
    assert!((length / wanted - 1.0).abs() < 1e-5, "{length} and not {wanted}");
    let off = bytes[320..384].iter().filter(|byte| **byte != 128).count() as u32;
    assert!(off < 5 && bytes[320..384].iter().all(|byte| (127..=129).contains(byte)), "{off} rounded up");
    assert_eq!((words[96], &words[97..112]), (off, &[0; 15][..]));
    assert_eq!((words[112], &words[113..128]), (2, &[0; 15][..]));
    // One block: signs, scales, terms, keys.
    assert_eq!(bytes.len(), 512 + 512);
    let (one, other): (Vec<u8>, Vec<u8>) = bytes[512..768].chunks(16).map(|group| (group[0], group[1])).unzip();
    let same: u32 = one.iter().zip(&other).map(|(one, other)| (15 ^ one ^ other).count_ones()).sum();
    assert!(same <= 16, "the rows lie on two sides of their mean, but for the dimensions in which they do not differ: {same}");
    assert!(bytes[512..768].chunks(16).all(|group| group[2..] == [0; 14]));
    assert_eq!(words[224..227], [5, 6, u32::MAX]);
    // Everything, also what was not looked at: FNV-1a.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    assert_eq!(hash, 11_521_016_454_394_452_765);
}
