//! Queries in groups: the nearest points of each value of a field.

use std::ops::ControlFlow;

use engine::collection::Version;
use engine::payload::FieldPath;
use engine::payload::value::Value as Stored;
use engine::{Error, PointId, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::query::{LookupFrom, Params, QueryBody, Ranked};
use super::read::{ANSWER_MAX, check_limit};
use super::shown::Shown;
use crate::Host;
use crate::SearchOp;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};
use crate::api::label::Label;

/// Groups that are given when the request does not say how many.
const GROUPS_USUAL: usize = 10;
/// Points of a group when the request does not say how many.
const SIZE_USUAL: usize = 3;

/// A query in groups as requests write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupsBody<'a> {
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) prefetch: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) query: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) using: Option<String>,
    #[serde(borrow, default)]
    pub(super) filter: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) params: Option<Params<'a>>,
    #[serde(default)]
    pub(super) score_threshold: Option<f32>,
    #[serde(borrow, default)]
    pub(super) with_vector: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) with_payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) lookup_from: Option<LookupFrom<'a>>,
    group_by: String,
    #[serde(default)]
    group_size: Option<usize>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(borrow, default)]
    with_lookup: Option<&'a RawValue>,
}

/// Where the records are that the groups are named after.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup<'a> {
    collection: String,
    #[serde(borrow, default)]
    with_payload: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "with_vector")]
    with_vectors: Option<&'a RawValue>,
}

/// The points of one value.
struct Group {
    value: Value,
    points: Vec<Ranked>,
}

/// Answers a query in groups, in the order of their nearest points.
pub(in crate::api) fn query_groups(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let version = served.version();
    let body: GroupsBody<'_> = call.json()?;
    let (limit, size) = (body.limit.unwrap_or(GROUPS_USUAL), body.group_size.unwrap_or(SIZE_USUAL));
    check_limit(limit.saturating_mul(size))?;
    let path = FieldPath::parse(&body.group_by)?;
    let query = QueryBody::of_groups(&body);
    let shown = query.shown()?;
    let lookup = body.with_lookup.map(Lookup::parse).transpose()?;
    query.others().chain(lookup.iter().map(|other| other.collection.as_str())).try_for_each(|other| call.check_other(other))?;
    let groups =
        served.searches().timed(SearchOp::QueryGroups, call.clock(), || grouped(&query, &version, call.host, &path, limit, size))?;
    let groups = groups.iter().map(|group| {
        let hits = group.points.iter().map(|point| point.record(&version, &shown)).collect::<Result<Vec<_>>>()?;
        let mut said = json!({"id": group.value, "hits": hits});
        if let Some(lookup) = &lookup {
            said["lookup"] = lookup.record(&group.value, call.host)?;
        }
        Ok(said)
    });
    Answer::of(&json!({"groups": groups.collect::<Result<Vec<_>>>()?}))
}

/// Asks for more and more points until the groups are full or there are no more.
fn grouped(query: &QueryBody<'_>, version: &Version, host: &Host, path: &FieldPath, limit: usize, size: usize) -> Result<Vec<Group>> {
    let mut count = limit.saturating_mul(size).saturating_mul(2).clamp(1, ANSWER_MAX);
    loop {
        let ranked = query.ranked(version, host, count)?;
        let found = ranked.len();
        let groups = sorted_into(ranked, version, path, limit, size)?;
        let are_full = groups.len() >= limit && groups.iter().all(|group| group.points.len() >= size);
        if are_full || found < count || count >= ANSWER_MAX {
            return Ok(groups);
        }
        count = count.saturating_mul(4).min(ANSWER_MAX);
    }
}

fn sorted_into(ranked: Vec<Ranked>, version: &Version, path: &FieldPath, limit: usize, size: usize) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for point in ranked {
        for value in values(version, &point.id, path)? {
            let place = groups.iter().position(|group| group.value == value);
            let place = match place {
                Some(place) => place,
                None if groups.len() < limit => {
                    groups.push(Group { value, points: Vec::new() });
                    groups.len() - 1
                }
                None => continue,
            };
            if groups[place].points.len() < size {
                groups[place].points.push(Ranked::plain(point.id, point.score));
            }
        }
    }
    Ok(groups)
}

/// Gives the different values that a point has at a path; none when one of them cannot name a group.
fn values(version: &Version, id: &PointId, path: &FieldPath) -> Result<Vec<Value>> {
    let Some(place) = version.find(id, 0) else { return Ok(Vec::new()) };
    let Some(payload) = version.payload(&place)? else { return Ok(Vec::new()) };
    let mut found: Vec<Value> = Vec::new();
    let all = path.leaves_at(&payload, &mut |value| {
        let named = match value {
            Stored::String(text) => Some(Value::from(text.decode().into_owned())),
            Stored::Number(_) => value.to_string().parse::<i64>().map(Value::from).ok(),
            _ => None,
        };
        match named {
            Some(value) if found.contains(&value) => ControlFlow::Continue(()),
            Some(value) => {
                found.push(value);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    });
    Ok(if all.is_break() { Vec::new() } else { found })
}

impl<'a> Lookup<'a> {
    fn parse(raw: &'a RawValue) -> Result<Self> {
        let unreadable = |error| Error::invalid(format!("with_lookup does not read: {error}"));
        if raw.get().starts_with('"') {
            let collection = serde_json::from_str(raw.get()).map_err(unreadable)?;
            return Ok(Lookup { collection, with_payload: None, with_vectors: None });
        }
        serde_json::from_str(raw.get()).map_err(unreadable)
    }

    /// Gives the record whose id is the value of a group; null where there is none.
    fn record(&self, value: &Value, host: &Host) -> Result<Value> {
        let version = host.served(&self.collection)?.version();
        let shown = Shown::parse(self.with_payload, self.with_vectors, true)?;
        let Ok(label) = Label::parse(&value.to_string()) else { return Ok(Value::Null) };
        if !version.contains(&label.0) {
            return Ok(Value::Null);
        }
        let record = shown.show(&version, &label.0)?;
        serde_json::to_value(&record).map_err(|error| Error::internal(format!("a record cannot be said in JSON: {error}")))
    }
}
