//! What a format room promises, for the container of objects.

use super::*;

const ID: SegmentId = SegmentId([0xA5; 16]);

/// A small object with an empty section, a short one and one that is page-aligned.
fn sample() -> Vec<u8> {
    ObjectBuilder::new(Role::Rows, ID)
        .section(2, 1, b"second".to_vec())
        .section(1, 0, Vec::new())
        .section(2, 0, b"first")
        .section(9, 0, vec![3; SECTION_LARGE + 1])
        .finish()
}

fn tiny() -> Vec<u8> {
    ObjectBuilder::new(Role::Graph, ID).section(1, 0, b"abc").section(1, 7, b"defgh").finish()
}

fn open(bytes: &[u8], role: Role) -> Result<ObjectFile> {
    ObjectFile::open(Bytes::copy_from_slice(bytes), role, ID)
}

#[test]
fn golden_bytes() {
    let bytes = tiny();
    assert_eq!(&bytes[..8], b"VECGRPH\0");
    assert_eq!(bytes[32..48], [0xA5; 16]);
    assert_eq!(&bytes[64..67], b"abc");
    assert_eq!(&bytes[128..133], b"defgh");
    assert_eq!(bytes.len(), 192 + 2 * ENTRY_LEN + FOOTER_LEN + HASH_LEN);
    assert_eq!(Hash::of(&bytes).to_string(), "d01033ebf01c7afc1f3cb4792cc82a1fe0ad217501c3149d4d8a97db24bedd86");
}

#[test]
fn sections_read_back_under_their_names() {
    let bytes = sample();
    let object = open(&bytes, Role::Rows).unwrap();
    assert_eq!(object.names().collect::<Vec<_>>(), [(1, 0), (2, 0), (2, 1), (9, 0)]);
    assert_eq!(object.section(1, 0).unwrap().unwrap(), Bytes::new());
    assert_eq!(object.section(2, 0).unwrap().unwrap(), Bytes::from_static(b"first"));
    assert_eq!(object.section(2, 1).unwrap().unwrap(), Bytes::from_static(b"second"));
    assert_eq!(object.section(9, 0).unwrap().unwrap(), vec![3; SECTION_LARGE + 1]);
    assert!(object.section(3, 0).unwrap().is_none());
    assert!(object.required(3, 0).is_err());
    assert_eq!(object.verify().unwrap(), ObjectFile::stored_hash(&bytes).unwrap());
    assert_eq!(object.sections[3].start % SECTION_ALIGN_LARGE, 0);
}

#[test]
fn an_object_without_sections_is_an_object() {
    let bytes = ObjectBuilder::new(Role::Deletes, ID).finish();
    assert_eq!(bytes.len(), OBJECT_LEN_MIN);
    let object = open(&bytes, Role::Deletes).unwrap();
    object.verify().unwrap();
    assert_eq!(object.names().count(), 0);
}

#[test]
fn the_same_sections_give_the_same_bytes_in_any_order() {
    let forward = ObjectBuilder::new(Role::Codes, ID).section(1, 0, b"a").section(2, 0, b"b").finish();
    let backward = ObjectBuilder::new(Role::Codes, ID).section(2, 0, b"b").section(1, 0, b"a").finish();
    assert_eq!(forward, backward);
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = tiny();
    for len in 0..bytes.len() {
        assert!(open(&bytes[..len], Role::Graph).is_err(), "cut at {len}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(open(&longer, Role::Graph).is_err(), "one byte too many");
}

#[test]
fn every_bit_flip_is_detected_and_none_is_served() {
    let bytes = tiny();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(object) = open(&flipped, Role::Graph) else { continue };
        assert!(object.verify().is_err(), "bit {bit} passes verification");
        for (name, expected) in [((1, 0), &b"abc"[..]), ((1, 7), &b"defgh"[..])] {
            if let Ok(section) = object.section(name.0, name.1) {
                assert_eq!(section.unwrap(), expected, "bit {bit} is served");
            }
        }
    }
}

#[test]
fn an_object_of_another_role_or_id_is_refused() {
    let bytes = tiny();
    for role in Role::ALL.into_iter().filter(|&role| role != Role::Graph) {
        assert!(open(&bytes, role).is_err(), "{}", role.name());
    }
    assert!(ObjectFile::open(bytes.into(), Role::Graph, SegmentId([1; 16])).is_err());
}

#[test]
fn a_section_moved_from_another_object_or_name_fails() {
    let bytes = tiny();
    let other = ObjectBuilder::new(Role::Graph, SegmentId([1; 16])).section(1, 0, b"abc").section(1, 7, b"defgh").finish();
    assert_eq!(bytes[64..192], other[64..192], "the sections themselves are equal");
    let directory = 192..192 + 2 * ENTRY_LEN;
    assert_ne!(bytes[directory.clone()], other[directory], "the checksums of sections depend on the object");
    let same = ObjectBuilder::new(Role::Graph, ID).section(1, 0, b"same").section(1, 7, b"same").finish();
    let object = open(&same, Role::Graph).unwrap();
    assert_ne!(object.sections[0].crc, object.sections[1].crc, "the checksums of sections depend on their names");
}

/// Rewrites one entry of the directory and makes all checksums right again, as an attacker would.
fn forge(entry: usize, field_at: usize, value: u64, width: usize) -> Vec<u8> {
    let mut bytes = tiny();
    let footer_start = bytes.len() - HASH_LEN - FOOTER_LEN;
    let at = 192 + entry * ENTRY_LEN + field_at;
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    let directory_crc = crc32_in(crc32(&ID.0), &bytes[192..footer_start]);
    let footer = Footer { directory_offset: 192, count: 2, directory_crc }.encode(ID);
    bytes[footer_start..footer_start + FOOTER_LEN].copy_from_slice(&footer);
    let end = bytes.len() - HASH_LEN;
    let hash = Hash::of(&bytes[..end]);
    bytes[end..].copy_from_slice(&hash.0);
    bytes
}

#[test]
fn hostile_directories_are_refused() {
    for (what, forged) in [
        ("names that do not ascend", forge(0, 4, 8, 4)),
        ("two sections of one name", forge(0, 4, 7, 4)),
        ("a section over the header", forge(0, 8, 0, 8)),
        ("a section at an odd offset", forge(1, 8, 129, 8)),
        ("overlapping sections", forge(1, 8, 64, 8)),
        ("an offset beyond the end", forge(1, 8, 1 << 40, 8)),
        ("a length beyond the end", forge(1, 16, 100, 8)),
        ("a length that wraps around", forge(1, 16, u64::MAX, 8)),
        ("an offset that wraps around", forge(1, 8, u64::MAX - 63, 8)),
        ("a reserved field", forge(1, 28, 1, 4)),
    ] {
        assert!(open(&forged, Role::Graph).is_err(), "{what}");
    }
    assert!(open(&forge(1, 16, 5, 8), Role::Graph).is_ok(), "the forger itself works");
}

#[test]
fn a_hostile_count_of_sections_is_refused() {
    for count in [0, 1, 3, 7, u32::MAX] {
        let mut bytes = tiny();
        let footer_start = bytes.len() - HASH_LEN - FOOTER_LEN;
        let footer = Footer { directory_offset: 192, count, directory_crc: 0 }.encode(ID);
        bytes[footer_start..footer_start + FOOTER_LEN].copy_from_slice(&footer);
        assert!(open(&bytes, Role::Graph).is_err(), "{count}");
    }
}

#[test]
fn bytes_in_a_gap_are_found() {
    let mut bytes = tiny();
    bytes[70] = 1;
    let end = bytes.len() - HASH_LEN;
    let hash = Hash::of(&bytes[..end]);
    bytes[end..].copy_from_slice(&hash.0);
    let error = open(&bytes, Role::Graph).unwrap().verify().unwrap_err();
    assert_eq!(error.offset, Some(70));
}

#[test]
fn the_document_names_the_same_numbers() {
    let document = include_str!("../../../docs/format/object.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let cell = |first: &str| rows.iter().find(|row| row[0] == first).map(|row| row[1].to_owned());
    for role in Role::ALL {
        let magic = cell(role.name()).unwrap();
        assert_eq!(format!("{magic}\0").as_bytes(), role.magic(), "{}", role.name());
    }
    for (name, value) in [
        ("SECTION_ALIGN", SECTION_ALIGN),
        ("SECTION_ALIGN_LARGE", SECTION_ALIGN_LARGE),
        ("SECTION_LARGE", SECTION_LARGE),
        ("ENTRY_LEN", ENTRY_LEN),
        ("FOOTER_LEN", FOOTER_LEN),
        ("OBJECT_LEN_MIN", OBJECT_LEN_MIN),
    ] {
        assert_eq!(cell(name), Some(value.to_string()), "{name}");
    }
    assert_layout(&rows, "tag", ENTRY_LEN);
    assert_layout(&rows, "offset of the directory", FOOTER_LEN);
}

/// The table that starts at a field has no holes and ends at `len`.
fn assert_layout(rows: &[Vec<&str>], first_field: &str, len: usize) {
    let start = rows.iter().position(|row| row[0] == "0" && row[2].starts_with(first_field)).unwrap();
    let mut at = 0;
    for row in rows[start..].iter().take_while(|row| row[0].parse::<usize>().is_ok()) {
        assert_eq!(row[0].parse::<usize>().unwrap(), at, "{first_field}: {row:?}");
        at += row[1].parse::<usize>().unwrap();
    }
    assert_eq!(at, len, "{first_field}");
}
