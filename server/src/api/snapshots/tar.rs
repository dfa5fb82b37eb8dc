//! The file that a snapshot is downloaded as: a plain tar (ustar) of stored objects, read as it is sent, and read back strictly.
//!
//! What every program that knows tar reads. What is read back is less than tar allows: regular files under the names that an archive has,
//! nothing that names another place, no links, no sparse files, no extensions.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use engine::{Error, Result};
use pitr::archive::Key;
use platform::object_store::ObjectStore;
use serde::{Deserialize, Serialize};

/// Bytes of a header, and what contents are padded to.
pub(super) const BLOCK_LEN: usize = 512;
/// Two blocks of zeros end a tar.
const END_LEN: usize = 2 * BLOCK_LEN;
/// Largest content: eleven octal digits.
pub(super) const CONTENT_LEN_MAX: u64 = (1 << 33) - 1;
/// Most files that are read back.
pub(super) const FILES_MAX: usize = 1 << 20;
/// Bytes of an object that are read at once.
const PIECE_LEN: u64 = 4 << 20;

const NAME_LEN: usize = 100;
const SIZE_AT: usize = 124;
const SUM_AT: usize = 148;
const TYPE_AT: usize = 156;
const MAGIC_AT: usize = 257;
const MAGIC: &[u8; 8] = b"ustar\x0000";
const PREFIX_AT: usize = 345;
const PREFIX_LEN: usize = 155;
/// Fields that are the same in every header: mode, user, group, time. What was stored has none of them.
const SAME: [(usize, &[u8]); 4] = [(100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (136, b"00000000000\0")];

/// An object in a tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its key in the archive, and its path in the tar.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Gives the size of the tar of some objects.
///
/// # Errors
/// `InvalidInput` when an object is larger than a tar holds.
pub(super) fn tar_len(entries: &[Entry]) -> Result<u64> {
    let mut len = END_LEN as u64;
    for entry in entries {
        if entry.size > CONTENT_LEN_MAX {
            let large = Error::invalid("an object of the snapshot is too large for a tar").with_object(&entry.key);
            let hint = "\"vectra collections backup\" makes backups of any size";
            return Err(large.with_expected(format!("at most {CONTENT_LEN_MAX} bytes"), entry.size).with_hint(hint));
        }
        len += BLOCK_LEN as u64 + entry.size.next_multiple_of(BLOCK_LEN as u64);
    }
    Ok(len)
}

/// Lays a header out.
///
/// # Panics
/// When the key or the size is none that [`tar_len`] lets through.
fn header(entry: &Entry) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    let (prefix, name) = split_name(&entry.key);
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[PREFIX_AT..PREFIX_AT + prefix.len()].copy_from_slice(prefix.as_bytes());
    for (at, bytes) in SAME {
        block[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let size = format!("{:011o}\0", entry.size);
    assert_eq!(size.len(), 12, "a size has eleven digits");
    block[SIZE_AT..SIZE_AT + 12].copy_from_slice(size.as_bytes());
    block[TYPE_AT] = b'0';
    block[MAGIC_AT..MAGIC_AT + MAGIC.len()].copy_from_slice(MAGIC);
    let sum = format!("{:06o}\0 ", sum_of(&block));
    block[SUM_AT..SUM_AT + 8].copy_from_slice(sum.as_bytes());
    block
}

/// Splits a key between the two fields that hold a path.
fn split_name(key: &str) -> (&str, &str) {
    if key.len() <= NAME_LEN {
        return ("", key);
    }
    let mut slashes = key.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
    let at = slashes.rfind(|at| *at <= PREFIX_LEN && key.len() - at - 1 <= NAME_LEN);
    let at = at.expect("a key of an archive is short enough for a tar");
    (&key[..at], &key[at + 1..])
}

/// Adds the bytes of a header up, those of the sum itself counted as spaces.
fn sum_of(block: &[u8; BLOCK_LEN]) -> u32 {
    let bytes = block.iter().enumerate().map(|(at, byte)| if (SUM_AT..SUM_AT + 8).contains(&at) { b' ' } else { *byte });
    bytes.map(u32::from).sum()
}

/// Reads a header; `None` when it is the zeros that end a tar.
///
/// # Errors
/// `InvalidInput` saying what is wrong.
pub(super) fn read_header(block: &[u8; BLOCK_LEN]) -> Result<Option<Entry>> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let wrong = |what: &str| Error::invalid(format!("this is not the file of a snapshot: {what}"));
    if block[MAGIC_AT..MAGIC_AT + 6] != MAGIC[..6] {
        return Err(wrong("it is no tar"));
    }
    if octal(&block[SUM_AT..SUM_AT + 8]) != Some(u64::from(sum_of(block))) {
        return Err(wrong("a header of the tar is damaged"));
    }
    if block[TYPE_AT] != b'0' {
        return Err(wrong("it holds something else than files"));
    }
    let (prefix, name) = (text(&block[PREFIX_AT..PREFIX_AT + PREFIX_LEN]), text(&block[..NAME_LEN]));
    let path = match (prefix, name) {
        (Some(""), Some(name)) => name.to_owned(),
        (Some(prefix), Some(name)) => format!("{prefix}/{name}"),
        _ => return Err(wrong("a name in it is no text")),
    };
    if !is_part_of_a_snapshot(&path) {
        return Err(wrong("it holds a file that no snapshot has").with_object(path.escape_debug().to_string()));
    }
    let size = octal(&block[SIZE_AT..SIZE_AT + 12]).ok_or_else(|| wrong("a size in it is no number"))?;
    Ok(Some(Entry { key: path, size }))
}

/// Says whether a path is the one that an archive has for something that a snapshot consists of.
fn is_part_of_a_snapshot(path: &str) -> bool {
    let key = Key::parse(path);
    let belongs = matches!(
        key,
        Key::Archive
            | Key::Collection(_)
            | Key::Timeline(_)
            | Key::Extent(..)
            | Key::Whole(..)
            | Key::Manifest(..)
            | Key::Object(_)
            | Key::Snapshot(_)
    );
    // A key has one spelling; so what becomes a path is what we would have written.
    belongs && key.to_string() == path
}

/// Reads a text up to its first zero; nothing but zeros may follow.
fn text(field: &[u8]) -> Option<&str> {
    let len = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let is_padded = field[len..].iter().all(|byte| *byte == 0);
    std::str::from_utf8(&field[..len]).ok().filter(|_| is_padded)
}

/// Reads octal digits up to a zero or a space.
fn octal(field: &[u8]) -> Option<u64> {
    let len = field.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(field.len());
    let is_padded = field[len..].iter().all(|byte| matches!(byte, 0 | b' '));
    let digits = std::str::from_utf8(&field[..len]).ok()?;
    let is_number = is_padded && !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    is_number.then(|| u64::from_str_radix(digits, 8).ok()).flatten()
}

/// Reads the tar of stored objects, one piece of one object in memory at a time.
#[derive(Debug)]
pub(super) struct Packed<H> {
    store: Arc<dyn ObjectStore>,
    entries: std::vec::IntoIter<Entry>,
    /// The object that is read, and how far.
    open: Option<(Entry, u64)>,
    piece: Bytes,
    is_ended: bool,
    /// Kept until the last byte was read.
    _held: H,
}

impl<H> Packed<H> {
    pub(super) fn new(store: Arc<dyn ObjectStore>, entries: Vec<Entry>, held: H) -> Self {
        Packed { store, entries: entries.into_iter(), open: None, piece: Bytes::new(), is_ended: false, _held: held }
    }

    /// Gives what comes next; `None` at the end.
    fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        if let Some((entry, at)) = &mut self.open {
            if *at < entry.size {
                let to = entry.size.min(*at + PIECE_LEN);
                let piece = self.store.get_range(&entry.key, *at..to).map_err(io::Error::other)?;
                *at = to;
                return Ok(Some(piece));
            }
            let padding = entry.size.next_multiple_of(BLOCK_LEN as u64) - entry.size;
            self.open = None;
            if padding > 0 {
                return Ok(Some(Bytes::from(vec![0; padding as usize])));
            }
        }
        if let Some(entry) = self.entries.next() {
            let block = header(&entry);
            self.open = Some((entry, 0));
            return Ok(Some(Bytes::copy_from_slice(&block)));
        }
        let is_end = !std::mem::replace(&mut self.is_ended, true);
        Ok(is_end.then(|| Bytes::from(vec![0; END_LEN])))
    }
}

impl<H> Read for Packed<H> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.next_piece()? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let len = into.len().min(self.piece.len());
        into[..len].copy_from_slice(&self.piece.split_to(len));
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::KnownBad;
    use platform::object_store::sim::SimStore;
    use platform::sim::SimWorld;
    use std::path::Path;

    const KEYS: [&str; 4] = [
        "archive.json",
        "objects/0123456789abcdef0123456789abcdef",
        "timelines/0123456789abcdef0123456789abcdef/log/00000000000000000064",
        "snapshots/monday.json",
    ];

    fn packed() -> (Vec<Entry>, Vec<u8>) {
        let fs = SimWorld::new(1).world().fs;
        let store: Arc<dyn ObjectStore> = Arc::new(SimStore::open(fs, Path::new("/store"), KnownBad::default()).unwrap());
        let entries: Vec<Entry> = KEYS.iter().zip([5, 0, 512, 1000]).map(|(key, size)| Entry { key: (*key).to_owned(), size }).collect();
        for (number, entry) in entries.iter().enumerate() {
            store.put_if_absent(&entry.key, vec![vec![number as u8 + 1; entry.size as usize].into()]).unwrap();
        }
        let mut tar = Vec::new();
        Packed::new(store, entries.clone(), ()).read_to_end(&mut tar).unwrap();
        (entries, tar)
    }

    fn block(tar: &[u8], at: usize) -> [u8; BLOCK_LEN] {
        tar[at..at + BLOCK_LEN].try_into().unwrap()
    }

    #[test]
    fn what_is_packed_reads_back_in_its_order_and_has_the_length_that_was_said() {
        let (entries, tar) = packed();
        assert_eq!(tar.len() as u64, tar_len(&entries).unwrap());
        let mut at = 0;
        for entry in &entries {
            assert_eq!(read_header(&block(&tar, at)).unwrap().as_ref(), Some(entry));
            at += BLOCK_LEN + (entry.size as usize).next_multiple_of(BLOCK_LEN);
        }
        assert_eq!(read_header(&block(&tar, at)).unwrap(), None);
        assert_eq!(at + END_LEN, tar.len());
    }

    #[test]
    fn a_header_in_which_any_bit_flipped_is_refused() {
        let (_, tar) = packed();
        // Eight bits of the sum's last byte say nothing: tar leaves open whether it is a space.
        for bit in (0..BLOCK_LEN * 8).filter(|bit| bit / 8 != SUM_AT + 7 && bit / 8 != SUM_AT + 6) {
            let mut flipped = block(&tar, 0);
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read_header(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_name_that_an_archive_has_not_is_refused() {
        let bad = [
            "../archive.json",
            "/archive.json",
            "./archive.json",
            "objects/../archive.json",
            "objects/x",
            "pins/x",
            "keys/00000000000000000001",
            "x",
            "timelines/0123456789abcdef0123456789abcdef/log/64",
            "snapshots/.json",
        ];
        for name in bad {
            let error = read_header(&header(&Entry { key: name.to_owned(), size: 1 })).unwrap_err();
            assert!(error.message.contains("no snapshot has"), "{name}: {error}");
        }
        let long = "timelines/0123456789abcdef0123456789abcdef/manifests/00000000000000000064-00000000000000000001-00000000000000000003";
        assert!(long.len() > NAME_LEN);
        let entry = Entry { key: long.to_owned(), size: 1 };
        assert_eq!(read_header(&header(&entry)).unwrap(), Some(entry), "a long name is split and put together again");
    }

    #[test]
    fn links_and_other_kinds_of_files_are_refused() {
        for kind in [b'1', b'2', b'5', b'L', b'x', 0] {
            let mut block = header(&Entry { key: "archive.json".to_owned(), size: 0 });
            block[TYPE_AT] = kind;
            let sum = format!("{:06o}\0 ", sum_of(&block));
            block[SUM_AT..SUM_AT + 8].copy_from_slice(sum.as_bytes());
            assert!(read_header(&block).is_err(), "{kind}");
        }
    }

    #[test]
    fn an_object_that_is_too_large_for_a_tar_is_refused_beforehand() {
        let error = tar_len(&[Entry { key: "archive.json".to_owned(), size: CONTENT_LEN_MAX + 1 }]).unwrap_err();
        assert_eq!(error.kind, engine::ErrorKind::InvalidInput);
    }
}
