//! Draws points whose vectors serve as queries: spread over the whole collection, the same ones for the same seed and state.

use std::collections::BTreeSet;

use engine::PointId;
use engine::collection::{PointView, Version};
use engine::error::Result;
use platform::random::Stream;

/// Rows that are drawn for each point that is wanted. Where most rows are dead, fewer points are found.
const DRAWS: usize = 20;

/// Draws so many different points, vectors included; fewer where there are not so many.
///
/// # Errors
/// `Corrupt` when the log does not hold what was written.
pub fn draw(version: &Version, seed: u64, count: usize) -> Result<Vec<PointView>> {
    let points = draw_ids(version, seed, count).into_iter().map(|id| version.point(&id, true));
    points.filter_map(Result::transpose).collect()
}

/// Draws the ids of so many different points; reads nothing of the log.
pub(super) fn draw_ids(version: &Version, seed: u64, count: usize) -> Vec<PointId> {
    let rows = Rows::of(version);
    let all = rows.count();
    let mut stream = Stream::new(seed);
    let (mut seen, mut ids) = (BTreeSet::new(), Vec::with_capacity(count));
    if all <= (count * DRAWS) as u64 {
        // All of them are looked at, in an order that the seed gives.
        let mut numbers: Vec<u64> = (0..all).collect();
        for place in (1..numbers.len()).rev() {
            numbers.swap(place, stream.below(place as u64 + 1) as usize);
        }
        ids.extend(numbers.into_iter().filter_map(|row| rows.id(row)).filter(|id| seen.insert(*id)).take(count));
        return ids;
    }
    for _ in 0..count * DRAWS {
        if ids.len() == count {
            break;
        }
        ids.extend(rows.id(stream.below(all)).filter(|id| seen.insert(*id)));
    }
    ids
}

/// The rows of a version, counted over segments and tail.
struct Rows<'a> {
    version: &'a Version,
    tail: Vec<&'a std::sync::Arc<engine::tail::TailRecord>>,
}

impl<'a> Rows<'a> {
    fn of(version: &'a Version) -> Self {
        Rows { version, tail: version.tail_records().collect() }
    }

    fn count(&self) -> u64 {
        let of_segments: u64 = self.version.segments.iter().map(|open| u64::from(open.segment.rows())).sum();
        of_segments + self.tail.iter().map(|record| u64::from(record.rows())).sum::<u64>()
    }

    /// Gives the id of a row; `None` when it is dead.
    fn id(&self, mut row: u64) -> Option<PointId> {
        let end = self.version.lsn_end;
        for open in &*self.version.segments {
            let (segment, rows) = (&open.segment, u64::from(open.segment.rows()));
            if row < rows {
                return segment.is_visible(0, row as u32, end).then(|| segment.id(row as u32));
            }
            row -= rows;
        }
        for record in &self.tail {
            let rows = u64::from(record.rows());
            if row < rows {
                return record.is_visible(0, row as u32, end).then(|| record.ids[row as usize]);
            }
            row -= rows;
        }
        None
    }
}
