//! The addresses object: where in the log each part of each row stands. Replaced as a whole when cleaning moves parts.

use bytes::Bytes;

use super::ABSENT;
use super::build::finished;
use super::meta::ObjectMeta;
use crate::codec::Writer;
use crate::codec::reader::u64_at;
use crate::error::{Error, Result};
use crate::ids::SegmentId;
use crate::object_file::{ObjectBuilder, ObjectFile, Role};

/// The section of one part's addresses, 8 bytes a row; left out when no row has the part.
pub const TAG_COLUMN: u32 = 1;

/// Lays out the addresses of all parts; `columns[part][row]` is an address or [`ABSENT`].
///
/// # Panics
/// When the columns differ in length.
#[must_use]
pub fn encode(id: SegmentId, columns: &[Vec<u64>]) -> Vec<u8> {
    let mut builder = ObjectBuilder::new(Role::Addresses, id);
    for (part, column) in (0_u32..).zip(columns) {
        assert_eq!(column.len(), columns[0].len(), "every part has a column over the same rows");
        if column.iter().all(|&address| address == ABSENT) {
            continue;
        }
        let mut w = Writer::new();
        column.iter().for_each(|&address| w.u64(address));
        builder = builder.section(TAG_COLUMN, part, w.into_bytes());
    }
    builder.finish()
}

/// Builds an addresses object from the addresses of all parts of all rows.
///
/// # Errors
/// `Corrupt` when the object does not end as it should.
pub fn build_addresses(id: SegmentId, columns: &[Vec<u64>]) -> Result<(ObjectMeta, Vec<u8>)> {
    finished(Role::Addresses, 0, id, encode(id, columns))
}

/// The addresses object opened.
#[derive(Debug)]
pub struct Addresses {
    object: ObjectFile,
    columns: Vec<Option<Bytes>>,
}

impl Addresses {
    /// Opens the addresses of some parts of some rows.
    ///
    /// # Errors
    /// `Corrupt` when the object is damaged or of other rows or parts.
    pub fn open(bytes: Bytes, id: SegmentId, parts: u32, rows: u32) -> Result<Self> {
        let object = ObjectFile::open(bytes, Role::Addresses, id)?;
        if let Some((tag, part)) = object.names().find(|&(tag, part)| tag != TAG_COLUMN || part >= parts) {
            return Err(Error::corrupt("an addresses object has a part that its rows do not have")
                .with_object(id.to_string())
                .with_expected(format!("parts below {parts}"), format!("tag {tag}, part {part}")));
        }
        let expected = rows as usize * 8;
        let mut columns = Vec::with_capacity(object.names().count());
        for part in 0..parts {
            let column = object.section(TAG_COLUMN, part)?;
            if let Some(column) = column.as_ref().filter(|column| column.len() != expected) {
                return Err(Error::corrupt(format!("the addresses of part {part} are of other rows"))
                    .with_object(id.to_string())
                    .with_expected(format!("{expected} bytes"), column.len()));
            }
            columns.push(column);
        }
        Ok(Addresses { object, columns })
    }

    /// Gives the address of a part of a row, `None` when the row does not have it.
    #[inline]
    #[must_use]
    pub fn get(&self, part: u32, row: u32) -> Option<u64> {
        let column = self.columns.get(part as usize)?.as_ref()?;
        let address = u64_at(column, row as usize * 8);
        (address != ABSENT).then_some(address)
    }

    /// Gives the container, for reading everything in it.
    #[must_use]
    pub fn object(&self) -> &ObjectFile {
        &self.object
    }

    /// Gives the number of stored bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.columns.iter().flatten().map(|column| column.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SegmentId = SegmentId([3; 16]);

    #[test]
    fn addresses_read_back_and_absent_parts_have_none() {
        let columns = vec![vec![64, ABSENT, 192], vec![ABSENT; 3], vec![0, 1, 2]];
        let bytes: Bytes = encode(ID, &columns).into();
        let addresses = Addresses::open(bytes.clone(), ID, 3, 3).unwrap();
        for (part, column) in (0..).zip(&columns) {
            for (row, &address) in (0..).zip(column) {
                assert_eq!(addresses.get(part, row), (address != ABSENT).then_some(address), "part {part}, row {row}");
            }
        }
        assert_eq!(addresses.get(9, 0), None);
        assert_eq!(addresses.bytes(), 48);
        assert!(Addresses::open(bytes.clone(), ID, 2, 3).is_err(), "fewer parts");
        assert!(Addresses::open(bytes, ID, 3, 4).is_err(), "other rows");
    }
}
