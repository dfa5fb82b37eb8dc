//! The one file of a form (`multipart/form-data`), read as it comes and never held whole.

use std::io::{self, Read};

use engine::{Error, Result};

/// Longest boundary that a form may name.
const BOUNDARY_LEN_MAX: usize = 70;
/// Most bytes before the content of the file: the first boundary and the headers of the part.
const HEAD_LEN_MAX: usize = 16 << 10;
/// Bytes that are read at once.
const ROOM: usize = 256 << 10;

/// Gives the boundary that a content type names.
///
/// # Errors
/// `InvalidInput` when it is not that of a form.
pub(super) fn boundary_of(content_type: Option<&str>) -> Result<String> {
    let refuse = || {
        Error::invalid("the body is not a form with a file")
            .with_expected("content-type: multipart/form-data; boundary=...", content_type.unwrap_or("none").escape_debug().to_string())
            .with_hint("curl -F 'snapshot=@FILE' sends one")
    };
    let mut parts = content_type.ok_or_else(refuse)?.split(';');
    if !parts.next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data")) {
        return Err(refuse());
    }
    let named = parts.filter_map(|part| part.trim().split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let (_, boundary) = named.ok_or_else(refuse)?;
    let boundary = boundary.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(boundary);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    let is_one = (1..=BOUNDARY_LEN_MAX).contains(&boundary.len()) && boundary.bytes().all(allowed);
    if is_one { Ok(boundary.to_owned()) } else { Err(refuse()) }
}

/// Reads the content of the one file of a form, which has to be named as expected. Behind its end the rest of the form is checked.
pub(super) struct FormFile<R> {
    from: R,
    /// What was read and not given yet.
    buffer: Vec<u8>,
    at: usize,
    /// What ends the content: a line break, two hyphens, the boundary.
    delimiter: Vec<u8>,
    is_ended: bool,
}

impl<R: Read> FormFile<R> {
    /// Reads up to the content of the field `name`.
    ///
    /// # Errors
    /// `InvalidInput` when the body is no form, or its first field is another.
    pub(super) fn open(from: R, boundary: &str, name: &str) -> Result<Self> {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        let mut file = FormFile { from, buffer: Vec::new(), at: 0, delimiter, is_ended: false };
        let first = file.line()?;
        if first != file.delimiter[2..] {
            return Err(Error::invalid("the form does not begin with its boundary"));
        }
        let mut is_named = false;
        loop {
            let line = file.line()?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8(line).map_err(|_| Error::invalid("a header of the form is no text"))?;
            if line.split_once(':').is_some_and(|(header, _)| header.trim().eq_ignore_ascii_case("content-disposition")) {
                is_named = line.split(';').any(|part| part.trim() == format!("name=\"{name}\"") || part.trim() == format!("name={name}"));
            }
        }
        if is_named {
            return Ok(file);
        }
        Err(Error::invalid(format!("the first field of the form has to be the file \"{name}\"")))
    }

    /// Reads a line of the head, without its end.
    fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            let unread = &self.buffer[self.at..];
            if let Some(len) = unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = unread[..len].to_vec();
                self.at += len + 2;
                return Ok(line);
            }
            if self.buffer.len() > HEAD_LEN_MAX {
                return Err(Error::invalid("the form has no file").with_expected(format!("a head of at most {HEAD_LEN_MAX} bytes"), "more"));
            }
            if self.fill(1 << 10).map_err(|error| super::broken(&error))? == 0 {
                return Err(Error::invalid("the form breaks off"));
            }
        }
    }

    /// Reads more; gives how many bytes came.
    fn fill(&mut self, room: usize) -> io::Result<usize> {
        let len = self.buffer.len();
        self.buffer.resize(len + room, 0);
        let read = loop {
            match self.from.read(&mut self.buffer[len..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(len + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Finds how many of the unread bytes are content for certain, and whether the delimiter follows them.
    fn content(&self) -> (usize, bool) {
        let unread = &self.buffer[self.at..];
        let mut from = 0;
        while let Some(found) = unread[from..].iter().position(|byte| *byte == b'\r') {
            let start = from + found;
            let rest = &unread[start..];
            let len = rest.len().min(self.delimiter.len());
            if rest[..len] == self.delimiter[..len] {
                return (start, len == self.delimiter.len());
            }
            from = start + 1;
        }
        (unread.len(), false)
    }

    /// Checks what follows the content: the end of the form.
    fn end(&mut self) -> io::Result<()> {
        let mut rest = self.buffer.split_off(self.at + self.delimiter.len());
        // The end is short; one byte more than it may have tells that there is more.
        (&mut self.from).take(64).read_to_end(&mut rest)?;
        let tail =
            rest.strip_prefix(b"--").ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the form has more than one field"))?;
        if tail.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t')) {
            self.is_ended = true;
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "something follows the end of the form"))
    }
}

impl<R: Read> Read for FormFile<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.is_ended {
            return Ok(0);
        }
        loop {
            let (len, is_last) = self.content();
            if len > 0 {
                let len = len.min(into.len());
                into[..len].copy_from_slice(&self.buffer[self.at..self.at + len]);
                self.at += len;
                return Ok(len);
            }
            if is_last {
                self.end()?;
                return Ok(0);
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            if self.fill(ROOM)? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the form breaks off"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives few bytes at a time, so that every border is met.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(into.len()).min(self.0.len());
            into[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn form(content: &[u8]) -> Vec<u8> {
        let head = b"--xyz\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"a.tar\"\r\nContent-Type: text/plain\r\n\r\n";
        [head.as_slice(), content, b"\r\n--xyz--\r\n"].concat()
    }

    fn read(body: &[u8], step: usize) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut file = FormFile::open(Slowly(body, step), "xyz", "snapshot")?;
        file.read_to_end(&mut content).map_err(|error| Error::invalid(error.to_string()))?;
        Ok(content)
    }

    #[test]
    fn the_content_comes_as_it_is_however_the_bytes_arrive() {
        let contents: [&[u8]; 6] = [b"", b"a", b"\r\n", b"\r\n--xy", b"\r\r\n--xyq--xyz\r\n-", b"--xyz--"];
        for content in contents {
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(read(&form(content), step).unwrap(), content, "{content:?} by {step}");
            }
        }
    }

    #[test]
    fn every_form_that_is_cut_off_is_refused() {
        let whole = form(b"0123456789");
        // Without the last line break it is whole.
        for len in 0..whole.len() - 2 {
            assert!(read(&whole[..len], 5).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn what_is_not_the_one_file_is_refused() {
        let other = b"--xyz\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--xyz--";
        let two = [&form(b"1")[..form(b"1").len() - 4], b"\r\nContent-Disposition: form-data; name=\"y\"\r\n\r\n2\r\n--xyz--"].concat();
        let behind = [form(b"1"), b"more".to_vec()].concat();
        let endless = vec![b'a'; 64 << 10];
        for bad in [other.as_slice(), &two, &behind, &endless, b"--xyz\r\n\r\n1\r\n--xyz--"] {
            assert!(read(bad, 100).is_err(), "{}", String::from_utf8_lossy(&bad[..bad.len().min(200)]));
        }
    }

    #[test]
    fn a_boundary_is_read_from_the_content_type_and_nowhere_else() {
        assert_eq!(boundary_of(Some("multipart/form-data; boundary=xyz")).unwrap(), "xyz");
        assert_eq!(boundary_of(Some("Multipart/Form-Data; charset=utf-8; Boundary=\"a-b\"")).unwrap(), "a-b");
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for bad in [None, Some("application/json"), Some("multipart/form-data"), Some("multipart/form-data; boundary="), Some(&long)] {
            assert!(boundary_of(bad).is_err(), "{bad:?}");
        }
    }
}
