//! Opens an encrypted archive, makes one, and changes its user's key.

use std::fmt::Debug;
use std::sync::Arc;

use engine::error::{Error, ErrorKind, Result};
use platform::object_store::{ObjectStore, PutOutcome};
use platform::random::Random;

use super::description::{LockedArchive, locked};
use super::keys::{self, DataKey, KEYS_PREFIX, UserKey, WrappedKey};
use super::store::EncryptedStore;
use crate::archive::layout::ARCHIVE_KEY;
use crate::archive::stored::{self, at, store_error};
use crate::archive::{ArchiveId, Key, Listing};

/// Where the user's key comes from. It is asked only when an archive turns out to be encrypted.
pub trait KeySource: Debug {
    /// Gives the key; `None` when the user gave none.
    ///
    /// # Errors
    /// When what the user gave cannot be read or is no key.
    fn key(&self) -> Result<Option<UserKey>>;
}

impl KeySource for Option<UserKey> {
    fn key(&self) -> Result<Option<UserKey>> {
        Ok(self.clone())
    }
}

impl KeySource for UserKey {
    fn key(&self) -> Result<Option<UserKey>> {
        Ok(Some(self.clone()))
    }
}

/// Gives the store through which an archive is read and written: the same one when the archive is not encrypted or there is none.
///
/// `random` draws a salt for each put; it must not repeat.
///
/// # Errors
/// `Unreachable` when the archive is encrypted and there is no key or a wrong one, `Incomplete` and `Corrupt` when description or
/// wrapped key are, `NewerFormat`, those of the store and of `keys`.
pub fn unlock(store: &Arc<dyn ObjectStore>, keys: &dyn KeySource, random: &Arc<dyn Random>) -> Result<Arc<dyn ObjectStore>> {
    let Some(archive) = LockedArchive::read(&**store)? else { return Ok(store.clone()) };
    let Some(user) = keys.key()? else { return Err(at(locked(), &**store, ARCHIVE_KEY)) };
    let (_, data) = data_key(&**store, archive, &user)?;
    Ok(Arc::new(EncryptedStore::new(store.clone(), data, archive, random.clone())))
}

/// Tells whether the archive at a location is encrypted.
///
/// # Errors
/// As for [`unlock`], but for the key.
pub fn is_encrypted(store: &dyn ObjectStore) -> Result<bool> {
    LockedArchive::read(store).map(|archive| archive.is_some())
}

/// Makes an encrypted archive at an empty location and gives the store through which it is used.
///
/// The wrapped key is put first and the description last: an attempt that was cut off left no archive, and can be repeated.
///
/// # Errors
/// `Exists` when an archive is there or parts of one, those of the store.
pub fn create(store: &Arc<dyn ObjectStore>, user: &UserKey, random: &Arc<dyn Random>) -> Result<Arc<dyn ObjectStore>> {
    let listing = Listing::read(&**store)?;
    if let Some(key) = listing.sizes.keys().find(|key| !key.starts_with(KEYS_PREFIX)) {
        let taken = Error::new(ErrorKind::Exists, "an encrypted archive begins at an empty location, and this one is not");
        return Err(at(taken, &**store, key).with_hint("name another location, or go on without a new key"));
    }
    let data = DataKey::draw(&**random);
    let number = next_number(&**store)?;
    if !keys::put(&**store, number, &WrappedKey::wrap(number, &data, user, &**random))? {
        return Err(raced(&**store, number));
    }
    let archive = LockedArchive { archive: ArchiveId::draw(&**random), key_id: data.id() };
    if stored::put(&**store, ARCHIVE_KEY, archive.encode())? == PutOutcome::Exists {
        return Err(at(Error::new(ErrorKind::Exists, "another process made an archive here"), &**store, ARCHIVE_KEY));
    }
    unlock(store, user, random)
}

/// Wraps the data key of an encrypted archive for another user's key; the old one opens nothing afterwards.
///
/// No object but the wrapped key changes. Run again after a failure, it finishes what the first run began.
///
/// # Errors
/// `Unreachable` when `old` is the wrong key, `NotFound` when there is no encrypted archive, `Conflict` when another process does the
/// same, those of the store.
pub fn rekey(store: &dyn ObjectStore, old: &UserKey, new: &UserKey, random: &dyn Random) -> Result<()> {
    let Some(archive) = LockedArchive::read(store)? else {
        let error = Error::not_found(format!("\"{}\" holds no encrypted archive", store.describe()));
        return Err(error.with_object(ARCHIVE_KEY).with_hint("check the path"));
    };
    // The new key first: an earlier run may have got this far.
    let current = match data_key(store, archive, new) {
        Ok((number, _)) if old != new => number,
        _ => {
            let (_, data) = data_key(store, archive, old)?;
            let number = next_number(store)?;
            if !keys::put(store, number, &WrappedKey::wrap(number, &data, new, random))? {
                return Err(raced(store, number));
            }
            let (counts, opened) = data_key(store, archive, new)?;
            if (counts, &opened) != (number, &data) {
                return Err(raced(store, number));
            }
            number
        }
    };
    for number in keys::numbers(store)?.into_iter().filter(|number| *number < current) {
        store.delete(&Key::WrappedKey(number).to_string()).map_err(|e| store_error(&e))?;
    }
    Ok(())
}

/// Unwraps the data key of an archive; gives the number of the wrapped key too.
fn data_key(store: &dyn ObjectStore, archive: LockedArchive, user: &UserKey) -> Result<(u64, DataKey)> {
    let (number, wrapped) = keys::find(store, archive.key_id)?;
    let data = wrapped.unwrap_with(number, user).map_err(|error| at(error, store, &Key::WrappedKey(number).to_string()))?;
    assert!(data.id() == archive.key_id, "the key that was looked for was found");
    Ok((number, data))
}

fn next_number(store: &dyn ObjectStore) -> Result<u64> {
    let Some(highest) = keys::numbers(store)?.first().copied() else { return Ok(0) };
    let taken = || at(Error::corrupt("no wrapped key can follow this one"), store, &Key::WrappedKey(highest).to_string());
    highest.checked_add(1).ok_or_else(taken)
}

fn raced(store: &dyn ObjectStore, number: u64) -> Error {
    let error = Error::new(ErrorKind::Conflict, "another process changes the archive's key");
    at(error, store, &Key::WrappedKey(number).to_string()).with_hint("run the command again")
}
