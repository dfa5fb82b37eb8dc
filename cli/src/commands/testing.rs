//! What tests of commands need: a database in a temporary directory, input files, and a command line run in this process.

use crate::args::Cli;
use crate::exit::Failure;
use crate::output::Output;
use clap::Parser;
use platform::World;
use serde_json::Value;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A directory with a database in `data`, removed in the end.
pub(super) struct Place {
    world: World,
    pub path: PathBuf,
}

/// What a command line did.
pub(super) struct Ran {
    pub result: Result<(), Failure>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The exit code.
    pub fn exit(&self) -> u8 {
        self.result.as_ref().err().map_or(0, |failure| failure.kind.exit_code())
    }

    /// The lines of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.out.lines().map(parse).collect()
    }

    /// The failure.
    pub fn failure(&self) -> &Failure {
        self.result.as_ref().expect_err("the command was to fail")
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    pub fn new() -> Self {
        let world = World::real();
        let path = std::env::temp_dir().join(format!("vectra-cli-test-{:016x}", world.random.u64()));
        world.fs.create_dir_all(&path).unwrap();
        Place { world, path }
    }

    /// Names a file of the place.
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        platform::fs::write_file_durably(&*self.world.fs, &self.path.join(name), bytes).unwrap();
        self.file(name)
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(platform::fs::read_file(&*self.world.fs, &self.path.join(name)).unwrap()).unwrap()
    }

    /// Moves something of the place.
    pub fn rename(&self, from: &str, to: &str) {
        self.world.fs.rename(&self.path.join(from), &self.path.join(to)).unwrap();
    }

    /// Lists a directory of the place; nothing is in one that is missing.
    pub fn list(&self, dir: &str) -> Vec<String> {
        let dir = self.path.join(dir);
        if self.world.fs.metadata(&dir).unwrap().is_none() {
            return Vec::new();
        }
        self.world.fs.list(&dir).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    /// The time now, as commands take it.
    pub fn now(&self) -> String {
        crate::time::format_time(self.world.clock.wall_micros())
    }

    /// Writes vectors as `.npy` of floats.
    pub fn npy(&self, name: &str, rows: &[Vec<f32>]) -> String {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {})}}", rows.len(), rows[0].len());
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(rows.iter().flatten().flat_map(|number| number.to_le_bytes()));
        self.write(name, &bytes)
    }

    /// Writes ids as `.npy`.
    pub fn ids(&self, name: &str, ids: &[u64]) -> String {
        let header = format!("{{'descr': '<u8', 'fortran_order': False, 'shape': ({},)}}", ids.len());
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        self.write(name, &bytes)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Runs a command line: words between blanks, or between single quotes.
    pub fn run(&self, line: &str) -> Ran {
        let mut words = vec!["vectra".to_owned(), "--data-dir".to_owned(), self.data().display().to_string()];
        for (at, part) in line.split('\'').enumerate() {
            if at % 2 == 0 {
                words.extend(part.split_whitespace().map(str::to_owned));
            } else {
                words.push(part.to_owned());
            }
        }
        let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (out, err) = (Captured::default(), Captured::default());
        let clock = self.world.clock.clone();
        let output = Output::new(cli.globals.json, cli.globals.quiet, clock, Box::new(out.clone()), Box::new(err.clone()));
        let result = super::run(cli, &output).and_then(|()| output.finish());
        Ran { result, out: out.text(), err: err.text() }
    }

    /// Runs a command line that is to succeed.
    pub fn ok(&self, line: &str) -> Ran {
        let ran = self.run(line);
        if let Err(failure) = &ran.result {
            panic!("{line}: {failure} (hint: {:?})", failure.hint);
        }
        ran
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.world.fs.remove_dir_all(&self.path);
    }
}

/// Vectors that differ in every number, of length about 1.
pub(super) fn vectors(rows: usize, dim: usize) -> Vec<Vec<f32>> {
    let number = |row: usize, at: usize| ((row * 7919 + at * 104_729 + 13) as f32 * 0.618_034).sin();
    (0..rows).map(|row| (0..dim).map(|at| number(row, at)).collect()).collect()
}

/// A payload a line.
pub(super) fn payload(rows: usize) -> String {
    let line = |row: usize| format!("{{\"n\":{row},\"lang\":\"{}\"}}\n", if row.is_multiple_of(2) { "en" } else { "de" });
    (0..rows).map(line).collect()
}

/// Whether a path exists.
pub(super) fn exists(path: &Path) -> bool {
    World::real().fs.metadata(path).unwrap().is_some()
}
