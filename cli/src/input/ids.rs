//! Files of whole numbers or UUIDs: ids of points, and true neighbours of queries.

use super::npy::{Element, Header};
use super::{Source, bytes_of_rows};
use crate::exit::Failure;
use engine::PointId;
use platform::fs::FileSystem;
use std::path::Path;

/// Ids of points, one a row: `.npy` of one dimension, whole numbers or UUID text.
#[derive(Debug, Clone)]
pub struct IdFile {
    source: Source,
    header: Header,
    rows: u64,
}

impl IdFile {
    /// Opens a file.
    ///
    /// # Errors
    /// `InvalidInput` when it is not an array of one dimension of whole numbers or text.
    pub fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Failure> {
        Self::read(Source::open(fs, path)?)
    }

    /// Reads what the file says about itself.
    ///
    /// # Errors
    /// As [`IdFile::open`].
    pub fn read(source: Source) -> Result<Self, Failure> {
        let header = Header::read(&source)?;
        let &[rows] = header.shape.as_slice() else {
            return Err(source.bad("ids need an array of one dimension").with_expected("(rows,)", format!("{:?}", header.shape)));
        };
        if let Element::Float(_) = header.element {
            let failure = source.bad("ids are whole numbers or UUID text");
            return Err(failure.with_expected("<i8, <u8, <i4, |S36, <U36 or similar", format!("{:?}", header.element)));
        }
        Ok(Self { source, header, rows })
    }

    /// Ids in the file.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads `count` ids from row `first` on.
    ///
    /// # Errors
    /// `InvalidInput` with the row: a negative number, or text that is no UUID.
    pub fn read_rows(&self, first: u64, count: usize) -> Result<Vec<PointId>, Failure> {
        let size = self.header.element.size();
        let len = bytes_of_rows(&self.source, self.rows, first, count, size)?;
        let bytes = self.source.read_vec(self.header.data_offset + first * size, len)?;
        // Elements are 1 to 256 bytes long.
        bytes
            .chunks_exact(size as usize)
            .zip(first..)
            .map(|(element, row)| id(self.header.element, element).map_err(|why| self.source.bad(format!("row {row}: {why}"))))
            .collect()
    }
}

/// True neighbours of queries, a row each, nearest first: `.npy` of two dimensions, whole numbers.
#[derive(Debug, Clone)]
pub struct NeighbourFile {
    source: Source,
    header: Header,
    rows: u64,
    width: u64,
}

impl NeighbourFile {
    /// Opens a file.
    ///
    /// # Errors
    /// `InvalidInput` when it is not an array of two dimensions of whole numbers in C order.
    pub fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self, Failure> {
        Self::read(Source::open(fs, path)?)
    }

    /// Reads what the file says about itself.
    ///
    /// # Errors
    /// As [`NeighbourFile::open`].
    pub fn read(source: Source) -> Result<Self, Failure> {
        let header = Header::read(&source)?;
        let whole = matches!(header.element, Element::Signed(_) | Element::Unsigned(_));
        let &[rows, width] = header.shape.as_slice() else {
            return Err(source
                .bad("neighbours need an array of two dimensions")
                .with_expected("(queries, neighbours)", format!("{:?}", header.shape)));
        };
        if width == 0 {
            return Err(source.bad("no neighbour stands in a row"));
        }
        if !whole || header.fortran_order {
            let failure = source.bad("neighbours are whole numbers in C order");
            return Err(failure.with_expected("<i4, <i8, <u4 or <u8", format!("{:?}", header.element)));
        }
        Ok(Self { source, header, rows, width })
    }

    /// Queries in the file.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Neighbours of each query.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Reads the neighbours of `count` queries from row `first` on.
    ///
    /// # Errors
    /// `InvalidInput` with the row of a negative number.
    pub fn read_rows(&self, first: u64, count: usize) -> Result<Vec<Vec<u64>>, Failure> {
        let size = self.header.element.size();
        let row_len = size.saturating_mul(self.width);
        let len = bytes_of_rows(&self.source, self.rows, first, count, row_len)?;
        let bytes = self.source.read_vec(self.header.data_offset + first * row_len, len)?;
        let mut rows = Vec::with_capacity(count);
        for (row, number) in bytes.chunks_exact(row_len as usize).zip(first..) {
            let neighbours: Option<Vec<u64>> = row.chunks_exact(size as usize).map(|bytes| whole(self.header.element, bytes)).collect();
            rows.push(neighbours.ok_or_else(|| self.source.bad(format!("row {number} has a negative neighbour")))?);
        }
        Ok(rows)
    }
}

fn id(element: Element, bytes: &[u8]) -> Result<PointId, String> {
    let text = match element {
        Element::Text(_) => utf32(bytes).ok_or("the id is not text")?,
        Element::Bytes(_) => std::str::from_utf8(bytes).map_err(|_| "the id is not text")?.to_owned(),
        _ => return whole(element, bytes).map(PointId::Number).ok_or_else(|| "an id is not negative".to_owned()),
    };
    PointId::parse(text.trim_end_matches('\0')).map_err(|failure| failure.to_string())
}

fn utf32(bytes: &[u8]) -> Option<String> {
    bytes.as_chunks::<4>().0.iter().map(|code| char::from_u32(u32::from_le_bytes(*code))).collect()
}

/// Reads a whole number; `None` when it is negative.
fn whole(element: Element, bytes: &[u8]) -> Option<u64> {
    debug_assert!(bytes.len() <= 8);
    let negative = matches!(element, Element::Signed(_)) && bytes.last().is_some_and(|top| *top >= 0x80);
    let mut wide = [0; 8];
    wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    (!negative).then_some(u64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ErrorKind;

    fn source(descr: &str, shape: &str, data: &[u8]) -> Source {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        Source::memory("ids.npy", bytes)
    }

    fn ids(descr: &str, shape: &str, data: &[u8]) -> Result<Vec<PointId>, Failure> {
        let file = IdFile::read(source(descr, shape, data))?;
        file.read_rows(0, usize::try_from(file.rows()).unwrap())
    }

    #[test]
    fn whole_numbers_of_every_width_are_ids() {
        let expected = [PointId::Number(1), PointId::Number(127)];
        for (descr, size) in [("|u1", 1), ("|i1", 1), ("<u2", 2), ("<i2", 2), ("<u4", 4), ("<i4", 4), ("<u8", 8), ("<i8", 8)] {
            let data: Vec<u8> = [1_u64, 127].iter().flat_map(|number| number.to_le_bytes()[..size].to_vec()).collect();
            assert_eq!(ids(descr, "(2,)", &data).unwrap(), expected, "{descr}");
        }
        assert_eq!(ids("<u8", "(1,)", &[0xff; 8]).unwrap(), [PointId::Number(u64::MAX)]);
        assert_eq!(ids("|u1", "(1,)", &[0xff]).unwrap(), [PointId::Number(255)]);
    }

    #[test]
    fn a_negative_id_is_refused_with_its_row() {
        let failure = ids("<i4", "(2,)", &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::InvalidInput);
        assert!(failure.message.starts_with("row 1"), "{failure}");
    }

    #[test]
    fn uuids_are_read_from_both_kinds_of_text() {
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        let wide: Vec<u8> = uuid.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
        let expected = PointId::parse(uuid).unwrap();
        assert_eq!(ids("<U36", "(1,)", &wide).unwrap(), [expected]);
        let padded = [uuid.as_bytes(), &[0, 0]].concat();
        assert_eq!(ids("|S38", "(1,)", &padded).unwrap(), [expected]);
        for bad in [[0xff; 4], [0, 0, 0, 0], *b"abcd"] {
            assert_eq!(ids("|S4", "(1,)", &bad).unwrap_err().kind, ErrorKind::InvalidInput);
        }
        assert_eq!(ids("<U1", "(1,)", &[0xff; 4]).unwrap_err().kind, ErrorKind::InvalidInput);
    }

    #[test]
    fn arrays_that_hold_no_ids_are_refused() {
        assert!(ids("<f4", "(1,)", &[0; 4]).is_err());
        assert!(ids("<i4", "(1, 1)", &[0; 4]).is_err());
        assert!(ids("<i4", "()", &[0; 4]).is_err());
    }

    #[test]
    fn true_neighbours_are_read_row_by_row() {
        let data: Vec<u8> = [5_i32, 6, 7, 8, 9, 10].iter().flat_map(|number| number.to_le_bytes()).collect();
        let file = NeighbourFile::read(source("<i4", "(2, 3)", &data)).unwrap();
        assert_eq!((file.rows(), file.width()), (2, 3));
        assert_eq!(file.read_rows(1, 1).unwrap(), [[8, 9, 10]]);
        assert!(file.read_rows(1, 2).is_err());
        let negative = NeighbourFile::read(source("|i1", "(1, 1)", &[0x80])).unwrap();
        assert_eq!(negative.read_rows(0, 1).unwrap_err().kind, ErrorKind::InvalidInput);
        for (descr, shape, len) in [("<f4", "(1, 1)", 4), ("<i4", "(1,)", 4), ("<i4", "(3, 0)", 0)] {
            assert!(NeighbourFile::read(source(descr, shape, &vec![0; len])).is_err(), "{descr} {shape}");
        }
    }
}
