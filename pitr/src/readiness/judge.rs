//! Holds what is known against goals: a pure function.

use serde::Serialize;

use super::observe::Standing;

/// How old the newest proven state may be, unless something else is asked for: 30 days, in microseconds.
pub const VERIFIED_AGE: u64 = 30 * 86_400_000_000;

/// What a deployment has to reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Goals {
    /// Microseconds of writes that may be lost.
    pub rpo: Option<u64>,
    /// Microseconds that a restore may take.
    pub rto: Option<u64>,
    /// Microseconds that the newest proven state may be old; `None`: [`VERIFIED_AGE`], and that nothing was proven yet is no miss.
    pub verified_age: Option<u64>,
}

/// How a goal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// Reached.
    Met,
    /// Not reached.
    Missed,
    /// Nobody knows; a miss only where the goal was asked for.
    Unknown,
}

/// One goal of one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goal {
    /// `rpo`, `verified` or `rto`.
    pub goal: &'static str,
    /// How it stands.
    pub result: Judgement,
    /// Whether this is a miss.
    pub is_miss: bool,
    /// Seconds that were found.
    pub value_s: Option<f64>,
    /// Seconds that are allowed; `None`: nothing was asked for.
    pub limit_s: Option<f64>,
    /// What it means, in words.
    pub meaning: String,
}

/// A name with its goals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// What is known.
    #[serde(flatten)]
    pub standing: Standing,
    /// The goals; none where no collection has the name.
    pub goals: Vec<Goal>,
    /// Whether none is missed.
    pub ok: bool,
}

/// Judges one name at a moment.
#[must_use]
pub fn judge(standing: Standing, goals: &Goals, now: u64) -> Judged {
    let mut found = Vec::new();
    if standing.exists {
        let lag = standing.lag.and_then(|lag| lag.seconds);
        found.push(hold("rpo", lag, goals.rpo, goals.rpo.is_some(), "of writes would be lost with this machine now"));
        let age = standing.verified.as_ref().map(|proof| now.saturating_sub(proof.until) as f64 / 1e6);
        let limit = goals.verified_age.unwrap_or(VERIFIED_AGE);
        found.push(hold(
            "verified",
            age,
            Some(limit),
            goals.verified_age.is_some(),
            "passed since the newest state that was proven to come back",
        ));
        found.push(hold("rto", standing.restore.seconds, goals.rto, goals.rto.is_some(), "is what a restore would take"));
    }
    let ok = found.iter().all(|goal| !goal.is_miss);
    Judged { standing, goals: found, ok }
}

/// Holds a number of seconds against a limit in microseconds; what is exactly at the limit has reached the goal.
fn hold(goal: &'static str, value: Option<f64>, limit: Option<u64>, is_asked_for: bool, what: &str) -> Goal {
    let limit_s = limit.map(|limit| limit as f64 / 1e6);
    let result = match (value, limit_s) {
        (None, _) => Judgement::Unknown,
        (Some(value), Some(limit)) if value > limit => Judgement::Missed,
        (Some(_), _) => Judgement::Met,
    };
    let is_miss = result == Judgement::Missed || result == Judgement::Unknown && is_asked_for;
    let allowed = limit_s.map(|limit| format!(", {limit} s are allowed")).unwrap_or_default();
    let meaning = match value {
        Some(value) => format!("{value:.1} s {what}{allowed}"),
        None => format!("unknown how much {what}{allowed}"),
    };
    Goal { goal, result, is_miss, value_s: value, limit_s, meaning }
}

#[cfg(test)]
mod tests;
