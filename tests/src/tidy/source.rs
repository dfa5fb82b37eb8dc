//! Splits Rust text into code and comments, so that a rule is not misled by what a string says.

/// The text of a Rust file twice, each with the rest blanked: lines and columns stay where they were.
pub struct Rust {
    /// Code alone: comments and the insides of string and character literals are spaces.
    pub code: String,
    /// Comments alone.
    pub comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Comment,
    Literal,
}

impl Rust {
    /// Parses any text; what is not Rust gives some split, never a panic.
    pub fn parse(text: &str) -> Self {
        let classes = classify(text.as_bytes());
        Self { code: keep(text, &classes, Class::Code), comments: keep(text, &classes, Class::Comment) }
    }

    /// The code with the bodies of `#[cfg(test)]` modules blanked.
    pub fn code_outside_tests(&self) -> String {
        let mut bytes = self.code.clone().into_bytes();
        let mut from = 0;
        while let Some(at) = self.code[from..].find("#[cfg(test)]").map(|offset| from + offset) {
            let (start, end) = body(&self.code, at).unwrap_or((at, at));
            for byte in &mut bytes[start..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            from = end.max(at + 1);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The byte range inside the braces of the item that starts at or after `from`; None when the item
/// ends with a semicolon first.
pub fn body(code: &str, from: usize) -> Option<(usize, usize)> {
    let mut nesting = 0_i32;
    let mut start = None;
    for (index, byte) in code.bytes().enumerate().skip(from) {
        match (byte, start) {
            (b'(' | b'[', None) => nesting += 1,
            (b')' | b']', None) => nesting -= 1,
            (b';', None) if nesting == 0 => return None,
            (b'{', None) if nesting == 0 => {
                start = Some(index + 1);
                nesting = 1;
            }
            (b'{', Some(_)) => nesting += 1,
            (b'}', Some(open)) => {
                nesting -= 1;
                if nesting == 0 {
                    return Some((open, index));
                }
            }
            _ => {}
        }
    }
    None
}

/// The number, from 1, of the line that holds the byte at `offset`.
pub fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

fn keep(text: &str, classes: &[Class], wanted: Class) -> String {
    let pairs = text.bytes().zip(classes);
    let bytes = pairs.map(|(byte, class)| if byte == b'\n' || *class == wanted { byte } else { b' ' });
    // A class begins and ends at an ASCII byte, so no character is cut in two.
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

fn classify(text: &[u8]) -> Vec<Class> {
    let mut classes = vec![Class::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (length, class) = if rest.starts_with(b"//") {
            (rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), Class::Comment)
        } else if rest.starts_with(b"/*") {
            (block_comment_length(rest), Class::Comment)
        } else if rest[0] == b'"' {
            (string_length(text, at), Class::Literal)
        } else if rest[0] == b'\'' {
            (character_length(rest), Class::Literal)
        } else {
            (0, Class::Code)
        };
        classes[at..at + length].fill(class);
        if class == Class::Literal && length > 1 {
            // The quotes stay, so that an argument is still seen to be there.
            classes[at] = Class::Code;
            classes[at + length - 1] = Class::Code;
        }
        at += length.max(1);
    }
    classes
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of the string whose opening quote is at `at`, quotes included.
fn string_length(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    if let Some(hashes) = raw_hashes(&text[..at]) {
        let mut closing = vec![b'"'];
        closing.resize(1 + hashes, b'#');
        let found = rest[1..].windows(closing.len()).position(|window| window == closing);
        return found.map_or(rest.len(), |offset| 1 + offset + 1);
    }
    let mut index = 1;
    while index < rest.len() {
        match rest[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    rest.len()
}

/// How many `#` a raw string has whose opening quote comes right after `before`; None if not raw.
fn raw_hashes(before: &[u8]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let prefix = &before[..before.len() - hashes];
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let letters = prefix.iter().rev().take_while(|byte| is_word(byte)).count();
    let word = &prefix[prefix.len() - letters..];
    [&b"r"[..], b"br", b"cr"].contains(&word).then_some(hashes)
}

/// The length of the character literal at the start of `rest`; 0 when it is a lifetime.
fn character_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let closing = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return closing.map_or(rest.len(), |offset| 3 + offset + 1);
    }
    let width = match rest.get(1) {
        None | Some(b'\'') => return 0,
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        Some(0xC0..) => 2,
        Some(_) => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_leave_the_code() {
        let text = "let a = \"b // c\"; // d \"e\n/* f /* g */ h */ i('\"', b'\\'', 'j);";
        let rust = Rust::parse(text);
        assert_eq!(rust.code.len(), text.len());
        assert_eq!(rust.code.replace(' ', ""), "leta=\"\";\ni('',b'','j);");
        assert_eq!(rust.comments.replace(' ', ""), "//d\"e\n/*f/*g*/h*/");
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        let rust = Rust::parse("a(r#\"b \"c\" // d\"#, br\"\\\", \"é\", 'é') // r\"");
        assert_eq!(rust.code.replace(' ', ""), "a(r#\"\"#,br\"\",\"\",'')");
    }

    #[test]
    fn a_body_is_found_behind_an_array_in_the_signature() {
        let code = "fn a(b: [u8; 4]) -> [u8; 2] { { c } } fn d();";
        let (start, end) = body(code, 0).unwrap();
        assert_eq!(&code[start..end], " { c } ");
        assert_eq!(body(code, end + 1), None);
    }

    #[test]
    fn test_modules_are_blanked_and_lines_stay() {
        let rust = Rust::parse("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        let outside = rust.code_outside_tests();
        assert!(outside.contains("fn a") && outside.contains("fn c") && !outside.contains("fn b"));
        assert_eq!(outside.lines().count(), rust.code.lines().count());
    }
}
