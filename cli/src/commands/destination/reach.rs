//! What it takes to reach a location besides its name: the server to ask, and the key of an encrypted archive.

use crate::args::Globals;
use crate::exit::Failure;
use crate::key::KeyPlace;
use platform::World;
use platform::object_store::ObjectStore;
use std::path::PathBuf;
use std::sync::Arc;

/// The server to ask, and where the key is.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Reach {
    /// The server to ask, where a URL does not mean the provider's own.
    pub endpoint: Option<String>,
    /// Where the key of an encrypted archive is; nothing is read before one needs it.
    pub key: KeyPlace,
    /// Where relative paths begin, if elsewhere than in the working directory of this process.
    pub directory: Option<PathBuf>,
}

impl Default for Reach {
    /// The provider's own servers, and no key.
    fn default() -> Self {
        Self { endpoint: None, key: KeyPlace::Nowhere, directory: None }
    }
}

impl Reach {
    /// Takes what the flags and the environment say.
    pub fn of(globals: &Globals) -> Self {
        let key = KeyPlace::of_process(&World::real().fs, globals.key_file.as_deref());
        let directory = globals.hosted.as_ref().map(|hosted| hosted.directory.clone());
        Self { endpoint: globals.endpoint.clone(), key, directory }
    }

    /// Says whether a key was named.
    pub fn has_key(&self) -> bool {
        !matches!(self.key, KeyPlace::Nowhere)
    }

    /// Opens an archive that is encrypted; any other store is given back as it is.
    pub fn unlock(&self, store: Arc<dyn ObjectStore>) -> Result<Arc<dyn ObjectStore>, Failure> {
        pitr::encryption::unlock(&store, &self.key, &World::real().random)
    }
}
