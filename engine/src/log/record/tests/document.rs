//! The document of the log's bytes says what the constants say.

use super::super::*;
use crate::codec::file_header::FILE_HEADER_LEN;
use crate::testing::{cell, layout_len, table_rows};

#[test]
fn the_document_of_the_log_names_the_same_numbers() {
    let rows = table_rows(include_str!("../../../../../docs/format/log.md"));
    for (name, value) in [
        ("RECORD_ALIGN", RECORD_ALIGN),
        ("FIXED_HEAD_LEN", FIXED_HEAD_LEN),
        ("SECTION_ENTRY_LEN", SECTION_ENTRY_LEN),
        ("RECORD_LEN_MAX", RECORD_LEN_MAX),
        ("PAYLOAD_RAW_MAX", PAYLOAD_RAW_MAX),
        ("ROWS_MAX", ROWS_MAX),
        ("SECTIONS_MAX", SECTIONS_MAX),
        ("GRANULE", GRANULE as usize),
    ] {
        assert_eq!(cell(&rows, name), Some(value.to_string()), "{name}");
    }
    for (_, number, name) in RecordKind::TABLE {
        assert_eq!(cell(&rows, name), Some(number.to_string()), "{name}");
    }
    for (_, number, name) in SectionKind::TABLE {
        assert_eq!(cell(&rows, name), Some(number.to_string()), "{name}");
    }
    assert_eq!(layout_len(&rows, "offset"), Some(FIXED_HEAD_LEN));
    assert_eq!(layout_len(&rows, "at"), Some(SECTION_ENTRY_LEN));
}

#[test]
fn the_document_of_the_conventions_names_the_same_numbers() {
    let text = include_str!("../../../../../docs/format/conventions.md");
    assert_eq!(layout_len(&table_rows(text), "offset"), Some(FILE_HEADER_LEN));
    assert!(text.contains(&format!("FILE_HEADER_LEN is {FILE_HEADER_LEN}.")));
}
