//! Identifiers of archives and of what is uploaded to them.

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
