//! The format of encrypted objects: golden bytes, sizes, cuts, flips, places, and the document's tables.

use super::*;
use crate::encryption::keys::{DATA_KEY_LEN, USER_KEY_LEN_MIN, WRAPPING_CONTEXT};
use engine::codec::checksum::Hash;
use platform::random::Stream;

const NAME: &str = "objects/00112233445566778899aabbccddeeff";

fn key() -> DataKey {
    DataKey::of([7; 16], [9; DATA_KEY_LEN])
}

fn plain(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at % 251) as u8).collect()
}

fn stored(plain: &[u8]) -> Vec<u8> {
    encrypt(&key(), [5; 16], NAME, vec![Bytes::copy_from_slice(plain)]).concat()
}

/// Sizes on both sides of every edge of a frame.
fn lengths() -> impl Iterator<Item = usize> {
    let edges = (0..4).map(|frames| frames * FRAME_LEN as usize);
    edges.flat_map(|edge| edge.saturating_sub(17)..edge + 18)
}

#[test]
fn golden_bytes() {
    let small = stored(b"a vector is written once");
    assert_eq!(small.len(), 64 + 24 + 16 + 32);
    assert_eq!(&small[..8], b"VECENCR\0");
    assert_eq!(small[8..16], [1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(small[16..48], [[7; 16], [5; 16]].concat());
    assert_eq!(small[48..60], [24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Computed with other implementations of AES-GCM and BLAKE3 from the document alone.
    assert_eq!(Hash::of(&small).to_string(), "5696145b3f4c568932c863ed7752f725017f5c471355ef8cc59b913a05a1414b");
    assert_eq!(Hash::of(&stored(&plain(150_000))).to_string(), "e58af16e31b18ec37011e1493bdd071976ba7857a7e8926bf89c2d1176c4f45f");
    assert_eq!(Hash::of(&stored(b"")).to_string(), "0082248efd7bffe249f702ab10c06395667522bfed68fff7a94697f3c9c8aba4");
}

#[test]
fn what_was_encrypted_decrypts_in_any_pieces() {
    for len in lengths().step_by(9).chain([200_000]) {
        let plain = plain(len);
        let expected = stored(&plain);
        assert!(decrypt(&key(), NAME, &expected).unwrap() == plain, "{len} bytes");
        for piece in [1_000, FRAME_LEN as usize, len.max(1)] {
            let mut body: Body = plain.chunks(piece).map(Bytes::copy_from_slice).collect();
            body.insert(0, Bytes::new());
            assert!(encrypt(&key(), [5; 16], NAME, body).concat() == expected, "{len} bytes in pieces of {piece}");
        }
    }
}

#[test]
fn sizes_are_a_bijection_and_a_cut_or_grown_object_shows_another_size() {
    for len in lengths() {
        let stored_size = stored(&plain(len)).len() as u64;
        assert_eq!(stored_size, stored_len(len as u64), "{len} bytes");
        assert_eq!(plain_len(stored_size), len as u64, "{len} bytes");
        assert_eq!(plain_len(stored_len(len as u64 + 1)), len as u64 + 1);
        for cut in (1..=stored_size).filter(|cut| *cut < 200 || cut % 997 == 0) {
            assert!(plain_len(stored_size - cut) < len.max(1) as u64, "{len} bytes cut by {cut}");
        }
        for more in (1..200).filter(|_| len > 0) {
            assert_ne!(plain_len(stored_size + more), len as u64, "{len} bytes grown by {more}");
        }
    }
    assert!(plain_len(u64::MAX) > u64::MAX / 2, "any size is answered");
    assert_eq!([0, 1, 95, 96, 111, 112].map(plain_len), [0; 6]);
}

#[test]
fn every_flipped_bit_is_corrupt_and_every_cut_incomplete() {
    let whole = stored(b"a vector is written once");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decrypt(&key(), NAME, &flipped).unwrap_err().kind, ErrorKind::Corrupt, "bit {bit}");
    }
    for len in 0..whole.len() {
        assert_eq!(decrypt(&key(), NAME, &whole[..len]).unwrap_err().kind, ErrorKind::Incomplete, "cut at {len}");
    }
    let grown = [&whole[..], b"x"].concat();
    assert_eq!(decrypt(&key(), NAME, &grown).unwrap_err().kind, ErrorKind::Corrupt);
}

/// Damages that a hand makes who knows the format: the trailing hash fits again.
#[test]
fn frames_that_were_left_out_moved_or_cut_are_refused_though_the_hash_fits() {
    let frame = STORED_FRAME_LEN as usize;
    let whole = stored(&plain(3 * FRAME_LEN as usize));
    let frames: Vec<&[u8]> = whole[64..whole.len() - 32].chunks(frame).collect();
    let rebuild = |plain_len: u64, order: &[usize]| {
        let header = Header { plain_len, ..Header::decode(&whole).unwrap() };
        let mut bytes = header.encode().to_vec();
        order.iter().for_each(|at| bytes.extend_from_slice(frames[*at]));
        engine::codec::checksum::seal(bytes)
    };
    assert!(rebuild(3 * FRAME_LEN, &[0, 1, 2]) == whole);
    for order in [&[1, 0, 2][..], &[0, 2, 1], &[0, 0, 2], &[2, 1, 0]] {
        assert_eq!(decrypt(&key(), NAME, &rebuild(3 * FRAME_LEN, order)).unwrap_err().kind, ErrorKind::Corrupt, "{order:?}");
    }
    for order in [&[0][..], &[0, 1], &[0, 2], &[1, 2], &[2]] {
        let rebuilt = rebuild(order.len() as u64 * FRAME_LEN, order);
        assert_eq!(decrypt(&key(), NAME, &rebuilt).unwrap_err().kind, ErrorKind::Corrupt, "{order:?}");
    }
}

#[test]
fn another_name_another_key_and_another_salt_do_not_open_it() {
    let whole = stored(b"some bytes");
    let refused = |key: &DataKey, name: &str, bytes: &[u8]| decrypt(key, name, bytes).unwrap_err().kind == ErrorKind::Corrupt;
    assert!(refused(&key(), "objects/00112233445566778899aabbccddee00", &whole));
    assert!(refused(&DataKey::of([8; 16], [9; DATA_KEY_LEN]), NAME, &whole));
    assert!(refused(&DataKey::of([7; 16], [8; DATA_KEY_LEN]), NAME, &whole));
    let other = encrypt(&key(), [6; 16], NAME, vec![Bytes::from_static(b"some bytes")]).concat();
    assert_ne!(other[64..], whole[64..], "the same content under another salt is other bytes");
}

#[test]
fn hostile_headers_are_errors_and_allocate_nothing() {
    let of = |at: usize, bytes: &[u8]| {
        let mut head = stored(b"x")[..60].to_vec();
        head[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32(&head);
        head.extend_from_slice(&crc.to_le_bytes());
        engine::codec::checksum::seal(head)
    };
    for (at, bytes) in [(8, [2, 0]), (8, [0, 0]), (10, [1, 0]), (12, [2, 0]), (12, [0, 0]), (14, [1, 0]), (56, [1, 0])] {
        assert_eq!(check_whole(&of(at, &bytes)).unwrap_err().kind, ErrorKind::NewerFormat, "at {at}");
    }
    assert_eq!(check_whole(&of(0, b"VECEXT")).unwrap_err().kind, ErrorKind::Corrupt);
    for len in [u64::MAX, PLAIN_LEN_MAX + 1] {
        assert_eq!(check_whole(&of(48, &len.to_le_bytes())).unwrap_err().kind, ErrorKind::Corrupt, "{len}");
    }
    assert_eq!(check_whole(&of(48, &PLAIN_LEN_MAX.to_le_bytes())).unwrap_err().kind, ErrorKind::Incomplete);
    let mut stream = Stream::new(1);
    for round in 0..2_000 {
        let mut bytes = vec![0; stream.below(300) as usize];
        stream.fill(&mut bytes);
        assert!(decrypt(&key(), NAME, &bytes).is_err(), "round {round}");
    }
}

#[test]
fn the_document_says_what_the_code_does() {
    let document = include_str!("../../../../docs/format/encryption.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let constants = [
        ("HEADER_LEN", HEADER_LEN),
        ("FRAME_LEN", FRAME_LEN),
        ("TAG_LEN", TAG_LEN),
        ("HASH_LEN", HASH_LEN as u64),
        ("PLAIN_LEN_MAX", PLAIN_LEN_MAX),
        ("DATA_KEY_LEN", DATA_KEY_LEN as u64),
        ("USER_KEY_LEN_MIN", USER_KEY_LEN_MIN as u64),
        ("ENCRYPTED_VERSION", u64::from(ENCRYPTED_VERSION)),
        ("CIPHER_AES_256_GCM", u64::from(CIPHER_AES_256_GCM)),
        ("ENCRYPTED_FORMAT", u64::from(crate::encryption::description::ENCRYPTED_FORMAT)),
    ];
    for (name, value) in constants {
        let cell = rows.iter().find(|row| row[0] == name).map(|row| row[1]);
        assert_eq!(cell, Some(value.to_string().as_str()), "{name}");
    }
    for text in [OBJECT_CONTEXT, WRAPPING_CONTEXT, CIPHER_NAME] {
        assert!(document.contains(&format!("`{text}`")), "{text}");
    }
    let fields: Vec<(usize, usize)> = rows.iter().filter_map(|row| Some((row[0].parse().ok()?, row[1].parse().ok()?))).collect();
    let ends: Vec<usize> = fields.iter().map(|(offset, len)| offset + len).collect();
    assert_eq!(fields.iter().skip(1).map(|(offset, _)| *offset).collect::<Vec<_>>(), ends[..ends.len() - 1], "no field is left out");
    assert_eq!(ends.last(), Some(&(HEADER_LEN as usize)));
}
