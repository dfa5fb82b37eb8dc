//! Names of the objects that an archiver sends: one for each upload, used again while a base that names it is the newest.

use std::collections::BTreeMap;

use engine::codec::checksum::Hash;
use platform::random::Random;

use crate::archive::{ObjectName, base::BaseFile};

/// The objects that are known to be there, by content.
#[derive(Debug)]
pub(super) struct ObjectNames {
    nonce: ObjectName,
    known: BTreeMap<(Hash, u64), ObjectName>,
    is_taught: bool,
}

impl ObjectNames {
    /// Starts with none; names of this run follow from a random number, so that a pass that failed half-way finds what it sent.
    pub fn draw(random: &dyn Random) -> Self {
        ObjectNames { nonce: ObjectName::draw(random), known: BTreeMap::new(), is_taught: false }
    }

    /// Says whether the archive was asked what it has.
    pub fn is_taught(&self) -> bool {
        self.is_taught
    }

    /// Notes that the archive was asked.
    pub fn set_taught(&mut self) {
        self.is_taught = true;
    }

    /// Finds an object that a base names which is the newest of its timeline: it is not garbage (rule S21).
    pub fn find(&self, blake3: Hash, bytes: u64) -> Option<ObjectName> {
        self.known.get(&(blake3, bytes)).copied()
    }

    /// Gives the name under which an object is sent.
    pub fn fresh(&self, blake3: Hash, attempt: u8) -> ObjectName {
        self.nonce.of_upload(blake3, attempt)
    }

    /// Knows the objects of the newest base, and no others.
    pub fn follow(&mut self, base: &BaseFile) {
        self.known = base.objects.iter().map(|object| ((object.blake3, object.bytes), object.name)).collect();
    }
}
