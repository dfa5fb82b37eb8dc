//! Identifiers that cannot be mistaken for one another: points, incarnations, timelines, segments, positions.

use std::fmt;

pub use platform::random::Random;

use crate::error::{Error, Result};

/// A position in a log in bytes; one number names a record, a row's address and a replication position.
pub type Lsn = u64;

/// Microseconds UTC of a hybrid logical clock, strictly rising from operation to operation.
pub type CommitTime = u64;

/// The id of a point: an unsigned integer or a UUID. Integers sort before UUIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointId {
    /// An unsigned integer.
    Number(u64),
    /// A UUID, most significant byte first.
    Uuid([u8; 16]),
}

impl PointId {
    /// Reads an id as a user types it: decimal digits, or a UUID with or without hyphens.
    ///
    /// # Errors
    /// `InvalidInput` when the text is neither.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text
                .parse()
                .map(PointId::Number)
                .map_err(|_| Error::invalid(format!("point id {text} is larger than 18446744073709551615")));
        }
        parse_uuid(text).map(PointId::Uuid).ok_or_else(|| {
            Error::invalid(format!("\"{text}\" is not a point id")).with_expected("an unsigned integer or a UUID", format!("\"{text}\""))
        })
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointId::Number(number) => write!(f, "{number}"),
            PointId::Uuid(bytes) => write_uuid(f, bytes),
        }
    }
}

/// Reads 32 hexadecimal digits, with hyphens in the usual four places or none.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    let hyphens = match bytes.len() {
        32 => false,
        36 => true,
        _ => return None,
    };
    let mut out = [0_u8; 16];
    let mut digits = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if hyphens && matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = (byte as char).to_digit(16)? as u8;
        out[digits / 2] = (out[digits / 2] << 4) | digit;
        digits += 1;
    }
    (digits == 32).then_some(out)
}

fn write_uuid(f: &mut fmt::Formatter<'_>, bytes: &[u8; 16]) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Defines a 16-byte random identifier that prints as 32 hexadecimal digits, and reads nothing else: such a name never becomes a path.
#[macro_export]
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Draws a new one.
            #[must_use]
            pub fn draw(random: &dyn $crate::ids::Random) -> Self {
                $name(random.uuid())
            }

            /// Reads the 32 hexadecimal digits that `Display` writes.
            ///
            /// # Errors
            /// `InvalidInput` on anything else.
            pub fn parse(text: &str) -> $crate::Result<Self> {
                $crate::ids::parse_hexadecimal(text, $what).map($name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Reads the bytes of a random identifier: exactly 32 lower-case hexadecimal digits.
///
/// # Errors
/// `InvalidInput` on anything else, saying what it should have been the id of.
pub fn parse_hexadecimal(text: &str, what: &str) -> Result<[u8; 16]> {
    let canonical = text.len() == 32 && !text.bytes().any(|b| b.is_ascii_uppercase());
    canonical.then(|| parse_uuid(text)).flatten().ok_or_else(|| {
        Error::invalid(format!("\"{}\" is not the id of {what}", text.escape_debug()))
            .with_expected("32 lower-case hexadecimal digits", format!("{} bytes", text.len()))
    })
}

random_id!(
    /// One life of a collection name; a re-created name never meets old data.
    Incarnation,
    "a collection's life"
);
random_id!(
    /// One history: log positions mean something only within a timeline and its ancestors.
    Timeline,
    "a timeline"
);
random_id!(
    /// An immutable file of a segment: its index, codes, graph or delete bitmaps.
    SegmentId,
    "a segment"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_id_reads_back_as_it_prints() {
        for text in ["0", "18446744073709551615", "00112233-4455-6677-8899-aabbccddeeff"] {
            assert_eq!(PointId::parse(text).unwrap().to_string(), text);
        }
        let bare = PointId::parse("00112233445566778899aabbccddeeff").unwrap();
        assert_eq!(bare.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn what_is_no_point_id_is_refused() {
        for text in ["", "-1", "1.5", "18446744073709551616", "0011223344556677-8899aabbccddeeff", "x"] {
            assert!(PointId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn random_ids_refuse_paths_and_upper_case() {
        for text in ["../../etc/passwd", "00112233445566778899AABBCCDDEEFF", "", "00112233-4455-6677-8899-aabbccddeeff"] {
            assert!(Timeline::parse(text).is_err(), "{text}");
        }
        assert_eq!(Timeline::parse("00112233445566778899aabbccddeeff").unwrap().to_string(), "00112233445566778899aabbccddeeff");
    }
}
