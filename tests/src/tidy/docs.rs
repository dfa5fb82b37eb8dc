//! Documents: their links lead somewhere, their decisions have a form.

use super::{Control, File, Offence, Rule, numbered};

/// The headings of a decision, in this order.
const DECISION_HEADINGS: [&str; 4] = ["## Context", "## Options", "## Choice", "## What would change our mind"];

/// A relative link in a document leads to a file of the repository.
pub const LINKS: Rule = Rule { name: "links", check: links, controls: link_controls };

/// A decision says what it chose between, and what would change it.
pub const DECISIONS: Rule = Rule { name: "decisions", check: decisions, controls: decision_controls };

/// A promise names the test that keeps it, and the test exists.
pub const GUARANTEES: Rule = Rule { name: "guarantees", check: guarantees, controls: guarantee_controls };

/// Where the promises stand.
const GUARANTEES_PATH: &str = "docs/guarantees.md";

fn guarantees(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    let is_test = |name: &str| {
        let (function, script) = (format!("fn {name}("), format!("/{name}"));
        files.iter().any(|file| {
            file.path.ends_with(&script) || file.rust.is_some() && file.text.as_deref().is_some_and(|text| text.contains(&function))
        })
    };
    for (file, text) in documents(files).filter(|(file, _)| file.path == GUARANTEES_PATH) {
        for (line, row) in numbered(text, |line| line.starts_with("| ") && !line.contains("| ---")) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let (Some(name), Some(kept)) = (cells.first(), cells.last()) else { continue };
            let tests: Vec<&str> = kept.split('`').skip(1).step_by(2).collect();
            let is_heading = *kept == "kept by";
            if !is_heading && tests.is_empty() && !kept.starts_with("later:") {
                offences.push(file.offence(line, format!("{name} names no test: name one in backquotes, or write `later:` and why")));
            }
            for test in tests.iter().filter(|test| !is_test(test)) {
                offences.push(file.offence(line, format!("there is no test `{test}`: name the one that keeps {name}")));
            }
        }
    }
    offences
}

fn guarantee_controls() -> Vec<Control> {
    let tree = |row: &str| {
        let text = format!("| promise | kept by |\n| --- | --- |\n{row}\n");
        vec![File::new(GUARANTEES_PATH, text.as_bytes()), File::new("engine/src/a.rs", b"//! A.\nfn it_holds() {}\n")]
    };
    let clean = || tree("| S1 | `it_holds` |");
    vec![
        Control { offending: tree("| S1 | `it_does_not` |"), says: "there is no test `it_does_not`", clean: clean() },
        Control { offending: tree("| S1 | see the code |"), says: "S1 names no test", clean: clean() },
        Control { offending: tree("| S1 | |"), says: "S1 names no test", clean: tree("| S1 | later: needs a server |") },
    ]
}

fn links(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in documents(files) {
        for (line, content) in numbered(text, |line| line.contains("](")) {
            for target in content.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = target.split('#').next().unwrap_or("");
                let is_elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
                if !is_elsewhere && !exists(files, &resolve(&file.path, target)) {
                    offences.push(file.offence(line, format!("the link to `{target}` leads nowhere: mend it, or name the file in words")));
                }
            }
        }
    }
    offences
}

fn documents(files: &[File]) -> impl Iterator<Item = (&File, &str)> {
    let written = files.iter().filter(|file| file.path.ends_with(".md"));
    written.filter_map(|file| Some((file, file.text.as_deref()?)))
}

/// True for a file, and for a folder that holds one.
fn exists(files: &[File], path: &str) -> bool {
    let folder = format!("{path}/");
    files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
}

/// The path, from the root, of a link in the document at `from`.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn decisions(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in documents(files) {
        let Some(name) = file.path.strip_prefix("docs/decisions/") else { continue };
        let digits = name.chars().take_while(char::is_ascii_digit).count();
        if digits != 4 || !name[digits..].starts_with('-') {
            offences.push(file.offence(0, "call a decision `NNNN-what-was-decided.md`"));
        }
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with("## ")).collect();
        if headings != DECISION_HEADINGS {
            let expected = DECISION_HEADINGS.join(", ");
            offences.push(file.offence(1, format!("a decision has these headings, in this order: {expected}")));
        }
    }
    offences
}

fn link_controls() -> Vec<Control> {
    let tree = |link: &str| {
        let text = format!("See [a]({link}) and [b](https://example.org/c).\n");
        vec![File::new("docs/a.md", text.as_bytes()), File::new("docs/format/log.md", b""), File::new("STYLE.md", b"")]
    };
    vec![
        Control { offending: tree("format/logs.md"), says: "`format/logs.md` leads nowhere", clean: tree("format/log.md#head") },
        Control { offending: tree("STYLE.md"), says: "leads nowhere", clean: tree("../STYLE.md") },
        Control { offending: tree("../format"), says: "leads nowhere", clean: tree("./format") },
    ]
}

fn decision_controls() -> Vec<Control> {
    let clean = format!("# A\n\n{}\n", DECISION_HEADINGS.join("\nText.\n"));
    let path = "docs/decisions/0007-a.md";
    vec![
        Control::of_text(path, &clean.replace("## Options\n", ""), "these headings", &clean),
        Control::of_place(&clean, "docs/decisions/a.md", "`NNNN-what-was-decided.md`", path),
    ]
}
