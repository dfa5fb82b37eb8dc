//! What is shipped for whoever watches a deployment: alert rules and a board parse, and name only metrics that are documented.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const METRICS: &str = include_str!("../../docs/ops/metrics.md");
const ALERTS: &str = include_str!("../../docs/ops/alerts.yml");
const BOARD: &str = include_str!("../../docs/ops/grafana.json");

/// The documented metrics with their types.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = METRICS.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &'static str| {
        let (name, rest) = row.split_once('`').expect("a name ends");
        (name, rest.split('|').nth(1).expect("a row has a type").trim())
    };
    let all: Vec<_> = rows.map(row).collect();
    let found: BTreeMap<_, _> = all.iter().copied().collect();
    assert_eq!(found.len(), all.len(), "a metric stands in the table once");
    found
}

/// The names of metrics in an expression.
fn named(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("vectra_")).collect()
}

/// Gives the first name in an expression that is not documented.
fn unknown(expression: &str) -> Option<&str> {
    let documented = documented();
    let is_known = |name: &str| {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        documented.contains_key(name) || of_histogram.is_some_and(|base| documented.get(base) == Some(&"histogram"))
    };
    named(expression).into_iter().find(|name| !is_known(name))
}

/// One alert rule: its keys, those of labels and annotations with a dot.
type AlertRule = BTreeMap<String, String>;

/// Reads the part of YAML that the rules are written in, and refuses everything else.
fn read_rules(text: &str) -> Result<Vec<AlertRule>, String> {
    let (mut rules, mut within): (Vec<AlertRule>, String) = (Vec::new(), String::new());
    for (number, line) in text.lines().enumerate() {
        let at = |what: &str| format!("line {}: {what}", number + 1);
        let words = line.trim_start();
        let indent = line.len() - words.len();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if line.contains('\t') || indent % 2 == 1 {
            return Err(at("it is not indented by pairs of blanks"));
        }
        let (words, depth) = words.strip_prefix("- ").map_or((words, indent), |rest| (rest, indent + 2));
        let (key, value) = words.split_once(':').ok_or_else(|| at("it has no key"))?;
        let value = value.trim();
        if depth < 8 {
            let is_frame = matches!((key, value), ("groups" | "rules", "") | ("name", "vectra-disaster-recovery"));
            if is_frame { continue } else { return Err(at("this stands outside of a rule")) }
        }
        let quotes = value.matches('"').count();
        let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        let is_plain = !value.contains(": ") && !value.contains(" #") && !value.starts_with(['{', '[', '"', '\'', '*', '&', '%', '@', '`']);
        if !(is_quoted && quotes == 2 || is_plain) {
            return Err(at("the value has to be quoted"));
        }
        if depth == 8 && key == "alert" {
            rules.push(AlertRule::new());
        }
        let rule = rules.last_mut().ok_or_else(|| at("no rule has begun"))?;
        match (depth, value) {
            (8, "") => within = format!("{key}."),
            (8 | 10, value) => {
                let key = if depth == 10 { format!("{within}{key}") } else { key.to_owned() };
                let known = rule.insert(key, value.trim_matches('"').to_owned());
                if known.is_some() {
                    return Err(at("the key is there twice"));
                }
            }
            _ => return Err(at("it is indented too far")),
        }
    }
    Ok(rules)
}

#[test]
fn the_eight_alert_rules_parse_and_name_documented_metrics() {
    let rules = read_rules(ALERTS).expect("the rules parse");
    assert_eq!(rules.len(), 8);
    let names: BTreeSet<_> = rules.iter().map(|rule| &rule["alert"]).collect();
    assert_eq!(names.len(), 8, "each has a name of its own");
    for rule in &rules {
        let expression = &rule["expr"];
        assert_eq!(unknown(expression), None, "{}", rule["alert"]);
        assert!(!named(expression).is_empty(), "{}", rule["alert"]);
        assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
        assert!(["page", "ticket"].contains(&rule["labels.severity"].as_str()), "{rule:?}");
        assert!(!rule["annotations.summary"].is_empty() && !rule["annotations.description"].is_empty(), "{rule:?}");
        let known = ["alert", "expr", "for", "labels.severity", "annotations.summary", "annotations.description"];
        assert!(rule.keys().all(|key| known.contains(&key.as_str())), "{rule:?}");
    }
}

#[test]
fn the_board_parses_and_names_documented_metrics() {
    let board: Value = serde_json::from_str(BOARD).expect("the board is JSON");
    let panels = board["panels"].as_array().expect("it has panels");
    let ids: BTreeSet<_> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels {
        let targets = panel["targets"].as_array().expect("a panel has targets");
        assert!(!targets.is_empty() && panel["title"].is_string() && panel["gridPos"]["w"].as_u64().is_some_and(|w| w <= 24), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().expect("a target has an expression");
            assert!(!named(expression).is_empty(), "{panel}");
            assert_eq!(unknown(expression), None, "{}", panel["title"]);
        }
    }
    for variable in board["templating"]["list"].as_array().expect("it has variables") {
        assert_eq!(unknown(variable["query"].as_str().unwrap_or_default()), None, "{variable}");
    }
}

#[test]
fn a_name_that_is_not_documented_and_a_rule_that_does_not_parse_are_noticed() {
    assert_eq!(unknown("rate(vectra_archive_lag_secondz[5m]) > vectra_archive_lag_seconds"), Some("vectra_archive_lag_secondz"));
    assert_eq!(unknown("vectra_archive_lag_seconds_bucket"), Some("vectra_archive_lag_seconds_bucket"), "a gauge has no buckets");
    assert_eq!(unknown("vectra_query_duration_seconds_bucket"), None);
    let broken = [
        ALERTS.replacen("        expr:", "       expr:", 1),
        ALERTS.replacen("        for: 1m", "        for 1m", 1),
        ALERTS.replacen("        for: 1m", "        expr: 1", 1),
        ALERTS.replacen("summary: \"{{", "summary: {{", 1),
    ];
    for text in broken {
        assert!(read_rules(&text).is_err());
    }
}
