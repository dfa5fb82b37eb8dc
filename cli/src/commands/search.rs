//! `vectra search`: the nearest points of query vectors.

use super::as_of;
use super::ingest::part_of;
use super::point_json::{IdJson, raw};
use super::session::Session;
use crate::args::SearchArgs;
use crate::exit::Failure;
use crate::input::VectorFile;
use engine::Collection;
use engine::collection::{Mode, SearchHit, SearchRequest, Version};
use engine::payload::Filter;
use engine::segment::SearchScratch;
use serde::Serialize;
use serde_json::value::RawValue;

/// Queries that are read at once.
const QUERIES: u64 = 256;

#[derive(Serialize)]
struct QueryJson {
    /// The row of the file.
    query: u64,
    hits: Vec<HitJson>,
}

#[derive(Serialize)]
struct HitJson {
    id: IdJson,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Option<Box<RawValue>>>,
}

/// Answers every query of the file, or those of some rows.
pub(super) fn run(session: &Session<'_>, args: &SearchArgs) -> Result<(), Failure> {
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let answer = |collection: &Collection| {
        let version = collection.version();
        let part = part_of(&version.schema, args.using.as_deref())?;
        let queries = VectorFile::open(&*session.world.fs, &args.vectors)?;
        let (first, count) = match args.rows {
            None => (0, queries.rows()),
            Some(rows) => rows.within(queries.rows()).map_err(|why| Failure::invalid(why).with_file(&args.vectors))?,
        };
        let mode = match (args.exact, args.ef, args.recall) {
            (true, ..) => Mode::Exact,
            (false, Some(ef), _) => Mode::Walk(ef as usize),
            (false, None, Some(target)) => Mode::Recall(target),
            (false, None, None) => Mode::Auto,
        };
        let mut query = Vec::with_capacity(queries.dim());
        let mut scratch = SearchScratch::default();
        for start in (first..first + count).step_by(QUERIES as usize) {
            let rows = queries.read_rows(start, (first + count - start).min(QUERIES) as usize)?;
            for row in 0..rows.len() {
                rows.row_f32(row, &mut query);
                let request = SearchRequest { part, query: &query, top: args.top as usize, mode, filter: filter.as_ref() };
                let hits = version.search(session.kernels, &request, &mut scratch)?;
                print(session, &version, start + row as u64, hits, args.with_payload)?;
                if session.out.is_closed() {
                    return Ok(());
                }
            }
        }
        Ok(())
    };
    match args.as_of {
        Some(time) => as_of::read(session, &args.name, time, &args.past, answer),
        None => session.read(&args.name, |_, collection| answer(collection)),
    }
}

fn print(session: &Session<'_>, version: &Version, query: u64, hits: Vec<SearchHit>, with_payload: bool) -> Result<(), Failure> {
    let payload_of = |hit: &SearchHit| {
        let view = version.point(&hit.id, false)?;
        view.and_then(|view| view.payload).map(raw).transpose()
    };
    let hits = hits.into_iter().map(|hit| {
        let payload = with_payload.then(|| payload_of(&hit)).transpose()?;
        Ok(HitJson { id: IdJson(hit.id), score: hit.score, payload })
    });
    let hits = hits.collect::<Result<Vec<_>, Failure>>()?;
    if session.out.is_json() {
        return session.out.row_json(&QueryJson { query, hits });
    }
    session.out.row(&format!("query {query}"))?;
    for (rank, hit) in hits.iter().enumerate() {
        let payload = hit
            .payload
            .as_ref()
            .map_or_else(String::new, |payload| format!("  {}", payload.as_ref().map_or("no payload", |payload| payload.get())));
        session.out.row(&format!("{:>4}  {}  {}{payload}", rank + 1, hit.id.0, hit.score))?;
    }
    Ok(())
}
