//! From the store crate's errors to ours: what a caller can do about it, and a sentence for a person.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use super::answer::Answer;
use super::http::NoCredentials;
use crate::object_store::{Scheme, StoreErrorKind, StoreUrl, local};

/// Why a call on a store in a network failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub kind: StoreErrorKind,
    pub message: String,
    /// What the server said, where it said something.
    pub answer: Option<Answer>,
}

impl Failure {
    /// Reads an error of the crate on the store at `url`, which is asked at `server`.
    pub fn read(error: &(dyn Error + 'static), url: &StoreUrl, server: &str) -> Self {
        if let Some(answer) = below::<Answer>(error) {
            let (kind, message) = of_answer(answer, url);
            return Self { kind, message, answer: Some(answer.clone()) };
        }
        let (kind, message) = if below::<NoCredentials>(error).is_some() {
            (StoreErrorKind::AccessDenied, format!("there are no credentials: {}", variables(url.scheme())))
        } else if let Some(transport) = below::<HttpError>(error) {
            let what = if transport.kind() == HttpErrorKind::Connect { "cannot reach" } else { "the connection broke to" };
            (StoreErrorKind::Unreachable, format!("{what} {server}: {}", last(error)))
        } else if let Some(cause) = below::<std::io::Error>(error) {
            (local::kind_of(cause), last(error))
        } else {
            (of_text(&error.to_string()), last(error))
        };
        Self { kind, message, answer: None }
    }

    /// No answer came in time.
    pub fn timeout(server: &str, seconds: u64) -> Self {
        let message = format!("no answer from {server} within {seconds} s");
        Self { kind: StoreErrorKind::Unreachable, message, answer: None }
    }
}

fn of_answer(answer: &Answer, url: &StoreUrl) -> (StoreErrorKind, String) {
    let bucket = url.bucket();
    if answer.is_without_bucket() {
        // Not that an object is missing: nothing can be read or written here.
        return (StoreErrorKind::AccessDenied, format!("there is no bucket \"{bucket}\" ({answer})"));
    }
    match (answer.status, answer.code.as_str()) {
        _ if answer.is_passing() => (StoreErrorKind::Unreachable, answer.to_string()),
        (404, _) => (StoreErrorKind::NotFound, "there is no such object".to_owned()),
        (401 | 403, _) | (400, "InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken" | "AuthorizationHeaderMalformed") => {
            (StoreErrorKind::AccessDenied, format!("access to the bucket \"{bucket}\" is denied: {answer}"))
        }
        (300..=399, _) => {
            let region = answer.region.as_deref().unwrap_or("another region");
            (StoreErrorKind::AccessDenied, format!("the bucket \"{bucket}\" is in {region}: set AWS_REGION to it ({answer})"))
        }
        (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull") => (StoreErrorKind::NoSpace, answer.to_string()),
        _ => (StoreErrorKind::Other, answer.to_string()),
    }
}

/// A success can hold a failure too: S3 says so of the last request of an upload in parts.
fn of_text(text: &str) -> StoreErrorKind {
    let passes = text.contains("InternalError") || text.contains("SlowDown");
    if passes { StoreErrorKind::Unreachable } else { StoreErrorKind::Other }
}

fn variables(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles in ~/.aws are not read)",
        Scheme::Gcs => "set GOOGLE_APPLICATION_CREDENTIALS",
        Scheme::Azure => "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn below<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref::<T>())
}

/// The innermost cause: what is around it says the same in more words.
fn last(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(error: &(dyn Error + 'static)) -> Failure {
        let url = StoreUrl::parse("s3://my-bucket/x").unwrap().unwrap();
        Failure::read(error, &url, "http://host:9000")
    }

    fn wrapped(source: impl Error + Send + Sync + 'static, kind: HttpErrorKind) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(HttpError::new(kind, source)) }
    }

    #[test]
    fn an_answer_is_found_below_the_crates_own_errors_and_sorted() {
        use StoreErrorKind::{AccessDenied, NoSpace, NotFound, Other, Unreachable};
        for (status, code, kind, says) in [
            (404, "NoSuchBucket", AccessDenied, "there is no bucket \"my-bucket\""),
            (404, "NoSuchKey", NotFound, "no such object"),
            (404, "", NotFound, "no such object"),
            (403, "AccessDenied", AccessDenied, "access to the bucket \"my-bucket\" is denied"),
            (400, "ExpiredToken", AccessDenied, "my-bucket"),
            (301, "PermanentRedirect", AccessDenied, "set AWS_REGION"),
            (503, "SlowDown", Unreachable, "503"),
            (409, "OperationAborted", Unreachable, "409"),
            (507, "", NoSpace, "507"),
            (416, "InvalidRange", Other, "416"),
            (501, "NotImplemented", Other, "501"),
        ] {
            let answer = Answer::read(status, &format!("<Code>{code}</Code>"), None);
            let failure = read(&wrapped(answer, HttpErrorKind::Unknown));
            assert_eq!(failure.kind, kind, "{status} {code}: {}", failure.message);
            assert!(failure.message.contains(says), "{status} {code}: {}", failure.message);
        }
    }

    #[test]
    fn a_connection_that_fails_is_unreachable_and_names_the_server() {
        let failure = read(&wrapped(std::io::Error::other("refused"), HttpErrorKind::Connect));
        assert_eq!(failure.kind, StoreErrorKind::Unreachable);
        assert_eq!(failure.message, "cannot reach http://host:9000: refused");
        let failure = read(&wrapped(NoCredentials, HttpErrorKind::Unknown));
        assert_eq!(failure.kind, StoreErrorKind::AccessDenied);
        assert!(failure.message.contains("AWS_ACCESS_KEY_ID"), "{}", failure.message);
    }
}
