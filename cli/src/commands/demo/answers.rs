//! Answers of searches as they were printed: compared with each other, and with exact ones.

use crate::exit::Failure;
use serde_json::Value;
use std::collections::BTreeSet;

/// Hits of an answer.
pub(super) const TOP: usize = 10;
/// Longest payload that is shown of a hit, in characters.
const SHOWN_CHARS: usize = 100;

/// One answer a query.
pub(super) struct Answers(Vec<Vec<Value>>);

impl Answers {
    /// Reads the lines that `vectra search --json` prints.
    pub fn read(lines: &[Value]) -> Result<Self, Failure> {
        let hits = |line: &Value| line["hits"].as_array().cloned().ok_or_else(|| Failure::internal("an answer has no hits"));
        let answers = lines.iter().map(hits).collect::<Result<Vec<_>, _>>()?;
        if answers.is_empty() { Err(Failure::internal("no query was answered")) } else { Ok(Self(answers)) }
    }

    /// Counts the queries.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives the share of the true neighbours that was found, in the mean over the queries.
    pub fn recall(&self, truth: &Answers) -> f64 {
        let found = |(answer, truth): (&Vec<Value>, &Vec<Value>)| {
            let truth: BTreeSet<String> = truth.iter().map(id).collect();
            let found = answer.iter().filter(|hit| truth.contains(&id(hit))).count();
            found as f64 / truth.len().max(1) as f64
        };
        self.0.iter().zip(&truth.0).map(found).sum::<f64>() / self.0.len().max(truth.0.len()) as f64
    }

    /// Says where two sets of answers differ: in ids, their order, scores or payloads.
    pub fn differences(&self, other: &Answers) -> Vec<String> {
        if self.count() != other.count() {
            return vec![format!("{} answers before, {} after", self.count(), other.count())];
        }
        let differing: Vec<usize> = (0..self.count()).filter(|&query| self.0[query] != other.0[query]).collect();
        let describe = |&query: &usize| {
            let ids = |hits: &[Value]| hits.iter().map(id).collect::<Vec<_>>();
            let (before, after) = (ids(&self.0[query]), ids(&other.0[query]));
            let what =
                if before == after { "scores or payloads differ".to_owned() } else { format!("ids {before:?} before, {after:?} after") };
            format!("query {query} of {} that differ: {what}", differing.len())
        };
        differing.first().map(describe).into_iter().collect()
    }

    /// Shows the first hits of the first query.
    pub fn first_hits(&self, hits: usize) -> Vec<String> {
        let line = |hit: &Value| {
            let payload = hit["payload"].to_string();
            let mut shown: String = payload.chars().take(SHOWN_CHARS).collect();
            if shown.len() < payload.len() {
                shown.push_str(" ...");
            }
            format!("id {}, score {}: {shown}", id(hit), hit["score"])
        };
        self.0.first().into_iter().flatten().take(hits).map(line).collect()
    }
}

fn id(hit: &Value) -> String {
    hit["id"].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answers(ids: &[u64]) -> Answers {
        let hits: Vec<Value> = ids.iter().map(|id| json!({"id": id, "score": 0.5, "payload": {"n": id}})).collect();
        Answers::read(&[json!({"query": 0, "hits": hits})]).unwrap()
    }

    #[test]
    fn recall_is_the_share_of_the_true_ids() {
        assert!((answers(&[1, 2, 3, 4]).recall(&answers(&[4, 3, 9, 8])) - 0.5).abs() < 1e-9);
        assert!((answers(&[1, 2]).recall(&answers(&[1, 2])) - 1.0).abs() < 1e-9);
        assert!(answers(&[]).recall(&answers(&[1])).abs() < 1e-9);
    }

    #[test]
    fn order_scores_and_payloads_are_compared() {
        assert_eq!(answers(&[1, 2]).differences(&answers(&[1, 2])), Vec::<String>::new());
        assert_eq!(answers(&[1, 2]).differences(&answers(&[2, 1])).len(), 1);
        let other = Answers::read(&[json!({"hits": [{"id": 1, "score": 0.5, "payload": null}]})]).unwrap();
        assert!(answers(&[1]).differences(&other)[0].contains("scores or payloads"));
        assert!(Answers::read(&[]).is_err());
    }
}
