//! The operations on objects and buckets, each under one lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::TryStreamExt;
use parking_lot::Mutex;
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

use crate::bucket::{Asked, Bucket, Object};
use crate::multipart;

/// All buckets; clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub buckets: BTreeMap<String, Bucket>,
    page_len: usize,
    stale_list: usize,
    last_number: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { buckets: BTreeMap::new(), page_len: 1_000, stale_list: 0, last_number: 0 }
    }
}

impl State {
    /// Returns the bucket of this name.
    pub fn bucket(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    /// Returns a number that none had before.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Puts an object, if its key is free where that is asked for.
    pub fn put(&mut self, bucket: &str, key: &str, bytes: Bytes, condition: Option<&IfNoneMatch>) -> S3Result<u64> {
        let number = self.next_number();
        let bucket = self.bucket(bucket)?;
        if condition.is_some() && bucket.objects.contains_key(key) {
            return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        }
        bucket.objects.insert(key.to_owned(), Object { bytes, modified: now(), number });
        Ok(number)
    }
}

#[expect(clippy::disallowed_methods, reason = "the server dates objects by its own clock, as S3 does")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The tag of an object or part.
pub(crate) fn tag(number: u64) -> ETag {
    ETag::Strong(format!("{number:032x}"))
}

/// Reads a body to its end.
pub(crate) async fn read(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let pieces: Vec<Bytes> = body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?;
    Ok(pieces.concat().into())
}

impl Memory {
    pub fn create_bucket(&self, name: &str) {
        self.state.lock().buckets.entry(name.to_owned()).or_default();
    }

    pub fn set_page_len(&self, len: usize) {
        self.state.lock().page_len = len;
    }

    pub fn set_stale_list(&self, stale: usize) {
        self.state.lock().stale_list = stale;
    }

    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.state.lock().buckets.get(bucket).map(|bucket| bucket.objects.keys().cloned().collect()).unwrap_or_default()
    }

    pub fn open_uploads(&self) -> usize {
        self.state.lock().buckets.values().map(|bucket| bucket.uploads.len()).sum()
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let mut state = self.state.lock();
        let object = state.bucket(bucket)?.objects.get(key).cloned();
        object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist"))
    }

    /// Runs under the lock.
    pub fn with<T>(&self, run: impl FnOnce(&mut State) -> S3Result<T>) -> S3Result<T> {
        run(&mut self.state.lock())
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, body, if_none_match, .. } = request.input;
        let bytes = read(body).await?;
        let number = self.with(|state| state.put(&bucket, &key, bytes, if_none_match.as_ref()))?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(tag(number)), ..Default::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, .. } = request.input;
        let object = self.object(&bucket, &key)?;
        let len = object.bytes.len() as u64;
        let (bytes, content_range) = match range {
            None => (object.bytes, None),
            Some(range) => {
                let range = range.check(len)?;
                let shown = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                (object.bytes.slice(range.start as usize..range.end as usize), Some(shown))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(bytes.len() as i64),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            content_range,
            e_tag: Some(tag(object.number)),
            last_modified: Some(object.modified.into()),
            ..Default::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self.object(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(object.bytes.len() as i64),
            e_tag: Some(tag(object.number)),
            last_modified: Some(object.modified.into()),
            ..Default::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.with(|state| {
            state.bucket(&request.input.bucket)?.objects.remove(&request.input.key);
            Ok(S3Response::new(DeleteObjectOutput::default()))
        })
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let asked_max = input.max_keys.and_then(|keys| usize::try_from(keys).ok()).unwrap_or(usize::MAX);
        let page = self.with(|state| {
            let (len_max, stale) = (state.page_len.min(asked_max), state.stale_list);
            let after = input.continuation_token.as_deref().or(input.start_after.as_deref());
            let prefix = input.prefix.as_deref().unwrap_or("");
            let asked = Asked { prefix, delimiter: input.delimiter.as_deref(), after, len_max, stale };
            Ok(state.bucket(&input.bucket)?.list(&asked))
        })?;
        let listed = |(key, object): (String, Object)| s3s::dto::Object {
            key: Some(key),
            size: Some(object.bytes.len() as i64),
            last_modified: Some(object.modified.into()),
            e_tag: Some(tag(object.number)),
            ..Default::default()
        };
        let folders = page.folders.into_iter().map(|folder| CommonPrefix { prefix: Some(folder) });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            contents: Some(page.objects.into_iter().map(listed).collect()),
            common_prefixes: Some(folders.collect()),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.with(|state| multipart::begin(state, request.input)).map(S3Response::new)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = request.input;
        let bytes = read(input.body.take()).await?;
        self.with(|state| multipart::add(state, input, bytes)).map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.with(|state| multipart::join(state, request.input)).map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.with(|state| multipart::abort(state, &request.input)).map(S3Response::new)
    }
}
