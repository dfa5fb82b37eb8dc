//! Reads a record back: the head is checked as a whole, sections when they are asked for.

use super::{
    Check, FIXED_HEAD_LEN, FLAG_MORE_FOLLOWS, GRANULE, IDS_NUMBERS, IDS_TAGGED, PAYLOAD_RAW_MAX, RECORD_ALIGN, RECORD_LEN_MAX,
    RECORD_MAGIC, RECORD_VERSION, ROWS_MAX, RecordKind, SECTION_ENTRY_LEN, SECTIONS_MAX, SectionKind, granules,
};
use crate::codec::Reader;
use crate::codec::checksum::{crc32, crc32_in};
use crate::codec::file_header::newer_format;
use crate::codec::reader::{u32_at, u64_at};
use crate::error::{Error, Result};
use crate::ids::{CommitTime, Lsn, PointId, Timeline};

/// An entry of the section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// The part it belongs to; 0 is the point itself.
    pub part: u16,
    /// Encoding of its bytes; its meaning depends on the kind.
    pub codec: u16,
    /// Offset from the record's first byte.
    pub offset: usize,
    /// Bytes as stored.
    pub len: usize,
    /// Bytes before compression.
    pub raw_len: usize,
    /// Items that it holds.
    pub count: usize,
    check_start: usize,
    check_count: usize,
}

/// Everything that a record says before its sections: enough to replay, to plan and to check.
#[derive(Debug, Clone)]
pub struct RecordHead {
    /// Its position.
    pub lsn: Lsn,
    /// Its length in bytes, head included.
    pub record_len: usize,
    /// Its commit time.
    pub commit_time: CommitTime,
    /// What was synced when it was written.
    pub durable_lsn: Lsn,
    /// The timeline that wrote it.
    pub lineage: Timeline,
    /// What it does.
    pub kind: RecordKind,
    /// Whether its operation goes on in the next record.
    pub more_follows: bool,
    /// Its rows.
    pub rows: usize,
    /// The client's own number, or 0.
    pub client_sequence: u64,
    /// Its sections.
    pub sections: Vec<Section>,
    header_crc: u32,
    checks: Vec<u32>,
}

impl RecordHead {
    /// Gives the length that the head of the record at the start of `bytes` claims, unchecked, if it is plausible; 0 otherwise.
    ///
    /// A reader uses it to know how many bytes to fetch before [`RecordHead::parse`].
    #[must_use]
    pub fn claimed_lens(bytes: &[u8]) -> Option<(usize, usize)> {
        if bytes.len() < FIXED_HEAD_LEN || u32_at(bytes, 0) != RECORD_MAGIC {
            return None;
        }
        let (record_len, head_len) = (u32_at(bytes, 16) as usize, u32_at(bytes, 20) as usize);
        let plausible = record_len <= RECORD_LEN_MAX
            && head_len <= record_len
            && head_len >= FIXED_HEAD_LEN
            && record_len.is_multiple_of(RECORD_ALIGN)
            && head_len.is_multiple_of(RECORD_ALIGN);
        plausible.then_some((record_len, head_len))
    }

    /// Gives how many bytes the fixed head and the section table of a record at `lsn` of `lineage` take; `None` when the fixed head, of which
    /// all bytes are here, is of another place.
    pub(in crate::log) fn table_len(fixed: &[u8], lsn: Lsn, lineage: Timeline) -> Option<usize> {
        let sections = usize::from(u16::from_le_bytes([fixed[58], fixed[59]]));
        let here = u64_at(fixed, 8) == lsn && fixed[40..56] == lineage.0 && sections <= SECTIONS_MAX;
        here.then_some(FIXED_HEAD_LEN + sections * SECTION_ENTRY_LEN)
    }

    /// Says whether a fixed head with its section table matches its checksum.
    pub(in crate::log) fn table_is_whole(bytes: &[u8]) -> bool {
        u32_at(bytes, 4) == crc32(&bytes[8..])
    }

    /// Reads and checks the head at the start of `bytes`, which must lie at `lsn` of a log.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not the head of a record at this position, `NewerFormat` for a version, kind or encoding of the future.
    pub fn parse(bytes: &[u8], lsn: Lsn) -> Result<Self> {
        let Some((record_len, head_len)) = Self::claimed_lens(bytes) else {
            return Err(Error::corrupt("no record begins here").with_expected("the head of a record", "other bytes"));
        };
        let section_count = usize::from(u16::from_le_bytes([bytes[58], bytes[59]]));
        let table_end = FIXED_HEAD_LEN + section_count * SECTION_ENTRY_LEN;
        if bytes.len() < head_len || table_end + 4 > head_len || section_count > SECTIONS_MAX {
            return Err(Error::corrupt("the head of the record is cut off").with_expected(format!("{head_len} bytes"), bytes.len()));
        }
        let stored = u32_at(bytes, 4);
        let header_crc = crc32(&bytes[8..table_end]);
        if stored != header_crc {
            return Err(
                Error::corrupt("record head checksum mismatch").with_expected(format!("{stored:#010x}"), format!("{header_crc:#010x}"))
            );
        }
        let mut head = Self::parse_fixed(&bytes[..FIXED_HEAD_LEN], record_len, header_crc)?;
        if head.lsn != lsn {
            return Err(Error::corrupt("a record of another position lies here").with_expected(lsn, head.lsn));
        }
        for index in 0..section_count {
            let at = FIXED_HEAD_LEN + index * SECTION_ENTRY_LEN;
            head.sections.push(Section::parse(&bytes[at..at + SECTION_ENTRY_LEN], head_len, record_len)?);
        }
        head.parse_checks(&bytes[table_end..head_len])?;
        Ok(head)
    }

    fn parse_fixed(bytes: &[u8], record_len: usize, header_crc: u32) -> Result<Self> {
        let mut r = Reader::new(bytes);
        r.take(8)?;
        let lsn = r.u64()?;
        r.take(8)?;
        let (commit_time, durable_lsn) = (r.u64()?, r.u64()?);
        let lineage = Timeline(r.array()?);
        let (kind, flags) = (r.u8()?, r.u8()?);
        r.u16()?;
        let rows = r.u32()? as usize;
        let client_sequence = r.u64()?;
        let (version, codec, cipher) = (r.u16()?, r.u16()?, r.u16()?);
        let rest_is_zero = r.take(FIXED_HEAD_LEN - r.offset())?.iter().all(|&b| b == 0);
        let newer = || newer_format("record", format!("version {version}, kind {kind}, codec {codec}, cipher {cipher}"), RECORD_VERSION);
        if version != RECORD_VERSION || codec != 0 || cipher != 0 || !rest_is_zero || flags & !FLAG_MORE_FOLLOWS != 0 {
            return Err(newer());
        }
        let kind = RecordKind::from_number(kind).ok_or_else(newer)?;
        if rows > ROWS_MAX || durable_lsn > lsn {
            return Err(Error::corrupt("the record breaks a limit of the format").with_expected(format!("at most {ROWS_MAX} rows"), rows));
        }
        Ok(RecordHead {
            lsn,
            record_len,
            commit_time,
            durable_lsn,
            lineage,
            kind,
            more_follows: flags & FLAG_MORE_FOLLOWS != 0,
            rows,
            client_sequence,
            sections: Vec::new(),
            header_crc,
            checks: Vec::new(),
        })
    }

    /// Reads the check table, which its own checksum ends, and the zeros behind it.
    fn parse_checks(&mut self, bytes: &[u8]) -> Result<()> {
        let count = self.sections.iter().map(|s| s.check_count).sum::<usize>();
        let len = count.checked_mul(4).filter(|len| len + 4 <= bytes.len());
        let Some(len) = len else {
            return Err(Error::corrupt("the check table does not fit the head").with_expected(format!("{count} checks"), bytes.len() / 4));
        };
        let (stored, actual) = (u32_at(bytes, len), crc32_in(self.header_crc, &bytes[..len]));
        if stored != actual {
            return Err(Error::corrupt("check table checksum mismatch").with_expected(format!("{stored:#010x}"), format!("{actual:#010x}")));
        }
        if bytes[len + 4..].iter().any(|&b| b != 0) {
            return Err(Error::corrupt("bytes behind the check table are not zero"));
        }
        let mut start = 0;
        for section in &self.sections {
            if section.check_start != start {
                return Err(Error::corrupt("the sections' checks do not follow each other").with_expected(start, section.check_start));
            }
            start += section.check_count;
        }
        self.checks = bytes[..len].chunks_exact(4).map(|raw| u32_at(raw, 0)).collect();
        Ok(())
    }

    /// Gives the position behind the record.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.lsn + self.record_len as u64
    }

    /// Finds a section.
    #[must_use]
    pub fn section(&self, kind: SectionKind, part: u16) -> Option<&Section> {
        self.sections.iter().find(|s| s.kind == kind && s.part == part)
    }

    /// Gives the stored bytes of the record's payloads for each of its rows, about.
    #[must_use]
    pub fn payload_share(&self) -> u64 {
        self.section(SectionKind::Payload, 0).map_or(0, |section| section.len.div_ceil(self.rows.max(1)) as u64)
    }

    /// Checks the granule of a vector section that holds position `at`; `record` is the whole record. Gives the positions that are now known to be good.
    ///
    /// # Errors
    /// `Corrupt` when no vector section holds the position or its checksum does not match.
    pub fn check_granule(&self, record: &[u8], at: Lsn) -> Result<(Lsn, Lsn)> {
        let (from, to) = self.granule(at)?;
        self.check_granule_bytes(at, &record[(from - self.lsn) as usize..(to - self.lsn) as usize])?;
        Ok((from, to))
    }

    /// Names the granule of a vector section that holds position `at`: where it begins and where it ends.
    ///
    /// # Errors
    /// `Corrupt` when no vector section holds the position.
    pub fn granule(&self, at: Lsn) -> Result<(Lsn, Lsn)> {
        let (_, _, from, to) = self.locate_granule(at)?;
        Ok((from, to))
    }

    /// Checks the bytes of the granule that holds position `at`: all of them, and no others.
    ///
    /// # Errors
    /// `Corrupt` when no vector section holds the position or the checksum does not match.
    pub fn check_granule_bytes(&self, at: Lsn, bytes: &[u8]) -> Result<()> {
        let (section, index, from, to) = self.locate_granule(at)?;
        assert_eq!(bytes.len() as u64, to - from, "a granule is checked as a whole");
        self.check_bytes(section, index, bytes)
    }

    /// Finds the section that holds position `at`, the number of the granule there, and the granule's two ends.
    fn locate_granule(&self, at: Lsn) -> Result<(&Section, usize, Lsn, Lsn)> {
        let holds = |s: &&Section| {
            let start = self.lsn + s.offset as u64;
            s.kind == SectionKind::Vectors && at >= start && at < start + s.len as u64
        };
        let Some(section) = self.sections.iter().find(holds) else {
            return Err(Error::corrupt("an address does not point at a vector").with_offset(at));
        };
        let start = self.lsn + section.offset as u64;
        let index = at / GRANULE - start / GRANULE;
        let (from, to) = super::encode::granule_range(start, section.len as u64, index);
        Ok((section, index as usize, start + from as u64, start + to as u64))
    }

    /// Compares bytes of a section with its `index`-th checksum.
    pub(crate) fn check_bytes(&self, section: &Section, index: usize, bytes: &[u8]) -> Result<()> {
        assert!(index < section.check_count, "a section has a checksum for each of its pieces");
        let (stored, actual) = (self.checks[section.check_start + index], crc32_in(self.header_crc, bytes));
        if stored != actual {
            return Err(Error::corrupt(format!("record section \"{}\" checksum mismatch", kind_name(section.kind)))
                .with_offset(self.lsn + section.offset as u64)
                .with_expected(format!("{stored:#010x}"), format!("{actual:#010x}")));
        }
        Ok(())
    }
}

fn kind_name(kind: SectionKind) -> &'static str {
    SectionKind::TABLE.iter().find(|row| row.0 == kind).map_or("?", |row| row.2)
}

impl Section {
    fn parse(entry: &[u8], head_len: usize, record_len: usize) -> Result<Self> {
        let mut r = Reader::new(entry);
        let (kind, part, check, codec) = (r.u16()?, r.u16()?, r.u16()?, r.u16()?);
        let (offset, len, raw_len, count) = (r.u32()? as usize, r.u32()? as usize, r.u32()? as usize, r.u32()? as usize);
        let (check_start, check_count) = (r.u32()? as usize, r.u32()? as usize);
        let kind = SectionKind::from_number(kind)
            .filter(|k| k.check() as u16 == check)
            .ok_or_else(|| newer_format("record section", format!("kind {kind}, check {check}"), RECORD_VERSION))?;
        let fits = offset >= head_len && offset.is_multiple_of(RECORD_ALIGN) && offset + len <= record_len;
        let raw_fits = if kind == SectionKind::Payload { raw_len <= PAYLOAD_RAW_MAX } else { raw_len == len };
        let checks_fit = match kind.check() {
            Check::Whole => check_count == 1,
            Check::Granules => check_count == len.div_ceil(GRANULE as usize) + 1,
            Check::Blocks => check_count == count,
        };
        if !fits || !raw_fits || !checks_fit || check_start.saturating_add(check_count) > record_len {
            return Err(Error::corrupt(format!("record section \"{}\" does not fit the record", kind_name(kind)))
                .with_expected(format!("bytes {head_len} to {record_len}"), format!("{offset} to {}", offset + len)));
        }
        Ok(Section { kind, part, codec, offset, len, raw_len, count, check_start, check_count })
    }
}

/// A whole record in memory.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its head.
    pub head: RecordHead,
    /// All its bytes, head included.
    pub bytes: bytes::Bytes,
}

impl Record {
    /// Takes a record whose bytes are all here.
    ///
    /// # Errors
    /// As [`RecordHead::parse`], and `Corrupt` when bytes are missing.
    pub fn parse(bytes: bytes::Bytes, lsn: Lsn) -> Result<Self> {
        let head = RecordHead::parse(&bytes, lsn)?;
        if bytes.len() < head.record_len {
            return Err(Error::corrupt("the record is cut off").with_expected(format!("{} bytes", head.record_len), bytes.len()));
        }
        let bytes = bytes.slice(..head.record_len);
        Ok(Record { head, bytes })
    }

    /// Checks every byte of the record: all sections, and the zeros between them.
    ///
    /// # Errors
    /// `Corrupt` with the position of the section that does not match.
    pub fn verify(&self) -> Result<()> {
        let head_len = RecordHead::claimed_lens(&self.bytes).map_or(0, |lens| lens.1);
        let mut at = head_len;
        for section in &self.head.sections {
            if self.bytes[at..].len() < section.offset.saturating_sub(at) || section.offset < at {
                return Err(Error::corrupt("the record's sections overlap").with_offset(self.head.lsn + section.offset as u64));
            }
            self.check_zero(at, section.offset)?;
            self.verify_section(section)?;
            at = section.offset + section.len;
        }
        self.check_zero(at, self.bytes.len())
    }

    fn check_zero(&self, from: usize, to: usize) -> Result<()> {
        match self.bytes[from..to].iter().position(|&b| b != 0) {
            None => Ok(()),
            Some(at) => {
                Err(Error::corrupt("bytes between the record's sections are not zero").with_offset(self.head.lsn + (from + at) as u64))
            }
        }
    }

    fn verify_section(&self, section: &Section) -> Result<()> {
        let bytes = &self.bytes[section.offset..section.offset + section.len];
        match section.kind.check() {
            Check::Whole => self.head.check_bytes(section, 0, bytes),
            Check::Granules => {
                let start = self.head.lsn + section.offset as u64;
                (0..granules(start, section.len as u64)).try_for_each(|index| {
                    let (from, to) = super::encode::granule_range(start, section.len as u64, index);
                    self.head.check_bytes(section, index as usize, &bytes[from..to])
                })
            }
            Check::Blocks => {
                let blocks = crate::log::payload_blocks::PayloadBlocks::open(self)?;
                blocks.map_or(Ok(()), |blocks| blocks.verify())
            }
        }
    }

    /// Gives the bytes of a section that one checksum covers, checked.
    ///
    /// # Errors
    /// `Corrupt` when the checksum does not match.
    pub fn checked(&self, kind: SectionKind, part: u16) -> Result<Option<&[u8]>> {
        let Some(section) = self.head.section(kind, part) else { return Ok(None) };
        assert_eq!(kind.check(), Check::Whole, "only sections with one checksum are read as a whole");
        let bytes = &self.bytes[section.offset..section.offset + section.len];
        self.head.check_bytes(section, 0, bytes)?;
        Ok(Some(bytes))
    }

    /// Reads the record's point ids, one a row, no point twice.
    ///
    /// # Errors
    /// `Corrupt` when there are not as many as rows, or one stands in the record twice.
    pub fn ids(&self) -> Result<Vec<PointId>> {
        let bytes = self.checked(SectionKind::Ids, 0)?.unwrap_or_default();
        let codec = self.head.section(SectionKind::Ids, 0).map_or(IDS_NUMBERS, |s| s.codec);
        let ids: Vec<PointId> = match codec {
            IDS_NUMBERS if bytes.len().is_multiple_of(8) => bytes.chunks_exact(8).map(|raw| PointId::Number(u64_at(raw, 0))).collect(),
            IDS_TAGGED if bytes.len().is_multiple_of(17) => bytes.chunks_exact(17).map(tagged_id).collect::<Result<_>>()?,
            _ => return Err(Error::corrupt("unknown encoding of ids").with_offset(self.head.lsn).with_expected("0 or 1", codec)),
        };
        if ids.len() != self.head.rows {
            return Err(Error::corrupt("ids do not match the rows").with_offset(self.head.lsn).with_expected(self.head.rows, ids.len()));
        }
        if let Some(id) = repeated(&ids) {
            return Err(Error::corrupt(format!("point {id} stands in the record twice")).with_offset(self.head.lsn));
        }
        Ok(ids)
    }

    /// Reads the parts that a record of deleted vectors ends, ascending.
    ///
    /// # Errors
    /// `Corrupt` when there is none, one is the point itself, or they do not ascend.
    pub fn ended_parts(&self) -> Result<Vec<usize>> {
        let bytes = self.checked(SectionKind::Parts, 0)?.unwrap_or_default();
        let parts: Vec<usize> = bytes.chunks_exact(2).map(|raw| usize::from(u16::from_le_bytes([raw[0], raw[1]]))).collect();
        let ascend = parts.is_sorted_by(|a, b| a < b) && parts.first().is_some_and(|&first| first > 0);
        if !ascend || !bytes.len().is_multiple_of(2) {
            return Err(Error::corrupt("a record of deleted vectors does not say which").with_offset(self.head.lsn));
        }
        Ok(parts)
    }

    /// Reads the JSON text of a schema or catalog record.
    ///
    /// # Errors
    /// `Corrupt` when there is none or it is not UTF-8.
    pub fn json(&self) -> Result<&str> {
        let bytes = self.checked(SectionKind::Json, 0)?;
        bytes
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| Error::corrupt("the record carries no text").with_offset(self.head.lsn))
    }
}

/// Finds an id that is there twice.
fn repeated(ids: &[PointId]) -> Option<PointId> {
    if ids.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn tagged_id(raw: &[u8]) -> Result<PointId> {
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&raw[1..]);
    match raw[0] {
        0 if raw[9..].iter().all(|&b| b == 0) => Ok(PointId::Number(u64_at(raw, 1))),
        1 => Ok(PointId::Uuid(uuid)),
        tag => Err(Error::corrupt("unknown tag of an id").with_expected("0 or 1", tag)),
    }
}
