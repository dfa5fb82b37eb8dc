//! Bytes in and out: the bounds-checked reader and writer, checksums, and the one header that every file begins with.

pub mod checksum;
pub mod file_header;
pub mod reader;
pub mod sealed_json;
pub mod writer;

pub use file_header::FileHeader;
pub use reader::Reader;
pub use writer::Writer;

/// Rounds up to a multiple of `unit`.
///
/// # Panics
/// When `unit` is zero.
#[must_use]
pub fn round_up(value: u64, unit: u64) -> u64 {
    assert!(unit > 0, "a unit of zero has no multiples");
    value.div_ceil(unit) * unit
}
