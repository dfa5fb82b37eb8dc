//! The page of metrics in Prometheus' text format 0.0.4: samples are added in any order, and stand with their metric.

use std::fmt::Write;

use engine::timings::{BOUNDS_MICROS, Counted};

use super::families::{FAMILIES, Kind};

/// A page that is being written.
#[derive(Debug)]
pub(super) struct Page {
    /// The lines of each metric, in the order of [`FAMILIES`].
    lines: Vec<String>,
}

impl Page {
    pub(super) fn new() -> Self {
        Page { lines: FAMILIES.iter().map(|_| String::new()).collect() }
    }

    /// Adds a number; the labels' values are in the order of the metric's labels.
    ///
    /// # Panics
    /// When there is no such metric, it is a histogram, or it has other labels.
    pub(super) fn add(&mut self, name: &str, labels: &[&str], value: f64) {
        let at = position(name, labels);
        assert!(FAMILIES[at].kind != Kind::Histogram, "{name} is one number");
        let labels = labelled(FAMILIES[at].labels, labels, None);
        push(&mut self.lines[at], &format!("{name}{labels} {value}\n"));
    }

    /// Adds durations.
    ///
    /// # Panics
    /// When there is no such histogram, or it has other labels.
    pub(super) fn histogram(&mut self, name: &str, labels: &[&str], counted: &Counted) {
        let at = position(name, labels);
        assert!(FAMILIES[at].kind == Kind::Histogram, "{name} is a histogram");
        let names = FAMILIES[at].labels;
        let mut below = 0;
        for (number, count) in counted.counts.iter().enumerate() {
            below += count;
            let bound = BOUNDS_MICROS.get(number).map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound).to_string());
            let labels = labelled(names, labels, Some(&bound));
            push(&mut self.lines[at], &format!("{name}_bucket{labels} {below}\n"));
        }
        let labels = labelled(names, labels, None);
        push(&mut self.lines[at], &format!("{name}_sum{labels} {}\n{name}_count{labels} {below}\n", seconds(counted.sum_micros)));
    }

    /// Gives the page; a metric without a sample is left out.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (family, lines) in FAMILIES.iter().zip(&self.lines).filter(|(_, lines)| !lines.is_empty()) {
            push(&mut text, &format!("# HELP {} {}\n# TYPE {} {}\n{lines}", family.name, family.help, family.name, family.kind.word()));
        }
        text
    }
}

/// Turns microseconds into seconds.
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn push(text: &mut String, more: &str) {
    let _written = text.write_str(more);
}

fn position(name: &str, labels: &[&str]) -> usize {
    let at = FAMILIES.iter().position(|family| family.name == name).expect("every metric is in the table");
    assert_eq!(FAMILIES[at].labels.len(), labels.len(), "{name} has its labels");
    at
}

/// Writes labels, and the upper end of a bucket behind them.
fn labelled(names: &[&str], values: &[&str], bound: Option<&str>) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs = names.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    let pairs: Vec<String> = pairs.chain(bound.map(|bound| format!("le=\"{bound}\""))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::timings::Durations;

    #[test]
    fn samples_stand_with_their_metric_and_labels_are_escaped() {
        let mut page = Page::new();
        page.add("vectra_collection_points", &["a"], 7.0);
        page.add("vectra_memory_resident_bytes", &[], 4096.0);
        page.add("vectra_collection_points", &["b\"\\\n"], 8.0);
        let expected = "# HELP vectra_memory_resident_bytes memory of the process\n# TYPE vectra_memory_resident_bytes gauge\n\
             vectra_memory_resident_bytes 4096\n# HELP vectra_collection_points live points\n# TYPE vectra_collection_points gauge\n\
             vectra_collection_points{collection=\"a\"} 7\nvectra_collection_points{collection=\"b\\\"\\\\\\n\"} 8\n";
        assert_eq!(page.text(), expected);
    }

    #[test]
    fn buckets_add_up_to_the_count() {
        let (mut page, durations) = (Page::new(), Durations::default());
        [50, 700, 4_000_000_000].into_iter().for_each(|micros| durations.count(micros));
        page.histogram("vectra_index_build_seconds", &["a"], &durations.read());
        let text = page.text();
        for line in ["le=\"0.0001\"} 1", "le=\"0.0005\"} 1", "le=\"0.001\"} 2", "le=\"3600\"} 2", "le=\"+Inf\"} 3"] {
            assert!(text.contains(&format!("vectra_index_build_seconds_bucket{{collection=\"a\",{line}\n")), "{line}: {text}");
        }
        assert!(text.ends_with("_sum{collection=\"a\"} 4000.00075\nvectra_index_build_seconds_count{collection=\"a\"} 3\n"), "{text}");
    }
}
