//! The lints of the house stay switched on, in every crate.

use super::toml::{Entry, entries};
use super::{Control, File, Offence, Rule, has_word};

/// (table, lint, level): the level may be stricter, never looser.
const HOUSE_LINTS: [(&str, &str, &str); 16] = [
    ("rust", "missing_docs", "warn"),
    ("rust", "unsafe_code", "deny"),
    ("rust", "unsafe_op_in_unsafe_fn", "deny"),
    ("rust", "unused_must_use", "deny"),
    ("clippy", "disallowed_methods", "deny"),
    ("clippy", "disallowed_types", "deny"),
    ("clippy", "disallowed_macros", "deny"),
    ("clippy", "undocumented_unsafe_blocks", "deny"),
    ("clippy", "missing_safety_doc", "deny"),
    ("clippy", "missing_errors_doc", "warn"),
    ("clippy", "unwrap_used", "deny"),
    ("clippy", "dbg_macro", "deny"),
    ("clippy", "todo", "deny"),
    ("clippy", "unimplemented", "deny"),
    ("clippy", "too_many_lines", "warn"),
    ("clippy", "allow_attributes_without_reason", "deny"),
];

/// From loose to strict.
const LEVELS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// What clippy.toml must ban or set: one for each door at least.
const CLIPPY_SETTINGS: [&str; 23] = [
    "too-many-lines-threshold = 70",
    "\"std::print\"",
    "\"std::println\"",
    "\"std::eprint\"",
    "\"std::eprintln\"",
    "\"std::is_x86_feature_detected\"",
    "\"std::fs::File::open\"",
    "\"std::fs::File::create\"",
    "\"std::fs::OpenOptions::open\"",
    "\"std::fs::read\"",
    "\"std::fs::read_to_string\"",
    "\"std::fs::read_dir\"",
    "\"std::fs::write\"",
    "\"std::fs::copy\"",
    "\"std::fs::rename\"",
    "\"std::fs::remove_file\"",
    "\"std::fs::create_dir_all\"",
    "\"std::time::Instant::now\"",
    "\"std::time::SystemTime::now\"",
    "\"std::thread::sleep\"",
    "\"getrandom::fill\"",
    "\"std::process::exit\"",
    "\"std::collections::hash_map::RandomState\"",
];

/// The workspace's lints are all there.
pub const WORKSPACE_LINTS: Rule = Rule { name: "workspace-lints", check: workspace_lints, controls: lint_controls };

/// Every crate inherits them.
pub const CRATES_INHERIT: Rule = Rule { name: "crates-inherit-lints", check: crates_inherit, controls: inherit_controls };

/// clippy.toml bans what has a door.
pub const CLIPPY_BANS: Rule = Rule { name: "clippy-bans", check: clippy_bans, controls: ban_controls };

fn workspace_lints(files: &[File]) -> Vec<Offence> {
    let Some((file, text)) = find(files, "Cargo.toml") else {
        return vec![missing("Cargo.toml")];
    };
    let entries = entries(text);
    let mut offences = Vec::new();
    for (table, lint, least) in HOUSE_LINTS {
        let strictness = |level: &str| LEVELS.iter().position(|known| *known == level);
        let table_name = format!("workspace.lints.{table}");
        let found = entries.iter().find(|entry| entry.table == table_name && entry.key == lint);
        let level = found.and_then(|entry: &Entry<'_>| strictness(entry.value.trim_matches('"')));
        if level < strictness(least) {
            let line = found.map_or(0, |entry| entry.line);
            let message =
                format!("the lint `{lint}` must be \"{least}\" in [{table_name}]: make an exception where it is needed, not here");
            offences.push(file.offence(line, message));
        }
    }
    offences
}

fn crates_inherit(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let entries = entries(file.text.as_deref().unwrap_or(""));
        let inherits = |entry: &Entry<'_>| entry.table == "lints" && entry.key == "workspace" && entry.value == "true";
        if !entries.iter().any(inherits) {
            offences.push(file.offence(0, "write `[lints]` with `workspace = true`: the rules are the same in every crate"));
        }
    }
    offences
}

fn clippy_bans(files: &[File]) -> Vec<Offence> {
    let Some((file, text)) = find(files, "clippy.toml") else {
        return vec![missing("clippy.toml")];
    };
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let absent = CLIPPY_SETTINGS.iter().filter(|setting| !lines.iter().any(|line| has_word(line, setting)));
    absent.map(|setting| file.offence(0, format!("{setting} must stay: open the door where it is needed, with a reason"))).collect()
}

fn find<'a>(files: &'a [File], path: &str) -> Option<(&'a File, &'a str)> {
    let file = files.iter().find(|file| file.path == path)?;
    Some((file, file.text.as_deref()?))
}

fn missing(path: &str) -> Offence {
    Offence { path: path.to_string(), line: 0, message: "the file is missing: the house has its lints there".to_string() }
}

fn house_manifest() -> String {
    let of_table = |wanted: &str| -> String {
        let lints = HOUSE_LINTS.iter().filter(|(table, _, _)| *table == wanted);
        let lines = lints.map(|(_, lint, level)| format!("{lint} = \"{level}\"\n"));
        format!("[workspace.lints.{wanted}]\n{}", lines.collect::<String>())
    };
    of_table("rust") + &of_table("clippy")
}

fn lint_controls() -> Vec<Control> {
    let clean = house_manifest();
    let of = |offending: &str, says| Control::of_text("Cargo.toml", offending, says, &clean);
    vec![
        of(&clean.replace("todo = \"deny\"\n", ""), "the lint `todo` must be \"deny\""),
        of(&clean.replace("unwrap_used = \"deny\"", "unwrap_used = \"warn\""), "`unwrap_used`"),
        of(&clean.replace("[workspace.lints.clippy]", "[lints.clippy]"), "`disallowed_methods`"),
        Control { offending: Vec::new(), says: "the file is missing", clean: vec![File::new("Cargo.toml", clean.as_bytes())] },
    ]
}

fn inherit_controls() -> Vec<Control> {
    let clean = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
    let says = "`workspace = true`";
    vec![
        Control::of_text("engine/Cargo.toml", "[package]\nname = \"a\"\n", says, clean),
        Control::of_text("engine/Cargo.toml", "[package]\nworkspace = true\n[lints]\n# workspace = true\n", says, clean),
    ]
}

fn ban_controls() -> Vec<Control> {
    let clean = CLIPPY_SETTINGS.map(|setting| format!("{setting}\n")).concat();
    let offending = clean.replace("\"std::fs::rename\"\n", "# \"std::fs::rename\"\n");
    vec![
        Control::of_text("clippy.toml", &offending, "\"std::fs::rename\" must stay", &clean),
        Control::of_text("clippy.toml", &clean.replace("= 70", "= 700"), "threshold = 70", &clean),
    ]
}
