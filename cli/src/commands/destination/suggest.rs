//! "Did you mean ...?": locations of backups near a path that does not exist.

use super::ARCHIVE_FILE;
use crate::likeness::edit_distance;
use platform::World;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Directories that are listed at most, and for how long: a question must not take longer than an answer.
const DIRECTORIES_MAX: usize = 2_000;
const MICROS_MAX: u64 = 2_000_000;
/// Levels below the directory where the search begins.
const DEPTH_MAX: usize = 6;
/// Locations that are shown.
const SHOWN_MAX: usize = 3;

/// Finds locations of backups below a directory that are like the names that were wanted there, the most alike first; with none wanted, any.
pub(super) fn below(world: &World, start: &Path, wanted: &[String]) -> Vec<PathBuf> {
    let found = walk(world, start, wanted);
    let wanted_text = wanted.join("/");
    let mut ranked: Vec<_> = found
        .into_iter()
        .filter_map(|names| {
            let tail = names.iter().rev().zip(wanted.iter().rev()).take_while(|(a, b)| a == b).count();
            let text = names.join("/");
            let distance = edit_distance(&text, &wanted_text);
            // The beginning itself is a location: what was wanted lies in a backup.
            let is_alike = names.is_empty() || wanted.is_empty() || tail > 0 || distance <= (wanted_text.len() / 3).max(2);
            is_alike.then_some((Reverse(tail), distance, text))
        })
        .collect();
    ranked.sort();
    let path = |text: String| if text.is_empty() { start.to_path_buf() } else { start.join(text) };
    ranked.into_iter().take(SHOWN_MAX).map(|(_, _, text)| path(text)).collect()
}

/// Puts the question.
pub(super) fn question(found: &[PathBuf]) -> Option<String> {
    let quoted: Vec<String> = found.iter().map(|path| format!("\"{}\"", path.display())).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

/// Lists locations of backups as the names that lead to them; what is like a wanted name is looked into first.
fn walk(world: &World, start: &Path, wanted: &[String]) -> Vec<Vec<String>> {
    let deadline = world.clock.monotonic_micros().saturating_add(MICROS_MAX);
    let depth_max = (wanted.len() + 2).min(DEPTH_MAX);
    let mut open: VecDeque<Vec<String>> = VecDeque::from([Vec::new()]);
    let (mut found, mut listed) = (Vec::new(), 0);
    while let Some(names) = open.pop_front() {
        if listed == DIRECTORIES_MAX || world.clock.monotonic_micros() >= deadline {
            break;
        }
        listed += 1;
        let path = names.iter().fold(start.to_path_buf(), |path, name| path.join(name));
        let Ok(entries) = world.fs.list(&path) else { continue };
        if entries.iter().any(|entry| !entry.is_dir && entry.name == ARCHIVE_FILE) {
            found.push(names);
            continue;
        }
        if names.len() == depth_max {
            continue;
        }
        for entry in entries.into_iter().filter(|entry| entry.is_dir && !entry.name.starts_with('.') && !is_kernel(&path, &entry.name)) {
            let is_like = |part: &String| edit_distance(part, &entry.name) <= 2;
            let first = wanted.iter().any(is_like);
            let mut deeper = names.clone();
            deeper.push(entry.name);
            if first { open.push_front(deeper) } else { open.push_back(deeper) }
        }
    }
    found
}

/// Whether a directory shows the kernel, and no disk.
fn is_kernel(parent: &Path, name: &str) -> bool {
    parent == Path::new("/") && matches!(name, "proc" | "sys" | "dev")
}
