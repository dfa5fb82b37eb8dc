//! The container of every derived binary object: a header, aligned sections, a directory, a footer and a hash of it all.
//!
//! The bytes are in `docs/format/object.md`, which a test compares with the constants below. A container knows its role and its id,
//! so that one object cannot be taken for another; it does not know what its sections mean.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::codec::checksum::{HASH_LEN, Hash, crc32, crc32_in};
use crate::codec::file_header::FILE_HEADER_LEN;
use crate::codec::{FileHeader, Reader, Writer};
use crate::error::{Error, Result};
use crate::ids::SegmentId;

/// Version of the container format.
pub const OBJECT_VERSION: u16 = 1;
/// Sections begin at a multiple of this many bytes.
pub const SECTION_ALIGN: usize = 64;
/// Sections above [`SECTION_LARGE`] bytes begin at a multiple of this many bytes.
pub const SECTION_ALIGN_LARGE: usize = 4096;
/// Above this many bytes a section begins at a page of its own.
pub const SECTION_LARGE: usize = 64 * 1024;
/// Bytes of one directory entry.
pub const ENTRY_LEN: usize = 32;
/// Bytes of the footer.
pub const FOOTER_LEN: usize = 32;
/// The eight bytes that the footer ends with.
pub const FOOTER_MAGIC: [u8; 8] = *b"VECOBJE\0";
/// Bytes of the smallest object: no section at all.
pub const OBJECT_LEN_MIN: usize = FILE_HEADER_LEN + FOOTER_LEN + HASH_LEN;

const _: () = assert!(4 + 4 + 8 + 8 + 4 + 4 == ENTRY_LEN);
const _: () = assert!(8 + 4 + 4 + 4 + 4 + 8 == FOOTER_LEN);
const _: () = assert!(FILE_HEADER_LEN.is_multiple_of(SECTION_ALIGN));

/// What a section is called within its object: a tag and a part.
pub type SectionName = (u32, u32);

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ids, membership filter, presence and field indexes of a segment's rows.
    Rows,
    /// Where in the log the parts of a segment's rows stand.
    Addresses,
    /// Quantised vectors of one part of a segment.
    Codes,
    /// The graph over those codes.
    Graph,
    /// Inverted lists of 1-bit codes of one part of a segment.
    Ivf,
    /// Rows of all segments that are dead at a manifest's covered LSN.
    Deletes,
}

impl Role {
    /// Every role, in the order of the documented table.
    pub const ALL: [Role; 6] = [Role::Rows, Role::Addresses, Role::Codes, Role::Graph, Role::Ivf, Role::Deletes];

    /// Names the role as it stands in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Gives the eight bytes that an object of this role begins with.
    #[must_use]
    pub fn magic(self) -> [u8; 8] {
        self.row().1
    }

    /// Finds the role of a name; `None` is a name of a later version.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The one table from role to name and magic.
    fn row(self) -> (&'static str, [u8; 8]) {
        match self {
            Role::Rows => ("rows", *b"VECROWS\0"),
            Role::Addresses => ("addresses", *b"VECADDR\0"),
            Role::Codes => ("codes", *b"VECCODE\0"),
            Role::Graph => ("graph", *b"VECGRPH\0"),
            Role::Ivf => ("ivf", *b"VECIVFL\0"),
            Role::Deletes => ("deletes", *b"VECDELS\0"),
        }
    }
}

/// Collects the sections of an object and lays them out.
#[derive(Debug)]
pub struct ObjectBuilder<'a> {
    role: Role,
    id: SegmentId,
    sections: Vec<(SectionName, Cow<'a, [u8]>)>,
}

impl<'a> ObjectBuilder<'a> {
    /// Starts an object without sections.
    #[must_use]
    pub fn new(role: Role, id: SegmentId) -> Self {
        ObjectBuilder { role, id, sections: Vec::new() }
    }

    /// Adds a section; (tag, part) is its name within the object.
    ///
    /// # Panics
    /// When the object has a section of that name.
    #[must_use]
    pub fn section(mut self, tag: u32, part: u32, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        let taken = self.sections.iter().any(|(name, _)| *name == (tag, part));
        assert!(!taken, "an object has one section of tag {tag} and part {part}");
        self.sections.push(((tag, part), bytes.into()));
        self
    }

    /// Lays the object out, sections in the order of their names: the same sections give the same bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.sections.sort_by_key(|(name, _)| *name);
        let header = FileHeader { magic: self.role.magic(), version: OBJECT_VERSION, subject: self.id.0, number: 0 };
        let mut out = Writer::new();
        out.bytes(&header.encode());
        let mut directory = Writer::new();
        for ((tag, part), bytes) in &self.sections {
            out.pad_to(alignment(bytes.len()));
            directory.u32(*tag);
            directory.u32(*part);
            directory.u64(out.len() as u64);
            directory.u64(bytes.len() as u64);
            directory.u32(crc32_in(section_context(self.id, *tag, *part), bytes));
            directory.u32(0); // reserved
            out.bytes(bytes);
        }
        out.pad_to(SECTION_ALIGN);
        let directory_offset = out.len() as u64;
        out.bytes(directory.as_slice());
        let footer = Footer {
            directory_offset,
            count: self.sections.len() as u32,
            directory_crc: crc32_in(crc32(&self.id.0), directory.as_slice()),
        };
        out.bytes(&footer.encode(self.id));
        let hash = Hash::of(out.as_slice());
        out.bytes(&hash.0);
        out.into_bytes()
    }
}

/// Gives the multiple at which a section of some length begins.
fn alignment(len: usize) -> usize {
    if len > SECTION_LARGE { SECTION_ALIGN_LARGE } else { SECTION_ALIGN }
}

/// Ties a section's checksum to its object and its name, so that a section of another place does not pass.
fn section_context(id: SegmentId, tag: u32, part: u32) -> u32 {
    let mut name = [0; 24];
    name[..16].copy_from_slice(&id.0);
    name[16..20].copy_from_slice(&tag.to_le_bytes());
    name[20..].copy_from_slice(&part.to_le_bytes());
    crc32(&name)
}

/// The fixed bytes before the hash: where the directory is.
struct Footer {
    directory_offset: u64,
    count: u32,
    directory_crc: u32,
}

impl Footer {
    fn encode(&self, id: SegmentId) -> [u8; FOOTER_LEN] {
        let mut w = Writer::new();
        w.u64(self.directory_offset);
        w.u32(self.count);
        w.u32(self.directory_crc);
        w.u32(0); // reserved
        let crc = crc32_in(crc32(&id.0), w.as_slice());
        w.u32(crc);
        w.bytes(&FOOTER_MAGIC);
        let mut out = [0; FOOTER_LEN];
        out.copy_from_slice(w.as_slice());
        out
    }

    fn decode(bytes: &[u8], id: SegmentId) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let footer = Footer { directory_offset: r.u64()?, count: r.u32()?, directory_crc: r.u32()? };
        if footer.encode(id)[..] != *bytes {
            return Err(Error::corrupt("the object's footer is damaged or cut off"));
        }
        Ok(footer)
    }
}

/// One section as the directory describes it.
#[derive(Debug)]
struct Section {
    name: SectionName,
    start: usize,
    end: usize,
    crc: u32,
    /// Set once the checksum was seen to match in this process.
    checked: AtomicBool,
}

/// An object opened for reading; its sections are slices of the bytes it was opened from.
#[derive(Debug)]
pub struct ObjectFile {
    bytes: Bytes,
    id: SegmentId,
    directory_start: usize,
    sections: Vec<Section>,
}

impl ObjectFile {
    /// Opens an object of a known role and id; reads the header, the footer and the directory, and no section.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not that object whole, `NewerFormat` when a later version wrote them.
    pub fn open(bytes: Bytes, role: Role, id: SegmentId) -> Result<Self> {
        Self::open_inner(bytes, role, id).map_err(|error| error.with_object(format!("{} {id}", role.name())))
    }

    fn open_inner(bytes: Bytes, role: Role, id: SegmentId) -> Result<Self> {
        if bytes.len() < OBJECT_LEN_MIN {
            return Err(Error::corrupt("the object is cut off").with_expected(format!("at least {OBJECT_LEN_MIN} bytes"), bytes.len()));
        }
        let header = FileHeader::decode(&bytes, role.magic(), OBJECT_VERSION)?;
        if header.subject != id.0 || header.number != 0 {
            return Err(Error::corrupt("this is another object").with_offset(0).with_expected(id, SegmentId(header.subject)));
        }
        let footer_start = bytes.len() - HASH_LEN - FOOTER_LEN;
        let footer = Footer::decode(&bytes[footer_start..footer_start + FOOTER_LEN], id).map_err(|e| e.with_offset(footer_start as u64))?;
        let directory_len = footer.count as usize * ENTRY_LEN;
        let directory_start = footer_start.checked_sub(directory_len).filter(|&start| start as u64 == footer.directory_offset);
        let Some(directory_start) = directory_start.filter(|start| start.is_multiple_of(SECTION_ALIGN)) else {
            return Err(Error::corrupt("the object's directory is not where its footer says").with_offset(footer.directory_offset));
        };
        let directory = &bytes[directory_start..footer_start];
        if crc32_in(crc32(&id.0), directory) != footer.directory_crc {
            return Err(Error::corrupt("the object's directory does not match its checksum").with_offset(directory_start as u64));
        }
        let sections = read_directory(directory, directory_start)?;
        Ok(ObjectFile { bytes, id, directory_start, sections })
    }

    /// Gives the object's id.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// Gives the names (tag, part) of all sections in ascending order.
    pub fn names(&self) -> impl Iterator<Item = SectionName> + '_ {
        self.sections.iter().map(|section| section.name)
    }

    /// Adds up the lengths of all sections of a tag.
    #[must_use]
    pub fn bytes_of(&self, tag: u32) -> u64 {
        self.sections.iter().filter(|section| section.name.0 == tag).map(|section| (section.end - section.start) as u64).sum()
    }

    /// Gives the bytes of a section, or `None` when the object has no such section; checks them at the first call.
    ///
    /// # Errors
    /// `Corrupt` when the section does not match its checksum.
    pub fn section(&self, tag: u32, part: u32) -> Result<Option<Bytes>> {
        let Ok(at) = self.sections.binary_search_by_key(&(tag, part), |section| section.name) else { return Ok(None) };
        let section = &self.sections[at];
        if !section.checked.load(Ordering::Relaxed) {
            self.check(section)?;
            section.checked.store(true, Ordering::Relaxed);
        }
        Ok(Some(self.bytes.slice(section.start..section.end)))
    }

    /// Gives the bytes of a section that an object of this kind always has.
    ///
    /// # Errors
    /// `Corrupt` when it is missing or does not match its checksum.
    pub fn required(&self, tag: u32, part: u32) -> Result<Bytes> {
        self.section(tag, part)?.ok_or_else(|| {
            Error::corrupt("the object lacks a section")
                .with_object(self.id.to_string())
                .with_expected(format!("tag {tag}, part {part}"), "none")
        })
    }

    fn check(&self, section: &Section) -> Result<()> {
        let (tag, part) = section.name;
        let actual = crc32_in(section_context(self.id, tag, part), &self.bytes[section.start..section.end]);
        if actual == section.crc {
            return Ok(());
        }
        Err(Error::corrupt(format!("section checksum mismatch (tag {tag}, part {part})"))
            .with_object(self.id.to_string())
            .with_offset(section.start as u64)
            .with_expected(format!("{:#010x}", section.crc), format!("{actual:#010x}")))
    }

    /// Reads every byte: the hash, each section's checksum, and the zeros between sections. Gives the hash.
    ///
    /// # Errors
    /// `Corrupt` with the offset of the first damage that can be located.
    pub fn verify(&self) -> Result<Hash> {
        let mut gap_start = FILE_HEADER_LEN;
        for section in &self.sections {
            self.check(section)?;
            self.check_gap(gap_start, section.start)?;
            gap_start = section.end;
        }
        self.check_gap(gap_start, self.directory_start)?;
        let stored = Self::stored_hash(&self.bytes)?;
        let actual = Hash::of(&self.bytes[..self.bytes.len() - HASH_LEN]);
        if stored != actual {
            let error = Error::corrupt("the object does not match its hash").with_object(self.id.to_string());
            return Err(error.with_offset(0).with_expected(stored, actual));
        }
        Ok(actual)
    }

    fn check_gap(&self, start: usize, end: usize) -> Result<()> {
        match self.bytes[start..end].iter().position(|&byte| byte != 0) {
            None => Ok(()),
            Some(at) => Err(Error::corrupt("bytes between sections are not zero")
                .with_object(self.id.to_string())
                .with_offset((start + at) as u64)
                .with_expected(0, self.bytes[start + at])),
        }
    }

    /// Reads the hash that an object ends with, without checking anything.
    ///
    /// # Errors
    /// `Corrupt` when there are too few bytes for an object.
    pub fn stored_hash(bytes: &[u8]) -> Result<Hash> {
        match bytes.last_chunk::<{ HASH_LEN }>() {
            Some(hash) if bytes.len() >= OBJECT_LEN_MIN => Ok(Hash(*hash)),
            _ => Err(Error::corrupt("too short to be an object").with_expected(format!("at least {OBJECT_LEN_MIN} bytes"), bytes.len())),
        }
    }
}

/// Reads the entries and checks that sections ascend in name and place, do not overlap and end before the directory.
fn read_directory(directory: &[u8], directory_start: usize) -> Result<Vec<Section>> {
    let count = directory.len() / ENTRY_LEN;
    let mut r = Reader::new(directory);
    let mut sections: Vec<Section> = Vec::with_capacity(count);
    let mut free = FILE_HEADER_LEN;
    for index in 0..count {
        let name = (r.u32()?, r.u32()?);
        let (offset, len) = (r.u64()?, r.u64()?);
        let (crc, reserved) = (r.u32()?, r.u32()?);
        let bad = |what: &str| {
            let at = directory_start + index * ENTRY_LEN;
            Error::corrupt(format!("the object's directory is wrong: {what} (entry {index})")).with_offset(at as u64)
        };
        if reserved != 0 {
            return Err(bad("a reserved field is set"));
        }
        if sections.last().is_some_and(|last| last.name >= name) {
            return Err(bad("names do not ascend"));
        }
        let start = usize::try_from(offset).ok().filter(|&start| start >= free && start.is_multiple_of(SECTION_ALIGN));
        let end = start.and_then(|start| start.checked_add(usize::try_from(len).ok()?)).filter(|&end| end <= directory_start);
        let (Some(start), Some(end)) = (start, end) else { return Err(bad("a section overlaps or leaves the object")) };
        free = end;
        sections.push(Section { name, start, end, crc, checked: AtomicBool::new(false) });
    }
    Ok(sections)
}

#[cfg(test)]
mod tests;
