//! The names of a simulated disk: those in the cache, those on the device, and the changes between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::content::Content;
use crate::random::Stream;

/// Which unsynced changes of names survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Synced,
    Prefix,
    All,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    File(Mutex<Content>),
    Directory(Mutex<Directory>),
}

#[derive(Debug, Default)]
struct Directory {
    volatile: BTreeMap<String, Arc<Node>>,
    durable: BTreeMap<String, Arc<Node>>,
}

impl Node {
    pub(super) fn is_dir(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    pub(super) fn len(&self) -> u64 {
        self.content().map_or(0, |content| content.len())
    }

    pub(super) fn content(&self) -> io::Result<MutexGuard<'_, Content>> {
        match &self.body {
            Body::File(content) => Ok(content.lock()),
            Body::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn directory(&self) -> io::Result<MutexGuard<'_, Directory>> {
        match &self.body {
            Body::Directory(directory) => Ok(directory.lock()),
            Body::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Returns the entries as a running process sees them, in order of their names.
    pub(super) fn entries(&self) -> io::Result<Vec<(String, Arc<Node>)>> {
        let directory = self.directory()?;
        Ok(directory.volatile.iter().map(|(name, node)| (name.clone(), Arc::clone(node))).collect())
    }
}

/// One place where a change shows: what `name` in `directory` becomes.
#[derive(Debug)]
struct Effect {
    directory: Arc<Node>,
    name: String,
    node: Option<Arc<Node>>,
}

impl Effect {
    fn same_place(&self, other: &Self) -> bool {
        self.directory.id == other.directory.id && self.name == other.name
    }

    fn apply(&self, view: impl FnOnce(&mut Directory) -> &mut BTreeMap<String, Arc<Node>>) {
        let mut directory = self.directory.directory().unwrap_or_else(|_| unreachable!("names lie in directories"));
        match &self.node {
            Some(node) => view(&mut directory).insert(self.name.clone(), Arc::clone(node)),
            None => view(&mut directory).remove(&self.name),
        };
    }
}

/// A change of names that is on the device as a whole or not at all.
type Change = Vec<Effect>;

#[derive(Debug)]
pub(super) struct Tree {
    root: Arc<Node>,
    next_id: u64,
    /// Changes that are not durable yet, in the order in which they were made.
    unsynced: Vec<Change>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Arc::new(Node { id: 0, body: Body::Directory(Mutex::default()) });
        Self { root, next_id: 1, unsynced: Vec::new() }
    }

    /// Returns what is at `path`; `None` if nothing is, its directories included.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Arc<Node>>> {
        let mut node = Arc::clone(&self.root);
        for name in parts(path)? {
            let next = match node.directory() {
                Ok(directory) => directory.volatile.get(&name).cloned(),
                Err(_) => None,
            };
            let Some(next) = next else { return Ok(None) };
            node = next;
        }
        Ok(Some(node))
    }

    /// Returns what a power cut that keeps nothing would leave at `path`.
    pub(super) fn find_durable(&self, path: &Path) -> Option<Arc<Node>> {
        let mut node = Arc::clone(&self.root);
        for name in parts(path).ok()? {
            let next = node.directory().ok()?.durable.get(&name).cloned()?;
            node = next;
        }
        Some(node)
    }

    pub(super) fn existing(&self, path: &Path) -> io::Result<Arc<Node>> {
        self.find(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Returns the directory that holds the name of `path`, and the name.
    fn place(&self, path: &Path) -> io::Result<(Arc<Node>, String)> {
        let mut parts = parts(path)?;
        let Some(name) = parts.pop() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let directory = self.existing(&parts.iter().collect::<PathBuf>())?;
        drop(directory.directory()?);
        Ok((directory, name))
    }

    fn make(&mut self, path: &Path, body: Body) -> io::Result<Arc<Node>> {
        let (directory, name) = self.place(path)?;
        if directory.directory()?.volatile.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Arc::new(Node { id: self.next_id, body });
        self.next_id += 1;
        self.change(vec![Effect { directory, name, node: Some(Arc::clone(&node)) }]);
        Ok(node)
    }

    pub(super) fn make_file(&mut self, path: &Path) -> io::Result<Arc<Node>> {
        self.make(path, Body::File(Mutex::default()))
    }

    pub(super) fn make_directory(&mut self, path: &Path) -> io::Result<Arc<Node>> {
        self.make(path, Body::Directory(Mutex::default()))
    }

    /// Removes a file, or a directory without entries.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let node = self.existing(path)?;
        if node.is_dir() && !node.entries()?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (directory, name) = self.place(path)?;
        self.change(vec![Effect { directory, name, node: None }]);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.existing(from)?;
        let (source, old_name) = self.place(from)?;
        let (target, new_name) = self.place(to)?;
        if node.is_dir() && parts(to)?.starts_with(&parts(from)?) && parts(to)? != parts(from)? {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match self.find(to)? {
            Some(found) if found.id == node.id => return Ok(()),
            Some(found) if found.is_dir() && !node.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(found) if !found.is_dir() && node.is_dir() => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Some(found) if found.is_dir() && !found.entries()?.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            _ => {}
        }
        self.change(vec![
            Effect { directory: target, name: new_name, node: Some(node) },
            Effect { directory: source, name: old_name, node: None },
        ]);
        Ok(())
    }

    fn change(&mut self, change: Change) {
        for effect in &change {
            effect.apply(|directory| &mut directory.volatile);
        }
        self.unsynced.push(change);
    }

    /// Makes the names in a directory durable, with the other end of moves into and out of it.
    pub(super) fn sync(&mut self, directory: &Node) {
        for change in self.take_changes_of(directory) {
            for effect in &change {
                effect.apply(|directory| &mut directory.durable);
            }
        }
    }

    /// Forgets what is unsynced in a directory: it never becomes durable.
    pub(super) fn sync_failed(&mut self, directory: &Node) {
        self.take_changes_of(directory);
    }

    /// Takes out the unsynced changes in `directory`, and those before them that touch the same
    /// names: a file that moved here must not be created anew where it came from.
    fn take_changes_of(&mut self, directory: &Node) -> Vec<Change> {
        let mut taken: Vec<Change> = Vec::new();
        let mut left: Vec<Change> = Vec::new();
        for change in std::mem::take(&mut self.unsynced).into_iter().rev() {
            let needed = change
                .iter()
                .any(|effect| effect.directory.id == directory.id || taken.iter().flatten().any(|later| later.same_place(effect)));
            if needed { &mut taken } else { &mut left }.push(change);
        }
        left.reverse();
        taken.reverse();
        self.unsynced = left;
        taken
    }

    /// Removes a file from cache and device at once.
    pub(super) fn vanish(&mut self, path: &Path) -> io::Result<()> {
        self.remove(path)?;
        for gone in self.unsynced.pop().into_iter().flatten() {
            gone.apply(|directory| &mut directory.durable);
            for change in &mut self.unsynced {
                change.retain(|earlier| !earlier.same_place(&gone));
            }
        }
        Ok(())
    }

    /// Returns every file with its path, sorted by path.
    pub(super) fn files(&self) -> Vec<(PathBuf, Arc<Node>)> {
        let mut files = Vec::new();
        let mut open = vec![(PathBuf::from("/"), Arc::clone(&self.root))];
        while let Some((path, node)) = open.pop() {
            match node.entries() {
                Ok(entries) => {
                    open.extend(entries.into_iter().map(|(name, node)| (path.join(name), node)));
                }
                Err(_) => files.push((path, node)),
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files
    }

    /// Makes of the names what a crash leaves of them.
    pub(super) fn crash(&mut self, names: Names, stream: &mut Stream) {
        if names == Names::All {
            return;
        }
        let changes = std::mem::take(&mut self.unsynced);
        if names == Names::Prefix && !changes.is_empty() {
            let kept = stream.below(changes.len() as u64 + 1) as usize;
            for effect in changes[..kept].iter().flatten() {
                effect.apply(|directory| &mut directory.durable);
            }
        }
        let mut open = vec![Arc::clone(&self.root)];
        while let Some(node) = open.pop() {
            let Ok(mut directory) = node.directory() else { continue };
            directory.volatile = directory.durable.clone();
            open.extend(directory.volatile.values().cloned());
        }
    }
}

/// Returns the names along `path` from the root; a relative path starts there too.
fn parts(path: &Path) -> io::Result<Vec<String>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                parts.pop();
            }
            Component::Normal(name) => {
                let name = name.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
                if name.len() > 255 || name.contains('\0') {
                    return Err(io::ErrorKind::InvalidFilename.into());
                }
                parts.push(name.to_owned());
            }
        }
    }
    Ok(parts)
}
