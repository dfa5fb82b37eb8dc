//! Compares a restored state with what it has to be: a pure function of what was seen of both.

use std::collections::BTreeMap;

use engine::PointId;
use engine::codec::checksum::Hash;

use super::report::{Check, Verdict};
use crate::answers::{Asked, RecordedAnswers};

/// One query, and what is known of its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The point whose vector is the query.
    pub point: PointId,
    /// The name of the vector.
    pub vector: String,
    /// The digest of the point.
    pub digest: Hash,
    /// Candidates of the search through the index.
    pub candidates: usize,
    /// What was found through the index, nearest first.
    pub found: Vec<PointId>,
    /// What is nearest; `None`: nobody compared.
    pub exact: Option<Vec<PointId>>,
}

impl Answer {
    /// Takes over what was asked of a point.
    #[must_use]
    pub fn of(asked: &Asked, digest: Hash) -> Self {
        let ids = |hits: &[engine::collection::SearchHit]| hits.iter().map(|hit| hit.id).collect();
        Answer {
            point: asked.point,
            vector: asked.vector.clone(),
            digest,
            candidates: asked.candidates,
            found: ids(&asked.found),
            exact: asked.exact.as_deref().map(ids),
        }
    }

    /// Reads the answers that are stored with a state; a probe that does not read is an error of whoever wrote it, and left out.
    #[must_use]
    pub fn recorded(recorded: &RecordedAnswers) -> Vec<Self> {
        let ids = |text: &str| text.split(' ').filter(|id| !id.is_empty()).map(|id| PointId::parse(id).ok()).collect::<Option<Vec<_>>>();
        let read = |probe: &crate::answers::RecordedProbe| {
            let exact = match &probe.exact {
                Some(text) => Some(ids(text)?),
                None => None,
            };
            Some(Answer {
                point: PointId::parse(&probe.point).ok()?,
                vector: probe.vector.clone(),
                digest: probe.digest,
                candidates: probe.ef as usize,
                found: ids(&probe.found)?,
                exact,
            })
        };
        recorded.probes.iter().filter_map(read).collect()
    }
}

/// What is known of a state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Live points, and those of them with a payload.
    pub counts: Option<(u64, u64)>,
    /// Digest of everything.
    pub content: Option<Hash>,
    /// Answers; `None`: there are none to compare with.
    pub answers: Option<Vec<Answer>>,
}

/// Compares what was restored with what is expected of it; `with` says where that comes from.
#[must_use]
pub fn compare(with: &str, expected: &Evidence, got: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    let count = |counts: &(u64, u64)| format!("{} points, {} with payload", counts.0, counts.1);
    checks.extend(expected.counts.map(|counts| {
        let got = got.counts.unwrap_or_default();
        check("count", with, Some(counts == got), Some(count(&counts)), Some(count(&got)), None)
    }));
    checks.extend(expected.content.map(|content| {
        let same = got.content.map(|got| got == content);
        let detail = (same == Some(false)).then(|| "ids, payloads or vectors differ".to_owned());
        check("content", with, same, Some(content.to_string()), got.content.map(|got| got.to_string()), detail)
    }));
    if let Some(answers) = &expected.answers {
        checks.extend(compare_answers(with, answers, got.answers.as_deref().unwrap_or_default()));
    }
    checks
}

/// Makes the check that says why there was nothing to compare with.
#[must_use]
pub fn nothing(what: &str, with: &str, why: &str) -> Check {
    check(what, with, None, None, None, Some(why.to_owned()))
}

/// Holds the share of neighbours that was found against the least that is allowed; `found` is how many of how many.
#[must_use]
pub fn judge_recall(found: (u32, u32), min: f64) -> Check {
    let expected = Some(format!("at least {min}"));
    if found.1 == 0 {
        return check("recall", "goal", None, expected, None, Some("there is nothing to search for".to_owned()));
    }
    let recall = f64::from(found.0) / f64::from(found.1);
    check("recall", "goal", Some(recall >= min), expected, Some(format!("{recall:.4}")), None)
}

fn check(what: &str, with: &str, same: Option<bool>, expected: Option<String>, got: Option<String>, detail: Option<String>) -> Check {
    let result = match same {
        Some(true) => Verdict::Passed,
        Some(false) => Verdict::Missed,
        None => Verdict::Unknown,
    };
    Check { check: what.to_owned(), with: with.to_owned(), result, expected, got, detail }
}

/// What differs in one respect, counted.
#[derive(Default)]
struct Tally {
    compared: usize,
    first: Option<String>,
    wrong: usize,
}

impl Tally {
    fn see(&mut self, same: bool, detail: impl FnOnce() -> String) {
        self.compared += 1;
        if !same {
            self.wrong += 1;
            self.first.get_or_insert_with(detail);
        }
    }

    fn check(self, what: &str, with: &str) -> Check {
        if self.compared == 0 {
            return nothing(what, with, "none was recorded");
        }
        let right = self.compared - self.wrong;
        check(what, with, Some(self.wrong == 0), Some(self.compared.to_string()), Some(right.to_string()), self.first)
    }
}

fn compare_answers(with: &str, expected: &[Answer], got: &[Answer]) -> [Check; 3] {
    let by_query: BTreeMap<(PointId, &str), &Answer> = got.iter().map(|answer| ((answer.point, answer.vector.as_str()), answer)).collect();
    let (mut points, mut found, mut exact) = (Tally::default(), Tally::default(), Tally::default());
    for wanted in expected {
        let point = wanted.point;
        let Some(answer) = by_query.get(&(point, wanted.vector.as_str())) else {
            points.see(false, || format!("point {point} is missing"));
            found.see(false, || format!("point {point} is missing, so that its vector could not be asked"));
            continue;
        };
        points.see(answer.digest == wanted.digest, || format!("point {point} has another payload or vector"));
        let differ =
            |wanted: &[PointId], got: &[PointId]| format!("the vector of point {point}: expected {}, got {}", join(wanted), join(got));
        found.see(answer.found == wanted.found, || differ(&wanted.found, &answer.found));
        if let (Some(wanted), Some(answer)) = (&wanted.exact, &answer.exact) {
            exact.see(wanted == answer, || differ(wanted, answer));
        }
    }
    [points.check("points", with), found.check("answers", with), exact.check("exact", with)]
}

fn join(ids: &[PointId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
