//! Queries: the nearest points, points in an order, points at random.

use engine::collection::{Mode, SearchRequest, TargetRecall, Version};
use engine::payload::Filter;
use engine::{Distance, Error, PointId, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body::filter;
use super::chosen::missing;
use super::groups::GroupsBody;
use super::read::check_limit;
use super::sample;
use super::shown::{Record, Shown};
use super::target::Target;
use crate::Host;
use crate::SearchOp;
use crate::api::Call;
use crate::api::answer::{Answer, Outcome};
use crate::api::label::Label;

/// Points that a query gives when it does not say how many.
const LIMIT_USUAL: usize = 10;
/// The share of the true neighbours that a query of a large collection is to find when it says nothing else.
const RECALL_USUAL: f64 = 0.97;

/// A query as requests write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBody<'a> {
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prefetch: Option<&'a RawValue>,
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
    #[serde(default)]
    using: Option<String>,
    #[serde(borrow, default)]
    filter: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
    #[serde(default)]
    score_threshold: Option<f32>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    offset: Option<usize>,
    #[serde(borrow, default)]
    with_vector: Option<&'a RawValue>,
    #[serde(borrow, default)]
    with_payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lookup_from: Option<LookupFrom<'a>>,
}

/// How a search is done.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Params<'a> {
    #[serde(default)]
    hnsw_ef: Option<usize>,
    #[serde(default)]
    exact: Option<bool>,
    /// Codes are always compared first and vectors last.
    #[serde(borrow, default, rename = "quantization")]
    _quantization: Option<&'a RawValue>,
    #[serde(default, rename = "indexed_only")]
    _indexed_only: Option<bool>,
    #[serde(borrow, default, rename = "acorn")]
    _acorn: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "idf")]
    _idf: Option<&'a RawValue>,
}

/// Where the vectors of points that a query names are looked up.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupFrom<'a> {
    collection: String,
    #[serde(default)]
    vector: Option<String>,
    #[serde(borrow, default, rename = "shard_key")]
    _shard_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    #[serde(borrow)]
    searches: Vec<QueryBody<'a>>,
}

/// An answer before it is shown.
pub(super) struct Ranked {
    pub(super) id: PointId,
    pub(super) score: f32,
    /// The value by which it was ordered, where it was.
    pub(super) value: Option<Value>,
}

/// Most queries of one request.
const QUERIES_MAX: usize = 1_000;

/// Answers a query.
pub(in crate::api) fn query(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let version = served.version();
    let body: QueryBody<'_> = call.json()?;
    body.others().try_for_each(|other| call.check_other(other))?;
    let points = served.searches().timed(SearchOp::Query, call.clock(), || body.answer(&version, call.host))?;
    Answer::of(&json!({"points": points}))
}

/// Answers several queries against one version.
pub(in crate::api) fn query_batch(name: &str, call: &Call<'_>) -> Outcome {
    let served = call.host.served(name)?;
    let version = served.version();
    let body: BatchBody<'_> = call.json()?;
    if body.searches.len() > QUERIES_MAX {
        return Err(Error::invalid("too many queries at once").with_expected(format!("at most {QUERIES_MAX}"), body.searches.len()));
    }
    body.searches.iter().flat_map(QueryBody::others).try_for_each(|other| call.check_other(other))?;
    let answers = body.searches.iter().map(|search| Ok(json!({"points": search.answer(&version, call.host)?})));
    Answer::of(&served.searches().timed(SearchOp::QueryBatch, call.clock(), || answers.collect::<Result<Vec<_>>>())?)
}

impl<'a> QueryBody<'a> {
    /// Gives the names of other collections that it reads.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.lookup_from.iter().map(|other| other.collection.as_str())
    }

    /// Makes a query of what one in groups says, which has its limit and offset elsewhere.
    pub(super) fn of_groups(body: &GroupsBody<'a>) -> Self {
        QueryBody {
            _shard_key: None,
            prefetch: body.prefetch,
            query: body.query,
            using: body.using.clone(),
            filter: body.filter,
            params: body.params.clone(),
            score_threshold: body.score_threshold,
            limit: None,
            offset: None,
            with_vector: body.with_vector,
            with_payload: body.with_payload,
            lookup_from: body.lookup_from.clone(),
        }
    }

    fn answer(&self, version: &Version, host: &Host) -> Result<Vec<Record>> {
        let shown = self.shown()?;
        let (limit, offset) = (self.limit.unwrap_or(LIMIT_USUAL), self.offset.unwrap_or(0));
        let ranked = self.ranked(version, host, limit.saturating_add(offset))?;
        ranked.into_iter().skip(offset).map(|point| point.record(version, &shown)).collect()
    }

    /// Reads how points are shown.
    pub(super) fn shown(&self) -> Result<Shown> {
        Shown::parse(self.with_payload, self.with_vector, false)
    }

    /// Gives the first points of the answer.
    pub(super) fn ranked(&self, version: &Version, host: &Host, count: usize) -> Result<Vec<Ranked>> {
        check_limit(count)?;
        if self.prefetch.is_some_and(|prefetch| prefetch.get() != "[]") {
            return Err(Error::invalid("queries over the answers of others (prefetch) are not in this version"));
        }
        let filter = filter(self.filter)?;
        match self.query.map(Target::parse).transpose()? {
            None => Ok(version.scroll(None, count, filter.as_ref())?.into_iter().map(|id| Ranked::plain(id, 1.0)).collect()),
            Some(Target::OrderBy(order)) => order.ranked(version, filter.as_ref(), count),
            Some(Target::Sample) => {
                Ok(sample::draw(version, filter.as_ref(), count, host)?.into_iter().map(|id| Ranked::plain(id, 1.0)).collect())
            }
            Some(Target::Vector(vector)) => self.nearest(version, host, &vector, None, filter.as_ref(), count),
            Some(Target::Point(id)) => {
                let vector = self.vector_of(version, id, host)?;
                // The point itself is no answer; of another collection it is another point.
                let but = self.lookup_from.is_none().then_some(id.0);
                self.nearest(version, host, &vector, but, filter.as_ref(), count)
            }
        }
    }

    fn nearest(
        &self,
        version: &Version,
        host: &Host,
        query: &[f32],
        but: Option<PointId>,
        filter: Option<&Filter>,
        count: usize,
    ) -> Result<Vec<Ranked>> {
        let part = self.part(version)?;
        let mode = self.params.as_ref().map_or_else(|| Params::default().mode(), Params::mode)?;
        let top = count + usize::from(but.is_some());
        let request = SearchRequest { part, query, top, mode, filter };
        let hits = host.with_scratch(|scratch| version.search(host.kernels(), &request, scratch))?;
        let distance = version.schema.vector(part).distance;
        let is_near = |score: f32| match self.score_threshold {
            None => true,
            Some(threshold) if matches!(distance, Distance::Cosine | Distance::Dot) => score >= threshold,
            Some(threshold) => score <= threshold,
        };
        let kept = hits.into_iter().filter(|hit| Some(hit.id) != but && is_near(hit.score));
        Ok(kept.take(count).map(|hit| Ranked::plain(hit.id, hit.score)).collect())
    }

    fn part(&self, version: &Version) -> Result<usize> {
        version.schema.part(self.using.as_deref().unwrap_or(""))
    }

    /// Finds the vector of a point that the query names, here or in another collection.
    fn vector_of(&self, version: &Version, id: Label, host: &Host) -> Result<Vec<f32>> {
        let of = |version: &Version, part: usize| {
            let place = version.find(&id.0, part).ok_or_else(|| missing(id))?;
            version.vector(&place, part)
        };
        match &self.lookup_from {
            None => of(version, self.part(version)?),
            Some(other) => {
                let version = host.served(&other.collection)?.version();
                let part = version.schema.part(other.vector.as_deref().or(self.using.as_deref()).unwrap_or(""))?;
                of(&version, part)
            }
        }
    }
}

impl Params<'_> {
    fn mode(&self) -> Result<Mode> {
        Ok(match (self.exact, self.hnsw_ef) {
            (Some(true), _) => Mode::Exact,
            (_, Some(ef)) => Mode::Walk(ef),
            (_, None) => Mode::Recall(TargetRecall::new(RECALL_USUAL)?),
        })
    }
}

impl Ranked {
    pub(super) fn plain(id: PointId, score: f32) -> Self {
        Ranked { id, score, value: None }
    }

    /// Shows the point with the value by which it was ordered, and without a score.
    ///
    /// # Errors
    /// Those of [`Shown::show`].
    pub(super) fn unscored(&self, version: &Version, shown: &Shown) -> Result<Record> {
        let record = shown.show(version, &self.id)?;
        Ok(match &self.value {
            Some(value) => record.ordered(value.clone()),
            None => record,
        })
    }

    /// Shows the point with its score.
    ///
    /// # Errors
    /// Those of [`Shown::show`].
    pub(super) fn record(&self, version: &Version, shown: &Shown) -> Result<Record> {
        Ok(self.unscored(version, shown)?.scored(self.score))
    }
}
