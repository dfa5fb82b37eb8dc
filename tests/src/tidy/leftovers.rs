//! What is left behind by work that is not finished.

use super::paths::named_paths;
use super::{Control, File, Offence, Rule, has_word, numbered, rust_files};

/// Marks of unfinished work, in comments and in text that is not Rust.
const MARK_WORDS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
/// Text files, besides Rust, that people write.
const WRITTEN: [&str; 6] = [".md", ".sh", ".toml", ".py", ".yml", ".ci/run"];

/// Code that is a stub, a debugging aid, or a check that cannot fail; spaces are left out.
const LEFTOVER_CODE: [(&str, &str); 6] = [
    ("dbg!(", "remove it"),
    ("todo!(", "write it, or return an error that says what is not supported"),
    ("unimplemented!(", "write it, or return an error that says what is not supported"),
    ("#[ignore", "a test that is not run keeps no promise: make it fast, or give it a command of its own"),
    ("assert!(true", "assert what the test promises"),
    ("assert_eq!(true,true", "assert what the test promises"),
];

/// Unfinished work is an issue, not a comment.
pub const MARKS: Rule = Rule { name: "leftover-marks", check: marks, controls: mark_controls };

/// No stubs, no debugging aids, no tests switched off.
pub const CODE: Rule = Rule { name: "leftover-code", check: code, controls: code_controls };

/// Files that may wait: the clock's own, and those whose waits lie inside of a runtime for the network, where its door cannot be asked.
const WAITING: [&str; 3] = ["platform/src/clock", "platform/src/object_store/remote/multipart.rs", "tests/s3server/src/faults.rs"];

/// Nothing waits for time to pass, but through the clock.
pub const SLEEPS: Rule = Rule { name: "no-sleeps", check: sleeps, controls: sleep_controls };

fn marks(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files {
        let text = match (&file.rust, &file.text) {
            (Some(rust), _) => &rust.comments,
            (None, Some(text)) if WRITTEN.iter().any(|end| file.path.ends_with(end)) => text,
            _ => continue,
        };
        for word in MARK_WORDS {
            for (line, _) in numbered(text, |line| has_word(line, word)) {
                offences.push(file.offence(line, format!("`{word}` is left over: do it, or open an issue")));
            }
        }
    }
    offences
}

fn code(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        for (index, line) in rust.code.lines().enumerate() {
            let packed: String = line.chars().filter(|c| !c.is_whitespace()).collect();
            for (leftover, instead) in LEFTOVER_CODE.iter().filter(|(leftover, _)| packed.contains(leftover)) {
                offences.push(file.offence(index + 1, format!("`{leftover}` is left over: {instead}")));
            }
        }
    }
    offences
}

fn sleeps(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files).filter(|(file, _)| !WAITING.iter().any(|path| file.path.starts_with(path))) {
        for named in named_paths(&rust.code) {
            if ["thread::sleep", "time::sleep"].iter().any(|end| named.path.ends_with(end)) {
                let message = format!("`{}`: wait for the event itself, or through platform::clock (simulated in tests)", named.path);
                offences.push(file.offence(named.line, message));
            }
        }
    }
    offences
}

fn mark_controls() -> Vec<Control> {
    vec![
        Control::of_text("cli/src/a.rs", "//! A.\n// FIXME: b\n", "open an issue", "//! A.\nconst B: &str = \"FIXME\";\n"),
        Control::of_text("docs/a.md", &format!("{}: write this\n", MARK_WORDS[0]), "is left over", "A to-do list, TODOS.\n"),
    ]
}

fn code_controls() -> Vec<Control> {
    let path = "cli/src/a.rs";
    vec![
        Control::of_text(path, "//! A.\nfn a() { todo!(\"b\") }\n", "`todo!(`", "//! A. Not todo!().\nfn a() {}\n"),
        Control::of_text(path, "//! A.\n#[ignore = \"slow\"]\nfn a() {}\n", "keeps no promise", "//! A.\n#[test]\nfn a() {}\n"),
        Control::of_text(path, "//! A.\nfn a() { assert!( true ); }\n", "what the test promises", "//! A.\nfn a() { assert!(b); }\n"),
        Control::of_text(path, "//! A.\nfn a() { dbg!(b); }\n", "remove it", "//! A.\nconst A: &str = \"dbg!(b)\";\n"),
    ]
}

fn sleep_controls() -> Vec<Control> {
    let text = "//! A.\nuse std::thread;\nfn a() { thread::sleep(b); }\n";
    vec![
        Control::of_place(text, "tests/tests/a.rs", "platform::clock", "platform/src/clock.rs"),
        Control::of_text("engine/src/a.rs", text, "platform::clock", "//! A.\nfn a(clock: &dyn Clock) { clock.sleep(b); }\n"),
    ]
}
