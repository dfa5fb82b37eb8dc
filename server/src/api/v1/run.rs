//! Carries the words of a command out, and keeps what it prints.

use std::io::{self, Write};
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use platform::World;
use serde_json::Value;

use super::words::Words;
use crate::Host;
use crate::api::commands::{CommandLine, Commander};

/// Most bytes of what a command prints.
const PRINTED_MAX: usize = 256 << 20;

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    /// The lines of its result, read as JSON; the id of a job is a text.
    pub results: Vec<Value>,
    /// Its error, as it prints it.
    pub error: Option<Value>,
}

impl Ran {
    /// Gives the kind of its error.
    pub(super) fn kind(&self, error: &Value) -> ErrorKind {
        let named = error["kind"].as_str();
        ErrorKind::ALL.into_iter().find(|kind| Some(kind.name()) == named).unwrap_or(ErrorKind::Internal)
    }
}

/// Carries a command out.
///
/// # Errors
/// `Usage` when nobody here carries commands out, those of writing queries down, `InvalidInput` when it prints more than an answer holds.
pub(super) fn run(host: &Arc<Host>, commander: &Commander, words: &Words) -> Result<Ran> {
    let commands = commander.commands()?;
    let queries = words.vectors.as_ref().map(|(_, rows)| Queries::write(host, rows)).transpose()?;
    let line = words.line(queries.as_ref().map(|queries| queries.path.as_str()));
    // Locations are absolute and queries too; what else could be relative is not taken.
    let directory = platform::process::current_dir().unwrap_or_default().to_string_lossy().into_owned();
    let (result, notes) = (Kept::default(), Kept::default());
    let exit = commands.run(host, &CommandLine { words: line, directory }, Box::new(result.clone()), Box::new(notes.clone()));
    drop(queries);
    let results = result.lines()?.into_iter().map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line))).collect();
    let said = notes.lines()?;
    let error = said.iter().rev().find_map(|line| serde_json::from_str::<Value>(line).ok()?.get("error").cloned());
    match (exit, error) {
        (0, _) => Ok(Ran { results, error: None }),
        (_, Some(error)) => Ok(Ran { results, error: Some(error) }),
        (_, None) => Err(Error::internal("a command failed without a word")),
    }
}

/// Keeps what is written, up to a limit.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<u8>, bool)>>);

impl Kept {
    fn lines(&self) -> Result<Vec<String>> {
        let (bytes, is_too_long) = std::mem::take(&mut *self.0.lock());
        if is_too_long {
            return Err(Error::invalid(format!("the answer is longer than {PRINTED_MAX} bytes")).with_hint("ask for less at once"));
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::internal("a command printed what is no text"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock();
        if kept.0.len() + bytes.len() > PRINTED_MAX {
            kept.1 = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        kept.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Queries in a file (`fvecs`), where the command reads them; removed in the end.
struct Queries {
    world: World,
    path: String,
}

impl Queries {
    fn write(host: &Host, rows: &[Vec<f32>]) -> Result<Self> {
        let world = host.database().world().clone();
        let current = platform::process::current_dir().unwrap_or_default();
        let dir = current.join(host.database().dir()).join("queries");
        world.fs.create_dir_all(&dir)?;
        let path = dir.join(format!("{:016x}.fvecs", world.random.u64()));
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend((row.len() as u32).to_le_bytes());
            row.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        }
        world.write_file_durably(&path, &bytes)?;
        let path = path.to_str().ok_or_else(|| Error::internal("the path of the data directory is no text"))?.to_owned();
        Ok(Queries { world, path })
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        // It is small, and in nobody's way.
        let _removed = self.world.fs.remove_file(self.path.as_ref());
    }
}
