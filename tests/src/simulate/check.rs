//! Reads a state of the engine back in full and compares its answers with the model's.

use engine::collection::{Mode, SearchRequest, Version};
use index::Kernels;
use platform::fs::FileSystem;
use platform::random::Stream;

use super::generate::{Shape, Sizes, filter, name_of, which};
use crate::model::{Points, Seen, SeenPoints, Which, nearest};

/// Answers that are compared.
const TOP: usize = 5;

/// Reads every point, once each, and checks that the counts say the same.
///
/// # Errors
/// The engine's error as text, or what does not fit together.
pub fn read_all(version: &Version) -> Result<SeenPoints, String> {
    let mut found = SeenPoints::new();
    let mut wrong = None;
    let names: Vec<String> = version.schema.vectors.iter().map(|vector| vector.name.clone()).collect();
    let result = version.for_each_point(true, &mut |view| {
        let vectors = names.iter().map(|name| view.vectors.iter().find(|(known, _)| known == name).map(|(_, vector)| vector.clone()));
        let seen = Seen { vectors: vectors.collect(), payload: view.payload };
        match name_of(&view.id) {
            None => wrong = Some(format!("invented: point {}", view.id)),
            Some(id) if found.insert(id, seen).is_some() => wrong = Some(format!("point {} is there twice", view.id)),
            Some(_) => {}
        }
        Ok(())
    });
    result.map_err(|error| format!("reading every point: {error}"))?;
    let with_payload = found.values().filter(|seen| seen.payload.is_some()).count() as u64;
    if (version.points, version.points_with_payload) != (found.len() as u64, with_payload) {
        wrong = Some(format!(
            "the counts are {} and {} with payload, the points are {} and {with_payload}",
            version.points,
            version.points_with_payload,
            found.len()
        ));
    }
    wrong.map_or(Ok(found), Err)
}

/// Searches exactly, through the index, and under a filter, and counts under the filter.
///
/// # Errors
/// The first answer that is not the model's.
pub fn answers(version: &Version, points: &Points, shape: &Shape, sizes: Sizes, stream: &mut Stream) -> Result<(), String> {
    let drawn = which(stream, sizes);
    let selected = filter(&drawn).map_err(|error| format!("a filter was refused: {error}"))?;
    let limit = selected.as_ref().map(|_| &drawn);
    if let Some(parsed) = &selected {
        let count = version.count(Some(parsed)).map_err(|error| format!("counting under a filter: {error}"))?;
        let mut rest = points.clone();
        crate::model::Change::Delete(drawn.clone()).apply(&mut rest);
        let expected = (points.len() - rest.len()) as u64;
        if count != expected {
            return Err(format!("{count} points pass {drawn:?}, expected {expected}"));
        }
    }
    for (n, (_, _, measure, _)) in shape.vectors.iter().enumerate() {
        let query = shape.vector(n, stream);
        let mut request = SearchRequest { part: n + 1, query: &query, top: TOP, mode: Mode::Exact, filter: None };
        compare(version, &request, &nearest(points, n, *measure, &query, TOP, None), None)?;
        request.filter = selected.as_ref();
        compare(version, &request, &nearest(points, n, *measure, &query, TOP, limit), limit)?;
        walk(version, points, n, *measure, &query)?;
    }
    Ok(())
}

fn search(version: &Version, request: &SearchRequest<'_>) -> Result<Vec<(u64, f32)>, String> {
    let hits = version.search(Kernels::detect(), request, &mut Default::default()).map_err(|error| format!("searching: {error}"))?;
    let named = |hit: &engine::collection::SearchHit| name_of(&hit.id).map(|id| (id, hit.score));
    hits.iter().map(|hit| named(hit).ok_or_else(|| format!("search invented point {}", hit.id))).collect()
}

fn compare(version: &Version, request: &SearchRequest<'_>, expected: &[(u64, f32)], limit: Option<&Which>) -> Result<(), String> {
    let got = search(version, request)?;
    if got == expected { Ok(()) } else { Err(format!("search under {limit:?} of {request:?} gave {got:?}, expected {expected:?}")) }
}

/// A walk may miss a neighbour, but what it finds is there and is as near as it says.
fn walk(version: &Version, points: &Points, vector: usize, measure: crate::model::Measure, query: &[f32]) -> Result<(), String> {
    let request = SearchRequest { part: vector + 1, query, top: TOP, mode: Mode::Walk(32), filter: None };
    let all = nearest(points, vector, measure, query, points.len(), None);
    let found = search(version, &request)?;
    let strange = found.iter().find(|hit| !all.contains(hit));
    match strange {
        Some(hit) => Err(format!("a walk found {hit:?}, which is not there")),
        None if found.len() < TOP.min(all.len()) => Err(format!("a walk found {} of {} points", found.len(), all.len())),
        None => Ok(()),
    }
}

/// Checks that each object of the manifest is on the disk in its length and that each segment agrees with itself.
///
/// # Errors
/// The first that is missing or wrong.
pub fn objects(version: &Version, fs: &dyn FileSystem, dir: &engine::manifest::store::CollectionDir) -> Result<(), String> {
    for (id, bytes, _) in version.manifest.objects() {
        let found = fs.metadata(&dir.object(id)).map_err(|error| error.to_string())?;
        if found.map(|meta| meta.len) != Some(bytes) {
            return Err(format!("object {id} of the manifest has {:?}, expected {bytes} bytes", found.map(|meta| meta.len)));
        }
    }
    for open in version.segments.iter() {
        engine::segment::verify::verify(&open.segment).map_err(|error| format!("a segment does not agree with itself: {error}"))?;
    }
    Ok(())
}
