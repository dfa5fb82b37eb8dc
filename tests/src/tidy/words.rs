//! Words that have no place in a public text: paths and tools of the machine where it was written.

use super::{Control, File, Offence, Rule, numbered};

/// Built by joining, so that this file does not hold the words that it looks for.
const WORDS: [&str; 8] = [
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/wo", "rk/."),
    concat!("/tmp/", "brief"),
    concat!("/tmp/", "target-"),
    concat!("/tmp/", "bash_jobs"),
    concat!("issues", " show"),
    concat!("issues", " note"),
];

/// Nothing that is committed names the machine it was made on.
pub const MACHINE_WORDS: Rule = Rule { name: "machine-words", check: machine_words, controls };

fn machine_words(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files {
        let Some(text) = &file.text else { continue };
        for word in WORDS {
            for (line, _) in numbered(text, |line| line.contains(word)) {
                let message = format!("`{word}` exists on one machine only: take the path as an argument, or leave the tool out");
                offences.push(file.offence(line, message));
            }
        }
    }
    offences
}

fn controls() -> Vec<Control> {
    let of = |word: &str, clean| Control::of_text("docs/a.md", &format!("Run it in `{word}`.\n"), "on one machine only", clean);
    let mut all: Vec<_> = WORDS.iter().map(|word| of(word, "Run it at the root of the repository.\n")).collect();
    all.push(of(WORDS[0], "The main framework/main module, and issues that show it.\n"));
    all
}
