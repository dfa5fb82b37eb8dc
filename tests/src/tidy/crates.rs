//! Who may know whom: the allowed edges between crates, and which crate may hold which dependency.

use super::paths::named_paths;
use super::toml::dependencies;
use super::{Control, File, Offence, Rule, rust_files};

/// A crate of ours, and the crates of ours that it may import.
struct Edges {
    folder: &'static str,
    /// Names under which the crate is imported: in code, and its package name.
    names: [&'static str; 2],
    may_import: &'static [&'static str],
}

/// Data flows down; `platform` is the ground floor, `index` is pure. The last three attack, measure
/// and promise: they may import everything, and nothing may import them.
const CRATES: [Edges; 9] = [
    Edges { folder: "platform", names: ["platform", "vectra-platform"], may_import: &[] },
    Edges { folder: "index", names: ["index", "vectra-index"], may_import: &[] },
    Edges { folder: "engine", names: ["engine", "vectra-engine"], may_import: &["index", "platform"] },
    Edges { folder: "pitr", names: ["pitr", "vectra-pitr"], may_import: &["engine", "platform"] },
    Edges { folder: "server", names: ["server", "vectra-server"], may_import: &["pitr", "engine", "index", "platform"] },
    Edges { folder: "cli", names: ["vectra_cli", "vectra"], may_import: &["server", "pitr", "engine", "index", "platform"] },
    Edges { folder: "fuzz", names: ["vectra_fuzz", "vectra-fuzz"], may_import: EVERYTHING },
    Edges { folder: "benches", names: ["vectra_benches", "vectra-benches"], may_import: EVERYTHING },
    Edges { folder: "tests", names: ["vectra_tests", "vectra-tests"], may_import: EVERYTHING },
];

const EVERYTHING: &[&str] = &["cli", "server", "pitr", "engine", "index", "platform", "fuzz", "benches", "tests"];

/// Third-party crates that one crate of ours wraps: (name, folders whose manifest may name it).
const WRAPPED: [(&str, &[&str]); 20] = [
    ("object_store", &["platform"]),
    ("tokio", &["platform"]),
    ("tokio-rustls", &["platform"]),
    ("futures-util", &["platform"]),
    ("hyper", &["platform"]),
    ("hyper-util", &["platform"]),
    ("http-body-util", &["platform"]),
    ("httparse", &["platform"]),
    ("reqwest", &["platform"]),
    ("rustls", &["platform"]),
    ("tracing", &["platform"]),
    ("tracing-subscriber", &["platform"]),
    ("s3s", &["tests"]),
    ("memmap2", &["platform"]),
    ("getrandom", &["platform"]),
    ("rustix", &["platform"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("libfuzzer-sys", &["fuzz"]),
    ("criterion", &["benches"]),
];

/// The manifests name only the crates that the design allows.
pub const MANIFEST_EDGES: Rule = Rule { name: "manifest-edges", check: manifest_edges, controls: manifest_controls };

/// The sources name only the crates that the design allows.
pub const SOURCE_EDGES: Rule = Rule { name: "source-edges", check: source_edges, controls: source_controls };

/// A third-party crate that has a door is a dependency of the door's crate only.
pub const DEPENDENCY_DOORS: Rule = Rule { name: "dependency-doors", check: dependency_doors, controls: dependency_controls };

fn manifest_edges(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in manifests(files) {
        for dependency in dependencies(text) {
            // The workspace's key for the command line is its package name with a suffix.
            let name = if dependency.name == "vectra-cli" { "vectra" } else { dependency.name.as_str() };
            offences.extend(forbidden_edge(file, dependency.line, name));
        }
    }
    offences
}

fn source_edges(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, rust) in rust_files(files) {
        for named in named_paths(&rust.code) {
            offences.extend(forbidden_edge(file, named.line, named.root()));
        }
    }
    offences
}

fn forbidden_edge(file: &File, line: usize, name: &str) -> Option<Offence> {
    let from = CRATES.iter().find(|edges| edges.folder == file.crate_folder())?;
    let to = CRATES.iter().find(|edges| edges.names.contains(&name))?;
    if from.folder == to.folder || from.may_import.contains(&to.folder) {
        return None;
    }
    let allowed = if from.may_import.is_empty() { "none of our crates".to_string() } else { from.may_import.join(", ") };
    let message = format!(
        "`{}` may not import `{}` (allowed: {allowed}): take what you need as an argument, or move this code up",
        from.folder, to.folder
    );
    Some(file.offence(line, message))
}

fn dependency_doors(files: &[File]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (file, text) in manifests(files) {
        for dependency in dependencies(text) {
            let Some((name, folders)) = WRAPPED.iter().find(|(name, _)| *name == dependency.name) else { continue };
            if folders.contains(&file.crate_folder()) || EVERYTHING[6..].contains(&file.crate_folder()) {
                continue;
            }
            let message = format!("`{name}` has a door: call `{}` instead of depending on it", folders[0]);
            offences.push(file.offence(dependency.line, message));
        }
    }
    offences
}

/// The manifests of the crates; the workspace's own only lists versions.
fn manifests(files: &[File]) -> impl Iterator<Item = (&File, &str)> {
    let of_crates = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    of_crates.filter_map(|file| Some((file, file.text.as_deref()?)))
}

fn manifest_controls() -> Vec<Control> {
    let edge = |path, offending, says, clean| Control::of_text(path, offending, says, clean);
    vec![
        edge(
            "engine/Cargo.toml",
            "[dependencies]\nindex.workspace = true\npitr.workspace = true\n",
            "`engine` may not import `pitr`",
            "[dependencies]\nindex.workspace = true\nplatform.workspace = true\n",
        ),
        edge(
            "index/Cargo.toml",
            "[dev-dependencies]\nworld = { path = \"../platform\", package = \"vectra-platform\" }\n",
            "`index` may not import `platform`",
            "[dev-dependencies]\nhalf.workspace = true\n",
        ),
        edge(
            "pitr/Cargo.toml",
            "[dev-dependencies]\nvectra-cli.workspace = true\n",
            "`pitr` may not import `cli`",
            "[dev-dependencies]\nengine.workspace = true\n",
        ),
    ]
}

fn source_controls() -> Vec<Control> {
    let offending = "//! A.\nuse std::sync::Arc;\nfn a() { engine::open(); }\n";
    vec![
        Control::of_place(offending, "platform/src/a.rs", "`platform` may not import `engine`", "cli/src/a.rs"),
        Control::of_text(
            "index/src/a.rs",
            "//! A.\nuse platform::{fs, clock};\n",
            "`index` may not import `platform`",
            "//! A.\n// use platform::fs;\nconst A: &str = \"platform::fs\";\n",
        ),
        Control::of_place("//! A.\nuse vectra_tests::tidy;\n", "cli/src/a.rs", "import `tests`", "tests/tests/a.rs"),
    ]
}

fn dependency_controls() -> Vec<Control> {
    let tokio = "[dependencies]\ntokio = { version = \"1\" }\n";
    let files = "[dependencies]\nobject_store.workspace = true\n";
    vec![
        Control::of_place(tokio, "engine/Cargo.toml", "`tokio` has a door: call `platform`", "platform/Cargo.toml"),
        Control::of_place(files, "pitr/Cargo.toml", "`object_store` has a door", "platform/Cargo.toml"),
    ]
}
