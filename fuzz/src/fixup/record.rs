//! Records and files of the log.

use engine::codec::checksum::{crc32, crc32_in};
use engine::ids::Timeline;
use engine::log::file::{LOG_MAGIC, LOG_VERSION};

use super::{put, u16_at, u32_at, u64_at};

const MAGIC: &[u8] = b"VRC1";
const FIXED_HEAD_LEN: usize = 128;
const ENTRY_LEN: usize = 32;
const GRANULE: u64 = 4096;

/// Puts the right header before the records of a log file and makes their checksums right. `header_len` is where its records begin.
pub fn file(bytes: &mut [u8], timeline: Timeline, start: u64, header_len: usize) {
    let header = engine::codec::FileHeader { magic: LOG_MAGIC, version: LOG_VERSION, subject: timeline.0, number: start };
    put(bytes, 0, &header.encode());
    if let Some(rest) = bytes.get_mut(header_len..) {
        records(rest, timeline, start);
    }
}

/// Makes the checksums of records that follow each other right, the first of which is at `start`.
pub fn records(bytes: &mut [u8], timeline: Timeline, start: u64) {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        at += match rest.starts_with(MAGIC) {
            true => record(rest, start + at as u64, Some(timeline)),
            false => 64,
        };
    }
}

/// Makes the checksums of the record at the start of `bytes` right, and its position and timeline where one is given.
/// Gives how far it reaches: at least 64 bytes.
pub fn record(bytes: &mut [u8], lsn: u64, timeline: Option<Timeline>) -> usize {
    if let Some(timeline) = timeline {
        put(bytes, 8, &lsn.to_le_bytes());
        put(bytes, 40, &timeline.0);
        let durable = u64_at(bytes, 32).unwrap_or(0).min(lsn);
        put(bytes, 32, &durable.to_le_bytes());
    }
    let record_len = u32_at(bytes, 16).unwrap_or(0) as usize;
    checksums(bytes, lsn);
    record_len.clamp(64, bytes.len().max(64)).next_multiple_of(64)
}

fn checksums(bytes: &mut [u8], lsn: u64) -> Option<()> {
    let sections = usize::from(u16_at(bytes, 58)?);
    let table_end = FIXED_HEAD_LEN + sections * ENTRY_LEN;
    let header_crc = crc32(bytes.get(8..table_end)?);
    put(bytes, 4, &header_crc.to_le_bytes());
    let mut total = 0;
    for section in 0..sections {
        let entry = FIXED_HEAD_LEN + section * ENTRY_LEN;
        total += u32_at(bytes, entry + 28)? as usize;
        for (at, crc) in section_checks(bytes, entry, sections, header_crc, lsn).unwrap_or_default() {
            put(bytes, table_end + at * 4, &crc.to_le_bytes());
        }
    }
    let end = table_end.checked_add(total.checked_mul(4)?)?;
    let table_crc = crc32_in(header_crc, bytes.get(table_end..end)?);
    put(bytes, end, &table_crc.to_le_bytes());
    Some(())
}

/// The checks of one section: place in the table and value.
fn section_checks(bytes: &[u8], entry: usize, sections: usize, header_crc: u32, lsn: u64) -> Option<Vec<(usize, u32)>> {
    let (check, offset, len) = (u16_at(bytes, entry + 4)?, u32_at(bytes, entry + 8)? as usize, u32_at(bytes, entry + 12)? as usize);
    let (start, count) = (u32_at(bytes, entry + 24)? as usize, u32_at(bytes, entry + 28)? as usize);
    let content = bytes.get(offset..offset.checked_add(len)?)?;
    let pieces = match check {
        0 => vec![(0, len)],
        1 => granules(lsn.checked_add(offset as u64)?, len as u64),
        _ => blocks(bytes, sections, len, count)?,
    };
    let crc = |(from, to): (usize, usize)| content.get(from..to).map_or(0, |piece| crc32_in(header_crc, piece));
    Some(pieces.into_iter().take(count).enumerate().map(|(at, piece)| (start + at, crc(piece))).collect())
}

fn granules(at: u64, len: u64) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < len {
        let to = (((at + from) / GRANULE + 1) * GRANULE - at).min(len);
        pieces.push((from as usize, to as usize));
        from = to;
    }
    pieces
}

/// The stored ranges of payload blocks, which the section of kind 6 says.
fn blocks(bytes: &[u8], sections: usize, len: usize, count: usize) -> Option<Vec<(usize, usize)>> {
    let entry = (0..sections).map(|section| FIXED_HEAD_LEN + section * ENTRY_LEN).find(|entry| u16_at(bytes, *entry) == Some(6))?;
    let table = u32_at(bytes, entry + 8)? as usize;
    let count = count.min(bytes.len() / 8);
    let start = |block: usize| if block < count { u32_at(bytes, table + block * 8 + 4).map(|at| at as usize) } else { Some(len) };
    (0..count).map(|block| Some((start(block)?, start(block + 1)?))).collect()
}
