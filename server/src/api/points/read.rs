//! Points read: by id, in the order of their ids or of a field, and counted.

use engine::collection::Version;
use engine::{Error, Result};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::body::filter;
use super::chosen::missing;
use super::shown::{Record, Shown};
use super::target::OrderBy;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};
use crate::api::label::Label;

/// Points that a scroll gives when it does not say how many.
const SCROLL_USUAL: usize = 10;
/// Most points of one answer.
pub(super) const ANSWER_MAX: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retrieve<'a> {
    ids: Vec<Label>,
    #[serde(borrow, default)]
    with_payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    with_vector: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scroll<'a> {
    #[serde(default)]
    offset: Option<Label>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(borrow, default)]
    with_payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    with_vector: Option<&'a RawValue>,
    #[serde(borrow, default)]
    order_by: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Count<'a> {
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    /// Counts are exact, whatever is asked for.
    #[serde(default, rename = "exact")]
    _exact: Option<bool>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

/// Gives one point.
pub(in crate::api) fn get(name: &str, id: &str, call: &Call<'_>) -> Outcome {
    let version = call.host.served(name)?.version();
    let id = Label(engine::PointId::parse(id)?);
    if !version.contains(&id.0) {
        return Err(missing(id));
    }
    let everything = RawValue::from_string("true".to_owned()).map_err(|error| Error::internal(error.to_string()))?;
    Answer::of(&Shown::parse(None, Some(&everything), true)?.show(&version, &id.0)?)
}

/// Gives points by their ids; those that do not exist are left out.
pub(in crate::api) fn retrieve(name: &str, call: &Call<'_>) -> Outcome {
    let version = call.host.served(name)?.version();
    let body: Retrieve<'_> = call.json()?;
    check_limit(body.ids.len())?;
    let shown = Shown::parse(body.with_payload, body.with_vector, true)?;
    let present = body.ids.iter().filter(|label| version.contains(&label.0));
    Answer::of(&present.map(|label| shown.show(&version, &label.0)).collect::<Result<Vec<Record>>>()?)
}

/// Gives points in the order of their ids, page by page, or in the order of a field.
pub(in crate::api) fn scroll(name: &str, call: &Call<'_>) -> Outcome {
    let version = call.host.served(name)?.version();
    let body: Scroll<'_> = call.json()?;
    let limit = body.limit.unwrap_or(SCROLL_USUAL);
    check_limit(limit)?;
    if limit == 0 {
        return Err(Error::invalid("a scroll gives at least one point").with_expected("a limit of 1 or more", 0));
    }
    let shown = Shown::parse(body.with_payload, body.with_vector, true)?;
    let filter = filter(body.filter)?;
    if let Some(order) = body.order_by {
        if body.offset.is_some() {
            return Err(
                Error::invalid("a scroll in the order of a field has no offset").with_hint("say where to go on with order_by.start_from")
            );
        }
        let ranked = OrderBy::parse(order)?.ranked(&version, filter.as_ref(), limit)?;
        let points = ranked.iter().map(|point| point.unscored(&version, &shown)).collect::<Result<Vec<Record>>>()?;
        return Answer::of(&json!({"points": points, "next_page_offset": null}));
    }
    let mut ids = version.scroll(body.offset.map(|label| label.0), limit + 1, filter.as_ref())?;
    let next = ids.get(limit).copied().map(Label);
    ids.truncate(limit);
    let points = ids.iter().map(|id| shown.show(&version, id)).collect::<Result<Vec<Record>>>()?;
    Answer::of(&json!({"points": points, "next_page_offset": next}))
}

/// Counts points.
pub(in crate::api) fn count(name: &str, call: &Call<'_>) -> Outcome {
    let version = call.host.served(name)?.version();
    let body: Count<'_> = call.json()?;
    Answer::of(&json!({"count": counted(&version, body.filter)?}))
}

fn counted(version: &Version, by: Option<&RawValue>) -> Result<u64> {
    version.count(filter(by)?.as_ref())
}

/// Refuses an answer that would not fit into memory.
///
/// # Errors
/// `InvalidInput` above the limit.
pub(super) fn check_limit(points: usize) -> Result<()> {
    if points <= ANSWER_MAX {
        return Ok(());
    }
    Err(Error::invalid("the answer would have too many points").with_expected(format!("at most {ANSWER_MAX}"), points))
}
