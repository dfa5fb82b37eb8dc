//! Facets: the values of a field, and how many points have each.

use engine::collection::FacetValue;
use engine::payload::FieldPath;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::body::filter;
use super::read::check_limit;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};

/// Values that are given when the request does not say how many.
const LIMIT_USUAL: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    key: String,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    /// Counts are exact, whatever is asked for.
    #[serde(default, rename = "exact")]
    _exact: Option<bool>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

/// Counts the values of a field.
pub(in crate::api) fn facet(name: &str, call: &Call<'_>) -> Outcome {
    let version = call.host.served(name)?.version();
    let body: Body<'_> = call.json()?;
    let limit = body.limit.unwrap_or(LIMIT_USUAL);
    check_limit(limit)?;
    let hits = version.facet(&FieldPath::parse(&body.key)?, limit, filter(body.filter)?.as_ref())?;
    let hits = hits.into_iter().map(|(value, count)| {
        let value = match value {
            FacetValue::Bool(value) => json!(value),
            FacetValue::Integer(value) => json!(i64::try_from(value).ok()),
            FacetValue::Text(value) => json!(value),
        };
        json!({"value": value, "count": count})
    });
    let hits: Vec<_> = hits.collect();
    Answer::of(&json!({"hits": hits}))
}
