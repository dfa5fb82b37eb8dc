//! Changes of payloads: each row's whole resulting payload is logged, since a logged patch would replay differently after an upgrade (rule S8).

use super::super::filter::Selector;
use super::super::version::Version;
use super::operation::PayloadPatch;
use super::prepare::{Drafts, OPERATION_ROWS};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::log::record::ROW_HAS_POINT;
use crate::payload::{FieldPath, Limits, edit, minify_checked};

/// Payload bytes of one record of a large operation.
const OPERATION_BYTES: usize = 8 << 20;

/// Sets keys, keeping the others.
pub(super) fn set(version: &Version, patch: &PayloadPatch) -> Result<Drafts> {
    let object = minify_checked(&patch.payload, &Limits::default())?.unwrap_or_else(|| "{}".to_owned());
    let path = patch.key.as_deref().map(FieldPath::parse).transpose()?;
    change(version, &patch.selector, &|old| match &path {
        Some(path) => edit::set_at(old, path, &object),
        None => edit::merge(old, &object),
    })
}

/// Puts a payload in the place of what was there.
pub(super) fn overwrite(version: &Version, selector: &Selector, payload: &str) -> Result<Drafts> {
    let payload = minify_checked(payload, &Limits::default())?;
    change(version, selector, &|_| Ok(payload.clone()))
}

/// Takes what lies at the paths out.
pub(super) fn delete(version: &Version, selector: &Selector, paths: &[String]) -> Result<Drafts> {
    let paths = paths.iter().map(|path| FieldPath::parse(path)).collect::<Result<Vec<_>>>()?;
    change(version, selector, &|old| Ok(paths.iter().fold(old.map(str::to_owned), |left, path| edit::delete_at(left.as_deref(), path))))
}

/// Takes payloads away.
pub(super) fn clear(version: &Version, selector: &Selector) -> Result<Drafts> {
    change(version, selector, &|_| Ok(None))
}

fn change(version: &Version, selector: &Selector, becomes: &dyn Fn(Option<&str>) -> Result<Option<String>>) -> Result<Drafts> {
    let ids = selector.resolve(version)?;
    let mut drafts = Vec::new();
    let mut batch = Batch::new(&version.schema);
    let absent = vec![None; version.schema.vectors.len()];
    let mut bytes = 0;
    for id in &ids {
        let place = version.find(id, 0).ok_or_else(|| Error::internal(format!("point {id} went away while the writer held it")))?;
        let payload = becomes(version.payload(&place)?.as_deref()).map_err(|error| error.with_object(format!("point {id}")))?;
        bytes += payload.as_ref().map_or(0, String::len);
        batch.push_row(&version.schema, *id, ROW_HAS_POINT, &absent, payload)?;
        if batch.rows() == OPERATION_ROWS || bytes > OPERATION_BYTES {
            drafts.push(batch.draft()?);
            (batch, bytes) = (Batch::new(&version.schema), 0);
        }
    }
    if batch.rows() > 0 {
        drafts.push(batch.draft()?);
    }
    Ok((drafts, ids.len() as u64))
}
