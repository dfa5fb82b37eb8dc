//! Answers that are stored with a backup or a base, so that a drill can compare: a few queries, and no more time than a hundredth of what the
//! rest took.

use engine::codec::checksum::Hash;
use engine::collection::{PointView, SearchHit, TargetRecall, Version};
use engine::error::Result;
use platform::World;
use serde::{Deserialize, Serialize};

use super::ask::{Asked, Effort, TOP, ask, recall};
use super::digest::digest_of;
use super::draw::draw_ids;

/// The share of the time that the rest took.
const SHARE: u64 = 100;
/// Microseconds that are always there.
const MICROS_MIN: u64 = 5_000;
/// Bytes of vectors that are compared in a microsecond, until that was measured; what was just sent is in memory.
const BYTES_PER_MICRO: u64 = 4_000;
/// The share of the neighbours that is looked for.
const SHARE_WANTED: f64 = 0.99;

/// The answers to one query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedProbe {
    /// The point whose vector is the query.
    pub point: String,
    /// The name of the vector.
    pub vector: String,
    /// The digest of the point: id, payload and vectors.
    pub digest: Hash,
    /// Candidates of the search through the index.
    pub ef: u32,
    /// Ids found through the index, nearest first, with blanks between.
    pub found: String,
    /// Ids of what is nearest, by comparing with every vector; absent when there was no time for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
}

/// Answers of a state, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAnswers {
    /// Answers that each query asked for.
    pub top: u32,
    /// Neighbours that were found, of those that were looked for: the recall, where queries were asked exactly too.
    pub recall: (u32, u32),
    /// The queries.
    pub probes: Vec<RecordedProbe>,
}

/// Asks a state a few queries. `spent` is how long the rest took, in microseconds, at most `count` are asked. `None` when nothing could be asked:
/// no point is here, or only far away; whatever is wrong with a log is not found here, but by those who read all of it.
#[must_use]
pub fn record(world: &World, version: &Version, spent: u64, count: usize) -> Option<RecordedAnswers> {
    if version.log.is_lazy() || version.points == 0 {
        return None;
    }
    let budget = Budget { world, began: world.clock.monotonic_micros(), micros: (spent / SHARE).max(MICROS_MIN) };
    ask_within(version, &budget, count).ok().filter(|answers| !answers.probes.is_empty())
}

fn ask_within(version: &Version, budget: &Budget<'_>, count: usize) -> Result<RecordedAnswers> {
    let effort = Effort::Recall(TargetRecall::new(SHARE_WANTED)?);
    // The position seeds the queries: a state is asked the same ones by whoever saves it.
    let ids = draw_ids(version, version.lsn_end, count);
    let widest = version.schema.vectors.iter().map(|vector| u64::from(vector.dim)).max().unwrap_or(0);
    let mut exact_micros = version.points.saturating_mul(widest * size_of::<f32>() as u64) / BYTES_PER_MICRO;
    // Walks are cheap and come first; what is left is for comparing with every vector, which is dear.
    let (mut points, mut all) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
    for (number, id) in ids.iter().enumerate() {
        if !all.is_empty() && budget.left() <= budget.micros / 2 {
            break;
        }
        let Some(point) = version.point(id, true)? else { continue };
        let Some((vector, _)) = point.vectors.get(number % point.vectors.len().max(1)) else { continue };
        let Some(asked) = ask(version, &point, vector, effort, false)? else { continue };
        all.push(asked);
        points.push(point);
    }
    for (asked, point) in all.iter_mut().zip(&points) {
        if exact_micros > budget.left() {
            break;
        }
        let began = budget.used();
        if let Some(exactly) = ask(version, point, &asked.vector, Effort::Candidates(asked.candidates), true)? {
            *asked = exactly;
        }
        exact_micros = budget.used() - began;
    }
    let probe = |(asked, point): (&Asked, &PointView)| RecordedProbe {
        point: asked.point.to_string(),
        vector: asked.vector.clone(),
        digest: digest_of(point),
        ef: asked.candidates as u32,
        found: join(&asked.found),
        exact: asked.exact.as_deref().map(join),
    };
    let probes: Vec<RecordedProbe> = all.iter().zip(&points).map(probe).collect();
    assert!(probes.len() <= count, "no more is asked than was allowed");
    Ok(RecordedAnswers { top: TOP as u32, recall: recall(&all), probes })
}

fn join(hits: &[SearchHit]) -> String {
    hits.iter().map(|hit| hit.id.to_string()).collect::<Vec<_>>().join(" ")
}

/// Time that may be used.
struct Budget<'a> {
    world: &'a World,
    began: u64,
    micros: u64,
}

impl Budget<'_> {
    fn used(&self) -> u64 {
        self.world.clock.monotonic_micros().saturating_sub(self.began)
    }

    fn left(&self) -> u64 {
        self.micros.saturating_sub(self.used())
    }
}
