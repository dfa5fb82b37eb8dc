//! Attacks one target with seeded mutations, or runs given inputs again; `vectra-fuzz --help` says how.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    vectra_fuzz::driver::main(&arguments)
}
