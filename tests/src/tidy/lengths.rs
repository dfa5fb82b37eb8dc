//! How long a file and a function may be.

use super::source::{body, line_at};
use super::{Control, File, Offence, Rule, rust_files};

/// No file is longer.
const FILE_LINES_MAX: usize = 700;
/// Most files are not longer.
const FILE_LINES_USUAL: usize = 400;
/// How many of a hundred files must keep to the usual length.
const USUAL_PERCENT: usize = 90;
/// No function has more lines of code in its body. The compiler's linter counts the same way.
const FUNCTION_LINES_MAX: usize = 70;

/// A file has one subject, and one subject is short.
pub const FILES: Rule = Rule { name: "file-length", check: file_lengths, controls: file_controls };

/// A function fits on a screen.
pub const FUNCTIONS: Rule = Rule { name: "function-length", check: function_lengths, controls: function_controls };

fn file_lengths(files: &[File]) -> Vec<Offence> {
    let lengths = |(file, _)| -> (&File, usize) {
        let file: &File = file;
        (file, file.text.as_deref().map_or(0, |text| text.lines().count()))
    };
    let all: Vec<_> = rust_files(files).map(lengths).collect();
    let mut long: Vec<_> = all.iter().filter(|(_, lines)| *lines > FILE_LINES_USUAL).collect();
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    let mut offences = Vec::new();
    for (file, lines) in long.iter().filter(|(_, lines)| *lines > FILE_LINES_MAX) {
        let message = format!("{lines} lines, at most {FILE_LINES_MAX}: split it by subject, and move tests to a file beside");
        offences.push(file.offence(0, message));
    }
    if long.len() * 100 > all.len() * (100 - USUAL_PERCENT) {
        let (count, total) = (long.len(), all.len());
        let message = format!(
            "{count} of {total} files are above {FILE_LINES_USUAL} lines, at most {}% may be; this is the longest: split it",
            100 - USUAL_PERCENT
        );
        offences.extend(long.first().map(|(file, _)| file.offence(0, message)));
    }
    offences
}

fn function_lengths(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        for (name, at) in functions(&rust.code) {
            let Some((start, end)) = body(&rust.code, at) else { continue };
            let lines = rust.code[start..end].lines().filter(|line| !line.trim().is_empty()).count();
            if lines > FUNCTION_LINES_MAX {
                let message = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: name its parts as functions");
                offences.push(file.offence(line_at(&rust.code, at), message));
            }
        }
    }
    offences
}

/// The name of each function, and the offset behind it. `fn(u8)` is a type and has no name.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        if code[..at].chars().next_back().is_some_and(is_part) {
            continue;
        }
        let name = code[at + 3..].trim_start();
        let length = name.find(|c| !is_part(c)).unwrap_or(name.len());
        if length > 0 {
            let start = code.len() - name.len();
            found.push((&name[..length], start + length));
        }
    }
    found
}

fn lines(count: usize) -> String {
    format!("//! A.\n{}", "// b\n".repeat(count - 1))
}

fn file_controls() -> Vec<Control> {
    let tree = |long: usize, length: usize| -> Vec<File> {
        let length_of = |index: usize| if index < long { length } else { FILE_LINES_USUAL };
        (0..20).map(|index| File::new(&format!("cli/src/a{index}.rs"), lines(length_of(index)).as_bytes())).collect()
    };
    let usual = FILE_LINES_USUAL + 1;
    vec![
        Control { offending: tree(1, FILE_LINES_MAX + 1), says: "701 lines", clean: tree(1, FILE_LINES_MAX) },
        Control { offending: tree(3, usual), says: "3 of 20 files", clean: tree(2, usual) },
    ]
}

fn function_controls() -> Vec<Control> {
    let function = |count: usize| format!("//! A.\nimpl B {{\n    fn c(d: [u8; 4]) {{\n{}    }}\n}}\n", "let e = \"}\";\n".repeat(count));
    let long = function(FUNCTION_LINES_MAX + 1);
    let short = function(FUNCTION_LINES_MAX);
    let commented = short.replacen("let e", "// F {\n\nlet e", 1);
    let path = "cli/src/a.rs";
    vec![Control::of_text(path, &long, "`c` has 71 lines", &short), Control::of_text(path, &long, "at most 70", &commented)]
}
