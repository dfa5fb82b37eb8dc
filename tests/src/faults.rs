//! A small collection on a simulated machine, with points that say themselves what they must be: the ground of the tests of single faults.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::collection::WriteOperation;
use engine::collection::indexer::Threads;
use engine::collection::{Ack, Step};
use engine::database::DatabaseOptions;
use engine::log::LogFileName;
use engine::schema::{Distance, Numbers, Schema, VectorSchema};
use engine::{Batch, Collection, Database, Point, PointId, Result};
use platform::fs::OpenMode;
use platform::sim::SimWorld;

/// Where the database lies.
pub const DATA: &str = "/data";
/// The one collection.
pub const NAME: &str = "c";

/// An open database with its one collection.
#[derive(Debug)]
pub struct Opened {
    /// The collection; declared first, so that it goes first.
    pub collection: Collection,
    /// The database.
    pub database: Database,
}

fn options() -> DatabaseOptions {
    DatabaseOptions { lock_wait: Duration::ZERO, ..DatabaseOptions::default() }
}

/// Opens the database.
///
/// # Errors
/// Those of the engine.
pub fn open_database(machine: &SimWorld) -> Result<Database> {
    Database::open(&machine.world(), Path::new(DATA), options())
}

/// Creates the collection and opens it.
///
/// # Errors
/// Those of the engine.
pub fn create(machine: &SimWorld) -> Result<Opened> {
    let database = open_database(machine)?;
    let vectors = vec![VectorSchema::dense("", 2, Distance::Euclid, Numbers::F32)];
    database.create_collection(NAME, &Schema { vectors, ..Schema::default() })?;
    let collection = database.collection(NAME)?;
    Ok(Opened { collection, database })
}

/// Opens the database and the collection, with recovery.
///
/// # Errors
/// Those of the engine.
pub fn open(machine: &SimWorld) -> Result<Opened> {
    let database = open_database(machine)?;
    let collection = database.collection(NAME)?;
    Ok(Opened { collection, database })
}

impl Opened {
    /// Writes the points with these ids as one batch.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn put(&self, ids: std::ops::Range<u64>) -> Result<Ack> {
        let point = |id: u64| Point {
            id: PointId::Number(id),
            vectors: vec![(String::new(), vec![id as f32, 1.0])],
            payload: Some(format!("{{\"id\":{id}}}")),
        };
        let batch = Batch::of_points(&self.collection.version().schema, &ids.map(point).collect::<Vec<_>>())?;
        self.collection.write(WriteOperation::Upsert(batch))
    }

    /// Seals the tail into a flat segment.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn seal(&self) -> Result<()> {
        self.collection.step(&Step::Seal, &Threads(1), &|_, _| true)
    }

    /// Closes the collection and the database.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn close(self) -> Result<()> {
        self.collection.close()?;
        drop(self.collection);
        self.database.close()
    }

    /// Reads every point and gives the ids.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// When a point is not what was written under its id, or the count is another.
    pub fn ids(&self) -> Result<BTreeSet<u64>> {
        let version = self.collection.version();
        let mut ids = BTreeSet::new();
        version.for_each_point(true, &mut |view| {
            let PointId::Number(id) = view.id else { panic!("invented: {}", view.id) };
            assert_eq!(view.payload, Some(format!("{{\"id\":{id}}}")), "the payload of point {id}");
            assert_eq!(view.vectors, [(String::new(), vec![id as f32, 1.0])], "the vector of point {id}");
            assert!(ids.insert(id), "point {id} is there twice");
            Ok(())
        })?;
        assert_eq!(version.points, ids.len() as u64, "the count");
        Ok(ids)
    }

    /// Gives the log files of the collection, in their order.
    ///
    /// # Panics
    /// When the directory cannot be listed.
    #[must_use]
    pub fn log_files(&self, machine: &SimWorld) -> Vec<PathBuf> {
        let dir = self.collection.dir().log();
        let names = engine::log::file::list(&*machine.world().fs, &dir).expect("the log can be listed");
        names.iter().map(|name| name.path(&dir)).collect()
    }
}

/// Gives the name of a log file, which turns positions into offsets.
///
/// # Panics
/// When the path is not that of a log file.
#[must_use]
pub fn log_name(path: &Path) -> LogFileName {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(LogFileName::parse);
    name.unwrap_or_else(|| panic!("{} is a log file", path.display()))
}

/// Overwrites bytes of a file, durably, as damage from outside would.
///
/// # Panics
/// When the file cannot be written.
pub fn overwrite(machine: &SimWorld, path: &Path, offset: u64, bytes: &[u8]) {
    let fs = machine.world().fs;
    let mode = if fs.metadata(path).expect("the disk answers").is_some() { OpenMode::ReadWrite } else { OpenMode::CreateNew };
    let file = fs.open(path, mode).expect("the file opens");
    file.write_all_at(bytes, offset).and_then(|()| file.sync_all()).expect("the file is written");
    fs.sync_dir(platform::fs::parent(path)).expect("the directory is synced");
}

/// Gives the ids of several ranges.
#[must_use]
pub fn ids(ranges: &[std::ops::Range<u64>]) -> BTreeSet<u64> {
    ranges.iter().cloned().flatten().collect()
}

/// Gives the ids of one range.
#[must_use]
pub fn only(range: std::ops::Range<u64>) -> BTreeSet<u64> {
    range.collect()
}
