//! The description of an encrypted archive: what anybody may read of it, and what is shown above the encryption.

use bytes::Bytes;
use engine::codec::file_header::newer_format;
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::format::CIPHER_NAME;
use super::keys::{KEY_HINT, KeyId};
use crate::archive::ArchiveId;
use crate::archive::layout::ARCHIVE_KEY;
use crate::archive::stored::{self, JSON_LEN_MAX, JSON_VERSION};

/// The `format` of an encrypted archive's description: readers that know no encryption refuse it as newer.
pub const ENCRYPTED_FORMAT: u32 = 2;

const WHAT: &str = "archive's description";

/// The stored description of any archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ArchiveFile {
    format: u32,
    archive: ArchiveId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cipher: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
}

/// What the description of an encrypted archive says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LockedArchive {
    pub archive: ArchiveId,
    pub key_id: KeyId,
}

impl LockedArchive {
    /// Lays the description out as it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let cipher = Some(CIPHER_NAME.to_owned());
        stored::encode_json(&ArchiveFile { format: ENCRYPTED_FORMAT, archive: self.archive, cipher, key_id: Some(self.key_id) })
    }

    /// Reads a stored description; `None` when the archive is not encrypted.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>> {
        let file: ArchiveFile = stored::decode_json_up_to(ENCRYPTED_FORMAT, WHAT, bytes)?;
        match (file.format, file.cipher, file.key_id) {
            (JSON_VERSION, None, None) => Ok(None),
            (ENCRYPTED_FORMAT, Some(cipher), Some(key_id)) if cipher == CIPHER_NAME => {
                Ok(Some(LockedArchive { archive: file.archive, key_id }))
            }
            (ENCRYPTED_FORMAT, Some(cipher), _) if cipher != CIPHER_NAME => {
                Err(newer_format(WHAT, format!("cipher {cipher:?}"), ENCRYPTED_FORMAT as u16))
            }
            _ => Err(Error::corrupt("the archive's description does not say how the archive is encrypted")),
        }
    }

    /// Reads the description at a location; `None` when there is none, or the archive is not encrypted.
    pub fn read(store: &dyn ObjectStore) -> Result<Option<Self>> {
        if store.head(ARCHIVE_KEY).map_err(|e| stored::store_error(&e))?.is_none() {
            return Ok(None);
        }
        let bytes = stored::get_bounded(store, ARCHIVE_KEY, JSON_LEN_MAX)?;
        LockedArchive::decode(&bytes).map_err(|error| stored::at(error, store, ARCHIVE_KEY))
    }
}

/// Explains the error of a reader that met the description of an encrypted archive that nobody unlocked.
pub(crate) fn explain_locked(error: Error, store: &dyn ObjectStore) -> Error {
    if error.kind != ErrorKind::NewerFormat || !matches!(LockedArchive::read(store), Ok(Some(_))) {
        return error;
    }
    stored::at(locked(), store, ARCHIVE_KEY)
}

/// Makes the error on an encrypted archive without a key.
pub(super) fn locked() -> Error {
    Error::new(ErrorKind::Unreachable, "the archive is encrypted, and no key was given").with_hint(KEY_HINT)
}

/// The two forms of an unlocked archive's description.
#[derive(Debug)]
pub(super) struct Description {
    archive: LockedArchive,
    stored_len: u64,
    shown: Bytes,
}

impl Description {
    pub fn new(archive: LockedArchive) -> Self {
        let file = ArchiveFile { format: JSON_VERSION, archive: archive.archive, cipher: None, key_id: None };
        Description { archive, stored_len: archive.encode().len() as u64, shown: stored::encode_json(&file).into() }
    }

    /// Checks that stored bytes are still the description that was unlocked.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        match LockedArchive::decode(bytes)? {
            Some(found) if found == self.archive => Ok(()),
            _ => Err(Error::corrupt("this is the description of another archive than the one that was unlocked")),
        }
    }

    /// Gives the bytes that are shown: those of an archive without encryption.
    pub fn shown(&self) -> Bytes {
        self.shown.clone()
    }

    /// Gives the size that is shown; another one than usual for a description that is not of its usual size.
    pub fn shown_len(&self, stored: u64) -> u64 {
        (self.shown.len() as u64 + stored).saturating_sub(self.stored_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "01010101010101010101010101010101";

    #[test]
    fn a_description_reads_back_and_shows_no_encryption() {
        let archive = LockedArchive { archive: ArchiveId([1; 16]), key_id: KeyId([2; 16]) };
        assert_eq!(LockedArchive::decode(&archive.encode()).unwrap(), Some(archive));
        let description = Description::new(archive);
        description.check(&archive.encode()).unwrap();
        assert_eq!(LockedArchive::decode(&description.shown()).unwrap(), None);
        assert_eq!(description.shown(), stored::encode_json(&json!({"format": 1, "archive": ID})));
        assert_eq!(description.shown_len(archive.encode().len() as u64), description.shown().len() as u64);
        let other = LockedArchive { key_id: KeyId([3; 16]), ..archive };
        assert_eq!(description.check(&other.encode()).unwrap_err().kind, ErrorKind::Corrupt);
    }

    #[test]
    fn what_does_not_say_how_it_is_encrypted_is_refused() {
        for (value, kind) in [
            (json!({"format": 3, "archive": ID}), ErrorKind::NewerFormat),
            (json!({"format": 2, "archive": ID, "cipher": "rot13", "key_id": ID}), ErrorKind::NewerFormat),
            (json!({"format": 2, "archive": ID}), ErrorKind::Corrupt),
            (json!({"format": 2, "archive": ID, "cipher": CIPHER_NAME}), ErrorKind::Corrupt),
            (json!({"format": 1, "archive": ID, "cipher": CIPHER_NAME, "key_id": ID}), ErrorKind::Corrupt),
            (json!({"format": 2, "archive": ID, "cipher": CIPHER_NAME, "key_id": "../x"}), ErrorKind::Corrupt),
        ] {
            assert_eq!(LockedArchive::decode(&stored::encode_json(&value)).unwrap_err().kind, kind, "{value}");
        }
    }
}
