//! What a `.npy` header may and may not say.

use super::*;
use engine::ErrorKind;

pub(crate) fn npy(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([version, 0]);
    let len = u32::try_from(dictionary.len()).unwrap();
    if version == 1 {
        bytes.extend(&len.to_le_bytes()[..2]);
    } else {
        bytes.extend(len.to_le_bytes());
    }
    bytes.extend(dictionary.as_bytes());
    bytes.extend(data);
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Header, Failure> {
    Header::read(&Source::memory("a.npy", bytes))
}

#[test]
fn headers_of_all_three_versions_are_understood() {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n";
    for version in 1..=3 {
        let header = read(npy(version, text, &[0; 24])).unwrap();
        assert_eq!((header.element, header.shape.as_slice(), header.fortran_order), (Element::Float(4), &[2, 3][..], false));
        let offset = text.len() as u64 + if version == 1 { 10 } else { 12 };
        assert_eq!(header.data_offset, offset);
    }
}

#[test]
fn keys_may_stand_in_any_order_and_either_quotes() {
    let header = read(npy(1, "{\"shape\":(5,),\"descr\":\"<i8\",\"fortran_order\":True}", &[0; 40])).unwrap();
    assert_eq!((header.element, header.shape.as_slice(), header.fortran_order), (Element::Signed(8), &[5][..], true));
    assert_eq!(read(npy(1, "{'descr':'|u1','fortran_order':False,'shape':()}", &[7])).unwrap().shape, [0_u64; 0]);
}

#[test]
fn element_types_that_are_not_understood_are_named() {
    for descr in [">f4", "|f4", "<f16", "<c8", "|O", "<M8[ns]", "<U0", "<U99", "<f", "", "<f4x", "\u{e9}\u{e9}4", "|b1"] {
        let failure = read(npy(1, &format!("{{'descr':'{descr}','fortran_order':False,'shape':(0,)}}"), &[])).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{descr}");
        assert!(failure.to_string().contains("element type"), "{failure}");
    }
}

#[test]
fn a_broken_dictionary_is_refused_with_its_place() {
    for text in [
        "",
        "{",
        "{}",
        "{'descr'}",
        "{'descr': '<f4'",
        "{'descr': <f4}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), 'more': ''}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<f\\'4', 'fortran_order': False, 'shape': (0,)}",
    ] {
        let failure = read(npy(1, text, &[])).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput, "{text}");
        assert!(failure.offset.is_some(), "{text}: {failure}");
    }
}

#[test]
fn a_size_that_is_not_that_of_the_shape_is_refused() {
    let text = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    for shape in ["(2, 3)", "(18446744073709551615, 18446744073709551615)", "(9223372036854775808, 1)", "(99999999999999999999,)"] {
        for len in [23, 25] {
            assert_eq!(read(npy(1, &text(shape), &vec![0; len])).unwrap_err().kind, ErrorKind::InvalidInput, "{shape} {len}");
        }
    }
}

#[test]
fn a_header_that_claims_gigabytes_is_not_allocated() {
    let mut bytes = npy(2, "{}", &[]);
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read(bytes).unwrap_err().to_string().contains("too long"));
}

#[test]
fn every_truncation_and_every_changed_byte_is_an_answer_and_never_a_panic() {
    let whole = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", &[0; 8]);
    for len in 0..whole.len() {
        assert!(read(whole[..len].to_vec()).is_err(), "cut at {len}");
    }
    for at in 0..whole.len() {
        for value in [0, b'\'', b'(', b',', b'9', 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            // Some changes give another valid header; the promise is an answer.
            let _answer = read(changed);
        }
    }
}
