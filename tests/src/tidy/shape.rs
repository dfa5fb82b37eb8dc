//! What a file looks like from outside: its first line, its name, its size.

use super::{Control, File, Offence, Rule, rust_files};

/// The largest file, in bytes, outside the places made for data.
const BLOB_BYTES_MAX: usize = 1 << 20;
/// The folder of the shipped points, and how many bytes it may hold in all.
const DEMO: (&str, usize) = ("cli/demo/", 5 << 20);
/// Raw figures of past runs.
const RESULTS: &str = "benches/results/";

/// The first line of a file says what it is about.
pub const SUBJECT_FIRST: Rule = Rule { name: "subject-first", check: subject_first, controls: subject_controls };

/// A module is found by its name.
pub const NO_MOD_FILES: Rule = Rule { name: "no-mod-files", check: no_mod_files, controls: mod_controls };

/// A clone stays small.
pub const NO_BLOBS: Rule = Rule { name: "no-blobs", check: no_blobs, controls: blob_controls };

fn subject_first(files: &[File]) -> Vec<Offence> {
    let lacks = |file: &&File| {
        let first = file.text.as_deref().and_then(|text| text.lines().next()).unwrap_or("");
        first.strip_prefix("//! ").is_none_or(|subject| subject.trim().is_empty())
    };
    let wrong = rust_files(files).map(|(file, _)| file).filter(lacks);
    wrong.map(|file| file.offence(1, "begin with `//! ` and the one subject of this file")).collect()
}

fn no_mod_files(files: &[File]) -> Vec<Offence> {
    let wrong = files.iter().filter(|file| file.path == "mod.rs" || file.path.ends_with("/mod.rs"));
    wrong.map(|file| file.offence(0, "no `mod.rs`: call it `name.rs`, beside the folder `name/`")).collect()
}

fn no_blobs(files: &[File]) -> Vec<Offence> {
    let (demo, demo_bytes_max) = DEMO;
    let mut offences = Vec::new();
    let mut demo_bytes = 0;
    for file in files {
        if file.path.starts_with(demo) {
            demo_bytes += file.size;
        } else if file.size > BLOB_BYTES_MAX && !file.path.starts_with(RESULTS) {
            let message = format!("{} bytes, at most {BLOB_BYTES_MAX}: generate it from a seed when it is needed", file.size);
            offences.push(file.offence(0, message));
        }
    }
    if demo_bytes > demo_bytes_max {
        let message = format!("{demo_bytes} bytes in all, at most {demo_bytes_max}: ship fewer points");
        offences.push(Offence { path: demo.to_string(), line: 0, message });
    }
    offences
}

fn subject_controls() -> Vec<Control> {
    let says = "begin with `//! `";
    vec![
        Control::of_text("cli/src/a.rs", "use std::fmt;\n", says, "//! Fits.\nuse std::fmt;\n"),
        Control::of_text("cli/src/a.rs", "//!\n//! Late.\n", says, "//! Early.\n//!\n//! More.\n"),
    ]
}

fn mod_controls() -> Vec<Control> {
    vec![Control::of_place("//! A.\n", "cli/src/args/mod.rs", "call it `name.rs`", "cli/src/args.rs")]
}

fn blob_controls() -> Vec<Control> {
    let sized = |path: &str, size: usize| vec![File { size, ..File::new(path, &[0xFF]) }];
    let half = |size: usize| [sized("cli/demo/a.npy", size), sized("cli/demo/b.npy", size)].into_iter().flatten().collect();
    let half_max = DEMO.1 / 2;
    let large = BLOB_BYTES_MAX + 1;
    vec![
        Control { offending: sized("docs/a.png", large), says: "at most 1048576", clean: sized("docs/a.png", BLOB_BYTES_MAX) },
        Control { offending: sized("benches/a.bin", large), says: "at most", clean: sized("benches/results/a.jsonl", large) },
        Control { offending: half(half_max + 1), says: "ship fewer points", clean: half(half_max) },
    ]
}
