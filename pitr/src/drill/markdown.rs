//! A drill's report for people: what was tried, what came of it, how long it took.

use std::fmt::Write;

use super::report::{Check, DrillReport, Outcome, Verdict};
use crate::time_text::format;

/// Renders a report as a page of Markdown.
#[must_use]
pub fn as_markdown(report: &DrillReport) -> String {
    let ended = match report.outcome {
        Outcome::Passed => "PASSED",
        Outcome::Missed => "MISSED",
        Outcome::Failed => "FAILED",
        Outcome::Interrupted => "INTERRUPTED",
    };
    let mut page = format!("# Restore drill of {}: {ended}\n\n", plain(&report.collection));
    let mut row = |name: &str, value: String| push(&mut page, &format!("- {name}: {value}\n"));
    row("drill", report.id.clone());
    row("began", format(report.started));
    row("took", format!("{:.1} s", report.seconds));
    row("source", plain(&report.source));
    row("state asked for", report.to_time.map_or_else(|| report.target.clone(), |time| format!("{} ({})", report.target, format(time))));
    row("scratch collection", format!("{}, removed", plain(&report.scratch_name)));
    if let Some(restored) = &report.restored {
        let from = restored.snapshot_id.as_ref().map_or("what was archived".to_owned(), |id| format!("backup {}", plain(id)));
        row("restored", format!("{from}, {} points, {} bytes, index {}", restored.points, restored.bytes, restored.index));
        row("state restored", format!("{}, position {} of timeline {}", format(restored.commit_time), restored.lsn, restored.timeline));
    }
    if let Some(rto) = &report.rto {
        let full = rto.full_speed_s.map_or("not reached".to_owned(), |seconds| format!("{seconds:.2} s"));
        row("RTO", format!("first answer after {:.2} s, full speed {full}, durable after {:.2} s", rto.first_answer_s, rto.total_s));
        row("speed", format!("{:.1} MB/s", rto.bytes_per_second / 1e6));
    }
    if let Some(rpo) = &report.rpo {
        let seconds = rpo.seconds.map_or("unknown".to_owned(), |seconds| format!("{seconds:.3} s"));
        let missing = rpo.missing_records.map_or("an unknown number of".to_owned(), |count| count.to_string());
        row("RPO", format!("{seconds} (by {}), {missing} known writes are not in it", rpo.measured));
    }
    if let Some(recall) = report.recall {
        row("recall", format!("{recall:.4}"));
    }
    if let Some(failed) = &report.failed {
        push(&mut page, &format!("\n## What went wrong\n\n{}: {}\n", failed.kind, plain(&failed.message)));
        push(&mut page, &failed.hint.as_ref().map(|hint| format!("\n{}\n", plain(hint))).unwrap_or_default());
    }
    checks(&mut page, &report.checks);
    list(&mut page, "What was missed", &report.misses);
    list(&mut page, "Warnings", &report.warnings);
    page
}

fn checks(page: &mut String, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    push(page, "\n## Comparisons\n\n| check | against | result | expected | got | note |\n| --- | --- | --- | --- | --- | --- |\n");
    for check in checks {
        let result = match check.result {
            Verdict::Passed => "passed",
            Verdict::Missed => "MISSED",
            Verdict::Unknown => "nothing to compare",
        };
        let cell = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
        let (expected, got, detail) = (cell(&check.expected), cell(&check.got), cell(&check.detail));
        push(page, &format!("| {} | {} | {result} | {expected} | {got} | {detail} |\n", check.check, check.with));
    }
}

fn list(page: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    push(page, &format!("\n## {heading}\n\n"));
    lines.iter().for_each(|line| push(page, &format!("- {}\n", plain(line))));
}

/// Takes away what would be markup: names and messages come from elsewhere.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '|' | '<' | '`' | '*' | '[' => out.extend(['\\', c]),
            _ if c.is_control() => out.push('?'),
            _ => out.push(c),
        }
    }
    out
}

/// Writing to a text cannot fail.
fn push(page: &mut String, text: &str) {
    let written = page.write_str(text);
    debug_assert!(written.is_ok());
}
