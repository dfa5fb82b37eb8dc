//! `vectra collections update` and `vectra collections index`: how vectors and fields are indexed, changed or as a file of its own.

use super::optimize::catch_interrupts;
use super::session::Session;
use super::settle::{self, Deadline};
use crate::args::{IndexCommand, SettleArgs, UpdateArgs};
use crate::exit::Failure;
use engine::collection::WriteOperation;
use engine::collection::indexer::Goal;
use engine::schema::{IndexConfig, VectorConfig};
use engine::{Collection, Database, ErrorKind, Incarnation, Schema};
use platform::fs::OpenMode;
use serde_json::json;
use std::path::Path;

/// A configuration is no longer than this: 64 vectors and 256 fields with the longest names.
const CONFIG_LEN_MAX: u64 = 1 << 20;

/// Changes settings of one vector, or of all.
pub(super) fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    configure(session, &args.name, args.settle, |schema| {
        let vectors: Vec<VectorConfig> = match &args.vector {
            Some(name) => vec![args.settings.of_vector(name)],
            None => schema.vectors.iter().map(|vector| args.settings.of_vector(&vector.name)).collect(),
        };
        Ok(IndexConfig::of_vectors(vectors))
    })
}

/// Exports or imports a configuration.
pub(super) fn index(session: &Session<'_>, command: &IndexCommand) -> Result<(), Failure> {
    match command {
        IndexCommand::Export { name, output } => {
            let config = session.read(name, |_, collection| Ok(IndexConfig::of(&collection.version().schema).to_json()))?;
            match output {
                Some(path) => write(session, name, path, &config),
                None => session.out.raw(config.as_bytes()),
            }
        }
        IndexCommand::Import { name, file, settle } => {
            let config = read(session, file)?;
            configure(session, name, *settle, |_| Ok(config.clone()))
        }
    }
}

fn write(session: &Session<'_>, name: &str, path: &Path, config: &str) -> Result<(), Failure> {
    // Renaming over a device or a pipe would destroy it.
    if session.world.fs.metadata(path)?.is_some() && !path.is_file() {
        let failure = Failure::new(ErrorKind::Conflict, "the export would replace something that is no regular file");
        return Err(failure.with_file(path).with_hint("give another name, or leave out --output for stdout"));
    }
    platform::fs::write_file_durably(&*session.world.fs, path, config.as_bytes())?;
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "file": path}));
    }
    session.out.result(&format!("wrote the index configuration of {name} to {}", path.display()))
}

fn read(session: &Session<'_>, path: &Path) -> Result<IndexConfig, Failure> {
    let file = session.world.fs.open(path, OpenMode::Read)?;
    let len = file.len()?;
    if len > CONFIG_LEN_MAX {
        let failure = Failure::invalid("this is too long for an index configuration").with_file(path);
        return Err(failure.with_expected(format!("at most {CONFIG_LEN_MAX} bytes"), len));
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::invalid("the index configuration is not UTF-8").with_file(path))?;
    IndexConfig::from_json(&text).map_err(|error| error.with_file(path))
}

/// Writes one change, then builds what was built otherwise, unless nobody waits for it; another writer is let in before that.
fn configure(
    session: &Session<'_>,
    name: &str,
    settle: SettleArgs,
    config: impl Fn(&Schema) -> Result<IndexConfig, Failure>,
) -> Result<(), Failure> {
    let deadline = Deadline::after(session, settle.wait_timeout);
    let work = |database: &Database, collection: &Collection| -> Result<(Incarnation, bool, bool), Failure> {
        catch_interrupts()?;
        let before = collection.version().schema.clone();
        collection.write(WriteOperation::Configure(config(&before)?))?;
        let changed = collection.version().schema != before;
        let indexed = !settle.no_wait && settle::steps(session, Some(database), collection, Goal::Indexed, deadline)?;
        Ok((collection.incarnation(), changed, indexed))
    };
    let (incarnation, changed, indexed) = session.write(name, work)?;
    if !settle.no_wait && !indexed {
        session.out.note("another process writes to the database now; the index is built when it is done");
        settle::resume(session, name, incarnation, deadline)?;
    }
    report(session, name, changed, !settle.no_wait)
}

fn report(session: &Session<'_>, name: &str, changed: bool, indexed: bool) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "changed": changed, "indexed": indexed}));
    }
    session.out.result(&match (changed, indexed) {
        (false, _) => format!("the indexes of {name} are configured like that already"),
        (true, true) => format!("configured the indexes of {name}, and built what was built otherwise"),
        (true, false) => {
            format!("configured the indexes of {name}; \"vectra collections optimize {name}\" builds what was built otherwise")
        }
    })
}
