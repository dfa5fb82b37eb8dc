//! Keys: what a user brings, the data key that it wraps, and the objects that hold the wrapped key.

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, KeyInit, aead::Payload};
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::{ObjectStore, PutOutcome};
use platform::random::Random;
use serde::{Deserialize, Serialize};

use super::format::CIPHER_NAME;
use super::text::{from_base64, from_hex, to_hex};
use crate::archive::Key;
use crate::archive::stored::{self, JSON_VERSION, store_error};

/// Fewest bytes of a user's key.
pub const USER_KEY_LEN_MIN: usize = 32;
/// Most bytes of a key file.
pub const USER_KEY_LEN_MAX: usize = 64 << 10;
/// Bytes of a data key.
pub const DATA_KEY_LEN: usize = 32;
/// What the key that wraps a data key is derived under.
pub const WRAPPING_CONTEXT: &str = "vectra 2026 archive key wrapping 1";
/// Where the wrapped keys lie.
pub const KEYS_PREFIX: &str = "keys/";
/// The next step when a key is missing or does not fit.
pub const KEY_HINT: &str = "name the file that holds the archive's key with --key-file or VECTRA_KEY_FILE, \
     or a command that prints it with VECTRA_KEY_COMMAND";

/// Fewer different bytes than this in a key of 32 random ones would be a miracle.
const DISTINCT_MIN: usize = 12;
const SALT_LEN: usize = 32;
const WHAT: &str = "wrapped key";

engine::random_id!(
    /// One data key of an archive, however it is wrapped.
    KeyId,
    "a key"
);

/// What a user keeps secret: 32 random bytes or more.
#[derive(Clone, PartialEq, Eq)]
pub struct UserKey(Vec<u8>);

impl std::fmt::Debug for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserKey")
    }
}

impl UserKey {
    /// Reads a key: raw bytes, or their hexadecimal or base64 digits with white space around them.
    ///
    /// # Errors
    /// `Unreachable`, as for every key that cannot open anything, when there are fewer than 32 bytes or they are no random ones:
    /// a passphrase is none. The message does not show the key.
    pub fn parse(given: &[u8]) -> Result<Self> {
        let refuse = |why: &str| {
            let error = Error::new(ErrorKind::Unreachable, format!("this is no key: {why}"));
            error.with_hint("a key has 32 random bytes, raw or as hexadecimal or base64 digits: \"vectra archive key new\" makes one")
        };
        if given.len() > USER_KEY_LEN_MAX {
            return Err(refuse("it is too long").with_expected(format!("at most {USER_KEY_LEN_MAX} bytes"), "more"));
        }
        let text = given.trim_ascii();
        let bytes = if text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            from_hex(text).or_else(|| from_base64(text)).ok_or_else(|| refuse("it is text, and neither hexadecimal nor base64 digits"))?
        } else {
            given.to_vec()
        };
        if bytes.len() < USER_KEY_LEN_MIN {
            return Err(refuse("it is too short").with_expected(format!("at least {USER_KEY_LEN_MIN} bytes"), bytes.len()));
        }
        let distinct: std::collections::BTreeSet<u8> = bytes.iter().copied().collect();
        if distinct.len() < DISTINCT_MIN {
            return Err(refuse("its bytes are not random"));
        }
        Ok(UserKey(bytes))
    }

    /// Draws a new key.
    #[must_use]
    pub fn draw(random: &dyn Random) -> Self {
        let mut bytes = vec![0; USER_KEY_LEN_MIN];
        random.fill(&mut bytes);
        UserKey(bytes)
    }

    /// Gives the key as the line of text that a key file holds.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_hex(&self.0) + "\n"
    }

    /// Gives the cipher that wraps data keys. Its key is used for one message: `salt` is drawn for each.
    fn wrapping(&self, salt: &[u8; SALT_LEN]) -> Aes256Gcm {
        let mut derived = blake3::Hasher::new_derive_key(WRAPPING_CONTEXT);
        derived.update(salt);
        derived.update(&self.0);
        Aes256Gcm::new(derived.finalize().as_bytes().into())
    }
}

/// The key that an archive's objects are encrypted with; it stays when the user's key changes.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    id: KeyId,
    secret: [u8; DATA_KEY_LEN],
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

impl DataKey {
    /// Draws a new key.
    #[must_use]
    pub fn draw(random: &dyn Random) -> Self {
        let mut secret = [0; DATA_KEY_LEN];
        random.fill(&mut secret);
        DataKey { id: KeyId::draw(random), secret }
    }

    /// Gives the key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn secret(&self) -> &[u8; DATA_KEY_LEN] {
        &self.secret
    }

    #[cfg(test)]
    pub(super) fn of(id: [u8; 16], secret: [u8; DATA_KEY_LEN]) -> Self {
        DataKey { id: KeyId(id), secret }
    }
}

/// A data key as an archive holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    format: u32,
    cipher: String,
    key_id: KeyId,
    salt: String,
    wrapped: String,
}

impl WrappedKey {
    /// Wraps a data key for the object of a number.
    #[must_use]
    pub fn wrap(number: u64, data: &DataKey, user: &UserKey, random: &dyn Random) -> Self {
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt);
        let context = context(number, data.id);
        let payload = Payload { msg: &data.secret, aad: context.as_bytes() };
        let wrapped = user.wrapping(&salt).encrypt(&[0; 12].into(), payload).expect("32 bytes are not too long for the cipher");
        let (salt, wrapped) = (to_hex(&salt), to_hex(&wrapped));
        WrappedKey { format: JSON_VERSION, cipher: CIPHER_NAME.to_owned(), key_id: data.id, salt, wrapped }
    }

    /// Unwraps the data key with the user's key.
    ///
    /// # Errors
    /// `Unreachable` when it is the wrong key, `NewerFormat` when the cipher is not known, `Corrupt`.
    pub fn unwrap_with(&self, number: u64, user: &UserKey) -> Result<DataKey> {
        if self.cipher != CIPHER_NAME {
            return Err(engine::codec::file_header::newer_format(WHAT, format!("cipher {:?}", self.cipher), 1));
        }
        let malformed = || Error::corrupt("the wrapped key is malformed");
        let salt = from_hex(self.salt.as_bytes()).and_then(|salt| salt.try_into().ok()).ok_or_else(malformed)?;
        let wrapped = from_hex(self.wrapped.as_bytes()).ok_or_else(malformed)?;
        let context = context(number, self.key_id);
        let payload = Payload { msg: &wrapped, aad: context.as_bytes() };
        let opened = user.wrapping(&salt).decrypt(&[0; 12].into(), payload).map_err(|_| wrong_key())?;
        Ok(DataKey { id: self.key_id, secret: opened.try_into().map_err(|_| malformed())? })
    }
}

/// What a wrapped key is bound to: the object that holds it, and the id that it claims.
fn context(number: u64, id: KeyId) -> String {
    format!("{} {CIPHER_NAME} {id}", Key::WrappedKey(number))
}

fn wrong_key() -> Error {
    Error::new(ErrorKind::Unreachable, "the key does not open this archive").with_hint(KEY_HINT)
}

/// Lists the numbers of the wrapped keys, the highest first.
pub(super) fn numbers(store: &dyn ObjectStore) -> Result<Vec<u64>> {
    let listed = store.list(KEYS_PREFIX).map_err(|e| store_error(&e))?;
    let parsed = listed.iter().filter_map(|meta| match Key::parse(&meta.key) {
        Key::WrappedKey(number) => Some(number),
        _ => None,
    });
    let mut numbers: Vec<u64> = parsed.collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

/// Finds the wrapped key that counts: the highest that is whole and wraps the archive's data key.
pub(super) fn find(store: &dyn ObjectStore, id: KeyId) -> Result<(u64, WrappedKey)> {
    let mut damage = None;
    for number in numbers(store)? {
        let key = Key::WrappedKey(number).to_string();
        match stored::get_json::<WrappedKey>(store, &key, WHAT) {
            Ok(found) if found.key_id == id => return Ok((number, found)),
            Ok(_) => {}
            Err(error) if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::Incomplete) => damage = damage.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(damage.unwrap_or_else(|| {
        let missing = Error::new(ErrorKind::Incomplete, "the archive is encrypted, and its wrapped key is missing");
        stored::at(missing, store, KEYS_PREFIX).with_hint("the copy is not whole: copy it again")
    }))
}

/// Puts a wrapped key; false when the number is taken.
pub(super) fn put(store: &dyn ObjectStore, number: u64, key: &WrappedKey) -> Result<bool> {
    let outcome = stored::put(store, &Key::WrappedKey(number).to_string(), stored::encode_json(key))?;
    Ok(outcome == PutOutcome::Created)
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::random::{OsRandom, SeededRandom};

    #[test]
    fn a_key_reads_back_from_hexadecimal_base64_and_raw_bytes() {
        let key = UserKey::draw(&SeededRandom::new(1));
        assert_eq!(UserKey::parse(key.to_text().as_bytes()).unwrap(), key);
        assert_eq!(UserKey::parse(key.to_text().to_uppercase().as_bytes()).unwrap(), key);
        assert_eq!(UserKey::parse(&key.0).unwrap(), key);
        let every: Vec<u8> = (0..33).collect();
        let base64 = b" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\r\n";
        assert_eq!(UserKey::parse(base64).unwrap().0, every);
        assert_ne!(UserKey::draw(&OsRandom::new()), UserKey::draw(&OsRandom::new()));
    }

    #[test]
    fn what_is_short_typed_or_not_random_is_no_key_and_is_not_shown() {
        let long = vec![200; USER_KEY_LEN_MAX + 1];
        let passphrase = b"correct horse battery staple and a few words more".as_slice();
        let short_hex = b"00112233445566778899aabbccddeeff".as_slice();
        for given in [b"".as_slice(), b"\n", b"secret", passphrase, short_hex, &[0; 64], &[1, 2, 3], &long, "0".repeat(64).as_bytes()] {
            let error = UserKey::parse(given).unwrap_err();
            assert_eq!((error.kind, error.kind.exit_code()), (ErrorKind::Unreachable, 7), "{given:?}");
            let shown = format!("{error} {}", error.hint.clone().unwrap_or_default());
            assert!(!shown.contains("horse") && !shown.contains("0011"), "{shown}");
        }
        let key = UserKey::draw(&SeededRandom::new(2));
        assert_eq!(format!("{key:?}"), "UserKey");
    }

    #[test]
    fn golden_bytes_of_a_wrapped_key() {
        // Computed with other implementations of AES-GCM and BLAKE3 from the document alone.
        let wrapped = "1d14d54e3cc57a4deb15bc71e6019918bb8533f478a58770\
             10f3dad578d663ff1ae4c0c4cb76ca37d55bd363363f4cf5";
        let text = format!(
            "\"format\": 1, \"cipher\": \"aes-256-gcm\", \"key_id\": \"{}\", \"salt\": \"{}\", \"wrapped\": \"{wrapped}\"",
            "07".repeat(16),
            "05".repeat(32)
        );
        let stored: WrappedKey = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        let user = UserKey((0..32).collect());
        assert_eq!(stored.unwrap_with(3, &user).unwrap(), DataKey::of([7; 16], [9; 32]));
    }

    #[test]
    fn a_wrapped_key_opens_with_its_key_in_its_place_only() {
        let random = SeededRandom::new(3);
        let (user, other, data) = (UserKey::draw(&random), UserKey::draw(&random), DataKey::draw(&random));
        let wrapped = WrappedKey::wrap(4, &data, &user, &random);
        assert_eq!(wrapped.unwrap_with(4, &user).unwrap(), data);
        for error in [wrapped.unwrap_with(4, &other), wrapped.unwrap_with(5, &user)].map(Result::unwrap_err) {
            assert_eq!(error.kind, ErrorKind::Unreachable);
            assert!(["--key-file", "VECTRA_KEY_FILE", "VECTRA_KEY_COMMAND"].iter().all(|way| error.hint.as_ref().unwrap().contains(way)));
        }
        let renamed = WrappedKey { key_id: KeyId([1; 16]), ..wrapped.clone() };
        assert_eq!(renamed.unwrap_with(4, &user).unwrap_err().kind, ErrorKind::Unreachable);
        let later = WrappedKey { cipher: "rot13".to_owned(), ..wrapped.clone() };
        assert_eq!(later.unwrap_with(4, &user).unwrap_err().kind, ErrorKind::NewerFormat);
        for bad in ["", "0", "zz", "00"] {
            let bad = WrappedKey { salt: bad.to_owned(), ..wrapped.clone() };
            assert_eq!(bad.unwrap_with(4, &user).unwrap_err().kind, ErrorKind::Corrupt);
        }
    }
}
