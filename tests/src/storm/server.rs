//! The program, run as a server and beside one.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use platform::World;
use platform::http::Method;
use platform::http::client::{Client, ClientOptions};
use serde_json::Value;

/// A directory for a database, its backups and its archive; removed in the end.
#[derive(Debug)]
pub struct Place {
    program: PathBuf,
    dir: tempfile::TempDir,
}

/// A server over the database of a place.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Reads what it says, all the time: what nobody takes a server drops.
    listening: Option<JoinHandle<String>>,
    /// Where it listens.
    pub url: String,
    /// Milliseconds from its start until it was ready.
    pub ready_ms: u64,
}

impl Place {
    /// Makes a directory.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn new(program: &Path) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| format!("no directory for the data: {error}"))?;
        Ok(Place { program: program.to_path_buf(), dir })
    }

    /// Gives the directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(self.dir()).args(["--data-dir", "data"]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end; gives what it printed, as JSON.
    ///
    /// # Errors
    /// When it ends with another code than 0.
    pub fn run(&self, words: &[&str]) -> Result<Value, String> {
        let line = words.join(" ");
        let output = self.command(words).arg("--json").output().map_err(|error| format!("{line}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{line}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{line}: the result is no JSON: {error}"))
    }

    /// Starts a server, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before it says where it listens.
    pub fn serve(&self, world: &World) -> Result<Server, String> {
        let began = world.clock.monotonic_micros();
        let mut child = self.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().map_err(|error| error.to_string())?;
        let mut notes = BufReader::new(child.stderr.take().ok_or("stderr is not a pipe")?);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if notes.read_line(&mut line).map_err(|error| error.to_string())? == 0 {
                return Err(format!("the server ended before it was ready: {said}"));
            }
            if let Some(url) = line.strip_prefix("listening on ") {
                let ready_ms = (world.clock.monotonic_micros() - began) / 1_000;
                let listening = std::thread::spawn(move || {
                    let mut said = Vec::new();
                    let _whole = notes.read_to_end(&mut said);
                    String::from_utf8_lossy(&said).into_owned()
                });
                return Ok(Server { child, listening: Some(listening), url: url.trim_end().to_owned(), ready_ms });
            }
            said += &line;
        }
    }
}

impl Server {
    /// Sends it a signal, and waits for its end; gives its exit code and what it said.
    ///
    /// # Errors
    /// When there is no `kill` here.
    pub fn signal(&mut self, name: &str) -> Result<(Option<i32>, String), String> {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err(format!("kill -{name} failed"));
        }
        let ended = self.child.wait().map_err(|error| error.to_string())?;
        let said = self.listening.take().map(JoinHandle::join);
        Ok((ended.code(), said.and_then(Result::ok).unwrap_or_default()))
    }

    /// Gives the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a client of it, with connections of its own.
    ///
    /// # Errors
    /// When its address is none.
    pub fn client(&self) -> Result<Client, String> {
        Client::new(&self.url, ClientOptions::default()).map_err(|error| error.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or nothing of it is wanted any more.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Sends a request; gives the status and the answer.
///
/// # Errors
/// When the server does not answer.
pub fn ask(client: &Client, method: Method, path: &str, body: &Value) -> Result<(u16, Value), String> {
    let (headers, body) = ([("content-type", "application/json")], body.to_string());
    let answer = client.send(method, path, &headers, body.as_bytes()).map_err(|error| error.to_string())?;
    let status = answer.status;
    let whole = answer.into_whole(1 << 30).map_err(|error| error.to_string())?;
    let answer = serde_json::from_slice(&whole).map_err(|error| format!("the answer is no JSON: {error}"))?;
    Ok((status, answer))
}

/// Sends a request that has to succeed; gives its result.
///
/// # Errors
/// When it does not.
pub fn ok(client: &Client, method: Method, path: &str, body: &Value) -> Result<Value, String> {
    match ask(client, method, path, body)? {
        (200, answer) => Ok(answer["result"].clone()),
        (status, answer) => Err(format!("{path}: {status} {answer}")),
    }
}
