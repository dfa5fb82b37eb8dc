//! Large bodies in parts, several at a time; what does not become an object is taken away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::client::HttpErrorKind;
use object_store::path::Path;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};
use object_store::{MultipartUpload, PutMultipartOptions, PutPayload};
use tokio::task::JoinSet;

use crate::object_store::Body;

/// Bytes of a part; the last one has what is left.
pub(super) const PART_LEN: usize = 8 << 20;
/// Parts on their way at a time.
pub(super) const PARTS_AT_ONCE: usize = 4;
/// How long an upload that failed is given to be taken away.
const ABORT_LIMIT: Duration = Duration::from_secs(5);

/// Uploads a body in parts.
pub(super) async fn upload(store: &dyn object_store::ObjectStore, location: &Path, body: &Body) -> object_store::Result<()> {
    let options = PutMultipartOptions::default().with_retry_policy(Arc::new(PartPolicy));
    let mut upload = store.put_multipart_opts(location, options).await?;
    let sent = send(&mut *upload, body).await;
    if sent.is_err() {
        // What stays behind costs money and is not listed. Should the object be there after all, this changes nothing.
        let _ = tokio::time::timeout(ABORT_LIMIT, upload.abort()).await;
    }
    sent
}

async fn send(upload: &mut dyn MultipartUpload, body: &Body) -> object_store::Result<()> {
    let mut on_their_way = JoinSet::new();
    for part in parts(body, PART_LEN) {
        if on_their_way.len() == PARTS_AT_ONCE {
            arrived(on_their_way.join_next().await)?;
        }
        on_their_way.spawn(upload.put_part(part));
    }
    while !on_their_way.is_empty() {
        arrived(on_their_way.join_next().await)?;
    }
    upload.complete().await.map(drop)
}

type Joined = Option<Result<object_store::Result<()>, tokio::task::JoinError>>;

fn arrived(joined: Joined) -> object_store::Result<()> {
    match joined {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(source)) => Err(object_store::Error::JoinError { source }),
    }
}

/// Cuts a body into parts of `len` bytes, without copying.
fn parts(body: &Body, len: usize) -> Vec<PutPayload> {
    let mut parts = Vec::new();
    let (mut part, mut part_len) = (Vec::<Bytes>::new(), 0);
    for piece in body {
        let mut piece = piece.clone();
        while !piece.is_empty() {
            let taken = piece.split_to(piece.len().min(len - part_len));
            part_len += taken.len();
            part.push(taken);
            if part_len == len {
                parts.push(PutPayload::from_iter(std::mem::take(&mut part)));
                part_len = 0;
            }
        }
    }
    if part_len > 0 {
        parts.push(PutPayload::from_iter(part));
    }
    parts
}

/// Sends a part again where one failure would otherwise send the whole body again.
#[derive(Debug)]
struct PartPolicy;

impl PartPolicy {
    const ATTEMPTS: usize = 4;
    const FIRST_WAIT: Duration = Duration::from_millis(200);
}

type Decided<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

impl RetryPolicy for PartPolicy {
    fn retry<'life, 'call>(&'life self, context: RetryContext) -> Decided<'call>
    where
        'life: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            // `http.rs` marks what stays as it is as `Unknown`.
            let stays = matches!(context.failure, RetryFailure::Transport(HttpErrorKind::Unknown));
            if stays || context.attempt >= Self::ATTEMPTS {
                return false;
            }
            tokio::time::sleep(Self::FIRST_WAIT * (1 << context.attempt.min(8))).await;
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_full_but_for_the_last_and_join_to_the_body() {
        let whole: Vec<u8> = (0..100).collect();
        let whole = Bytes::from(whole);
        for cuts in [&[100][..], &[10, 90], &[1, 1, 98], &[50, 50], &[33, 0, 34, 33]] {
            let mut rest = whole.clone();
            let body: Body = cuts.iter().map(|len| rest.split_to(*len)).collect();
            for len in [1, 7, 10, 99, 100, 101] {
                let parts = parts(&body, len);
                let (last, full) = parts.split_last().unwrap();
                assert!(full.iter().all(|part| part.content_length() == len) && (1..=len).contains(&last.content_length()));
                let joined: Vec<u8> = parts.iter().flat_map(|part| part.iter().flat_map(|piece| piece.to_vec())).collect();
                assert_eq!(joined, whole, "{cuts:?} in parts of {len}");
            }
        }
        assert!(parts(&Body::new(), 10).is_empty());
    }
}
