//! The client of the store crate, with every answer that is no success kept as it came.
//!
//! The crate sorts answers by its own needs and hides the rest: a request to come back later looks like
//! any other failure. So they leave here as errors that carry the [`Answer`]. Nothing is tried again
//! below [`crate::object_store::retry`]; only parts of a large upload are, see `multipart.rs`.

use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector};

use super::answer::Answer;

/// Asked of the place that gives a machine its credentials, and of nothing else.
const CREDENTIALS_HEADERS: [&str; 3] = ["x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token", "metadata-flavor"];
/// Bodies of failures that are read; a sentence needs less.
const BODY_LEN_MAX: usize = 64 << 10;

/// There is nobody to act for: no credentials are set, and this machine has none of its own.
#[derive(Debug)]
pub(super) struct NoCredentials;

impl std::fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there are no credentials")
    }
}

impl std::error::Error for NoCredentials {}

/// Makes clients for the crate.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Client(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Client(HttpClient);

type Called<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Client {
    fn call<'life, 'call>(&'life self, request: HttpRequest) -> Called<'call>
    where
        'life: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            let for_credentials = CREDENTIALS_HEADERS.iter().any(|name| request.headers().contains_key(*name));
            let response = match self.0.execute(request).await {
                Err(error) if for_credentials && is_nobody_there(&error) => {
                    return Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials));
                }
                response => response?,
            };
            if response.status().is_success() { Ok(response) } else { Err(failed(response).await) }
        })
    }
}

fn is_nobody_there(error: &HttpError) -> bool {
    matches!(error.kind(), HttpErrorKind::Connect | HttpErrorKind::Timeout)
}

async fn failed(response: HttpResponse) -> HttpError {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, region) = (response.status().as_u16(), header("x-amz-bucket-region"));
    let mut body = Vec::new();
    let mut pieces = response.into_body().bytes_stream();
    // What breaks off or is too long has said its code before.
    while let (Some(Ok(piece)), true) = (pieces.next().await, body.len() < BODY_LEN_MAX) {
        body.extend_from_slice(&piece[..piece.len().min(BODY_LEN_MAX - body.len())]);
    }
    let answer = Answer::read(status, &String::from_utf8_lossy(&body), region);
    // The kinds are read again where parts are tried again: `Request` is what may pass.
    let kind = if answer.is_passing() { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
    HttpError::new(kind, answer)
}
