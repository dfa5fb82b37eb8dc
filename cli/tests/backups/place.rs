//! A directory for a test: a database, a place for backups, and the program run as cron would run it.

use platform::World;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The product's folder for backups, which a test maps to a folder of its own.
const BACKUPS: &str = "/mnt/backups";

/// A directory, removed in the end.
pub struct Place {
    pub world: World,
    pub root: PathBuf,
}

/// What a program did.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The lines of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    }

    /// The error that `--json` prints on stderr.
    pub fn error(&self) -> Value {
        let parsed = self.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let error = parsed.map(|line| line["error"].clone()).find(|error| !error.is_null());
        error.unwrap_or_else(|| panic!("no error on stderr: {}", self.err))
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

impl Place {
    pub fn new() -> Self {
        let world = World::real();
        let root = std::env::temp_dir().join(format!("vectra-backups-test-{:016x}", world.random.u64()));
        world.fs.create_dir_all(&root.join("mnt")).expect("the temporary directory can be written");
        Place { world, root }
    }

    /// Names a path of the place.
    pub fn path(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// The folder that stands for the product's folder of backups.
    pub fn backups(&self) -> String {
        self.path("mnt/backups")
    }

    /// Prepares a program: as little environment as cron gives, no terminal, a directory that has nothing to do with it.
    pub fn command(&self, program: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_vectra")).parent().expect("a program lies in a directory");
        let mut command = Command::new(program);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        command.env("VECTRA_DATA_DIR", self.root.join("data")).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Prepares a command line of `vectra`.
    pub fn vectra(&self, line: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_vectra"));
        command.args(line.split_whitespace());
        command
    }

    /// Runs a command line.
    pub fn run(&self, line: &str) -> Ran {
        Ran::of(&self.vectra(line).output().expect("the program runs"))
    }

    /// Runs a command line with more environment.
    pub fn run_with(&self, variables: &[(String, String)], line: &str) -> Ran {
        let variables = variables.iter().map(|(name, value)| (name, value));
        Ran::of(&self.vectra(line).envs(variables).output().expect("the program runs"))
    }

    /// Runs a script by a shell as it is, with more environment.
    pub fn script_with(&self, variables: &[(String, String)], shell: &str, script: &str) -> Ran {
        let variables = variables.iter().map(|(name, value)| (name, value));
        Ran::of(&self.command(shell).envs(variables).args(["-c", script]).output().expect("the shell runs"))
    }

    /// Runs a command line with kernels forced.
    pub fn run_on(&self, kernels: &str, line: &str) -> Ran {
        Ran::of(&self.vectra(line).env("VECTRA_SIMD", kernels).output().expect("the program runs"))
    }

    /// Runs a command line that is to succeed.
    #[track_caller]
    pub fn ok(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(0), "{line}\nstdout: {}\nstderr: {}", ran.out, ran.err);
        ran
    }

    /// Runs a script by a shell, with the product's folder of backups mapped to one of this place.
    pub fn script(&self, shell: &str, script: &str) -> Ran {
        let mapped = script.replace(BACKUPS, &self.backups());
        Ran::of(&self.command(shell).args(["-c", &mapped]).output().expect("the shell runs"))
    }

    /// Makes `products` of the 5,000 real points that come with the program.
    pub fn import_real_points(&self) {
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/demo");
        self.ok("collections create products --dim 384 --distance cosine");
        self.ok(&format!("import products --vectors {demo}/vectors.npy --payload {demo}/payload.jsonl.gz"));
    }

    /// The file of 50 real queries.
    pub fn real_queries() -> &'static str {
        concat!(env!("CARGO_MANIFEST_DIR"), "/demo/queries.npy")
    }

    /// Makes a small collection with payload; ids from `first` on.
    pub fn import_small(&self, name: &str, first: u64, points: u64) {
        let line = |id: u64| format!("{{\"id\":{id},\"vector\":[{id},1,{},0],\"payload\":{{\"n\":{id}}}}}\n", id % 7);
        let path = self.write("points.jsonl", (first..first + points).map(line).collect::<String>().as_bytes());
        if self.run(&format!("collections count {name}")).code == Some(3) {
            self.ok(&format!("collections create {name} --dim 4 --distance euclid"));
        }
        self.ok(&format!("import {name} --jsonl {path}"));
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        platform::fs::read_file(&*self.world.fs, Path::new(path)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes a file: below this place, or at an absolute path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.root.join(name);
        platform::fs::write_file_durably(&*self.world.fs, &path, bytes).expect("the place can be written");
        path.display().to_string()
    }

    pub fn remove_file(&self, path: &str) {
        self.world.fs.remove_file(Path::new(path)).expect("the file can be removed");
    }

    /// Lists every file below a directory with its length, sorted.
    pub fn files(&self, below: &str) -> Vec<(String, u64)> {
        let mut open = vec![self.root.join(below)];
        let mut files = Vec::new();
        while let Some(dir) = open.pop() {
            if self.world.fs.metadata(&dir).expect("a path can be looked at").is_none() {
                continue;
            }
            for entry in self.world.fs.list(&dir).expect("a directory can be listed") {
                let path = dir.join(&entry.name);
                if entry.is_dir {
                    open.push(path);
                } else {
                    files.push((path.display().to_string(), entry.len));
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.world.fs.remove_dir_all(&self.root);
    }
}
