//! What ends a server: a log that takes no more writes until it is opened anew.

use std::fmt;
use std::sync::Arc;

use engine::{Collection, Error, ErrorKind};
use parking_lot::Mutex;

/// Is told, once, that the process should end: it serves what it has until then, and acknowledges nothing.
#[derive(Clone)]
pub struct WhenBroken(Arc<dyn Fn() + Send + Sync>);

impl WhenBroken {
    /// Calls a function, which must not wait for the host.
    #[must_use]
    pub fn new(told: impl Fn() + Send + Sync + 'static) -> Self {
        WhenBroken(Arc::new(told))
    }
}

impl fmt::Debug for WhenBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WhenBroken")
    }
}

/// The first log that broke.
#[derive(Debug)]
pub(super) struct Broken {
    first: Mutex<Option<Error>>,
    told: WhenBroken,
}

impl Broken {
    pub(super) fn new(told: WhenBroken) -> Arc<Self> {
        Arc::new(Broken { first: Mutex::default(), told })
    }

    /// Looks, after work with a collection failed, whether its log is what failed.
    pub(super) fn look(&self, collection: &Collection, error: &Error) {
        // The others leave the log as it was.
        if error.kind != ErrorKind::Io {
            return;
        }
        let Some(cause) = collection.log_failure() else { return };
        let is_first = {
            let mut first = self.first.lock();
            let is_first = first.is_none();
            first.get_or_insert(cause);
            is_first
        };
        if is_first {
            (self.told.0)();
        }
    }

    /// Gives what broke the first.
    pub(super) fn cause(&self) -> Option<Error> {
        self.first.lock().clone()
    }
}
