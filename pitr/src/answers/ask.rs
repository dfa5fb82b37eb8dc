//! Asks a collection the vectors of its own points: through its index, and by comparing with every vector.

use engine::collection::{Mode, PointView, SearchHit, SearchRequest, TargetRecall, Version};
use engine::error::Result;
use engine::segment::SearchScratch;
use engine::{Kernels, PointId};

/// Answers that are asked for.
pub const TOP: usize = 10;

/// How many candidates a search through the index keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// This many.
    Candidates(usize),
    /// As many as the index needs for this share of the neighbours.
    Recall(TargetRecall),
}

/// The answers to the vector of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The point whose vector was the query.
    pub point: PointId,
    /// The name of the vector.
    pub vector: String,
    /// Candidates of the search through the index.
    pub candidates: usize,
    /// What was found through the index, nearest first.
    pub found: Vec<SearchHit>,
    /// What is nearest, by comparing with every vector; `None` where nobody compared.
    pub exact: Option<Vec<SearchHit>>,
}

/// Asks one vector of a point; `None` when the point does not have it.
///
/// # Errors
/// `NotFound` when the collection has no such vector, `Corrupt` when stored bytes are damaged.
pub fn ask(version: &Version, point: &PointView, vector: &str, effort: Effort, exactly: bool) -> Result<Option<Asked>> {
    let Some((_, query)) = point.vectors.iter().find(|(name, _)| name == vector) else { return Ok(None) };
    let part = version.schema.part(vector)?;
    let candidates = match effort {
        Effort::Candidates(candidates) => candidates.max(1),
        Effort::Recall(target) => version.ef_for(part, target, TOP),
    };
    let search = |mode| {
        let request = SearchRequest { part, query, top: TOP, mode, filter: None };
        version.search(Kernels::detect(), &request, &mut SearchScratch::default())
    };
    let found = search(Mode::Walk(candidates))?;
    let exact = if exactly { Some(search(Mode::Exact)?) } else { None };
    Ok(Some(Asked { point: point.id, vector: vector.to_owned(), candidates, found, exact }))
}

/// Counts how many of the nearest were found, of how many, where both are known: points as near as the last of them count alike.
#[must_use]
pub fn recall<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> (u32, u32) {
    let mut counted = (0, 0);
    for answer in asked {
        let Some(exact) = &answer.exact else { continue };
        let Some(last) = exact.last() else { continue };
        let is_near = |hit: &&SearchHit| hit.score == last.score || exact.iter().any(|near| near.id == hit.id);
        let right = answer.found.iter().filter(is_near).count().min(exact.len());
        counted = (counted.0 + right as u32, counted.1 + exact.len() as u32);
    }
    assert!(counted.0 <= counted.1, "no more is found than there is");
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(scores: &[(u64, f32)]) -> Vec<SearchHit> {
        scores.iter().map(|&(id, score)| SearchHit { id: PointId::Number(id), score }).collect()
    }

    fn asked(found: &[(u64, f32)], exact: Option<&[(u64, f32)]>) -> Asked {
        Asked { point: PointId::Number(1), vector: String::new(), candidates: 10, found: hits(found), exact: exact.map(hits) }
    }

    #[test]
    fn recall_counts_what_is_as_near_and_not_what_is_farther() {
        let near: &[(u64, f32)] = &[(1, 0.0), (2, 0.1), (3, 0.2)];
        assert_eq!(recall(&[asked(near, Some(near))]), (3, 3));
        assert_eq!(recall(&[asked(&[(1, 0.0), (2, 0.1), (9, 0.2)], Some(near))]), (3, 3), "a tie is no miss");
        assert_eq!(recall(&[asked(&[(1, 0.0), (2, 0.1), (9, 0.3)], Some(near))]), (2, 3));
        assert_eq!(recall(&[asked(&[], Some(near)), asked(near, Some(near))]), (3, 6));
        assert_eq!(recall(&[asked(near, None), asked(near, Some(&[]))]), (0, 0), "nobody compared, or nothing is there");
    }
}
