//! Identifiers of archives and of what is uploaded to them.

use std::fmt;

use engine::error::{Error, Result};
use engine::ids::Timeline;
use platform::random::Random;

/// Defines a 16-byte random identifier that prints as 32 hexadecimal digits.
macro_rules! archive_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Draws a new one.
            #[must_use]
            pub fn draw(random: &dyn Random) -> Self {
                $name(random.uuid())
            }

            /// Reads the 32 hexadecimal digits that `Display` writes.
            ///
            /// # Errors
            /// `InvalidInput` on anything else: such a name never becomes a path.
            pub fn parse(text: &str) -> Result<Self> {
                let wrong = |_| Error::invalid(format!(concat!("\"{}\" is not the id of ", $what), text.escape_debug()));
                Timeline::parse(text).map(|id| $name(id.0)).map_err(wrong)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Timeline(self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

archive_id!(
    /// One archive, wherever it was copied to.
    ArchiveId,
    "an archive"
);
archive_id!(
    /// One upload of an object; the same local object gets another name at its next upload.
    ObjectName,
    "an uploaded object"
);
