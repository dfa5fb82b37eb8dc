//! Uploads in parts: begun, added to, joined or aborted.

use bytes::Bytes;
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use crate::bucket::Upload;
use crate::operations::{State, tag};

/// The least bytes of every part but the last, as S3 has it.
const PART_LEN_MIN: usize = 5 << 20;

pub(crate) fn begin(state: &mut State, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
    let id = format!("upload-{}", state.next_number());
    let upload = Upload { key: input.key.clone(), ..Upload::default() };
    state.bucket(&input.bucket)?.uploads.insert(id.clone(), upload);
    Ok(CreateMultipartUploadOutput { bucket: Some(input.bucket), key: Some(input.key), upload_id: Some(id), ..Default::default() })
}

fn upload<'a>(state: &'a mut State, bucket: &str, key: &str, id: &str) -> S3Result<&'a mut Upload> {
    let found = state.bucket(bucket)?.uploads.get_mut(id).filter(|upload| upload.key == key);
    found.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist"))
}

pub(crate) fn add(state: &mut State, input: UploadPartInput, bytes: Bytes) -> S3Result<UploadPartOutput> {
    let number = state.next_number();
    upload(state, &input.bucket, &input.key, &input.upload_id)?.parts.insert(input.part_number, (number, bytes));
    Ok(UploadPartOutput { e_tag: Some(tag(number)), ..Default::default() })
}

pub(crate) fn join(state: &mut State, input: CompleteMultipartUploadInput) -> S3Result<CompleteMultipartUploadOutput> {
    let parts = &upload(state, &input.bucket, &input.key, &input.upload_id)?.parts;
    let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let mut body = Vec::new();
    for (at, part) in asked.iter().enumerate() {
        let known = part.part_number.and_then(|number| parts.get(&number));
        let Some((_, bytes)) = known.filter(|(number, _)| part.e_tag.as_ref() == Some(&tag(*number))) else {
            return Err(s3_error!(InvalidPart, "One or more of the specified parts could not be found"));
        };
        if at + 1 < asked.len() && bytes.len() < PART_LEN_MIN {
            return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
        }
        body.extend_from_slice(bytes);
    }
    let number = state.put(&input.bucket, &input.key, body.into(), input.if_none_match.as_ref())?;
    state.bucket(&input.bucket)?.uploads.remove(&input.upload_id);
    Ok(CompleteMultipartUploadOutput { bucket: Some(input.bucket), key: Some(input.key), e_tag: Some(tag(number)), ..Default::default() })
}

pub(crate) fn abort(state: &mut State, input: &AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
    upload(state, &input.bucket, &input.key, &input.upload_id)?;
    state.bucket(&input.bucket)?.uploads.remove(&input.upload_id);
    Ok(AbortMultipartUploadOutput::default())
}
