//! Identifiers of archives and of what is uploaded to them.

use engine::codec::checksum::{Hash, Hasher};
use engine::random_id;

random_id!(
    /// One archive, wherever it was copied to.
    ArchiveId,
    "an archive"
);
random_id!(
    /// One upload of an object; the same local object gets another name at its next upload.
    ObjectName,
    "an uploaded object"
);

impl ObjectName {
    /// Names an upload: whoever drew this number finds again what it sent, and nobody else uses these names. `attempt` counts names that turned
    /// out to hold something else.
    #[must_use]
    pub fn of_upload(self, blake3: Hash, attempt: u8) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(&self.0);
        hasher.update(&blake3.0);
        hasher.update(&[attempt]);
        let mut name = [0; 16];
        name.copy_from_slice(&hasher.finish().0[..16]);
        ObjectName(name)
    }
}
