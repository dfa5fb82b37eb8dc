//! An encrypted archive on a simulated machine, locked and unlocked.

use std::sync::Arc;

use engine::Result;
use pitr::encryption::{self, UserKey};
use platform::object_store::ObjectStore;
use platform::random::{Random, SeededRandom, Stream};

use crate::machine::{Machine, backup, content, create, delete, seal, upsert};

pub fn random(seed: u64) -> Arc<dyn Random> {
    Arc::new(SeededRandom::new(seed))
}

pub fn key(seed: u64) -> UserKey {
    UserKey::draw(&SeededRandom::new(seed))
}

/// Unlocks a store with the key of a seed.
pub fn unlock(store: &Arc<dyn ObjectStore>, seed: u64) -> Result<Arc<dyn ObjectStore>> {
    encryption::unlock(store, &key(seed), &random(seed + 500))
}

/// A machine with a small backup `one` in the encrypted archive `/b`, under 16 KiB, and what the collection `c` held then.
pub struct Place {
    pub machine: Machine,
    /// The archive as it is stored.
    pub locked: Arc<dyn ObjectStore>,
    pub content: crate::machine::Content,
    pub seed: u64,
}

impl Place {
    pub fn new(seed: u64) -> Self {
        let machine = Machine::new(seed);
        let (database, locked) = (machine.database(), machine.store("/b"));
        let open = encryption::create(&locked, &key(seed), &random(seed)).expect("an archive is made");
        let collection = create(&database, "c");
        upsert(&collection, 0..6, &mut Stream::new(seed));
        delete(&collection, 1);
        seal(&collection);
        upsert(&collection, 6..8, &mut Stream::new(seed));
        backup(&database, &collection, &open, "one");
        let content = content(&collection);
        Place { machine, locked, content, seed }
    }

    pub fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        unlock(&self.locked, self.seed)
    }
}
