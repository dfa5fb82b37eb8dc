//! Command lines that a client on this machine has this server carry out, because it is the one that may write.
//!
//! The answer is a stream of frames: a byte that says what it is (1 result, 2 notes and errors, 3 exit code), four bytes of length,
//! little-endian, and so many bytes. It ends with the exit code.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use engine::{Error, ErrorKind, Result};
use platform::http::{Head, Response, ResponseBody};
use serde::{Deserialize, Serialize};

use crate::Host;

/// The path of the call.
pub const COMMANDS_PATH: &str = "/vectra/v1/commands";
/// A frame of the result.
pub const FRAME_RESULT: u8 = 1;
/// A frame of notes and errors.
pub const FRAME_NOTES: u8 = 2;
/// The frame of the exit code, the last.
pub const FRAME_EXIT: u8 = 3;
/// Bytes before those of a frame.
pub const FRAME_HEAD_LEN: usize = 5;
/// Most bytes of a frame.
pub const FRAME_LEN_MAX: usize = 1 << 16;
/// Frames that wait for a slow client.
const FRAMES_MAX: usize = 64;

/// A command line, and where the client stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// Its words, without the name of the program.
    pub words: Vec<String>,
    /// The working directory of the client: relative paths begin there.
    pub directory: String,
}

/// What carries command lines out.
pub trait Commands: Send + Sync {
    /// Carries one out over the served database, prints to two writers, and gives the exit code.
    fn run(&self, host: &Arc<Host>, line: &CommandLine, result: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) -> u8;

    /// Carries one out as a job of a kind, says its id once it began, and returns when it ended.
    ///
    /// # Errors
    /// Those of the command.
    fn run_as_job(&self, host: &Arc<Host>, kind: &str, line: &CommandLine, began: &dyn Fn(&str)) -> Result<()>;
}

/// What carries command lines out, where there is something.
#[derive(Clone, Default)]
pub struct Commander(pub Option<Arc<dyn Commands>>);

impl Commander {
    /// Gives what carries command lines out.
    ///
    /// # Errors
    /// `Usage` when nobody here does.
    pub(crate) fn commands(&self) -> Result<&Arc<dyn Commands>> {
        self.0.as_ref().ok_or_else(|| Error::new(ErrorKind::Usage, "this server carries no command lines out"))
    }
}

impl fmt::Debug for Commander {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Commander" } else { "no Commander" })
    }
}

/// Checks that a command comes from this machine: it names files of it.
///
/// # Errors
/// `Unreachable` otherwise.
pub(super) fn check_near(head: &Head) -> Result<()> {
    if super::is_near(head) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unreachable, "command lines are carried out for clients on the server's own machine alone")
        .with_hint("run the command there, or use the REST API"))
}

/// Begins to carry a command line out; the answer follows it.
///
/// # Errors
/// `InvalidInput` when it does not read, `Usage` when nobody here carries command lines out.
pub(super) fn begin(commander: &Commander, host: &Arc<Host>, body: &[u8]) -> Result<Response> {
    let line: CommandLine =
        serde_json::from_slice(body).map_err(|error| Error::invalid(format!("the command line does not read: {error}")))?;
    let commands = commander.commands()?.clone();
    let (sender, receiver) = sync_channel(FRAMES_MAX);
    let host = host.clone();
    std::thread::spawn(move || {
        let to = |kind| Box::new(Frames { kind, sender: sender.clone() });
        let code = commands.run(&host, &line, to(FRAME_RESULT), to(FRAME_NOTES));
        // A client that went away does not learn it: the command was carried out all the same.
        let _told = sender.send(frame(FRAME_EXIT, &[code]));
    });
    let mut response = Response::new(200, "application/octet-stream", Vec::new());
    response.body = ResponseBody::Stream { from: Box::new(Following { receiver, frame: Vec::new(), at: 0 }), len: None };
    Ok(response)
}

fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() <= FRAME_LEN_MAX, "a frame is bounded");
    let mut frame = Vec::with_capacity(FRAME_HEAD_LEN + bytes.len());
    frame.push(kind);
    frame.extend((bytes.len() as u32).to_le_bytes());
    frame.extend(bytes);
    frame
}

/// Writes as frames of one kind.
struct Frames {
    kind: u8,
    sender: SyncSender<Vec<u8>>,
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(FRAME_LEN_MAX)];
        self.sender.send(frame(self.kind, part)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads frames as they come, until the last of their writers is gone.
struct Following {
    receiver: Receiver<Vec<u8>>,
    frame: Vec<u8>,
    at: usize,
}

impl Read for Following {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.frame.len() {
            match self.receiver.recv() {
                Ok(frame) => (self.frame, self.at) = (frame, 0),
                Err(_) => return Ok(0),
            }
        }
        let len = into.len().min(self.frame.len() - self.at);
        into[..len].copy_from_slice(&self.frame[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}
