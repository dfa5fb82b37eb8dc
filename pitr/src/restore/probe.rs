//! Asks an opened collection something, to know that it answers.

use engine::collection::version::Version;
use engine::collection::{Mode, PointView, SearchHit, SearchRequest};
use engine::error::{Error, ErrorKind, Result};
use engine::segment::SearchScratch;
use engine::{Collection, Distance, Kernels};

/// Candidates of the walk that is tried.
const EF: usize = 64;
/// Answers that are asked for.
const TOP: usize = 10;
/// A vector is found at this cosine to itself, rounding included.
const COSINE_OF_ITSELF: f32 = 0.999;

/// Reads the first point back by its id, payload and vectors included, and searches for its vectors through the index; an empty collection has
/// answered by being opened.
///
/// # Errors
/// `Corrupt` when a point that is there is not found or not readable.
pub fn probe(collection: &Collection) -> Result<()> {
    let version = collection.version();
    for point in sample(&version, 1)? {
        check_by_id(&version, &point)?;
        for (name, vector) in &point.vectors {
            let part = version.schema.part(name)?;
            if find(&version, part, vector, Mode::Walk(EF))?.is_empty() {
                return Err(Error::corrupt("a search finds nothing though there are points"));
            }
        }
    }
    Ok(())
}

/// Reads points back by their ids, and finds each of their vectors by an exact search.
///
/// # Errors
/// `Corrupt` when one is not found.
pub fn check_answers(version: &Version, points: &[PointView]) -> Result<()> {
    for point in points {
        check_by_id(version, point)?;
        for (name, vector) in &point.vectors {
            let part = version.schema.part(name)?;
            let best = find(version, part, vector, Mode::Exact)?.first().copied();
            let found = best.is_some_and(|hit| match version.schema.vector(part).distance {
                Distance::Euclid | Distance::Manhattan => hit.score == 0.0,
                Distance::Cosine => hit.score >= COSINE_OF_ITSELF || vector.iter().all(|&x| x == 0.0),
                Distance::Dot => true,
            });
            if !found {
                let error = Error::corrupt("a vector is not its own nearest neighbour").with_object(format!("point {}", point.id));
                return Err(
                    error.with_expected("a distance of zero", best.map_or("no answer".to_owned(), |hit| format!("score {}", hit.score)))
                );
            }
        }
    }
    Ok(())
}

fn check_by_id(version: &Version, point: &PointView) -> Result<()> {
    if version.point(&point.id, true)?.as_ref() == Some(point) {
        return Ok(());
    }
    Err(Error::corrupt("a point is not found under its id").with_object(format!("point {}", point.id)))
}

fn find(version: &Version, part: usize, query: &[f32], mode: Mode) -> Result<Vec<SearchHit>> {
    let request = SearchRequest { part, query, top: TOP, mode, filter: None };
    version.search(Kernels::detect(), &request, &mut SearchScratch::default())
}

/// Gives the first so many points, vectors included.
///
/// # Errors
/// `Corrupt` when the log does not hold what was written.
pub fn sample(version: &Version, count: usize) -> Result<Vec<PointView>> {
    let mut points = Vec::with_capacity(count);
    let mut stopped = false;
    let visited = version.for_each_point(true, &mut |point| {
        points.push(point);
        stopped = points.len() >= count;
        // The walk knows no other way to end early.
        if stopped { Err(Error::new(ErrorKind::Interrupted, "enough points were seen")) } else { Ok(()) }
    });
    match visited {
        Err(error) if !stopped => Err(error),
        _ => Ok(points),
    }
}
