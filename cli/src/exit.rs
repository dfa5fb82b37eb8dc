//! Exit codes: the only place where a failure, or a refused command line, becomes a number.

use crate::output::Output;
use engine::ErrorKind;
use platform::clock::Clock;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// What went wrong, on which object, where, and the next step. The kind decides the exit code.
pub type Failure = engine::Error;

/// Makes a failure of the command line itself.
pub fn usage(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Usage, message)
}

/// Gives the exit code of a failure.
#[must_use]
pub fn code(failure: &Failure) -> ExitCode {
    ExitCode::from(failure.kind.exit_code())
}

/// Prints what the grammar has to say (help, version or a usage error) and gives the exit code.
///
/// A usage error is JSON when `--json` is among the arguments, wherever the parser stopped.
pub fn after_grammar(error: &clap::Error, args: impl Iterator<Item = OsString>, clock: Arc<dyn Clock>) -> ExitCode {
    if !error.use_stderr() {
        // Help into a closed pipe is not a failure.
        let _printed = error.print();
        return ExitCode::SUCCESS;
    }
    let failure = from_grammar(error);
    if args.take_while(|arg| arg != "--").any(|arg| arg == "--json") {
        Output::real(true, false, clock).error(&failure);
    } else {
        let _printed = error.print();
    }
    code(&failure)
}

/// Keeps the sentence of a grammar error and drops the drawing around it.
#[must_use]
pub fn from_grammar(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let sentence = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = sentence.trim_start_matches("error: ").split_whitespace().collect();
    let message = if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "the command is not complete".to_owned()
    } else {
        words.join(" ")
    };
    usage(message).with_hint("the same words with --help explain the command")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_grammar_error_is_a_usage_failure_in_one_line() {
        let error = crate::args::Cli::try_parse_from(["vectra", "collections", "count"]).unwrap_err();
        let failure = from_grammar(&error);
        assert_eq!(failure.kind, ErrorKind::Usage);
        assert!(failure.message.contains("<NAME>"), "{}", failure.message);
        assert!(!failure.message.contains('\n') && !failure.message.contains("Usage:"), "{}", failure.message);
        let error = crate::args::Cli::try_parse_from(["vectra"]).unwrap_err();
        assert_eq!(from_grammar(&error).message, "the command is not complete");
    }

    #[test]
    fn the_documented_exit_codes_stand() {
        let documented = [
            (ErrorKind::InvalidInput, 1),
            (ErrorKind::NoSpace, 1),
            (ErrorKind::NewerFormat, 1),
            (ErrorKind::Io, 1),
            (ErrorKind::Internal, 1),
            (ErrorKind::Usage, 2),
            (ErrorKind::NotFound, 3),
            (ErrorKind::Exists, 4),
            (ErrorKind::Conflict, 4),
            (ErrorKind::Locked, 4),
            (ErrorKind::Diverged, 4),
            (ErrorKind::Corrupt, 5),
            (ErrorKind::Incomplete, 6),
            (ErrorKind::Unreachable, 7),
            (ErrorKind::Fenced, 8),
            (ErrorKind::Timeout, 124),
            (ErrorKind::Interrupted, 130),
        ];
        for (kind, expected) in documented {
            assert_eq!(kind.exit_code(), expected, "{kind:?}");
        }
        let usage_kinds = ErrorKind::ALL.iter().filter(|kind| kind.exit_code() == 2).count();
        assert_eq!(usage_kinds, 1, "only a usage error exits 2");
    }
}
