//! The header of NumPy's `.npy` files, versions 1 to 3.

use super::Source;
use crate::exit::Failure;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Headers of arrays of numbers take about a hundred bytes.
const MAX_HEADER_BYTES: u32 = 64 << 10;

/// The type of one element, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// A float of so many bytes: 2, 4 or 8.
    Float(u8),
    /// A whole number of so many bytes, possibly negative.
    Signed(u8),
    /// A whole number of so many bytes.
    Unsigned(u8),
    /// Text of so many UTF-32 characters.
    Text(u32),
    /// Text of so many bytes.
    Bytes(u32),
}

impl Element {
    /// Bytes that one element takes.
    #[must_use]
    pub fn size(self) -> u64 {
        match self {
            Element::Float(size) | Element::Signed(size) | Element::Unsigned(size) => u64::from(size),
            Element::Text(chars) => 4 * u64::from(chars),
            Element::Bytes(bytes) => u64::from(bytes),
        }
    }
}

/// What an array is, and where its first element stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of the elements.
    pub element: Element,
    /// The lengths of its dimensions, rows first.
    pub shape: Vec<u64>,
    /// Whether columns, not rows, lie together.
    pub fortran_order: bool,
    /// The byte at which the elements begin.
    pub data_offset: u64,
}

impl Header {
    /// Reads the header and checks that the file holds exactly the elements that it names.
    ///
    /// # Errors
    /// `InvalidInput` with file and offset for anything else.
    pub fn read(source: &Source) -> Result<Self, Failure> {
        let start = source.read_vec(0, 8).map_err(|_| not_npy(source))?;
        if &start[..6] != MAGIC {
            return Err(not_npy(source));
        }
        let (len, text_at) = match start[6] {
            1 => {
                let len = source.read_vec(8, 2)?;
                (u32::from(u16::from_le_bytes([len[0], len[1]])), 10)
            }
            2 | 3 => {
                let len = source.read_vec(8, 4)?;
                (u32::from_le_bytes([len[0], len[1], len[2], len[3]]), 12)
            }
            version => return Err(source.bad("unknown .npy version").with_offset(6).with_expected("1, 2 or 3", version)),
        };
        if len > MAX_HEADER_BYTES {
            return Err(source
                .bad("the .npy header is too long")
                .with_offset(8)
                .with_expected(format!("at most {MAX_HEADER_BYTES} bytes"), len));
        }
        let text = source.read_vec(text_at, len as usize)?;
        let mut parser = Parser { text: &text, at: 0 };
        let fields = parser.dictionary().map_err(|message| source.bad(message).with_offset(text_at + parser.at as u64))?;
        let header = Self {
            element: element_of(&fields.descr).ok_or_else(|| {
                source
                    .bad("unsupported element type in .npy")
                    .with_expected("little-endian numbers or text", format!("{:?}", fields.descr))
                    .with_hint("convert it in NumPy, for example with .astype(\"<f4\")")
            })?,
            shape: fields.shape,
            fortran_order: fields.fortran_order,
            data_offset: text_at + u64::from(len),
        };
        header.check_size(source)?;
        Ok(header)
    }

    fn check_size(&self, source: &Source) -> Result<(), Failure> {
        let elements = self.shape.iter().try_fold(1_u64, |total, length| total.checked_mul(*length));
        let size = elements.and_then(|count| count.checked_mul(self.element.size())).and_then(|bytes| bytes.checked_add(self.data_offset));
        if size == Some(source.size()) {
            return Ok(());
        }
        let expected = size.map_or_else(|| "more bytes than a file can have".to_owned(), |size| format!("{size} bytes"));
        Err(source
            .bad(format!("the .npy file does not have the size of its shape {:?}", self.shape))
            .with_expected(expected, format!("{} bytes", source.size())))
    }
}

fn not_npy(source: &Source) -> Failure {
    source.bad("this is no .npy file").with_offset(0).with_expected("\\x93NUMPY and a version", "other bytes")
}

/// Understands `<f4`, `|u1`, `<i8`, `<U36`, `|S36` and their like.
fn element_of(descr: &str) -> Option<Element> {
    let mut chars = descr.chars();
    let order = chars.next()?;
    let kind = chars.next()?;
    let digits = chars.as_str();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size: u32 = digits.parse().ok()?;
    let ordered = matches!(order, '<' | '=');
    let single = matches!(order, '|' | '<' | '=');
    match (kind, size) {
        ('f', 2 | 4 | 8) if ordered => Some(Element::Float(size as u8)),
        ('u', 1) if single => Some(Element::Unsigned(1)),
        ('i', 1) if single => Some(Element::Signed(1)),
        ('u', 2 | 4 | 8) if ordered => Some(Element::Unsigned(size as u8)),
        ('i', 2 | 4 | 8) if ordered => Some(Element::Signed(size as u8)),
        ('U', 1..=64) if ordered => Some(Element::Text(size)),
        ('S', 1..=64) if single => Some(Element::Bytes(size)),
        _ => None,
    }
}

struct Fields {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// Reads the Python dictionary of a header: three keys in any order.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn dictionary(&mut self) -> Result<Fields, String> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.take(b'}') {
            let key = self.string()?;
            self.expect(b':')?;
            let repeated = match key.as_str() {
                "descr" => descr.replace(self.string()?).is_some(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                other => return Err(format!("unknown key {other:?} in the .npy header")),
            };
            if repeated {
                return Err(format!("key {key:?} stands twice in the .npy header"));
            }
            if !self.take(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        self.skip_blanks();
        if self.at < self.text.len() {
            return Err("bytes behind the dictionary of the .npy header".to_owned());
        }
        let missing = |key: &str| format!("the .npy header has no key {key:?}");
        Ok(Fields {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }

    fn skip_blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Takes a byte if it is the next one behind blanks.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.take(byte) { Ok(()) } else { Err(format!("expected {:?} in the .npy header", char::from(byte))) }
    }

    fn string(&mut self) -> Result<String, String> {
        self.skip_blanks();
        let quote = match self.text.get(self.at) {
            Some(quote @ (b'\'' | b'"')) => *quote,
            Some(b'[') => return Err("structured arrays are not supported".to_owned()),
            _ => return Err("expected text in quotes in the .npy header".to_owned()),
        };
        let inner = &self.text[self.at + 1..];
        let len = inner.iter().position(|byte| *byte == quote).ok_or("text in the .npy header does not end")?;
        self.at += len + 2;
        if inner[..len].contains(&b'\\') {
            return Err("escaped text in the .npy header".to_owned());
        }
        String::from_utf8(inner[..len].to_vec()).map_err(|_| "text in the .npy header is not UTF-8".to_owned())
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let (value, len) = match () {
            () if rest.starts_with(b"True") => (true, 4),
            () if rest.starts_with(b"False") => (false, 5),
            () => return Err("expected True or False in the .npy header".to_owned()),
        };
        self.at += len;
        Ok(value)
    }

    fn tuple(&mut self) -> Result<Vec<u64>, String> {
        const MOST: usize = 32;
        let mut lengths = Vec::new();
        self.expect(b'(')?;
        while !self.take(b')') {
            if lengths.len() == MOST {
                return Err(format!("more than {MOST} dimensions in the .npy header"));
            }
            lengths.push(self.number()?);
            if !self.take(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(lengths)
    }

    fn number(&mut self) -> Result<u64, String> {
        self.skip_blanks();
        let digits: Vec<u8> = self.text[self.at..].iter().copied().take_while(u8::is_ascii_digit).collect();
        self.at += digits.len();
        let text = String::from_utf8_lossy(&digits);
        text.parse().map_err(|_| "expected a length in the shape of the .npy header".to_owned())
    }
}

#[cfg(test)]
mod tests;
