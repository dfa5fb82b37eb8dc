//! `vectra export`: all points of one moment as lines of JSON.

use super::optimize::catch_interrupts;
use super::point_json::PointJson;
use super::session::Session;
use crate::args::ExportArgs;
use crate::exit::Failure;
use crate::output::{Unit, count};
use engine::ErrorKind;
use engine::collection::Version;
use platform::fs::{File, FileSystem, OpenMode, parent};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// Exports to a file, which appears whole or not at all, or to stdout.
pub(super) fn run(session: &Session<'_>, args: &ExportArgs) -> Result<(), Failure> {
    let to_stdout = args.jsonl == Path::new("-");
    let points = session.read(&args.name, |_, collection| {
        let version = collection.version();
        catch_interrupts()?;
        if to_stdout {
            return write_all(session, &version, &mut |line| session.out.row(line));
        }
        let mut file = Replacement::begin(session.world.fs.clone(), &args.jsonl)?;
        let points = write_all(session, &version, &mut |line| file.line(line))?;
        file.finish().map(|()| points)
    })?;
    if to_stdout {
        return Ok(());
    }
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": args.name, "points": points}));
    }
    session.out.result(&format!("exported {} points", count(points)))
}

fn write_all(session: &Session<'_>, version: &Version, line: &mut dyn FnMut(&str) -> Result<(), Failure>) -> Result<u64, Failure> {
    let progress = session.out.progress("export", Some(version.points), Unit::Points);
    let mut points = 0;
    version.for_each_point(true, &mut |view| {
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, format!("interrupted after {points} points")));
        }
        let point = PointJson::new(&version.schema, view, true)?;
        let text = serde_json::to_string(&point).map_err(|error| Failure::internal(format!("cannot write a point: {error}")))?;
        points += 1;
        progress.set(points);
        line(&text)
    })?;
    Ok(points)
}

/// A file under a temporary name, which takes its place when it is whole; dropped before, it is removed.
struct Replacement {
    fs: Arc<dyn FileSystem>,
    temporary: PathBuf,
    path: PathBuf,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    written: u64,
    finished: bool,
}

impl Replacement {
    fn begin(fs: Arc<dyn FileSystem>, path: &Path) -> Result<Self, Failure> {
        // Renaming over a device or a pipe would destroy it.
        if fs.metadata(path)?.is_some() && !path.is_file() {
            let failure = Failure::new(ErrorKind::Conflict, "the export would replace something that is no regular file");
            return Err(failure.with_file(path).with_hint("give another name, or - for stdout"));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Failure::invalid("this cannot be the name of a file").with_file(path))?;
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", platform::process::pid()));
        let file = fs.open(&temporary, OpenMode::CreateNew)?;
        Ok(Self { fs, temporary, path: path.to_path_buf(), file, buffer: Vec::with_capacity(2 * CHUNK), written: 0, finished: false })
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.flush()?;
        self.file.sync_all()?;
        self.fs.rename(&self.temporary, &self.path)?;
        self.finished = true;
        Ok(self.fs.sync_dir(parent(&self.path))?)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.finished {
            // The export failed and said so; a leftover only wastes space.
            let _ = self.fs.remove_file(&self.temporary);
        }
    }
}
