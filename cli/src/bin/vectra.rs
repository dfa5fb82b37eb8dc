//! The `vectra` program.

fn main() -> std::process::ExitCode {
    vectra_cli::main()
}
