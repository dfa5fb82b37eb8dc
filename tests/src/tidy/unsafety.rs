//! Where `unsafe` may stand, and what must stand beside it.

use super::{Control, File, Offence, Rule, has_word, numbered, rust_files};

/// The kernels and the memory map: path prefixes.
const PLACES_LIST: [&str; 2] = ["index/src/simd", "platform/src/fs/mmap.rs"];
/// How many lines above an `unsafe` its argument may begin.
const LINES_ABOVE: usize = 12;

/// Only two doors are unsafe.
pub const PLACES: Rule = Rule { name: "unsafe-places", check: places, controls: place_controls };

/// Each `unsafe` has its argument beside it.
pub const COMMENTS: Rule = Rule { name: "unsafe-comments", check: comments, controls: comment_controls };

fn places(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        if PLACES_LIST.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        for (line, _) in numbered(&rust.code, |line| has_word(line, "unsafe")) {
            let message = "`unsafe` is for index/src/simd and platform/src/fs/mmap.rs: call their safe functions";
            offences.push(file.offence(line, message));
        }
    }
    offences
}

fn comments(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        for (line, _) in numbered(&rust.code, uses_unsafe) {
            // A caller's contract may stand once, on the trait or the type whose functions share it.
            let from = if declares_only(&rust.code, line) { 0 } else { line.saturating_sub(LINES_ABOVE + 1) };
            let mut beside = rust.comments.lines().skip(from).take(line + 1 - from);
            if !beside.any(|comment| comment.contains("SAFETY:") || comment.contains("# Safety")) {
                let message = "`unsafe` without its argument: write `// SAFETY: why this holds` (or `# Safety` for callers) above it";
                offences.push(file.offence(line, message));
            }
        }
    }
    offences
}

/// A function pointer type (`unsafe fn(..)`) promises nothing by itself.
fn uses_unsafe(line: &str) -> bool {
    has_word(&line.replace("unsafe fn(", ""), "unsafe")
}

/// True when the only `unsafe` of the line declares a function: a contract, not a claim.
fn declares_only(code: &str, line: usize) -> bool {
    let text = code.lines().nth(line - 1).unwrap_or("");
    !has_word(&text.replace("unsafe fn", ""), "unsafe")
}

fn place_controls() -> Vec<Control> {
    let text = "//! A.\nfn a() {\n    // SAFETY: b.\n    unsafe { c() }\n}\n";
    vec![
        Control::of_place(text, "engine/src/log.rs", "call their safe functions", "index/src/simd/avx2.rs"),
        Control::of_text("engine/src/a.rs", text, "`unsafe` is for", "//! A. Nothing unsafe.\n#![expect(unsafe_code, reason = \"b\")]\n"),
    ]
}

fn comment_controls() -> Vec<Control> {
    let path = "index/src/simd/avx2.rs";
    let bare = "//! A.\nfn a() {\n    unsafe { c() }\n}\n";
    let far = format!("//! A.\n// SAFETY: b.\n{}fn a() {{ unsafe {{ c() }} }}\n", "use d;\n".repeat(LINES_ABOVE));
    let contract = format!("//! A.\n/// # Safety\n/// B.\ntrait C {{\n{}}}\n", "unsafe fn d();\n".repeat(2 * LINES_ABOVE));
    vec![
        Control::of_text(path, bare, "without its argument", "//! A.\nfn a() {\n    // SAFETY: b.\n    unsafe { c() }\n}\n"),
        Control::of_text(path, &far, "without its argument", "//! A.\n/// B.\n/// # Safety\n/// C.\nunsafe fn a() {}\n"),
        Control::of_text(path, "//! A.\nunsafe impl B for C {}\n", "SAFETY", "//! A.\nstruct B { c: unsafe fn(u8) }\n"),
        Control::of_text(path, "//! A.\nunsafe fn a() {}\n", "`# Safety` for callers", &contract),
    ]
}
