//! One error type for every crate above the platform: what failed, where, expected and got, and the next step.

use std::fmt;
use std::path::Path;

use platform::fs::IoError;

/// What the caller can do about an error; each kind is handled differently from the others.
///
/// The exit code of each kind is in [`ErrorKind::exit_code`], the HTTP status in [`ErrorKind::http_status`]; `docs/errors.md`
/// holds the same table for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is malformed: an option, a combination of options, a forced kernel this machine lacks.
    Usage,
    /// A collection, backup, snapshot or point in time that does not exist.
    NotFound,
    /// The name or id is taken.
    Exists,
    /// Another process or state stands in the way; the message names it.
    Conflict,
    /// Another process holds the lock that this command needs.
    Locked,
    /// Two histories that do not continue each other meet.
    Diverged,
    /// Stored bytes are not what was written.
    Corrupt,
    /// A copy misses objects.
    Incomplete,
    /// A store or folder cannot be reached or refuses access.
    Unreachable,
    /// Whoever asks may not do this.
    Denied,
    /// Another writer took over.
    Fenced,
    /// Data that cannot be accepted: NaN, a wrong dimension, a malformed line.
    InvalidInput,
    /// The disk is full.
    NoSpace,
    /// Bytes of a format that this version does not know.
    NewerFormat,
    /// The clock is behind the data.
    Clock,
    /// The operating system refused an operation; nothing was acknowledged.
    Io,
    /// Waiting ran out of time.
    Timeout,
    /// The user stopped the command.
    Interrupted,
    /// What was measured is not what it has to be: a drill found a difference, a goal is not reached.
    Missed,
    /// A state that should be impossible.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the documented table.
    pub const ALL: [ErrorKind; 20] = [
        ErrorKind::Usage,
        ErrorKind::NotFound,
        ErrorKind::Exists,
        ErrorKind::Conflict,
        ErrorKind::Locked,
        ErrorKind::Diverged,
        ErrorKind::Corrupt,
        ErrorKind::Incomplete,
        ErrorKind::Unreachable,
        ErrorKind::Denied,
        ErrorKind::Fenced,
        ErrorKind::InvalidInput,
        ErrorKind::NoSpace,
        ErrorKind::NewerFormat,
        ErrorKind::Clock,
        ErrorKind::Io,
        ErrorKind::Timeout,
        ErrorKind::Interrupted,
        ErrorKind::Missed,
        ErrorKind::Internal,
    ];

    /// Names the kind as it stands in JSON output.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Gives the exit code of the command line.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        self.row().1
    }

    /// Gives the HTTP status of the server.
    #[must_use]
    pub fn http_status(self) -> u16 {
        self.row().2
    }

    /// The one table from kind to name, exit code and HTTP status.
    fn row(self) -> (&'static str, u8, u16) {
        match self {
            ErrorKind::Usage => ("usage", 2, 400),
            ErrorKind::NotFound => ("not_found", 3, 404),
            ErrorKind::Exists => ("exists", 4, 409),
            ErrorKind::Conflict => ("conflict", 4, 409),
            ErrorKind::Locked => ("locked", 4, 409),
            ErrorKind::Diverged => ("diverged", 4, 409),
            ErrorKind::Corrupt => ("corrupt", 5, 500),
            ErrorKind::Incomplete => ("incomplete", 6, 409),
            ErrorKind::Unreachable => ("unreachable", 7, 503),
            ErrorKind::Denied => ("denied", 7, 403),
            ErrorKind::Fenced => ("fenced", 8, 503),
            ErrorKind::InvalidInput => ("invalid_input", 1, 400),
            ErrorKind::NoSpace => ("no_space", 1, 507),
            ErrorKind::NewerFormat => ("newer_format", 1, 500),
            ErrorKind::Clock => ("clock", 1, 500),
            ErrorKind::Io => ("io", 1, 500),
            ErrorKind::Timeout => ("timeout", 124, 408),
            ErrorKind::Interrupted => ("interrupted", 130, 503),
            ErrorKind::Missed => ("missed", 1, 409),
            ErrorKind::Internal => ("internal", 1, 500),
        }
    }
}

/// An error with everything a person needs to act on it.
#[derive(Debug, Clone)]
pub struct Error {
    /// Decides exit code, status and the caller's next move.
    pub kind: ErrorKind,
    /// What failed, in lower case, without a full stop.
    pub message: String,
    /// The object concerned: a collection, a snapshot, an object's key.
    pub object: Option<String>,
    /// The file concerned.
    pub file: Option<String>,
    /// Byte offset in that file or object.
    pub offset: Option<u64>,
    /// What was expected there.
    pub expected: Option<String>,
    /// What was found instead.
    pub got: Option<String>,
    /// The next step.
    pub hint: Option<String>,
}

/// The result of everything in the engine and above it.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an error of a kind; the other fields are added by the `with_` functions.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), object: None, file: None, offset: None, expected: None, got: None, hint: None }
    }

    /// Makes an error on stored bytes that are not what was written.
    #[must_use]
    pub fn corrupt(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Corrupt, message)
    }

    /// Makes an error on data that cannot be accepted.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidInput, message)
    }

    /// Makes an error on something that does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::NotFound, message)
    }

    /// Makes an error on a state that should be impossible.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Internal, message)
    }

    /// Names the object concerned.
    #[must_use]
    pub fn with_object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Names the file concerned, unless one is named already (the innermost place wins).
    #[must_use]
    pub fn with_file(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.display().to_string());
        self
    }

    /// States the byte offset concerned.
    #[must_use]
    pub fn with_offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// States what was expected and what was found.
    #[must_use]
    pub fn with_expected(mut self, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self.got = Some(got.to_string());
        self
    }

    /// States the next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(object) = &self.object {
            write!(f, " (object {object})")?;
        }
        match (&self.file, self.offset) {
            (Some(file), Some(offset)) => write!(f, " in \"{file}\" at offset {offset}")?,
            (Some(file), None) => write!(f, " in \"{file}\"")?,
            (None, Some(offset)) => write!(f, " at offset {offset}")?,
            (None, None) => {}
        }
        if let (Some(expected), Some(got)) = (&self.expected, &self.got) {
            write!(f, ": expected {expected}, got {got}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<IoError> for Error {
    fn from(io: IoError) -> Self {
        let kind = if io.is_no_space() { ErrorKind::NoSpace } else { ErrorKind::Io };
        let error = Error::new(kind, io.to_string()).with_file(&io.path);
        match kind {
            ErrorKind::NoSpace => {
                error.with_hint("free space, or run \"vectra collections purge\" to give back dropped collections at once")
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_the_same_table() {
        let rows = crate::testing::table_rows(include_str!("../../docs/errors.md"));
        let documented: Vec<_> = rows.iter().skip(2).map(|row| row[..3].to_vec()).collect();
        let table = |kind: ErrorKind| vec![kind.name().to_owned(), kind.exit_code().to_string(), kind.http_status().to_string()];
        assert_eq!(documented, ErrorKind::ALL.map(table));
    }

    #[test]
    fn an_error_says_where_what_was_expected_and_what_was_found() {
        let error = Error::corrupt("checksum mismatch").with_object("products").with_file(Path::new("a.log")).with_offset(64);
        let error = error.with_expected("0x01", "0x02").with_file(Path::new("outer.log"));
        assert_eq!(error.to_string(), "checksum mismatch (object products) in \"a.log\" at offset 64: expected 0x01, got 0x02");
    }
}
