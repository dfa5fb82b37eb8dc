//! How the rows that a search may answer with are best looked through: a pure function of how many there are and what each way costs.
//!
//! The figures below are nanoseconds of one core of a 2025 server (Zen 5, AVX-512), from 40,000 x 384, 200,000 x 128 and 1,000,000 x 128;
//! only their ratios matter. `benches/benches/filter.rs` measures them.

use index::hnsw::filtered_width;

/// A row scored by its code in a scan, and each 64 bytes of the code.
const SCAN: [f64; 2] = [3.0, 1.3];
/// The same where the codes are larger than a processor's cache.
const SCAN_FAR: [f64; 2] = [14.0, 2.5];
const CACHE_BYTES: u64 = 32 << 20;
/// A node scored in the plain walk (its list, the mark that it was seen, its place among the candidates), and each 64 bytes of its code.
const VISIT: [f64; 2] = [26.0, 1.0];
const VISIT_FAR: [f64; 2] = [36.0, 2.5];
/// The same in a filtered walk, which knows no blocks and asks about each node.
const VISIT_FILTERED: [f64; 2] = [40.0, 1.0];
const VISIT_FILTERED_FAR: [f64; 2] = [52.0, 2.5];
/// A vector of the log found and compared, and each 64 bytes of it.
const EXACT: [f64; 2] = [30.0, 1.0];
/// Nodes that a walk scores before it is near, and those for each candidate that it keeps.
const DESCENT_VISITS: f64 = 150.0;
const VISITS_PER_CANDIDATE: f64 = 14.0;
/// The plain walk is not made wider than this: it keeps its candidates sorted.
const PLAIN_WIDTH_MAX: f64 = 2048.0;

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

    fn exact_cost(&self) -> f64 {
        cost(EXACT, self.vector_bytes)
    }

    fn scan_cost(&self) -> f64 {
        f64::from(self.matches) * cost(if self.is_far() { SCAN_FAR } else { SCAN }, self.code_bytes)
    }

    fn visit_cost(&self, near: [f64; 2], far: [f64; 2]) -> f64 {
        cost(if self.is_far() { far } else { near }, self.code_bytes)
    }

    /// Gives how many have to pass of what a walk finds. Fewer say that what passes is rarer around the query than elsewhere.
    pub(super) fn enough(&self) -> usize {
        self.k.saturating_add(self.k / 4)
    }

    /// Gives how many have to pass of what a filtered walk goes through.
    pub(super) fn ef_min(&self) -> usize {
        self.k.saturating_add(self.k / 2).min(self.ef)
    }

    /// Gives the nodes near the query that a walk has to find for enough of them to pass, wherever what passes lies.
    fn walk_width(&self) -> f64 {
        if self.matches >= self.nodes {
            return self.ef as f64;
        }
        let few = self.k.saturating_mul(2).min(self.ef);
        let passing = filtered_width(self.ef, few, self.matches as usize, self.nodes as usize);
        passing.max(self.enough()) as f64 / self.share()
    }

    /// Gives the distances of a filtered walk that cost as much as scanning what passes.
    pub(super) fn visits_for_a_scan(&self) -> usize {
        (self.scan_cost() / self.visit_cost(VISIT_FILTERED, VISIT_FILTERED_FAR)) as usize
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
        let width = self.walk_width().ceil();
        let visits = (DESCENT_VISITS + VISITS_PER_CANDIDATE * width).min(f64::from(self.nodes));
        if scan <= visits * self.visit_cost(VISIT, VISIT_FAR) {
            return Plan::Scan;
        }
        if width <= PLAIN_WIDTH_MAX.max(self.ef as f64) { Plan::PlainWalk { width: width as usize } } else { self.filtered_walk() }
    }

    /// Plans the walk that arrives wherever what passes lies, or is given up in time.
    pub(super) fn filtered_walk(&self) -> Plan {
        Plan::FilteredWalk { visits_max: self.visits_for_a_scan() }
    }
}

/// What reading some bytes costs: once, and for each cache line.
fn cost([once, each]: [f64; 2], bytes: usize) -> f64 {
    once + each * bytes.div_ceil(64) as f64
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
    fn a_walk_is_wide_enough_for_the_answers_and_more() {
        for share in [0.9, 0.5, 0.2, 0.05, 0.02] {
            for (k, ef) in [(1, 1), (10, 10), (10, 64), (64, 64), (100, 128)] {
                let facts = Facts { k, ef, ..facts(50_000_000, share) };
                if let Plan::PlainWalk { width } = facts.plan() {
                    assert!(width as f64 * facts.share() >= facts.enough() as f64 - 0.01, "{facts:?}: {width}");
                }
                assert!(facts.enough() >= k && facts.ef_min() >= k, "{facts:?}");
            }
        }
    }

    #[test]
    fn many_matches_of_a_large_segment_are_walked_to() {
        for (nodes, share) in [(1_000_000, 0.1), (1_000_000, 0.3), (10_000_000, 0.03)] {
            assert!(matches!(facts(nodes, share).plan(), Plan::PlainWalk { .. }), "{share} of {nodes}");
        }
        assert!(matches!(facts(100_000_000, 0.005).plan(), Plan::FilteredWalk { .. }), "too wide to keep sorted");
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
                if matches!(facts.plan(), Plan::PlainWalk { .. } | Plan::FilteredWalk { .. }) {
                    let visits = DESCENT_VISITS + VISITS_PER_CANDIDATE * facts.walk_width();
                    let cost = visits.min(f64::from(nodes)) * facts.visit_cost(VISIT, VISIT_FAR);
                    assert!(cost < facts.scan_cost(), "{facts:?}");
                }
                let Plan::FilteredWalk { visits_max } = facts.filtered_walk() else { panic!("a filtered walk") };
                assert!(visits_max as f64 * facts.visit_cost(VISIT_FILTERED, VISIT_FILTERED_FAR) <= facts.scan_cost(), "{facts:?}");
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
