//! Exceptions to a lint say why they are there.

use super::source::line_at;
use super::{Control, File, Offence, Rule, rust_files};

/// How an exception begins.
const OPENINGS: [&str; 4] = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];

/// `#[allow]` and `#[expect]` carry a reason.
pub const REASONS: Rule = Rule { name: "exceptions-have-reasons", check: reasons, controls };

fn reasons(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        for opening in OPENINGS {
            for (at, _) in rust.code.match_indices(opening) {
                let inside = &rust.code[at..];
                let inside = &inside[..inside.find(']').unwrap_or(inside.len())];
                if !inside.contains("reason") {
                    let message = format!("`{opening}..)]` without a reason: write `#[expect(lint, reason = \"...\")]`");
                    offences.push(file.offence(line_at(&rust.code, at), message));
                }
            }
        }
    }
    offences
}

fn controls() -> Vec<Control> {
    let clean = "//! A.\n#[expect(\n    dead_code,\n    reason = \"kept\"\n)]\nfn a() {}\n";
    vec![
        Control::of_text("cli/src/a.rs", "//! A.\n#[allow(dead_code)]\nfn a() {}\n", "without a reason", clean),
        Control::of_text("cli/src/a.rs", "//! A.\n#![expect(dead_code)]\nfn a() {}\n", "without a reason", clean),
    ]
}
