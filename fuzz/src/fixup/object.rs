//! Objects of segments: header, sections, directory, footer and hash.

use engine::codec::FileHeader;
use engine::codec::checksum::{HASH_LEN, Hash, crc32, crc32_in};
use engine::ids::SegmentId;
use engine::object_file::{ENTRY_LEN, FOOTER_LEN, FOOTER_MAGIC, OBJECT_VERSION, Role};

use super::{put, u32_at, u64_at};

/// Makes every checksum of an object right, as far as its footer and directory can be found.
pub fn object(bytes: &mut [u8], role: Role, id: SegmentId) {
    let header = FileHeader { magic: role.magic(), version: OBJECT_VERSION, subject: id.0, number: 0 };
    put(bytes, 0, &header.encode());
    directory(bytes, id);
    if let Some(end) = bytes.len().checked_sub(HASH_LEN) {
        let hash = Hash::of(&bytes[..end]);
        put(bytes, end, &hash.0);
    }
}

fn directory(bytes: &mut [u8], id: SegmentId) -> Option<()> {
    let footer = bytes.len().checked_sub(HASH_LEN + FOOTER_LEN)?;
    let count = u32_at(bytes, footer + 8)? as usize;
    let start = footer.checked_sub(count.checked_mul(ENTRY_LEN)?)?;
    for entry in (start..footer).step_by(ENTRY_LEN) {
        if let Some(crc) = section_crc(bytes, entry, id) {
            put(bytes, entry + 24, &crc.to_le_bytes());
        }
    }
    let context = crc32(&id.0);
    let directory_crc = crc32_in(context, &bytes[start..footer]);
    put(bytes, footer, &(start as u64).to_le_bytes());
    put(bytes, footer + 12, &directory_crc.to_le_bytes());
    put(bytes, footer + 16, &[0; 4]);
    let footer_crc = crc32_in(context, &bytes[footer..footer + 20]);
    put(bytes, footer + 20, &footer_crc.to_le_bytes());
    put(bytes, footer + 24, &FOOTER_MAGIC);
    Some(())
}

fn section_crc(bytes: &[u8], entry: usize, id: SegmentId) -> Option<u32> {
    let (tag, part) = (u32_at(bytes, entry)?, u32_at(bytes, entry + 4)?);
    let (offset, len) = (usize::try_from(u64_at(bytes, entry + 8)?).ok()?, usize::try_from(u64_at(bytes, entry + 16)?).ok()?);
    let content = bytes.get(offset..offset.checked_add(len)?)?;
    let mut name = id.0.to_vec();
    name.extend_from_slice(&tag.to_le_bytes());
    name.extend_from_slice(&part.to_le_bytes());
    Some(crc32_in(crc32(&name), content))
}
