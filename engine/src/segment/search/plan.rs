//! How the rows that a search may answer with are best looked through: a pure function of how many there are and what each way costs.
//!
//! The figures below are nanoseconds on one core of a 2025 server (Zen 5, AVX-512); only their ratios matter, and those are about the same
//! elsewhere. `benches/benches/filter.rs` measures them.

use index::hnsw::filtered_width;

/// A row scored by its code in a scan, and each 64 bytes of the code.
const SCAN_ROW: f64 = 2.0;
const SCAN_LINE: f64 = 1.5;
/// The same where the codes are larger than a processor's cache.
const SCAN_LINE_FAR: f64 = 4.0;
const CACHE_BYTES: u64 = 24 << 20;
/// A node scored in a walk (its list, the mark that it was seen, its place in the queue), and each 64 bytes of its code.
const VISIT: f64 = 24.0;
const VISIT_LINE: f64 = 4.0;
const VISIT_LINE_FAR: f64 = 10.0;
/// A vector of the log found and compared, and each 64 bytes of it.
const EXACT: f64 = 30.0;
const EXACT_LINE: f64 = 2.5;
/// Nodes that a walk scores before it is near, and those for each candidate that it keeps.
const DESCENT_VISITS: f64 = 150.0;
const VISITS_PER_CANDIDATE: f64 = 12.0;
/// Where at least this share of the nodes passes, the plain walk is made a little wider and what does not pass is left out.
const PLAIN_SHARE: f64 = 0.5;

/// What a plan is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facts {
    /// Nodes of the part.
    pub nodes: u32,
    /// Nodes that pass; where payloads have to be read to know, an estimate.
    pub matches: u32,
    /// Answers wanted.
    pub k: usize,
    /// Candidates compared exactly.
    pub ef: usize,
    /// Bytes of a code.
    pub code_bytes: usize,
    /// Bytes of a vector.
    pub vector_bytes: usize,
    /// There is a graph to walk.
    pub graph: bool,
}

/// A way to find the nearest of what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Compare all of it exactly.
    Exact,
    /// Score the codes of all of it, and compare the best exactly.
    Scan,
    /// Walk as if all passed, keep this many candidates, and leave out what does not pass.
    PlainWalk {
        /// Candidates kept.
        width: usize,
    },
    /// Walk through what does not pass and collect what does; scan after this many visits.
    FilteredWalk {
        /// Distances that cost as much as the scan.
        visits_max: usize,
    },
}

impl Facts {
    fn share(&self) -> f64 {
        f64::from(self.matches.min(self.nodes)) / f64::from(self.nodes.max(1))
    }

    fn is_far(&self) -> bool {
        u64::from(self.nodes) * self.code_bytes as u64 > CACHE_BYTES
    }

    fn lines(bytes: usize) -> f64 {
        bytes.div_ceil(64) as f64
    }

    fn exact_cost(&self) -> f64 {
        EXACT + EXACT_LINE * Facts::lines(self.vector_bytes)
    }

    fn scan_cost(&self) -> f64 {
        let line = if self.is_far() { SCAN_LINE_FAR } else { SCAN_LINE };
        f64::from(self.matches) * (SCAN_ROW + line * Facts::lines(self.code_bytes))
    }

    fn visit_cost(&self) -> f64 {
        let line = if self.is_far() { VISIT_LINE_FAR } else { VISIT_LINE };
        VISIT + line * Facts::lines(self.code_bytes)
    }

    /// Gives the nodes that have to pass among those that a walk keeps or goes through.
    pub(super) fn ef_min(&self) -> usize {
        (self.k + self.k / 2).min(self.ef)
    }

    /// Gives the nodes near the query that a walk has to go through for enough of them to pass.
    fn walk_width(&self) -> f64 {
        let passing = filtered_width(self.ef, self.ef_min(), self.matches as usize, self.nodes as usize);
        passing as f64 / self.share()
    }

    /// Gives the distances that cost as much as scanning what passes.
    pub(super) fn visits_for_a_scan(&self) -> usize {
        (self.scan_cost() / self.visit_cost()) as usize
    }

    /// Chooses the cheapest way.
    pub(super) fn plan(&self) -> Plan {
        let scan = self.scan_cost();
        if f64::from(self.matches) * self.exact_cost() <= scan + self.ef as f64 * self.exact_cost() {
            return Plan::Exact;
        }
        if !self.graph {
            return Plan::Scan;
        }
        let width = self.walk_width();
        let visits = (DESCENT_VISITS + VISITS_PER_CANDIDATE * width).min(f64::from(self.nodes));
        if scan <= visits * self.visit_cost() {
            return Plan::Scan;
        }
        if self.share() >= PLAIN_SHARE {
            return Plan::PlainWalk { width: width.ceil() as usize };
        }
        self.filtered_walk()
    }

    /// Plans the walk that arrives wherever what passes lies, or is given up in time.
    pub(super) fn filtered_walk(&self) -> Plan {
        Plan::FilteredWalk { visits_max: self.visits_for_a_scan() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(nodes: u32, share: f64) -> Facts {
        let matches = (f64::from(nodes) * share) as u32;
        Facts { nodes, matches, k: 10, ef: 64, code_bytes: 384, vector_bytes: 1536, graph: true }
    }

    #[test]
    fn everything_is_walked_as_if_there_were_no_filter() {
        assert_eq!(facts(50_000, 1.0).plan(), Plan::PlainWalk { width: 64 });
        assert_eq!(facts(50_000_000, 1.0).plan(), Plan::PlainWalk { width: 64 });
        let Plan::PlainWalk { width } = facts(1_000_000, 0.7).plan() else { panic!("most pass") };
        assert!((70..110).contains(&width), "{width}");
    }

    #[test]
    fn few_matches_are_scanned_and_very_few_compared() {
        assert_eq!(facts(52_000, 0.1).plan(), Plan::Scan);
        assert_eq!(facts(52_000, 0.01).plan(), Plan::Scan);
        assert_eq!(facts(52_000, 0.001).plan(), Plan::Exact);
        assert_eq!(facts(52_000, 0.0).plan(), Plan::Exact);
        assert_eq!(facts(10_000_000, 0.001).plan(), Plan::Scan);
        assert_eq!(facts(10_000_000, 0.000_001).plan(), Plan::Exact);
    }

    #[test]
    fn many_matches_of_a_large_segment_are_walked_to() {
        for (nodes, share) in [(1_000_000, 0.1), (1_000_000, 0.3), (10_000_000, 0.03)] {
            assert!(matches!(facts(nodes, share).plan(), Plan::FilteredWalk { .. }), "{share} of {nodes}");
        }
    }

    #[test]
    fn without_a_graph_nothing_is_walked() {
        for share in [1.0, 0.5, 0.1, 0.01, 0.0001] {
            let plan = Facts { graph: false, ..facts(100_000, share) }.plan();
            assert!(matches!(plan, Plan::Scan | Plan::Exact), "{share}: {plan:?}");
        }
    }

    #[test]
    fn what_is_compared_exactly_is_little_or_nearly_all() {
        for nodes in [100, 1_000, 100_000, 100_000_000] {
            for share in [1.0, 0.9, 0.5, 0.2, 0.1, 0.01, 0.001, 0.0001] {
                for graph in [true, false] {
                    let facts = Facts { graph, ..facts(nodes, share) };
                    let exact = facts.plan() == Plan::Exact;
                    assert!(if facts.matches <= 64 { exact } else { !exact || facts.matches < 128 }, "{facts:?}");
                }
            }
        }
    }

    #[test]
    fn a_walk_is_planned_only_where_it_costs_less_than_the_scan() {
        for nodes in [1_000, 20_000, 100_000, 1_000_000, 100_000_000] {
            for share in [1.0, 0.5, 0.4, 0.2, 0.1, 0.05, 0.01, 0.001] {
                let facts = facts(nodes, share);
                if let Plan::FilteredWalk { visits_max } = facts.plan() {
                    let visits = DESCENT_VISITS + VISITS_PER_CANDIDATE * facts.walk_width();
                    assert!(visits < visits_max as f64 + 1.0 || visits > f64::from(nodes), "{facts:?}: {visits} of {visits_max}");
                    assert!(visits_max as f64 * facts.visit_cost() <= facts.scan_cost(), "{facts:?}");
                }
            }
        }
    }

    #[test]
    fn odd_numbers_make_a_plan_too() {
        for nodes in [0, 1, u32::MAX] {
            for matches in [0, 1, u32::MAX] {
                for (k, ef) in [(1, 1), (10, 5), (usize::MAX / 4, usize::MAX / 4)] {
                    let facts = Facts { nodes, matches, k, ef, code_bytes: 64, vector_bytes: 4, graph: true };
                    let _ = facts.plan();
                }
            }
        }
    }
}
