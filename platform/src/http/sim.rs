//! The simulated twin: a handler is asked without a socket, by the same rules as through the door.

use std::io::{Cursor, Read};
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;

use super::{Handler, Head, Headers, Method, Refusal, Request, RequestBody, Response, ResponseBody, call};

/// What a client would have got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The three digits of the status line.
    pub status: u16,
    /// The headers that the handler gave.
    pub headers: Headers,
    /// All of the body; empty for a `HEAD` request.
    pub body: Vec<u8>,
    /// Whether the body broke off, and why: a client would have seen its connection break.
    pub broken: Option<String>,
}

/// Asks a handler as a client on this machine would: admission, limits, panics and streams are those of the door.
#[must_use]
pub fn ask(handler: &dyn Handler, method: Method, path_and_query: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let mut headers: Headers = headers.iter().copied().collect();
    if headers.get("content-length").is_none() && !body.is_empty() {
        headers.push("content-length", body.len().to_string());
    }
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    ask_with(handler, Head { method, path: path.to_owned(), query: query.to_owned(), headers, peer, is_tls: false }, body)
}

/// Asks a handler with a head of any kind: from afar, or through TLS.
#[must_use]
pub fn ask_with(handler: &dyn Handler, head: Head, body: &[u8]) -> Answer {
    let method = head.method;
    let response = match call::admit(handler, &head) {
        Err(response) => response,
        Ok(admission) if body.len() as u64 > admission.body_max => {
            call::refuse(handler, Some(&head), Refusal::BodyTooLarge { limit: admission.body_max })
        }
        Ok(admission) => {
            let bytes = Bytes::copy_from_slice(body);
            let body = if admission.is_streamed { RequestBody::Stream(Box::new(Cursor::new(bytes))) } else { RequestBody::Whole(bytes) };
            call::handle(handler, Request { head, body })
        }
    };
    answer(method, response)
}

fn answer(method: Method, response: Response) -> Answer {
    let Response { status, headers, body } = response;
    let mut answer = Answer { status, headers: headers.into_iter().collect(), body: Vec::new(), broken: None };
    match body {
        _ if method == Method::Head => {}
        ResponseBody::Whole(bytes) => answer.body = bytes.to_vec(),
        ResponseBody::Stream { from, len } => {
            let read = from.take(len.unwrap_or(u64::MAX)).read_to_end(&mut answer.body);
            let came = answer.body.len() as u64;
            answer.broken = match (read, len) {
                (Err(error), _) => Some(error.to_string()),
                (Ok(_), Some(len)) if came < len => Some(format!("the body has {came} bytes and not {len}")),
                (Ok(_), _) => None,
            };
        }
    }
    answer
}
