//! A machine whose database is archived, for the tests of restores to a time.

use std::sync::Arc;
use std::time::Duration;

use engine::catalog::{ArchiveSettings, Durability};
use engine::{Collection, Database, Result};
use pitr::archiver::{Archiver, Mode};
use pitr::{RestoreReport, RestoreRequest, Target};
use platform::object_store::ObjectStore;
use platform::random::Stream;

use crate::machine::{Content, Machine, content, create, upsert};

pub const ARCHIVE: &str = "/archive";

pub struct Source {
    pub machine: Machine,
    pub database: Database,
    pub store: Arc<dyn ObjectStore>,
    pub archiver: Archiver,
    pub stream: Stream,
}

impl Source {
    pub fn new(seed: u64) -> Self {
        let machine = Machine::new(seed);
        let database = machine.database();
        Source::of(machine, database, seed)
    }

    /// A machine whose collections are cleaned however small they are.
    pub fn cleaning(seed: u64) -> Self {
        let machine = Machine::new(seed);
        let database = machine.cleaning_database();
        Source::of(machine, database, seed)
    }

    fn of(machine: Machine, database: Database, seed: u64) -> Self {
        let store = machine.store(ARCHIVE);
        let archiver = Archiver::open(&database, &store).expect("the archive opens");
        Source { machine, database, store, archiver, stream: Stream::new(seed) }
    }

    /// Creates a collection that is archived.
    pub fn create(&self, name: &str) -> Collection {
        let collection = create(&self.database, name);
        self.enable(name);
        collection
    }

    pub fn enable(&self, name: &str) {
        let settings = ArchiveSettings { url: ARCHIVE.to_owned(), durability: Durability::Fsync, backlog_limit: 1 << 40, delay: 0 };
        self.database.set_archive(name, Some(settings)).expect("it is archived");
    }

    /// Writes one operation a second later; gives its time and what is there then.
    pub fn write(&mut self, collection: &Collection, ids: std::ops::Range<u64>) -> (u64, Content) {
        self.machine.sim.clock.advance(Duration::from_secs(1));
        upsert(collection, ids, &mut self.stream);
        (collection.version().commit_time, content(collection))
    }

    pub fn pass(&mut self, collections: &[&Collection]) {
        self.machine.sim.clock.advance(Duration::from_secs(1));
        self.archiver.pass(&self.database, collections, Mode::Closing).expect("a pass succeeds");
    }

    /// Restores to another, empty machine and gives what is there then.
    pub fn elsewhere(&self, request: &RestoreRequest<'_>) -> Result<(RestoreReport, Content)> {
        let other = Machine::new(self.machine.seed + 9_000);
        other.sim.clock.advance(Duration::from_hours(1_000));
        let database = other.database();
        let report = pitr::restore(&database, &self.store, request, &|_, _| ())?;
        let content = content(&database.collection(request.target_name())?);
        Ok((report, content))
    }

    pub fn at(&self, name: &str, time: u64) -> Result<(RestoreReport, Content)> {
        self.elsewhere(&RestoreRequest { name, target: Target::Time(time), ..RestoreRequest::default() })
    }

    /// The wall time of the machine.
    pub fn now(&self) -> u64 {
        self.machine.sim.clock.peek_wall_micros()
    }
}
