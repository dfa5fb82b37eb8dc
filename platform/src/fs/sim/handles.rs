//! The file system, files and locks that a process on a simulated disk holds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::create_dirs::create_dirs_durably;
use super::super::lock::HeldLock;
use super::super::{DirEntry, File, FileLock, FileSystem, IoError, LockKind, Mapping, Metadata, OpenMode, Result};
use super::trace::{mix, of_bytes};
use super::{Node, SECTOR, SimDisk, State, Sync, device_error};

/// The number of the simulated device.
const DEVICE: u64 = 0x5137;

/// The largest simulated file: far above what a test writes, far below what breaks the machine.
const LARGEST_FILE: u64 = 4 << 30;

impl SimDisk {
    /// Runs a call of a process of boot `boot` and notes it with its outcome in the trace.
    fn call<T>(
        &self,
        boot: u64,
        op: &'static str,
        path: &Path,
        digest: impl FnOnce(&T) -> u64,
        run: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> Result<T> {
        let mut state = self.state.lock();
        // Threads of a dead process run on for a while at their own pace: they leave no trace.
        if let Err(dead) = state.check_alive(boot) {
            return Err(IoError::new(op, path, dead));
        }
        let result = run(&mut state);
        let outcome = match &result {
            Ok(value) => digest(value),
            Err(error) => of_bytes(format!("{:?}", error.kind()).as_bytes()),
        };
        state.trace.record(op, path, outcome);
        result.map_err(|error| IoError::new(op, path, error))
    }
}

#[derive(Clone, Debug)]
pub(super) struct SimFileSystem {
    pub(super) disk: SimDisk,
    pub(super) boot: u64,
}

impl SimFileSystem {
    fn change(&self, op: &'static str, path: &Path, run: impl FnOnce(&mut State) -> io::Result<()>) -> Result<()> {
        self.disk.call(
            self.boot,
            op,
            path,
            |()| 0,
            |state| {
                state.begin_change()?;
                run(state)
            },
        )
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        self.change("create directory", path, |state| state.tree.make_directory(path).map(drop))
    }

    fn is_dir(&self, path: &Path) -> Result<Option<bool>> {
        Ok(self.metadata(path)?.map(|found| found.is_dir))
    }
}

impl FileSystem for SimFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let op = if mode == OpenMode::CreateNew { "create" } else { "open" };
        let node = self.disk.call(
            self.boot,
            op,
            path,
            |node: &Arc<Node>| node.id,
            |state| {
                if mode == OpenMode::CreateNew {
                    state.begin_change()?;
                    let node = state.tree.make_file(path)?;
                    node.content()?.modified_micros = state.now();
                    return Ok(node);
                }
                let node = state.tree.existing(path)?;
                drop(node.content()?);
                if mode == OpenMode::ReadWrite && state.read_only {
                    return Err(io::ErrorKind::ReadOnlyFilesystem.into());
                }
                Ok(node)
            },
        )?;
        let (disk, boot, path) = (self.disk.clone(), self.boot, path.to_owned());
        Ok(Arc::new(SimFile { disk, boot, node, path, writable: mode != OpenMode::Read }))
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>> {
        let digest = |found: &Option<Metadata>| found.map_or(0, |found| found.len + 1);
        self.disk.call(self.boot, "look at", path, digest, |state| {
            let found = state.tree.find(path)?;
            Ok(found.map(|node| Metadata { len: node.len(), is_dir: node.is_dir(), device: DEVICE }))
        })
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        let digest = |entries: &Vec<DirEntry>| entries.iter().fold(0, |hash, entry| mix(hash, of_bytes(entry.name.as_bytes()) ^ entry.len));
        self.disk.call(self.boot, "list", dir, digest, |state| {
            let entries = state.tree.existing(dir)?.entries()?.into_iter();
            Ok(entries
                .map(|(name, node)| DirEntry {
                    name,
                    len: node.len(),
                    is_dir: node.is_dir(),
                    modified_micros: node.content().map_or(0, |content| content.modified_micros),
                })
                .collect())
        })
    }

    fn create_dir_all(&self, path: &Path) -> Result<()> {
        create_dirs_durably(self, path, |directory| self.make_directory(directory))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change("rename", from, |state| {
            state.trace.record("rename to", to, 0);
            state.tree.rename(from, to)
        })
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.change("remove", path, |state| {
            drop(state.tree.existing(path)?.content()?);
            state.tree.remove(path)
        })
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        // Name by name, as a real removal goes: the power can fail between any two.
        match self.is_dir(path)? {
            None => return Ok(()),
            Some(false) => {
                return Err(IoError::new("remove", path, io::ErrorKind::NotADirectory.into()));
            }
            Some(true) => {}
        }
        for entry in self.list(path)? {
            let below = path.join(&entry.name);
            if entry.is_dir { self.remove_dir_all(&below)? } else { self.remove_file(&below)? }
        }
        self.change("remove", path, |state| state.tree.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.call(
            self.boot,
            "sync directory",
            dir,
            |()| 0,
            |state| {
                let node = state.tree.existing(dir)?;
                node.entries()?;
                match state.begin_sync()? {
                    Sync::Done => state.tree.sync(&node),
                    Sync::Skipped => {}
                    Sync::Fails => {
                        state.tree.sync_failed(&node);
                        return Err(device_error());
                    }
                }
                Ok(())
            },
        )
    }

    fn available_bytes(&self, path: &Path) -> Result<u64> {
        self.disk.call(
            self.boot,
            "measure the space at",
            path,
            |room| *room,
            |state| {
                state.tree.existing(path)?;
                Ok(state.room())
            },
        )
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<Option<FileLock>> {
        let digest = |held: &Option<Arc<Node>>| held.as_ref().map_or(0, |node| node.id);
        let held = self.disk.call(self.boot, "lock", path, digest, |state| {
            let node = match state.tree.find(path)? {
                Some(_) if state.read_only => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
                Some(node) => node,
                None => {
                    state.begin_change()?;
                    state.tree.make_file(path)?
                }
            };
            drop(node.content()?);
            let holders = state.locks.entry(node.id).or_default();
            match kind {
                LockKind::Exclusive if *holders == 0 => *holders = -1,
                LockKind::Shared if *holders >= 0 => *holders += 1,
                _ => return Ok(None),
            }
            Ok(Some(node))
        })?;
        Ok(held.map(|node| {
            let (disk, boot, path) = (self.disk.clone(), self.boot, path.to_owned());
            FileLock::new(SimLock { file: SimFile { disk, boot, node, path, writable: true } })
        }))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    boot: u64,
    node: Arc<Node>,
    path: PathBuf,
    writable: bool,
}

impl SimFile {
    fn call<T>(&self, op: &'static str, digest: impl FnOnce(&T) -> u64, run: impl FnOnce(&mut State) -> io::Result<T>) -> Result<T> {
        self.disk.call(self.boot, op, &self.path, digest, run)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    fn sync(&self) -> Result<()> {
        self.call(
            "sync",
            |()| 0,
            |state| {
                match state.begin_sync()? {
                    Sync::Done => self.node.content()?.sync(),
                    Sync::Skipped => {}
                    Sync::Fails => {
                        self.node.content()?.sync_failed(&mut state.stream);
                        return Err(device_error());
                    }
                }
                Ok(())
            },
        )
    }

    /// Writes what the power and the room allow of `buf`.
    fn write(&self, state: &mut State, buf: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= LARGEST_FILE);
        let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        if let Err(error) = state.begin_change() {
            if state.power_is_off {
                self.write_first_sectors(state, buf, offset)?;
            }
            return Err(error);
        }
        let grows = end.saturating_sub(self.node.len());
        let fitting = match state.capacity {
            Some(_) if grows > 0 => (self.node.len() + state.room()).saturating_sub(offset),
            _ => buf.len() as u64,
        };
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).min(buf.len());
        let mut content = self.node.content()?;
        content.modified_micros = state.now();
        content.write(offset as usize, &buf[..fitting], &mut state.stream);
        if fitting < buf.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Writes as many sectors of `buf` as the power lasted for, from none to all.
    fn write_first_sectors(&self, state: &mut State, buf: &[u8], offset: u64) -> io::Result<()> {
        let (sector, end) = (SECTOR as u64, offset + buf.len() as u64);
        let first = offset / sector;
        let reached = first + state.stream.below(end.div_ceil(sector) - first + 1);
        let count = (reached * sector).min(end).saturating_sub(offset);
        if (offset + count).saturating_sub(self.node.len()) <= state.room() {
            let written = &buf[..count as usize];
            self.node.content()?.write(offset as usize, written, &mut state.stream);
        }
        Ok(())
    }
}

impl File for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn len(&self) -> Result<u64> {
        self.call("look at", |len| *len, |_| Ok(self.node.len()))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.call(
            "read",
            |count| mix(offset, *count as u64),
            |_| {
                let content = self.node.content()?;
                let bytes = content.volatile();
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let count = buf.len().min(bytes.len() - start);
                buf[..count].copy_from_slice(&bytes[start..start + count]);
                Ok(count)
            },
        )
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.call("write", |()| mix(offset, of_bytes(buf)), |state| self.write(state, buf, offset))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.call(
            "set the length of",
            |()| len,
            |state| {
                self.check_writable()?;
                state.begin_change()?;
                if len > LARGEST_FILE {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                let grows = len.saturating_sub(self.node.len());
                if grows > 0 && grows > state.room() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let mut content = self.node.content()?;
                content.modified_micros = state.now();
                content.set_len(len);
                Ok(())
            },
        )
    }

    fn sync_data(&self) -> Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> Result<()> {
        self.sync()
    }

    fn map(&self) -> Result<Mapping> {
        self.call(
            "map",
            |mapping: &Mapping| mapping.len() as u64,
            |_| Ok(Mapping::from_memory(Arc::clone(self.node.content()?.volatile()))),
        )
    }
}

#[derive(Debug)]
struct SimLock {
    file: SimFile,
}

impl HeldLock for SimLock {
    fn write_contents(&self, bytes: &[u8]) -> Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(bytes, 0)
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.file.disk.state.lock();
        if state.boot != self.file.boot {
            return;
        }
        let left = match state.locks.remove(&self.file.node.id) {
            Some(holders) if holders > 1 => holders - 1,
            _ => return,
        };
        state.locks.insert(self.file.node.id, left);
    }
}
