//! What a server said instead of doing it: status, code and sentence.

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The word of the provider's own, such as `NoSuchBucket`; "" where the body does not say.
    pub code: String,
    /// The provider's sentence, shortened; may be empty.
    pub message: String,
    /// The region in which the bucket is, where that is what is wrong.
    pub region: Option<String>,
}

/// The most characters of a server's sentence that are shown.
const MESSAGE_LEN_MAX: usize = 300;

impl Answer {
    /// Reads an answer. Only code and sentence are kept: bodies repeat parts of the signature.
    pub fn read(status: u16, body: &str, region: Option<String>) -> Self {
        let code = element(body, "Code").filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric())).unwrap_or_default();
        let message = element(body, "Message").unwrap_or_default();
        let printable = message.chars().filter(|c| !c.is_control()).take(MESSAGE_LEN_MAX).collect();
        Self { status, code: code.to_owned(), message: printable, region }
    }

    /// Whether the same request may work a little later.
    pub fn is_passing(&self) -> bool {
        match self.status {
            // Not made for this request; there is no room.
            501 | 505 | 507 => false,
            408 | 425 | 429 | 500.. => true,
            // Somebody else changes the same key now. (Azure says so of a key that is taken, see below.)
            409 => !self.is_taken(),
            400 => matches!(self.code.as_str(), "RequestTimeout" | "SlowDown"),
            _ => false,
        }
    }

    /// Whether a put found its key taken.
    pub fn is_taken(&self) -> bool {
        match self.status {
            304 | 412 => true,
            409 => self.code == "BlobAlreadyExists",
            _ => false,
        }
    }

    /// Whether it is the bucket that is missing, and not an object in it.
    pub fn is_without_bucket(&self) -> bool {
        matches!(self.code.as_str(), "NoSuchBucket" | "ContainerNotFound")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server answers {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message.trim_end_matches('.')) }
    }
}

impl std::error::Error for Answer {}

/// Returns the text of the first element of this name.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = body.split_once(&format!("<{name}>"))?;
    behind.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_sentence_are_kept_and_the_signature_is_not() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>\
                    <AWSAccessKeyId>hidden</AWSAccessKeyId><StringToSign>hidden</StringToSign></Error>";
        let answer = Answer::read(403, body, None);
        assert_eq!(answer.to_string(), "the server answers 403 SignatureDoesNotMatch: It does not match");
        for (body, shown) in
            [("", "the server answers 500"), ("<Code>a b</Code>", "the server answers 500"), ("<Code>", "the server answers 500")]
        {
            assert_eq!(Answer::read(500, body, None).to_string(), shown);
        }
        let long = format!("<Message>{}\u{1b}</Message>", "x".repeat(10_000));
        assert_eq!(Answer::read(500, &long, None).message.len(), MESSAGE_LEN_MAX);
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let answer = |status, code: &str| Answer::read(status, &format!("<Code>{code}</Code>"), None);
        for (status, code) in
            [(500, "InternalError"), (503, "SlowDown"), (429, ""), (408, ""), (409, "ConditionalRequestConflict"), (400, "RequestTimeout")]
        {
            assert!(answer(status, code).is_passing() && !answer(status, code).is_taken(), "{status} {code}");
        }
        for (status, code) in
            [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidArgument"), (501, "NotImplemented"), (507, ""), (301, "")]
        {
            assert!(!answer(status, code).is_passing() && !answer(status, code).is_taken(), "{status} {code}");
        }
        for (status, code) in [(412, "PreconditionFailed"), (304, ""), (409, "BlobAlreadyExists")] {
            assert!(answer(status, code).is_taken() && !answer(status, code).is_passing(), "{status} {code}");
        }
    }
}
