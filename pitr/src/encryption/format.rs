//! The bytes of an encrypted object: header, frames, hash. `docs/format/encryption.md` is the document.

use std::ops::Range;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use bytes::{Buf, Bytes};
use engine::codec::checksum::{HASH_LEN, Hasher, crc32, unseal};
use engine::codec::file_header::{FILE_HEADER_LEN, newer_format};
use engine::codec::{Reader, Writer};
use engine::error::{Error, ErrorKind, Result};
use platform::object_store::Body;

use super::keys::{DataKey, KeyId};

/// The eight bytes that an encrypted object begins with.
pub const ENCRYPTED_MAGIC: [u8; 8] = *b"VECENCR\0";
/// Version of the format.
pub const ENCRYPTED_VERSION: u16 = 1;
/// AES-256-GCM, as the header numbers it.
pub const CIPHER_AES_256_GCM: u16 = 1;
/// AES-256-GCM, as JSON objects name it.
pub const CIPHER_NAME: &str = "aes-256-gcm";
/// Bytes of the header.
pub const HEADER_LEN: u64 = FILE_HEADER_LEN as u64;
/// Bytes that a frame but the last holds.
pub const FRAME_LEN: u64 = 64 << 10;
/// Bytes of the tag behind each frame.
pub const TAG_LEN: u64 = 16;
/// Most bytes of an object before encryption.
pub const PLAIN_LEN_MAX: u64 = 1 << 40;
/// What the key of an object is derived under.
pub const OBJECT_CONTEXT: &str = "vectra 2026 archive object key 1";

const STORED_FRAME_LEN: u64 = FRAME_LEN + TAG_LEN;
const TRAILER_LEN: u64 = HASH_LEN as u64;
const NONCE_LEN: usize = 12;

const _: () = assert!(HEADER_LEN == 64 && FRAME_LEN.is_multiple_of(64) && TRAILER_LEN == 32);
const _: () = assert!(8 + 2 + 2 + 2 + 2 + 16 + 16 + 8 + 4 + 4 == HEADER_LEN);

/// Gives how many frames hold so many bytes: an empty object has one, so that there is a tag.
#[must_use]
pub fn frame_count(plain_len: u64) -> u64 {
    plain_len.div_ceil(FRAME_LEN).max(1)
}

/// Gives the stored size of an object of at most [`PLAIN_LEN_MAX`] bytes.
#[must_use]
pub fn stored_len(plain_len: u64) -> u64 {
    HEADER_LEN + plain_len + frame_count(plain_len) * TAG_LEN + TRAILER_LEN
}

/// Gives the size of the content of a stored object by its stored size.
///
/// It is zero for a size that no object has. A damaged object never shows the size that it should have: one that was cut shows a
/// smaller one, one that grew another one.
#[must_use]
pub fn plain_len(stored: u64) -> u64 {
    let frames = stored.saturating_sub(HEADER_LEN + TRAILER_LEN);
    let plain = frames / STORED_FRAME_LEN * FRAME_LEN + (frames % STORED_FRAME_LEN).saturating_sub(TAG_LEN);
    if stored_len(plain) == stored { plain } else { 0 }
}

/// What the header says besides the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The data key that the object's own key is derived from.
    pub key_id: KeyId,
    /// Drawn for each put.
    pub salt: [u8; 16],
    /// Bytes before encryption.
    pub plain_len: u64,
}

impl Header {
    /// Lays the header out.
    #[must_use]
    pub fn encode(&self) -> [u8; FILE_HEADER_LEN] {
        let mut w = Writer::new();
        w.bytes(&ENCRYPTED_MAGIC);
        w.u16(ENCRYPTED_VERSION);
        w.u16(0); // codec: none
        w.u16(CIPHER_AES_256_GCM);
        w.u16(0); // reserved
        w.bytes(&self.key_id.0);
        w.bytes(&self.salt);
        w.u64(self.plain_len);
        w.u32(0); // reserved
        let crc = crc32(w.as_slice());
        w.u32(crc);
        let mut out = [0; FILE_HEADER_LEN];
        out.copy_from_slice(w.as_slice());
        out
    }

    /// Reads the header that stored bytes begin with.
    ///
    /// # Errors
    /// `Incomplete` when they are cut off, `Corrupt` when this is no such header, `NewerFormat` when a later version wrote it.
    pub fn decode(stored: &[u8]) -> Result<Self> {
        let Some(head) = stored.get(..FILE_HEADER_LEN) else {
            return Err(cut_off(HEADER_LEN, stored.len() as u64));
        };
        let mut r = Reader::new(head);
        let magic: [u8; 8] = r.array()?;
        let (version, codec, cipher, reserved) = (r.u16()?, r.u16()?, r.u16()?, r.u16()?);
        let (key_id, salt, plain_len) = (KeyId(r.array()?), r.array()?, r.u64()?);
        let (reserved_too, crc) = (r.u32()?, r.u32()?);
        if magic != ENCRYPTED_MAGIC {
            let error = Error::corrupt("this is not an encrypted object").with_offset(0);
            return Err(error.with_expected(ENCRYPTED_MAGIC.escape_ascii(), magic.escape_ascii()));
        }
        let actual = crc32(&head[..FILE_HEADER_LEN - 4]);
        if crc != actual {
            let error = Error::corrupt("header checksum mismatch").with_offset(0);
            return Err(error.with_expected(format!("{crc:#010x}"), format!("{actual:#010x}")));
        }
        let unknown = codec != 0 || cipher != CIPHER_AES_256_GCM || reserved != 0 || reserved_too != 0;
        if version == 0 || version > ENCRYPTED_VERSION || unknown {
            return Err(newer_format("encrypted object", format!("version {version}, codec {codec}, cipher {cipher}"), ENCRYPTED_VERSION));
        }
        if plain_len > PLAIN_LEN_MAX {
            let error = Error::corrupt("the object states an impossible size").with_offset(48);
            return Err(error.with_expected(format!("at most {PLAIN_LEN_MAX}"), plain_len));
        }
        Ok(Header { key_id, salt, plain_len })
    }
}

/// Makes the error on an object that ends before it should.
pub(super) fn cut_off(expected: u64, got: u64) -> Error {
    Error::new(ErrorKind::Incomplete, "the object is cut off").with_expected(format!("{expected} bytes"), format!("{got} bytes"))
}

/// Which frames hold a range of the content, and where they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Their numbers.
    pub frames: Range<u64>,
    /// Their stored bytes.
    pub stored: Range<u64>,
    /// Where the range begins in their content.
    pub skip: u64,
    /// Whether the last frame is among them, so that the trailing hash follows.
    pub at_end: bool,
}

/// One stored object with its own key.
pub struct ObjectCipher {
    header: Header,
    cipher: Aes256Gcm,
}

impl std::fmt::Debug for ObjectCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectCipher").field("header", &self.header).finish_non_exhaustive()
    }
}

impl ObjectCipher {
    /// Derives the key of the object of this name and header.
    ///
    /// The name and the whole header go into the key: an object under another name, or with another stated size, does not open;
    /// and a key is used twice only if 16 random bytes repeat under the same name.
    #[must_use]
    pub fn new(key: &DataKey, header: Header, name: &str) -> Self {
        let mut derived = blake3::Hasher::new_derive_key(OBJECT_CONTEXT);
        derived.update(key.secret());
        derived.update(&header.encode());
        derived.update(name.as_bytes());
        ObjectCipher { header, cipher: Aes256Gcm::new(derived.finalize().as_bytes().into()) }
    }

    /// Gives the header that the key was derived from.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives the size of the content in bytes.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.header.plain_len
    }

    /// Finds the frames of a range that is not empty and lies in the content.
    #[must_use]
    pub fn window(&self, range: &Range<u64>) -> Window {
        assert!(range.start < range.end && range.end <= self.header.plain_len, "the range lies in the object");
        let frames = range.start / FRAME_LEN..(range.end - 1) / FRAME_LEN + 1;
        let at_end = frames.end == frame_count(self.header.plain_len);
        let end = if at_end { stored_len(self.header.plain_len) - TRAILER_LEN } else { HEADER_LEN + frames.end * STORED_FRAME_LEN };
        let start = HEADER_LEN + frames.start * STORED_FRAME_LEN;
        Window { skip: range.start - frames.start * FRAME_LEN, frames, stored: start..end, at_end }
    }

    /// Opens consecutive stored frames from the number `first` on, to the end of the bytes.
    ///
    /// # Errors
    /// `Corrupt` when a tag does not match, with the stored offset of the frame.
    pub fn open(&self, first: u64, stored: &[u8]) -> Result<Vec<u8>> {
        let count = frame_count(self.header.plain_len);
        let mut out = Vec::with_capacity(stored.len());
        for (number, frame) in (first..).zip(stored.chunks(STORED_FRAME_LEN as usize)) {
            let offset = HEADER_LEN + number * STORED_FRAME_LEN;
            let wrong = || {
                Error::corrupt("a frame does not match its tag: it was damaged, or belongs to another object or key").with_offset(offset)
            };
            let (content, tag) = frame.len().checked_sub(TAG_LEN as usize).map(|at| frame.split_at(at)).ok_or_else(wrong)?;
            let tag = Tag::try_from(tag).map_err(|_| wrong())?;
            let from = out.len();
            out.extend_from_slice(content);
            let nonce = nonce(number, number + 1 == count);
            self.cipher.decrypt_inout_detached(&nonce, &[], (&mut out[from..]).into(), &tag).map_err(|_| wrong())?;
        }
        Ok(out)
    }

    /// Encrypts the content of one frame where it stands, and puts its tag behind it.
    fn seal(&self, number: u64, is_last: bool, frame: &mut Vec<u8>) {
        let sealed = self.cipher.encrypt_inout_detached(&nonce(number, is_last), &[], frame.as_mut_slice().into());
        let tag = sealed.expect("a frame is far below the length that the cipher allows");
        frame.extend_from_slice(&tag);
    }
}

/// Counts the frames of an object, and tells the last one from the others, so that none can be left out, moved or taken for the end.
fn nonce(number: u64, is_last: bool) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8] = u8::from(is_last);
    bytes.into()
}

/// Encrypts an object. The pieces are copied once, frame by frame.
#[must_use]
pub fn encrypt(key: &DataKey, salt: [u8; 16], name: &str, body: Body) -> Body {
    let plain_len = body.iter().map(|piece| piece.len() as u64).sum();
    assert!(plain_len <= PLAIN_LEN_MAX, "an object has a size that its reader accepts");
    let header = Header { key_id: key.id(), salt, plain_len };
    let cipher = ObjectCipher::new(key, header, name);
    let count = frame_count(plain_len);
    let head = Bytes::copy_from_slice(&header.encode());
    let mut hasher = Hasher::new();
    hasher.update(&head);
    let mut out = Body::with_capacity(count as usize + 2);
    out.push(head);
    let (mut pieces, mut piece, mut left) = (body.into_iter(), Bytes::new(), plain_len);
    for number in 0..count {
        let len = left.min(FRAME_LEN) as usize;
        let mut frame = Vec::with_capacity(len + TAG_LEN as usize);
        while frame.len() < len {
            if piece.is_empty() {
                piece = pieces.next().expect("the pieces hold the bytes that were counted");
            }
            let count = piece.len().min(len - frame.len());
            frame.extend_from_slice(&piece[..count]);
            piece.advance(count);
        }
        left -= len as u64;
        cipher.seal(number, number + 1 == count, &mut frame);
        hasher.update(&frame);
        out.push(frame.into());
    }
    out.push(Bytes::copy_from_slice(&hasher.finish().0));
    debug_assert_eq!(out.iter().map(|piece| piece.len() as u64).sum::<u64>(), stored_len(plain_len));
    out
}

/// Decrypts a whole stored object; every stored byte is checked, the trailing hash included.
///
/// # Errors
/// `Incomplete` when it is cut off, `Corrupt` when it is damaged, lies under another name or needs another key, `NewerFormat`.
pub fn decrypt(key: &DataKey, name: &str, stored: &[u8]) -> Result<Vec<u8>> {
    let header = check_whole(stored)?;
    check_key(key, &header)?;
    ObjectCipher::new(key, header, name).open(0, &stored[HEADER_LEN as usize..stored.len() - HASH_LEN])
}

/// Checks that a header names this data key.
///
/// # Errors
/// `Corrupt` when it names another one.
pub fn check_key(key: &DataKey, header: &Header) -> Result<()> {
    if header.key_id == key.id() {
        return Ok(());
    }
    Err(Error::corrupt("the object was encrypted with another key").with_offset(16).with_expected(key.id(), header.key_id))
}

/// Checks header, size and trailing hash of a whole stored object: everything that can be checked without a key.
///
/// # Errors
/// `Incomplete` when it is cut off, `Corrupt` when it is damaged, `NewerFormat` when a later version wrote it.
pub fn check_whole(stored: &[u8]) -> Result<Header> {
    let header = Header::decode(stored)?;
    check_size(&header, stored.len() as u64)?;
    unseal(stored)?;
    Ok(header)
}

/// Checks that an object is stored in the size that its header states.
///
/// # Errors
/// `Incomplete` when it is shorter, `Corrupt` when it is longer.
pub fn check_size(header: &Header, stored: u64) -> Result<()> {
    let expected = stored_len(header.plain_len);
    if stored < expected {
        return Err(cut_off(expected, stored));
    }
    if stored > expected {
        return Err(Error::corrupt("the object is longer than it states").with_offset(expected).with_expected(expected, stored));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
