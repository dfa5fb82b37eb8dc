//! The files of the repository, as the tidy rules see them.
#![expect(clippy::disallowed_methods, reason = "the house rules read the checkout itself, not a database: no fault is injected here")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tidy::File;

/// Folders that hold no text of ours, left out when there is no git to ask.
const NOT_OURS: [&str; 2] = ["target", ".git"];

/// The folder that holds the workspace's `Cargo.toml`.
pub fn repository_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Every file that is or could be committed, sorted by path: what git tracks, and what it would
/// offer to add. Without git, every file outside the build output.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn load(root: &Path) -> io::Result<Vec<File>> {
    let mut paths = match list_with_git(root) {
        Some(paths) => paths,
        None => list_by_walking(root)?,
    };
    paths.sort();
    paths.dedup();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match std::fs::read(root.join(&path)) {
            Ok(bytes) => files.push(File::new(&path, &bytes)),
            // Deleted but still in git's index, or deleted between the listing and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read {path}: {error}"))),
        }
    }
    Ok(files)
}

/// None when git is not there, or does not know this folder (a source archive).
fn list_with_git(root: &Path) -> Option<Vec<String>> {
    let output =
        Command::new("git").arg("-C").arg(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output().ok()?;
    if !output.status.success() || output.stdout.is_empty() {
        return None;
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

fn list_by_walking(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                let name = entry.file_name();
                if !NOT_OURS.iter().any(|ours| name == *ours) {
                    folders.push(path);
                }
            } else if kind.is_file()
                && let Ok(inside) = path.strip_prefix(root)
            {
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_finds_what_git_lists() {
        let root = repository_root();
        let walked = list_by_walking(&root).unwrap();
        assert!(walked.contains(&"tests/src/tree.rs".to_string()));
        assert!(!walked.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
        let loaded = load(&root).unwrap();
        assert!(loaded.iter().any(|file| file.path == "tests/src/tree.rs" && file.rust.is_some()));
    }
}
