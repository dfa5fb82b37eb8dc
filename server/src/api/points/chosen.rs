//! Which points a request means: by ids or by a filter.

use engine::collection::{Selector, Version};
use engine::{Error, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::filter;
use crate::api::label::Label;

/// A request that says which points it means, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointsBody<'a> {
    #[serde(default)]
    points: Option<Vec<Label>>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

impl PointsBody<'_> {
    /// Makes the selector of it.
    ///
    /// # Errors
    /// Those of [`selector`].
    pub(super) fn selector(self) -> Result<Selector> {
        selector(self.points, self.filter)
    }
}

/// Makes a selector of the two members that say which points are meant.
///
/// # Errors
/// `InvalidInput` when neither or both are there, or the filter is none.
pub(super) fn selector(points: Option<Vec<Label>>, by_filter: Option<&RawValue>) -> Result<Selector> {
    match (points, filter(by_filter)?) {
        (Some(points), None) => Ok(Selector::Ids(points.into_iter().map(|Label(id)| id).collect())),
        (None, Some(filter)) => Ok(Selector::Filter(filter)),
        (None, None) => Err(Error::invalid("the request says not which points it means").with_hint("give \"points\" or \"filter\"")),
        (Some(_), Some(_)) => Err(Error::invalid("the request gives points and a filter").with_hint("give one of them")),
    }
}

/// Checks that the points that a selector names exist.
///
/// # Errors
/// `NotFound` naming the first that does not.
pub(super) fn check_exist(selector: &Selector, version: &Version) -> Result<()> {
    let Selector::Ids(ids) = selector else { return Ok(()) };
    match ids.iter().find(|id| !version.contains(id)) {
        Some(id) => Err(missing(Label(*id))),
        None => Ok(()),
    }
}

/// Says that a point does not exist.
pub(super) fn missing(id: Label) -> Error {
    Error::not_found(format!("no point with id {id} found"))
}
