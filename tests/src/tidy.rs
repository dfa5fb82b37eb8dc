//! The rules of the house as functions over (path, text) pairs, each with its negative control.
//!
//! A rule sees every file and returns its offences; each message says what to use instead. A rule
//! comes with controls: made-up files that it must report, and clean twins that it must not. To
//! add a rule, write it in the file of its family and name it in [`RULES`].

mod attributes;
mod crates;
mod docs;
mod doors;
mod leftovers;
mod lengths;
mod lints;
mod paths;
mod shape;
mod source;
mod toml;
mod unsafety;
mod words;

pub use source::Rust;

/// Every rule of the house.
pub const RULES: &[Rule] = &[
    crates::MANIFEST_EDGES,
    crates::SOURCE_EDGES,
    crates::DEPENDENCY_DOORS,
    doors::INDEX_IS_PURE,
    doors::CRATE_DOORS,
    doors::CPU_DETECTION,
    doors::ROOMS,
    lengths::FILES,
    lengths::FUNCTIONS,
    shape::SUBJECT_FIRST,
    shape::NO_MOD_FILES,
    shape::NO_BLOBS,
    leftovers::MARKS,
    leftovers::CODE,
    leftovers::SLEEPS,
    attributes::REASONS,
    unsafety::PLACES,
    unsafety::COMMENTS,
    words::MACHINE_WORDS,
    lints::WORKSPACE_LINTS,
    lints::CRATES_INHERIT,
    lints::CLIPPY_BANS,
    docs::LINKS,
    docs::DECISIONS,
    docs::GUARANTEES,
];

/// One rule of the house.
pub struct Rule {
    /// Its name, in the offence and in the control.
    pub name: &'static str,
    /// Returns every offence in these files; they are the whole tree.
    pub check: fn(&[File]) -> Vec<Offence>,
    /// Returns the proofs that the rule can fail, at least one.
    pub controls: fn() -> Vec<Control>,
}

/// A made-up tree that a rule must report, and its clean twin.
pub struct Control {
    /// The tree with the offence.
    pub offending: Vec<File>,
    /// What the message of the offence must say.
    pub says: &'static str,
    /// The nearest tree without the offence.
    pub clean: Vec<File>,
}

impl Control {
    /// A control that differs in the text of one file only.
    pub fn of_text(path: &str, offending: &str, says: &'static str, clean: &str) -> Self {
        Self { offending: vec![File::new(path, offending.as_bytes())], says, clean: vec![File::new(path, clean.as_bytes())] }
    }

    /// A control in which the same text is right in one place and wrong in another.
    pub fn of_place(text: &str, wrong: &str, says: &'static str, right: &str) -> Self {
        Self { offending: vec![File::new(wrong, text.as_bytes())], says, clean: vec![File::new(right, text.as_bytes())] }
    }
}

/// A file as the rules see it.
pub struct File {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: usize,
    /// Its text; None for binary files.
    pub text: Option<String>,
    /// Its code and comments apart; None unless it is Rust.
    pub rust: Option<Rust>,
}

impl File {
    /// The file at `path` with these bytes.
    pub fn new(path: &str, bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok().map(str::to_string);
        let rust = text.as_deref().filter(|_| path.ends_with(".rs")).map(Rust::parse);
        Self { path: path.to_string(), size: bytes.len(), text, rust }
    }

    /// The crate (its folder) that the file belongs to; "" at the root.
    pub fn crate_folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// True when the file holds tests only.
    pub fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.crate_folder() == "tests"
    }

    fn offence(&self, line: usize, message: impl Into<String>) -> Offence {
        Offence { path: self.path.clone(), line, message: message.into() }
    }
}

/// One place where a rule is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, from 1; 0 when the whole file or tree is meant.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub message: String,
}

impl std::fmt::Display for Offence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The Rust files among `files`, each with its parsed text.
fn rust_files(files: &[File]) -> impl Iterator<Item = (&File, &Rust)> {
    files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
}

/// The lines of `text` in which `is_wrong` finds something, numbered from 1.
fn numbered<'a>(text: &'a str, is_wrong: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().filter(move |(_, line)| is_wrong(line)).map(|(index, line)| (index + 1, line))
}

/// True when `line` holds `word` with no letter, digit or underscore on either side.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
