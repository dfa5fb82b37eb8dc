//! A store that encrypts what is put and decrypts what is got, over any other store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use engine::codec::checksum::{HASH_LEN, Hasher};
use engine::error::{Error, ErrorKind};
use parking_lot::Mutex;
use platform::object_store::{Body, ObjectMeta, ObjectStore, PutOutcome, StoreError, StoreErrorKind};
use platform::random::Random;

use super::description::{Description, LockedArchive};
use super::format::{self, HEADER_LEN, Header, ObjectCipher};
use super::keys::{DataKey, KEYS_PREFIX};
use crate::archive::layout::ARCHIVE_KEY;

/// How many opened objects are remembered, so that reading one in pieces reads its header once.
const OPENED_MAX: usize = 256;

/// An encrypted archive unlocked: sizes and bytes are those before encryption.
///
/// The archive's description is shown as that of an archive without encryption, wrapped keys as they are stored. An object that is
/// cut off is `NotFound` (a part of it is), one that is damaged or lies under another's name `Corrupt`.
#[derive(Debug)]
pub struct EncryptedStore {
    inner: Arc<dyn ObjectStore>,
    key: DataKey,
    random: Arc<dyn Random>,
    description: Description,
    opened: Mutex<Opened>,
}

/// Objects that were opened before, each with the turn at which it was last used.
#[derive(Debug, Default)]
struct Opened {
    turn: u64,
    objects: BTreeMap<String, (u64, Arc<Object>)>,
}

/// An object whose header was read.
#[derive(Debug)]
struct Object {
    cipher: ObjectCipher,
    stated_end: u64,
    read: Mutex<ReadSoFar>,
}

/// The hash of what was read of an object from its beginning without a hole: reading all of it, piece by piece, checks the trailing hash.
#[derive(Debug)]
struct ReadSoFar {
    hasher: Hasher,
    end: u64,
}

impl Object {
    fn new(cipher: ObjectCipher, header: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(header);
        let stated_end = format::stored_len(cipher.plain_len());
        Object { cipher, stated_end, read: Mutex::new(ReadSoFar { hasher, end: HEADER_LEN }) }
    }

    /// Takes note of stored bytes that were found good.
    fn note(&self, from: u64, bytes: &[u8]) {
        let mut read = self.read.lock();
        let to = from + bytes.len() as u64;
        if from <= read.end && read.end < to {
            let new = (read.end - from) as usize;
            read.hasher.update(&bytes[new..]);
            read.end = to;
        }
    }

    /// Compares the trailing hash, if everything before it was read in order.
    fn check_trailer(&self, trailer: &[u8]) -> Result<(), Error> {
        let read = self.read.lock();
        let content_end = self.stated_end - HASH_LEN as u64;
        if read.end != content_end || read.hasher.finish().0 == trailer {
            return Ok(());
        }
        Err(Error::corrupt("the object does not end with its hash").with_offset(content_end))
    }
}

/// Tells whether a key is stored as it is.
fn is_open(key: &str) -> bool {
    key.starts_with(KEYS_PREFIX)
}

impl EncryptedStore {
    /// Unlocks a store with the key that its description names.
    #[must_use]
    pub(super) fn new(inner: Arc<dyn ObjectStore>, key: DataKey, archive: LockedArchive, random: Arc<dyn Random>) -> Self {
        EncryptedStore { inner, key, random, description: Description::new(archive), opened: Mutex::default() }
    }

    fn error(&self, op: &'static str, key: &str, error: &Error) -> StoreError {
        let kind = match error.kind {
            ErrorKind::Incomplete => StoreErrorKind::NotFound,
            ErrorKind::Corrupt => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Other,
        };
        StoreError { kind, op, key: key.to_owned(), store: self.describe(), message: error.to_string() }
    }

    /// Reads stored bytes exactly.
    fn stored(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let (len, end) = (range.end - range.start, range.end);
        let cut = |got: u64| self.error("get", key, &format::cut_off(end, got));
        match self.inner.get_range(key, range) {
            Ok(bytes) if bytes.len() as u64 == len => Ok(bytes),
            Ok(bytes) => Err(cut(end - len + bytes.len() as u64)),
            // A range that a whole object has: look whether this one is shorter.
            Err(error) if error.kind == StoreErrorKind::Other => match self.inner.head(key) {
                Ok(Some(size)) if size < end => Err(cut(size)),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Gives an object opened before, or opens it; and whether it was opened before.
    fn object(&self, key: &str) -> Result<(Arc<Object>, bool), StoreError> {
        {
            let mut opened = self.opened.lock();
            opened.turn += 1;
            let turn = opened.turn;
            if let Some((used, object)) = opened.objects.get_mut(key) {
                *used = turn;
                return Ok((object.clone(), true));
            }
        }
        let head = self.stored(key, 0..HEADER_LEN)?;
        let header = Header::decode(&head).and_then(|header| format::check_key(&self.key, &header).map(|()| header));
        let header = header.map_err(|error| self.error("get", key, &error))?;
        let object = Arc::new(Object::new(ObjectCipher::new(&self.key, header, key), &head));
        self.remember(key, object.clone());
        Ok((object, false))
    }

    fn remember(&self, key: &str, object: Arc<Object>) {
        let mut opened = self.opened.lock();
        if opened.objects.len() >= OPENED_MAX {
            let oldest = opened.objects.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.map(|key| opened.objects.remove(&key));
        }
        let turn = opened.turn;
        opened.objects.insert(key.to_owned(), (turn, object));
        assert!(opened.objects.len() <= OPENED_MAX, "what is remembered is bounded");
    }

    fn forget(&self, key: &str) {
        self.opened.lock().objects.remove(key);
    }

    fn read(&self, key: &str, object: &Object, range: &Range<u64>) -> Result<Bytes, StoreError> {
        let size = object.cipher.plain_len();
        if range.start > range.end || range.end > size {
            // What is shown of an object that grew is more than it holds.
            let sizes = self.inner.head(key)?.map_or(Ok(()), |stored| format::check_size(object.cipher.header(), stored));
            return Err(sizes.map_or_else(|error| self.error("get", key, &error), |()| self.outside(key, range, size)));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let window = object.cipher.window(range);
        let trailer_len = if window.at_end { HASH_LEN as u64 } else { 0 };
        let stored = self.stored(key, window.stored.start..window.stored.end + trailer_len)?;
        let (frames, trailer) = stored.split_at((window.stored.end - window.stored.start) as usize);
        let opened = object.cipher.open(window.frames.start, frames).and_then(|content| {
            object.note(window.stored.start, frames);
            if window.at_end {
                object.check_trailer(trailer)?;
            }
            Ok(content)
        });
        let content = opened.map_err(|error| self.error("get", key, &error))?;
        let len = (range.end - range.start) as usize;
        Ok(Bytes::from(content).slice(window.skip as usize..window.skip as usize + len))
    }

    fn outside(&self, key: &str, range: &Range<u64>, size: u64) -> StoreError {
        let message = format!("bytes {range:?} are not in an object of {size} bytes");
        StoreError { kind: StoreErrorKind::Other, op: "get", key: key.to_owned(), store: self.describe(), message }
    }

    /// Gives the stored form of an object that is about to be put.
    fn sealed(&self, key: &str, body: Body) -> Body {
        if is_open(key) {
            return body;
        }
        let mut salt = [0; 16];
        self.random.fill(&mut salt);
        self.forget(key);
        format::encrypt(&self.key, salt, key, body)
    }

    /// Gives the description as it is shown, after checking that it still is the one that was unlocked.
    fn described(&self) -> Result<Bytes, StoreError> {
        let stored = self.inner.get(ARCHIVE_KEY)?;
        self.description.check(&stored).map_err(|error| self.error("get", ARCHIVE_KEY, &error))?;
        Ok(self.description.shown())
    }

    /// Gives the size that an object is shown to have by its stored size.
    fn shown_len(&self, key: &str, stored: u64) -> u64 {
        match key {
            ARCHIVE_KEY => self.description.shown_len(stored),
            key if is_open(key) => stored,
            _ => format::plain_len(stored),
        }
    }
}

impl ObjectStore for EncryptedStore {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn put_if_absent(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        if key == ARCHIVE_KEY {
            // It was there when the archive was unlocked; the one to be put does not say that the archive is encrypted.
            return match self.inner.head(key)? {
                Some(_) => Ok(PutOutcome::Exists),
                None => Err(self.error("put", key, &Error::internal("the description of the encrypted archive is gone"))),
            };
        }
        self.inner.put_if_absent(key, self.sealed(key, body))
    }

    fn put_unique(&self, key: &str, body: Body) -> Result<PutOutcome, StoreError> {
        if key == ARCHIVE_KEY {
            return self.put_if_absent(key, body);
        }
        self.inner.put_unique(key, self.sealed(key, body))
    }

    fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        if key == ARCHIVE_KEY {
            return self.described();
        }
        let stored = self.inner.get(key)?;
        if is_open(key) {
            return Ok(stored);
        }
        let plain = format::decrypt(&self.key, key, &stored);
        plain.map(Bytes::from).map_err(|error| self.error("get", key, &error))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        if is_open(key) {
            return self.inner.get_range(key, range);
        }
        if key == ARCHIVE_KEY {
            let described = self.described()?;
            let size = described.len() as u64;
            let is_inside = range.start <= range.end && range.end <= size;
            return if is_inside {
                Ok(described.slice(range.start as usize..range.end as usize))
            } else {
                Err(self.outside(key, &range, size))
            };
        }
        let (object, is_old) = self.object(key)?;
        let result = self.read(key, &object, &range);
        if result.is_ok() {
            return result;
        }
        self.forget(key);
        if is_old {
            // Another process may have removed the object and put another one: that has another salt.
            let (anew, _) = self.object(key)?;
            if anew.cipher.header() != object.cipher.header() {
                return self.read(key, &anew, &range).inspect_err(|_| self.forget(key));
            }
        }
        result
    }

    fn head(&self, key: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.inner.head(key)?.map(|stored| self.shown_len(key, stored)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let mut listed = self.inner.list(prefix)?;
        for meta in &mut listed {
            meta.size = self.shown_len(&meta.key, meta.size);
        }
        Ok(listed)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.forget(key);
        self.inner.delete(key)
    }
}

#[cfg(test)]
mod tests;
