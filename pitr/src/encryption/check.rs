//! A check of an archive without its key: everything is there that says so, and every object ends with the hash of its stored bytes.

use engine::codec::checksum::{HASH_LEN, Hash, Hasher};
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::{ObjectMeta, ObjectStore};

use super::description::LockedArchive;
use super::format::{self, HEADER_LEN, Header};
use super::keys;
use crate::Progress;
use crate::archive::Key;
use crate::archive::stored::{at, for_each_piece, store_error};

/// What a check without the key found.
#[derive(Debug)]
pub struct StoredReport {
    /// Objects that were read.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// What is wrong, each naming its object; empty when everything is as it was put.
    pub problems: Vec<Error>,
}

impl StoredReport {
    /// Gives the first problem, `Corrupt` before `Incomplete`; `None` when nothing is wrong.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.problems.iter().find(|error| error.kind == ErrorKind::Corrupt).or(self.problems.first())
    }
}

/// Reads every object of an archive, encrypted or not, and checks the hash that it ends with. Nothing is decrypted.
///
/// An object that is missing is not noticed: only the descriptions of backups tell, and they are encrypted.
///
/// # Errors
/// Those of the store; what is wrong with objects is in the report.
pub fn check_stored(store: &dyn ObjectStore, progress: Progress<'_>) -> Result<StoredReport> {
    let listed = store.list("").map_err(|e| store_error(&e))?;
    let known: Vec<&ObjectMeta> = listed.iter().filter(|meta| Key::parse(&meta.key) != Key::Other).collect();
    let total = known.iter().map(|meta| meta.size).sum();
    let mut report = StoredReport { objects: 0, bytes: 0, problems: Vec::new() };
    let is_encrypted = match LockedArchive::read(store) {
        Ok(None) => false,
        Ok(Some(archive)) => {
            keep_damage(keys::find(store, archive.key_id), &mut report.problems)?;
            true
        }
        Err(error) if is_damage(&error) => {
            report.problems.push(error);
            known.iter().any(|meta| matches!(Key::parse(&meta.key), Key::WrappedKey(_)))
        }
        Err(error) => return Err(error),
    };
    for meta in known {
        let is_open = matches!(Key::parse(&meta.key), Key::Archive | Key::WrappedKey(_));
        let checked = check_object(store, meta, is_encrypted && !is_open, &mut |done| progress(report.bytes + done, total));
        let is_named = report.problems.iter().any(|error| error.object.as_ref() == Some(&meta.key));
        if !is_named {
            keep_damage(checked.map_err(|error| at(error, store, &meta.key)), &mut report.problems)?;
        }
        report.objects += 1;
        report.bytes += meta.size;
    }
    Ok(report)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Incomplete)
}

/// Collects damage; any other error ends the check.
fn keep_damage<T>(result: Result<T>, problems: &mut Vec<Error>) -> Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_damage(&error) => {
            problems.push(error);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn check_object(store: &dyn ObjectStore, meta: &ObjectMeta, is_encrypted: bool, visit: &mut dyn FnMut(u64)) -> Result<()> {
    let Some(content_end) = meta.size.checked_sub(HASH_LEN as u64) else {
        return Err(format::cut_off(HASH_LEN as u64, meta.size));
    };
    let (mut hasher, mut trailer, mut offset) = (Hasher::new(), Vec::with_capacity(HASH_LEN), 0_u64);
    for_each_piece(store, &meta.key, 0..meta.size, &mut |piece| {
        if offset == 0 && is_encrypted {
            format::check_size(&Header::decode(&piece[..piece.len().min(HEADER_LEN as usize)])?, meta.size)?;
        }
        let content = (content_end.saturating_sub(offset) as usize).min(piece.len());
        hasher.update(&piece[..content]);
        trailer.extend_from_slice(&piece[content..]);
        offset += piece.len() as u64;
        visit(offset);
        Ok(())
    })?;
    let actual = hasher.finish();
    if trailer == actual.0 {
        return Ok(());
    }
    let stated: [u8; HASH_LEN] = trailer.try_into().map_err(|_| Error::internal("an object ends with a hash"))?;
    Err(Error::corrupt("the object does not match its hash").with_offset(0).with_expected(Hash(stated), actual))
}
